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

// The SQL files of the local database: the migrations and the demo catalogue.
const (
	migrationFiles = "internal/store/migrations/*.sql"
	seedFile       = "internal/store/seed.sql"
)

// migrate updates the local database. A hash stored beside it avoids two wrangler runs of some
// seconds if nothing has changed.
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
		cmd.Env = append(cmd.Env, "CI=true") // no prompts
		err := cmd.Run()
		// Wrangler may leave the database's workerd running.
		if cmd.Process != nil {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
		if err != nil {
			return fmt.Errorf("wrangler %s %s: %w\n%s", args[0], args[1], err, out.Bytes())
		}
	}
	return os.WriteFile(stamp, []byte(want), 0o644)
}

// SchemaFiles returns the SQL files that create the database, in order. dir is the project's root.
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
