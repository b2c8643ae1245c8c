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

// A delivery is one event at one endpoint. The trigger event_begins makes it with the
// event, in the same statement.

// pause is SQL for the ms between the try that begins and the next one. The pause after the last
// try matters only if the sender dies in that try. Up to a tenth is added, which depends on the
// event and the try and is not random. 37 and 101 have no common factor, so 101 events in a row
// have 101 different pauses.
//
// tries is SQL for the tries before the one that begins.
func pause(tries string) string {
	var sql strings.Builder
	sql.WriteString("CASE " + tries)
	for i, d := range order.EventSchedule()[1:] {
		fmt.Fprintf(&sql, " WHEN %d THEN %d", i, d.Milliseconds())
	}
	fmt.Fprintf(&sql, " ELSE %d END * (1000 + (event_seq * 37 + %s * 61) %% 101) / 1000", order.EventSchedule()[len(order.EventSchedule())-1].Milliseconds(), tries)
	return sql.String()
}

// ClaimEvents claims the deliveries of an endpoint that are due, at most limit, the longest
// due first, and returns their events. One caller gets a delivery and may send it for
// order.EventLease. A claim counts as a try even if its caller dies: then the delivery is due
// when the lease ends. NextAt is the next try if this one fails, which FailDelivery stores. The
// claim does not store it, because next_at is in an index. An endpoint that is not enabled has
// no due deliveries.
//
// Events about money come first, because anybody can make order.closed by cancelling orders. closed
// is the part of limit that is reserved for order.closed. Events that wait for earlier ones of
// their order are not due: the triggers delivery_begins and delivery_goes_on keep the column
// blocked.
func (s *Store) ClaimEvents(ctx context.Context, endpoint string, now time.Time, limit, closed int) ([]order.Event, error) {
	const dueOf = `SELECT event_seq FROM deliveries INDEXED BY deliveries_due
		WHERE endpoint_id = ?5 AND status = 'pending' AND blocked = 0 AND next_at <= ?2 AND leased_until <= ?2
		AND EXISTS (SELECT 1 FROM endpoints WHERE id = ?5 AND state = 'enabled') AND closed = `
	return readAll(ctx, s, "due events", scanClaim, `
		UPDATE deliveries SET attempts = attempts + 1, tries = tries + 1, tried_at = ?2, leased_until = ?1
		WHERE endpoint_id = ?5 AND event_seq IN (
			SELECT event_seq FROM (
				SELECT event_seq, IIF(ROW_NUMBER() OVER () <= ?3 - ?4, 0, 2) AS turn FROM (`+dueOf+`0 ORDER BY next_at LIMIT ?3)
				UNION ALL
				SELECT event_seq, IIF(ROW_NUMBER() OVER () <= ?4, 1, 3) FROM (`+dueOf+`1 ORDER BY next_at LIMIT ?3)
			) ORDER BY turn LIMIT ?3)
		RETURNING event_seq, endpoint_id, status, attempts, tries, CAST(?2 + `+pause(`(tries - 1)`)+` AS INTEGER), COALESCE(last_status, 0), COALESCE(last_error, ''),
			(SELECT json_array(id, type, order_id, created_at, data) FROM events WHERE seq = event_seq),
			(SELECT `+origin+` FROM events WHERE seq = event_seq)`,
		now.Add(order.EventLease).UnixMilli(), now.UnixMilli(), limit, closed, endpoint)
}

// Deliver marks the delivery of a claimed event as acknowledged by its endpoint. It does so
// after the end of the claim too, because the event did arrive. next reports whether later
// events of the order are pending at the endpoint: one of them may be due now.
func (s *Store) Deliver(ctx context.Context, e order.Event, now time.Time) (marked, next bool, err error) {
	err = s.db.QueryRowContext(ctx, `
		UPDATE deliveries SET status = 'delivered', delivered_at = MAX((SELECT created_at FROM events WHERE seq = ?2), ?1), leased_until = 0, last_error = NULL, last_status = ?4
		WHERE event_seq = ?2 AND endpoint_id = ?3 AND status = 'pending'
		RETURNING EXISTS (SELECT 1 FROM events CROSS JOIN events AS later ON later.order_id = events.order_id AND later.seq > events.seq
			CROSS JOIN deliveries AS other ON other.endpoint_id = ?3 AND other.event_seq = later.seq AND other.status = 'pending' WHERE events.seq = ?2)`,
		now.UnixMilli(), e.Seq, e.EndpointID, e.LastStatus).Scan(&next)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, false, nil
	case err != nil:
		return false, false, fmt.Errorf("changing event %s: %w", e.ID, err)
	}
	return true, next, nil
}

// FailDelivery marks the delivery of a claimed event as not acknowledged and returns the
// event. The event is tried again, unless this was the last try or the receiver is gone: then
// it is dead. FailDelivery changes nothing and returns false if another caller has claimed
// the event since, or if it was replayed. The trigger delivery_was_tried stops an endpoint
// that is gone.
func (s *Store) FailDelivery(ctx context.Context, e order.Event, f order.Failure) (order.Event, bool, error) {
	e.LastError, e.LastStatus = f.Why, f.Status
	if f.Gone {
		e.LastError = "HTTP 410 Gone" // for the trigger delivery_was_tried
	}
	if e.LastTry() || f.Gone {
		e.Status = api.EventDead
	}
	if f.NotBefore.After(e.NextAt) {
		e.NextAt = f.NotBefore
	}
	marked, err := s.run(ctx, "changing event "+e.ID, `
		UPDATE deliveries SET status = ?, leased_until = 0, last_error = ?, last_status = NULLIF(?, 0), next_at = ?
		WHERE event_seq = ? AND endpoint_id = ? AND status = 'pending' AND attempts = ? AND tries = ?`,
		string(e.Status), e.LastError, f.Status, e.NextAt.UnixMilli(), e.Seq, e.EndpointID, e.Attempts, e.Tries)
	return e, marked, err
}

// makeDue is SQL that makes a delivery due and gives it all its tries again.
const makeDue = ` ON CONFLICT (endpoint_id, event_seq) DO UPDATE SET status = 'pending', tries = 0, next_at = excluded.next_at, delivered_at = NULL, last_error = NULL, last_status = NULL`

// mayReplay is SQL for endpoints that may get an event again, takesType for those that take its type.
const (
	mayReplay = `state IN ('enabled', 'gone')`
	takesType = `(types = '[]' OR EXISTS (SELECT 1 FROM json_each(types) WHERE value = events.type))`
)

// Replay makes an event due now and gives it all its tries again, whatever its status is. It does
// so at one endpoint, or with "" at each endpoint that takes its type or got it before. A disabled
// endpoint gets none. Replay returns false if there is no such event, or no endpoint for it.
func (s *Store) Replay(ctx context.Context, id, endpoint string, now time.Time) (bool, error) {
	return s.run(ctx, "replaying event "+id, `
		INSERT INTO deliveries (endpoint_id, event_seq, closed, created_at, next_at)
		SELECT endpoints.id, seq, IIF(type = 'order.closed', 1, 0), ?1, ?1 FROM events CROSS JOIN endpoints
		WHERE `+eventOfID(`?2`)+` AND `+mayReplay+` AND (endpoints.id = ?3 OR ?3 = ''
			AND (`+takesType+` OR EXISTS (SELECT 1 FROM deliveries WHERE endpoint_id = endpoints.id AND event_seq = seq)))`+makeDue,
		now.UnixMilli(), id, endpoint)
}

// ReplayRange chooses deliveries that are not pending, by the time when their events were
// created.
type ReplayRange struct {
	From, To time.Time       // To is not part of it
	Status   api.EventStatus // of the delivery; "" for all
	Endpoint string          // "" for all
	After    EventPosition   // where the previous call ended
	Limit    int             // of events
}

// EventPosition is the position of an event in the order of creation.
type EventPosition struct {
	At  time.Time
	Seq int64
}

// compare orders positions by time.
func (p EventPosition) compare(q EventPosition) int {
	return cmp.Or(p.At.Compare(q.At), cmp.Compare(p.Seq, q.Seq))
}

// ReplayRange makes events due now like Replay. It returns their positions, oldest first, and
// the After of the next call, nil when nothing is left. It looks at eventWindow events at
// most, so that it may replay fewer than r.Limit although there are more.
// Without a Status an endpoint also gets the events of its types that it did not get before.
func (s *Store) ReplayRange(ctx context.Context, r ReplayRange, now time.Time) (replayed []EventPosition, next *EventPosition, err error) {
	if r.From.After(r.After.At) {
		r.After = EventPosition{At: r.From}
	}
	end := EventPosition{At: r.To} // no event has Seq 0
	last, err := readAll(ctx, s, "the events of a time", scanPosition, `
		SELECT seq, created_at FROM events INDEXED BY events_by_time WHERE (created_at, seq) > (?1, ?2) AND created_at < ?3
		ORDER BY created_at, seq LIMIT 1 OFFSET ?4`, r.After.At.UnixMilli(), r.After.Seq, r.To.UnixMilli(), eventWindow-1)
	if err != nil {
		return nil, nil, err
	}
	if len(last) > 0 {
		end, next = last[0], &last[0]
	}
	const chosen = mayReplay + ` AND ?7 IN ('', endpoints.id)
		AND CASE WHEN ?5 <> '' THEN deliveries.status = ?5 WHEN deliveries.status IS NULL THEN ` + takesType + ` ELSE deliveries.status <> 'pending' END`
	replayed, err = readAll(ctx, s, "replayed events", scanPosition, `
		INSERT INTO deliveries (endpoint_id, event_seq, closed, created_at, next_at)
		SELECT endpoints.id, seq, IIF(events.type = 'order.closed', 1, 0), ?1, ?1
		FROM (SELECT seq, type FROM events INDEXED BY events_by_time WHERE (created_at, seq) > (?2, ?3) AND (created_at, seq) <= (?4, ?8)
			AND EXISTS (SELECT 1 FROM endpoints LEFT JOIN deliveries ON endpoint_id = endpoints.id AND event_seq = seq WHERE `+chosen+`)
			ORDER BY created_at, seq LIMIT ?6) AS events
		CROSS JOIN endpoints LEFT JOIN deliveries ON endpoint_id = endpoints.id AND event_seq = seq
		WHERE `+chosen+makeDue+`
		RETURNING event_seq, (SELECT created_at FROM events WHERE seq = event_seq)`,
		now.UnixMilli(), r.After.At.UnixMilli(), r.After.Seq, end.At.UnixMilli(), string(r.Status), r.Limit, r.Endpoint, end.Seq)
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(replayed, EventPosition.compare)
	replayed = slices.Compact(replayed)
	if len(replayed) == r.Limit {
		next = &replayed[r.Limit-1]
	}
	return replayed, next, nil
}

func scanPosition(rows *sql.Rows) (p EventPosition, err error) {
	var at int64
	err = rows.Scan(&p.Seq, &at)
	p.At = fromMilli(at)
	return p, err
}

// scanClaim reads a claimed event.
func scanClaim(rows *sql.Rows) (order.Event, error) {
	var e order.Event
	var next int64
	var event, from string
	if err := rows.Scan(&e.Seq, &e.EndpointID, &e.Status, &e.Attempts, &e.Tries, &next, &e.LastStatus, &e.LastError, &event, &from); err != nil {
		return order.Event{}, err
	}
	e.NextAt = fromMilli(next)
	var created float64
	if err := json.Unmarshal([]byte(event), &[]any{&e.ID, &e.Type, &e.OrderID, &created, &e.Data}); err != nil {
		return order.Event{}, fmt.Errorf("reading event %d: %w", e.Seq, err)
	}
	e.CreatedAt = fromMilli(int64(created))
	return e, readOrigin(&e, from)
}
