package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// The outbox. Triggers make the events, in the statement that changes the order
// (migrations/0001_schema.sql, "Events").

// EventsOf returns the events of an order, oldest first.
func (s *Store) EventsOf(ctx context.Context, orderID string) ([]order.Event, error) {
	return s.events(ctx, `SELECT `+eventColumns+` FROM events WHERE order_id = ? ORDER BY seq`, orderID)
}

// Event returns an event.
func (s *Store) Event(ctx context.Context, id string) (order.Event, error) {
	return one(s.events(ctx, `SELECT `+eventColumns+` FROM events WHERE `+eventOfID(`?1`), id))
}

// eventOfID is SQL for the event with an id, which is a parameter. The triggers make an id of the
// type and the subject, so that it names the order, a payment or a refund.
func eventOfID(id string) string {
	return `events.order_id = CASE
		WHEN substr(` + id + `, 1, 9) = 'evt_paid_' THEN substr(` + id + `, 10)
		WHEN substr(` + id + `, 1, 11) = 'evt_closed_' THEN substr(` + id + `, 12)
		WHEN substr(` + id + `, 1, 14) = 'evt_duplicate_' THEN (SELECT payments.order_id FROM payments WHERE payments.out_trade_no = substr(` + id + `, 15))
		WHEN substr(` + id + `, 1, 13) = 'evt_refunded_' THEN (SELECT refunds.order_id FROM refunds
			WHERE refunds.id = replace(replace(replace(substr(` + id + `, 14), '~p', '|'), '~s', '*'), '~a', '@')) END AND events.id = ` + id
}

// EventPage is a part of the outbox.
type EventPage struct {
	// Status finds events that have a delivery in this status; "" all, and
	// api.EventUntaken those without a delivery.
	Status api.EventStatus
	// Oldest lists the oldest first, those after After. Otherwise the newest are first,
	// those before Before; 0 begins with the newest.
	Oldest        bool
	After, Before int64 // Seq of an event
	Limit         int
}

// eventWindow is how many events one call looks at if no index finds those that it wants.
const eventWindow = 1000

// Events returns a page of the outbox, and the After or Before of the next, 0 when
// this is the last. A page of a status that has no index may be short, or empty, although
// there are more: it is of eventWindow events.
func (s *Store) Events(ctx context.Context, p EventPage) (events []order.Event, next int64, err error) {
	column, where, args, direction := `seq`, `TRUE`, []any{}, `DESC`
	if p.Status == api.EventPending || p.Status == api.EventDead {
		column, where = `event_seq`, `status = '`+string(p.Status)+`'` // a parameter cannot choose a partial index
	}
	switch {
	case p.Oldest:
		where, args, direction = where+` AND `+column+` > ?`, append(args, p.After), `ASC`
	case p.Before > 0:
		where, args = where+` AND `+column+` < ?`, append(args, p.Before)
	}
	const found = `SELECT 1 FROM endpoints CROSS JOIN deliveries ON endpoint_id = endpoints.id AND event_seq = seq`
	if p.Status == api.EventDelivered || p.Status == api.EventUntaken {
		w, err := s.seen(ctx, where+` ORDER BY seq `+direction, args)
		if err != nil || w.events == 0 {
			return nil, 0, err
		}
		last := w.first
		if p.Oldest {
			last = w.last
		}
		if w.events == eventWindow {
			next = last
		}
		where, args = where+` AND seq BETWEEN ? AND ?`, append(args, w.first, w.last)
	}
	query := `SELECT ` + eventColumns + ` FROM events WHERE ` + where
	switch p.Status {
	case api.EventPending, api.EventDead:
		query = `SELECT ` + eventColumns + ` FROM (SELECT DISTINCT event_seq FROM deliveries INDEXED BY ` + string(p.Status) + `_deliveries
			WHERE ` + where + ` ORDER BY event_seq ` + direction + ` LIMIT ?) CROSS JOIN events ON seq = event_seq`
		args = append(args, p.Limit+1)
	case api.EventDelivered:
		query += ` AND EXISTS (` + found + ` WHERE deliveries.status = 'delivered')`
	case api.EventUntaken:
		query += ` AND NOT EXISTS (` + found + `)`
	}
	events, err = s.events(ctx, query+` ORDER BY seq `+direction+` LIMIT ?`, append(args, p.Limit+1)...)
	if err != nil {
		return nil, 0, err
	}
	if len(events) > p.Limit {
		events = events[:p.Limit]
		next = events[p.Limit-1].Seq
	}
	return events, next, nil
}

// eventsSeen are the events that a call looks at. first and last are the least and the
// greatest Seq.
type eventsSeen struct{ events, first, last int64 }

// seen returns the events that a call looks at, at most eventWindow.
func (s *Store) seen(ctx context.Context, where string, args []any) (w eventsSeen, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MIN(seq), 0), COALESCE(MAX(seq), 0) FROM (SELECT seq FROM events WHERE `+where+` LIMIT ?) AS seen`,
		append(slices.Clone(args), eventWindow)...).Scan(&w.events, &w.first, &w.last)
	if err != nil {
		return w, fmt.Errorf("reading which events to look at: %w", err)
	}
	return w, nil
}

// origin is SQL for the shop and the merchant of an event's order.
const origin = `COALESCE((SELECT json_array(shop, appid, mch_id, simulated) FROM orders WHERE orders.id = order_id), '["", "", "", 0]')`

const eventColumns = `seq, id, type, order_id, data, created_at, ` + origin + `,
	(SELECT json_group_array(json_array(endpoint_id, deliveries.status, deliveries.attempts, tries, next_at, COALESCE(delivered_at, 0), COALESCE(last_status, 0), COALESCE(deliveries.last_error, '')))
		FROM endpoints CROSS JOIN deliveries ON endpoint_id = endpoints.id AND event_seq = seq WHERE state <> 'deleted')`

func (s *Store) events(ctx context.Context, query string, args ...any) ([]order.Event, error) {
	return readAll(ctx, s, "events", scanEvent, query, args...)
}

func scanEvent(rows *sql.Rows) (order.Event, error) {
	var e order.Event
	var created int64
	var from, list string
	if err := rows.Scan(&e.Seq, &e.ID, &e.Type, &e.OrderID, &e.Data, &created, &from, &list); err != nil {
		return order.Event{}, err
	}
	e.CreatedAt = fromMilli(created)
	if err := readOrigin(&e, from); err != nil {
		return order.Event{}, err
	}
	var deliveries []json.RawMessage
	if err := json.Unmarshal([]byte(list), &deliveries); err != nil {
		return order.Event{}, fmt.Errorf("reading the deliveries of event %s: %w", e.ID, err)
	}
	for _, text := range deliveries {
		var d order.Delivery
		var next, delivered float64 // D1 returns a number of JavaScript
		if err := json.Unmarshal(text, &[]any{&d.EndpointID, &d.Status, &d.Attempts, &d.Tries, &next, &delivered, &d.LastStatus, &d.LastError}); err != nil {
			return order.Event{}, fmt.Errorf("reading a delivery of event %s: %w", e.ID, err)
		}
		d.NextAt, d.DeliveredAt = fromMilli(int64(next)), fromMilli(int64(delivered))
		e.Deliveries = append(e.Deliveries, d)
	}
	e.Summarize()
	return e, nil
}

// readOrigin sets the fields of an event that origin selects.
func readOrigin(e *order.Event, text string) error {
	var simulated int
	if err := json.Unmarshal([]byte(text), &[]any{&e.Shop, &e.AppID, &e.MchID, &simulated}); err != nil {
		return fmt.Errorf("reading the shop of event %s: %w", e.ID, err)
	}
	e.Simulated = simulated != 0
	return nil
}
