package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// The outbox. No method here makes an event: triggers do, in the statement that
// changes the order (migrations/0001_schema.sql, "Events").

// pause is SQL for the time from the try that begins until the next, in ms. The pause
// after the last try counts only if the sender dies in that try. The tenth varies by
// event and try, not at random: 37 and 101 have no common factor, so that 101 events
// in a row have 101 pauses.
func pause() string {
	var sql strings.Builder
	sql.WriteString("CASE tries")
	for i, d := range order.EventSchedule()[1:] {
		fmt.Fprintf(&sql, " WHEN %d THEN %d", i, d.Milliseconds())
	}
	fmt.Fprintf(&sql, " ELSE %d END * (1000 + (seq * 37 + tries * 61) %% 101) / 1000", order.EventSchedule()[len(order.EventSchedule())-1].Milliseconds())
	return sql.String()
}

// ClaimEvents takes events that are due, at most limit, the longest due first. Each is
// the caller's to send until EventLease has passed: of any number of callers one gets
// it. A caller that dies has made a try like any other.
//
// Events about money come first: anybody can make order.closed, by cancelling orders.
// A fifth of the limit, but at least one, stays for order.closed. Events that wait for
// earlier ones of their order are not due; the triggers event_begins and event_goes_on
// keep the column blocked. None is due after a Failure with Gone, until the events that are dead of it are replayed.
func (s *Store) ClaimEvents(ctx context.Context, now time.Time, limit int) ([]order.Event, error) {
	const dueOf = `SELECT seq FROM events INDEXED BY events_due
		WHERE status = 'pending' AND blocked = 0 AND next_at <= ?2 AND leased_until <= ?2 AND NOT ` + receiverGone + ` AND (type = 'order.closed') = `
	return s.events(ctx, `
		UPDATE events SET attempts = attempts + 1, tries = tries + 1, leased_until = ?1, next_at = ?2 + `+pause()+`
		WHERE seq IN (
			SELECT seq FROM (
				SELECT seq, IIF(ROW_NUMBER() OVER () <= ?3 - ?4, 0, 2) AS turn FROM (`+dueOf+`0 ORDER BY next_at LIMIT ?3)
				UNION ALL
				SELECT seq, IIF(ROW_NUMBER() OVER () <= ?4, 1, 3) FROM (`+dueOf+`1 ORDER BY next_at LIMIT ?3)
			) ORDER BY turn LIMIT ?3)
		RETURNING `+eventColumns,
		now.Add(order.EventLease).UnixMilli(), now.UnixMilli(), limit, max(1, limit/5))
}

// Deliver marks an event as acknowledged by the merchant's back end. It does so
// for a claim that has run out as well: the event did arrive. next says that the order
// has later events that are pending: one of them may have become due.
func (s *Store) Deliver(ctx context.Context, e order.Event, now time.Time) (marked, next bool, err error) {
	err = s.db.QueryRowContext(ctx, `
		UPDATE events SET status = 'delivered', delivered_at = MAX(created_at, ?), leased_until = 0, last_error = NULL
		WHERE id = ? AND status = 'pending'
		RETURNING EXISTS (SELECT 1 FROM events AS other WHERE other.order_id = events.order_id AND other.seq > events.seq AND other.status = 'pending')`,
		now.UnixMilli(), e.ID).Scan(&next)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, false, nil
	case err != nil:
		return false, false, fmt.Errorf("changing event %s: %w", e.ID, err)
	}
	return true, next, nil
}

// receiverGone is SQL that tells whether the receiver wants no events any more.
const receiverGone = `EXISTS (SELECT 1 FROM events INDEXED BY gone_events WHERE status = 'dead' AND last_error = 'HTTP 410 Gone')`

// Miss marks a claimed event as not acknowledged and returns it as it is then. The
// event is tried again, unless this was the last try or the receiver is gone: then it
// is dead. Nothing happens, and the result is false, when the claim has run out and
// the event is somebody else's, or when it was replayed meanwhile.
func (s *Store) Miss(ctx context.Context, e order.Event, f order.Failure) (order.Event, bool, error) {
	e.LastError = f.Why
	if f.Gone {
		e.LastError = "HTTP 410 Gone" // receiverGone and the index gone_events find it
	}
	if e.LastTry() || f.Gone {
		e.Status = api.EventDead
	}
	if f.NotBefore.After(e.NextAt) {
		e.NextAt = f.NotBefore
	}
	marked, err := s.run(ctx, "changing event "+e.ID, `
		UPDATE events SET status = ?, leased_until = 0, last_error = ?, next_at = ?
		WHERE id = ? AND status = 'pending' AND attempts = ? AND tries = ?`, string(e.Status), e.LastError, e.NextAt.UnixMilli(), e.ID, e.Attempts, e.Tries)
	return e, marked, err
}

// Replay makes an event due now, with all its tries before it, whatever became
// of it before.
func (s *Store) Replay(ctx context.Context, id string, now time.Time) (order.Event, error) {
	events, err := s.events(ctx, `
		UPDATE events SET status = 'pending', tries = 0, next_at = ?, delivered_at = NULL, last_error = NULL
		WHERE id = ? RETURNING `+eventColumns, now.UnixMilli(), id)
	if err != nil {
		return order.Event{}, err
	}
	if len(events) == 0 {
		return order.Event{}, ErrNotFound
	}
	return events[0], nil
}

// EventsOf returns the events of an order, oldest first.
func (s *Store) EventsOf(ctx context.Context, orderID string) ([]order.Event, error) {
	return s.events(ctx, `SELECT `+eventColumns+` FROM events WHERE order_id = ? ORDER BY seq`, orderID)
}

// Event returns an event.
func (s *Store) Event(ctx context.Context, id string) (order.Event, error) {
	return one(s.events(ctx, `SELECT `+eventColumns+` FROM events WHERE id = ?`, id))
}

// ReplayRange chooses events that are not pending, by the time when they were created.
type ReplayRange struct {
	From, To time.Time       // To is not part of it
	Status   api.EventStatus // "" for all
	// AfterTime and AfterSeq are those of the last event of the call before.
	AfterTime time.Time
	AfterSeq  int64
	Limit     int
}

// ReplayRange makes events due now like Replay and returns them, oldest first.
func (s *Store) ReplayRange(ctx context.Context, r ReplayRange, now time.Time) ([]order.Event, error) {
	if r.From.After(r.AfterTime) {
		r.AfterTime, r.AfterSeq = r.From, 0
	}
	events, err := s.events(ctx, `
		UPDATE events SET status = 'pending', tries = 0, next_at = ?1, delivered_at = NULL, last_error = NULL
		WHERE seq IN (SELECT seq FROM events INDEXED BY events_by_time WHERE (created_at, seq) > (?2, ?3) AND created_at < ?4
			AND status <> 'pending' AND ?5 IN ('', status) ORDER BY created_at, seq LIMIT ?6)
		RETURNING `+eventColumns, now.UnixMilli(), r.AfterTime.UnixMilli(), r.AfterSeq, r.To.UnixMilli(), string(r.Status), r.Limit)
	slices.SortFunc(events, func(a, b order.Event) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Seq, b.Seq))
	})
	return events, err
}

// EventPage is a part of the outbox.
type EventPage struct {
	Status api.EventStatus // "" for all
	// Oldest lists the oldest first, those after After. Otherwise the newest are first,
	// those before Before; 0 begins with the newest.
	Oldest        bool
	After, Before int64 // Seq of an event
	Limit         int
}

// Events returns a page of the outbox, and the After or Before of the next, 0 when
// this is the last.
func (s *Store) Events(ctx context.Context, p EventPage) (events []order.Event, next int64, err error) {
	where, args := []string{`TRUE`}, []any{}
	from := `events`
	switch p.Status {
	case api.EventPending:
		from = `events INDEXED BY pending_events`
	case api.EventDead:
		from = `events INDEXED BY dead_events`
	}
	if p.Status == api.EventPending || p.Status == api.EventDead {
		where = append(where, `status = '`+string(p.Status)+`'`) // a parameter cannot choose a partial index
	} else if p.Status != "" {
		where, args = append(where, `status = ?`), append(args, string(p.Status))
	}
	direction := `DESC`
	switch {
	case p.Oldest:
		where, args, direction = append(where, `seq > ?`), append(args, p.After), `ASC`
	case p.Before > 0:
		where, args = append(where, `seq < ?`), append(args, p.Before)
	}
	events, err = s.events(ctx, `SELECT `+eventColumns+` FROM `+from+` WHERE `+strings.Join(where, ` AND `)+
		` ORDER BY seq `+direction+` LIMIT ?`, append(args, p.Limit+1)...)
	if err != nil {
		return nil, 0, err
	}
	if len(events) > p.Limit {
		events = events[:p.Limit]
		next = events[p.Limit-1].Seq
	}
	return events, next, nil
}

const eventColumns = `seq, id, type, order_id, data, created_at, status, attempts, tries, next_at,
	COALESCE(delivered_at, 0), COALESCE(last_error, ''),
	COALESCE((SELECT json_array(shop, appid, mch_id, simulated) FROM orders WHERE orders.id = order_id), '["", "", "", 0]')`

func (s *Store) events(ctx context.Context, query string, args ...any) ([]order.Event, error) {
	return readAll(ctx, s, "events", scanEvent, query, args...)
}

func scanEvent(rows *sql.Rows) (order.Event, error) {
	var e order.Event
	var created, next, delivered int64
	var origin string
	if err := rows.Scan(&e.Seq, &e.ID, &e.Type, &e.OrderID, &e.Data, &created, &e.Status, &e.Attempts, &e.Tries, &next, &delivered, &e.LastError, &origin); err != nil {
		return order.Event{}, err
	}
	var simulated int
	if err := json.Unmarshal([]byte(origin), &[]any{&e.Shop, &e.AppID, &e.MchID, &simulated}); err != nil {
		return order.Event{}, fmt.Errorf("reading where event %s comes from: %w", e.ID, err)
	}
	e.Simulated = simulated != 0
	e.CreatedAt, e.NextAt, e.DeliveredAt = fromMilli(created), fromMilli(next), fromMilli(delivered)
	return e, nil
}
