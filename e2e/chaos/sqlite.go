package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/sqlite"
)

// fileDatabase is SQLite in a file of the only node. It has no process: it crashes with the node.
type fileDatabase struct {
	*deployment
	folder string
	db     *sql.DB // of the campaign itself
}

// startOnSQLite starts a node on a new file with the demo catalogue. dir is the project's root.
func (w *deployment) startOnSQLite(ctx context.Context, dir string, vars map[string]string, calm bool) error {
	folder, err := os.MkdirTemp("", "h5pay-chaos-sqlite")
	if err != nil {
		return err
	}
	f := &fileDatabase{deployment: w, folder: folder}
	w.db = f
	w.closers = append(w.closers, f.close)
	file := filepath.Join(folder, "shop.db")
	if f.db, err = sql.Open(sqlite.Name, store.SQLiteURI(file, "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")); err != nil {
		return err
	}
	f.db.SetMaxOpenConns(1)
	if err := store.Migrate(ctx, f.db); err != nil {
		return err
	}
	seed, err := os.ReadFile(filepath.Join(dir, "internal/store/seed.sql"))
	if err != nil {
		return err
	}
	if _, err := f.db.ExecContext(ctx, string(seed)); err != nil {
		return err
	}
	if err := w.prepareNodes(ctx, dir, vars); err != nil {
		return err
	}
	n := node{deployment: w, binary: w.binary, number: 1, database: "DB_FILE=" + file}
	w.worker.calm = calm
	return w.worker.add(n.name(), vars, n.launch).start(ctx)
}

func (f *fileDatabase) kill() {
	for _, m := range f.worker.machines {
		m.kill()
	}
}

func (f *fileDatabase) await() {} // other processes read the file at any time

func (f *fileDatabase) restarts() int { return 0 }

func (f *fileDatabase) name() string { return "SQLite" }

func (f *fileDatabase) close() {
	if f.db != nil {
		f.db.Close()
	}
	os.RemoveAll(f.folder)
}

func (f *fileDatabase) query(statement string, args ...any) (json.RawMessage, error) {
	rows, err := f.db.Query(statement, args...)
	if err != nil {
		return nil, fmt.Errorf("reading SQLite: %w", err)
	}
	defer rows.Close()
	all, err := paytest.Objects(rows)
	if err != nil {
		return nil, fmt.Errorf("reading SQLite: %w", err)
	}
	return all, nil
}
