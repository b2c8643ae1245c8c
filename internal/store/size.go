package store

import (
	"context"
	"fmt"
)

// Size is the size of a database and its limit, in bytes. The zero Size is unknown.
type Size struct{ Used, Capacity int64 }

// Full reports whether no new order is accepted. The last tenth is for payments, refunds
// and events of the orders that exist. The SQL of Insert has the same rule.
func (s Size) Full() bool { return s.Capacity > 0 && s.Used >= s.Capacity/10*9 }

// Differs reports whether NoteSize writes a size in place of the stored one: size or capacity
// have changed by a thousandth of the capacity.
func (s Size) Differs(stored Size) bool {
	least := stored.Capacity / 1000
	return stored.Capacity == 0 || max(s.Capacity, stored.Capacity)-min(s.Capacity, stored.Capacity) >= least || max(s.Used, stored.Used)-min(s.Used, stored.Used) >= least
}

// NoteSize stores the size of the database for Insert and Health, if it differs from the
// stored one that Minute has read. It writes nothing if another timer has stored a size since: a
// statement that is late does not bring back an old size.
func (s *Store) NoteSize(ctx context.Context, size, stored Size) error {
	if !size.Differs(stored) {
		return nil
	}
	_, err := s.run(ctx, "storing the size of the database", `
		INSERT INTO database_size (one, used, capacity) VALUES (1, ?1, ?2)
		ON CONFLICT (one) DO UPDATE SET used = excluded.used, capacity = excluded.capacity
		WHERE database_size.used = ?3 AND database_size.capacity = ?4`, size.Used, size.Capacity, stored.Used, stored.Capacity)
	return err
}

// SQLiteSize returns the size of a SQLite database. Capacity is SQLite's own limit. Free
// pages do not count as used.
func (s *Store) SQLiteSize(ctx context.Context) (Size, error) {
	var size Size
	err := s.db.QueryRowContext(ctx, `SELECT (page_count - freelist_count) * page_size, max_page_count * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size, pragma_max_page_count`).Scan(&size.Used, &size.Capacity)
	if err != nil {
		return Size{}, fmt.Errorf("reading the size of the database: %w", err)
	}
	return size, nil
}
