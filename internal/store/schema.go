package store

import (
	"io/fs"
	"path"
)

// Schema returns the name of the last migration of this build.
func Schema() string {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		panic("the migrations are not in the program")
	}
	return path.Base(names[len(names)-1])
}
