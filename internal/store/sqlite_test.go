package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"h5pay/internal/store"
)

// The file has the given path, whatever characters the path has.
func TestSQLiteURI(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"plain", "#1", "a?b", "50%", "%23", "商店"} {
		dir := filepath.Join(t.TempDir(), folder)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "shop.db")
		db, err := sql.Open("sqlite", store.SQLiteURI(file, "_pragma=busy_timeout(5000)"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), `CREATE TABLE t (n INTEGER)`); err != nil {
			t.Errorf("%s: %v", folder, err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%s: %v", folder, err)
		}
	}
}
