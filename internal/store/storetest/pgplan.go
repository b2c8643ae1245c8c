package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"h5pay/internal/pgtest"
	"h5pay/internal/store/postgres"
)

const (
	// bigShop is the number of orders in the database of CheckPostgresPlans. A statement may read at
	// most mostRead rows of a table there, which is about as many as Counters counts.
	bigShop  = 25_000
	mostRead = 12_000
)

// rowsRead returns how many rows of each table a session has read since its statistics were last
// written.
func rowsRead(ctx context.Context, tx *sql.Tx) (map[string]int, error) {
	rows, err := tx.QueryContext(ctx, `SELECT relname, COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	read := map[string]int{}
	for rows.Next() {
		var table string
		var n int
		if err := rows.Scan(&table, &n); err != nil {
			return nil, err
		}
		read[table] = n
	}
	return read, rows.Err()
}

// CheckPostgresPlans repeats the statements of this process in a PostgreSQL database with
// many orders. It returns those that read more than mostRead rows of a table, triggers
// included. It uses the settings of the product and rolls back each statement.
func CheckPostgresPlans(s *pgtest.Server) (problems []string) {
	ctx := context.Background()
	if err := s.Exec(ctx, "postgres", "CREATE DATABASE plans"); err != nil {
		return []string{err.Error()}
	}
	if err := postgres.Migrate(ctx, postgres.Config{URL: s.URL("plans")}); err != nil {
		return []string{err.Error()}
	}
	if err := FillPostgres(ctx, s.URL("plans"), bigShop, nil); err != nil {
		return []string{err.Error()}
	}
	db, err := postgres.Open(postgres.Config{URL: s.URL("plans")})
	if err != nil {
		return []string{err.Error()}
	}
	defer db.Close()
	recorded.Lock()
	statements := maps.Clone(recorded.statements)
	recorded.Unlock()
	for _, query := range slices.Sorted(maps.Keys(statements)) {
		if strings.Contains(query, "pragma_") {
			continue // only SQLite has it
		}
		var args []any
		for _, arg := range statements[query].Args {
			if f, ok := arg.Value.(float64); ok {
				arg.Value = int64(f) // as the product sends it to PostgreSQL
			}
			args = append(args, arg.Value)
		}
		problems = append(problems, readsTooMuch(ctx, db, query, args)...)
	}
	return problems
}

// readsTooMuch runs a statement and rolls it back.
func readsTooMuch(ctx context.Context, db *sql.DB, query string, args []any) (problems []string) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return []string{err.Error()}
	}
	defer tx.Rollback()
	before, err := rowsRead(ctx, tx)
	if err != nil {
		return []string{err.Error()}
	}
	if rows, err := tx.QueryContext(ctx, query, args...); err != nil {
		return []string{fmt.Sprintf("PostgreSQL: %v in %s", err, query)}
	} else if err := rows.Close(); err != nil {
		return []string{err.Error()}
	}
	after, err := rowsRead(ctx, tx)
	if err != nil {
		return []string{err.Error()}
	}
	for table, n := range after {
		most := mostRead
		if strings.Contains(query, "WITH newest AS") {
			most *= 6 // up to 10,000 orders, each read by a few subqueries
		}
		if n -= before[table]; n > most {
			problems = append(problems, fmt.Sprintf("PostgreSQL reads %d rows of %s in %s", n, table, query))
		}
	}
	return problems
}
