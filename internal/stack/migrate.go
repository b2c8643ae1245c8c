package stack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// The local database: the migrations and the demo catalogue.
const (
	migrationFiles = "internal/store/migrations/*.sql"
	seedFile       = "internal/store/seed.sql"
)

// migrate brings the local database up to date. A stamp beside it saves the two
// wrangler runs, some seconds each, when nothing has changed.
func migrate(ctx context.Context, cfg ShopConfig) error {
	stamp := filepath.Join(cfg.State, "schema")
	want, err := schemaHash(cfg.Dir)
	if err != nil {
		return err
	}
	if got, err := os.ReadFile(stamp); err == nil && string(got) == want {
		return nil
	}
	for _, args := range [][]string{
		{"d1", "migrations", "apply", "DB", "--local", "--persist-to", cfg.State},
		{"d1", "execute", "DB", "--local", "--persist-to", cfg.State, "--file", seedFile},
	} {
		cmd := wrangler(ctx, cfg, args...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		cmd.Env = append(cmd.Env, "CI=true") // asks nothing
		err := cmd.Run()
		// Wrangler may leave the workerd of the database running.
		if cmd.Process != nil {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
		if err != nil {
			return fmt.Errorf("wrangler %s %s: %w\n%s", args[0], args[1], err, out.Bytes())
		}
	}
	return os.WriteFile(stamp, []byte(want), 0o644)
}

// SchemaFiles returns the SQL files that make the database, in their order. dir
// is the project's root.
func SchemaFiles(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, migrationFiles))
	return append(files, filepath.Join(dir, seedFile)), err
}

func schemaHash(dir string) (string, error) {
	files, err := SchemaFiles(dir)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", filepath.Base(name), len(b))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
