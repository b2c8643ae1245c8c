//go:build !js

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"h5pay/internal/store"
)

// Not parallel: the umask belongs to the process.
func TestDatabaseIsPrivate(t *testing.T) {
	t.Parallel()
	for _, umask := range []int{0, 0o022, 0o277} {
		dir := t.TempDir()
		old := syscall.Umask(umask)
		defer syscall.Umask(old)
		db, err := openSQLite(filepath.Join(dir, "h5pay.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := store.Migrate(t.Context(), db); err != nil {
			t.Fatalf("umask %04o: %v", umask, err)
		}
		syscall.Umask(old)
		for _, name := range []string{"h5pay.db", "h5pay.db-wal", "h5pay.db-shm"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != 0o600 {
				t.Errorf("umask %04o: %s has mode %04o, want 0600", umask, name, got)
			}
		}
	}
}

// A change that was acknowledged is on the disk. So SQLite waits for the disk at each commit (FULL),
// also in WAL mode.
func TestCommitsAreOnTheDisk(t *testing.T) {
	t.Parallel()
	db, err := openSQLite(filepath.Join(t.TempDir(), "h5pay.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal"} {
		var got string
		if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", pragma, got, err, want)
		}
	}
}

func TestExistingDatabaseKeepsItsMode(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "h5pay.db")
	if err := os.WriteFile(name, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	db, err := openSQLite(name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
