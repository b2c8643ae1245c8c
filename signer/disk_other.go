//go:build !js

package main

import (
	"context"
	"database/sql"
	"path/filepath"

	"h5pay/internal/store"
)

// minDisk is how many bytes of the disk new orders leave free. SQLite needs space for its log
// beside the database file.
const minDisk = 64_000_000

// fileSize returns the size of a SQLite file. Its capacity is the smaller of SQLite's limit and the
// free disk space.
func fileSize(db *sql.DB, file string) func(context.Context) (store.Size, error) {
	st := store.New(db)
	return func(ctx context.Context) (store.Size, error) {
		size, err := st.SQLiteSize(ctx)
		if err != nil {
			return store.Size{}, err
		}
		if free, ok := diskFree(filepath.Dir(file)); ok {
			size.Capacity = min(size.Capacity, size.Used+max(0, free-minDisk)+1)
		}
		return size, nil
	}
}
