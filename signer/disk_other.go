//go:build !js

package main

import (
	"context"
	"database/sql"
	"path/filepath"

	"h5pay/internal/store"
)

// minDisk is how much of the disk stays free of new orders: SQLite needs room for its
// log beside the file.
const minDisk = 64_000_000

// fileSize returns the size of a SQLite file, within SQLite's own limit and what the
// disk has left for it.
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
