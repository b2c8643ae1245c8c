package store

import (
	"context"
	"fmt"
)

// schema is the name of the last migration. The Worker does not contain the text of the
// migrations.
const schema = "0001_schema.sql"

// Schema returns the name of the last migration of this build.
func Schema() string { return schema }

// AppliedSchema returns the name of the last migration that the database has.
func (s *Store) AppliedSchema(ctx context.Context) (name string, err error) {
	if err = s.db.QueryRowContext(ctx, `SELECT name FROM d1_migrations ORDER BY name DESC LIMIT 1`).Scan(&name); err != nil {
		return "", fmt.Errorf("reading the schema: %w", err)
	}
	return name, nil
}
