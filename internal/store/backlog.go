package store

import (
	"context"
	"fmt"

	"h5pay/internal/api"
)

// MaxBacklog is the most events, and the most deliveries, that one Backlog reads.
const MaxBacklog = 10_000

// Backlog counts the events since an earlier reading.
type Backlog struct {
	Made    map[api.EventType]int // events after the position of the earlier reading, MaxBacklog at most
	Pending int                   // pending deliveries at endpoints that may get them (waitsAt), MaxBacklog at most
	Last    int64                 // the position of this reading
}

// LastEvent returns the position of the last event, 0 without one.
func (s *Store) LastEvent(ctx context.Context) (last int64, err error) {
	if err := s.db.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM events`).Scan(&last); err != nil {
		return 0, fmt.Errorf("reading the last event: %w", err)
	}
	return last, nil
}

// Backlog reads at most MaxBacklog events after a position. The next reading continues. unset is true
// if the settings have no endpoint.
func (s *Store) Backlog(ctx context.Context, after int64, unset bool) (Backlog, error) {
	b := Backlog{Made: map[api.EventType]int{}, Last: after}
	rows, err := s.db.QueryContext(ctx, `SELECT type, COUNT(*), MAX(seq) FROM
		(SELECT seq, type FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2) GROUP BY type
		UNION ALL SELECT '', `+pendingAt(`?3`, `?2`)+`, 0`, after, MaxBacklog, flag(unset))
	if err != nil {
		return b, fmt.Errorf("reading the backlog: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind api.EventType
		var n int
		var last int64
		if err := rows.Scan(&kind, &n, &last); err != nil {
			return b, fmt.Errorf("reading the backlog: %w", err)
		}
		if kind == "" {
			b.Pending = n
			continue
		}
		b.Made[kind] = n
		b.Last = max(b.Last, last)
	}
	if err := rows.Err(); err != nil {
		return b, fmt.Errorf("reading the backlog: %w", err)
	}
	return b, nil
}
