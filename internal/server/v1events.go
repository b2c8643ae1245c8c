package server

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// replayedOnce is how many events one call replays at most.
const replayedOnce = 200

func (b backend) listEvents(ctx context.Context, c *v1Call) (any, error) {
	q := c.query.(v1.EventQuery)
	page := store.EventPage{Status: q.Status, Oldest: q.Order == v1.OldestFirst, Limit: cmp.Or(q.Limit, v1.DefaultPage)}
	if q.After != "" {
		if q.Order == v1.NewestFirst || q.Cursor != "" {
			return nil, wrongField("after", "want order=oldest and no cursor")
		}
		e, err := b.cfg.Store.Event(ctx, q.After)
		if errors.Is(err, store.ErrNotFound) {
			return nil, wrongField("after", "there is no such event")
		}
		if err != nil {
			return nil, err
		}
		page.Oldest, page.After = true, e.Seq
	}
	if q.Cursor != "" {
		seq, err := decodeSeq(q.Cursor, page.Oldest)
		if err != nil {
			return nil, wrongField("cursor", err.Error())
		}
		page.After, page.Before = seq, seq
	}
	events, next, err := b.cfg.Store.Events(ctx, page)
	if err != nil {
		return nil, err
	}
	list := v1.Events{Events: make([]v1.Event, len(events))}
	for i := range events {
		list.Events[i] = b.publicEvent(events[i])
	}
	switch {
	case page.Oldest && next > 0:
		list.Next = encodeSeq(next, true)
	case page.Oldest && len(events) > 0: // also at the end: more events will follow
		list.Next = encodeSeq(events[len(events)-1].Seq, true)
	case page.Oldest:
		list.Next = q.Cursor
	case next > 0:
		list.Next = encodeSeq(next, false)
	}
	return list, nil
}

// A cursor of events has the Seq of an event, and the direction.
func encodeSeq(seq int64, oldest bool) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatBool(oldest) + " " + strconv.FormatInt(seq, 10)))
}

func decodeSeq(cursor string, oldest bool) (int64, error) {
	direction := strconv.FormatBool(oldest) + " "
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(text) < len(direction) || string(text[:len(direction)]) != direction {
		return 0, errors.New("want the cursor of a previous response of this list")
	}
	seq, err := strconv.ParseInt(string(text[len(direction):]), 10, 64)
	if err != nil || seq < 1 || seq >= 1<<53 {
		return 0, errors.New("want the cursor of a previous response of this list")
	}
	return seq, nil
}

func (b backend) getEvent(ctx context.Context, c *v1Call) (any, error) {
	return b.eventOrError(b.cfg.Store.Event(ctx, c.PathValue("id")))
}

// replayEvent makes an event due again. A key that may not read gets no data of it. The timer
// or the queue sends it, so the caller does not wait for the receiver.
func (b backend) replayEvent(ctx context.Context, c *v1Call) (any, error) {
	e, err := b.outbox.Replay(ctx, c.PathValue("id"), c.query.(v1.ReplayEvent).Endpoint)
	if !c.by.has(v1.ScopeRead) {
		e.Data = "{}"
	}
	return b.eventOrError(e, err)
}

// eventOrError returns an event with its deliveries.
func (b backend) eventOrError(e order.Event, err error) (any, error) {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, noSuch("event")
	case errors.Is(err, outbox.ErrNoEndpoint):
		return nil, &v1.Error{Code: v1.CodeNoEndpoint, Message: "no endpoint may get the event, or the named one may not: see GET /v1/endpoints"}
	case err != nil:
		return nil, err
	}
	public := b.publicEvent(e)
	for _, d := range e.Deliveries {
		one := v1.Delivery{EndpointID: d.EndpointID, Status: d.Status, Attempts: d.Attempts, DeliveredAt: unixMilli(d.DeliveredAt), LastStatus: d.LastStatus, LastError: d.LastError}
		if d.Status == api.EventPending {
			one.NextAt = d.NextAt.UnixMilli()
		}
		public.Deliveries = append(public.Deliveries, one)
	}
	return public, nil
}

func (b backend) replayEvents(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.ReplayEvents)
	r := store.ReplayRange{From: time.UnixMilli(req.From), To: b.now().Add(time.Millisecond), Status: api.EventStatus(req.Status), Endpoint: req.Endpoint, Limit: replayedOnce}
	if req.To != 0 {
		r.To = time.UnixMilli(req.To)
	}
	if !r.From.Before(r.To) {
		return nil, wrongField("to", "want a time after from")
	}
	if req.Cursor != "" {
		at, seq, err := decodeCursor(req.Cursor)
		if err == nil {
			r.After.At = at
			r.After.Seq, err = strconv.ParseInt(seq, 10, 64)
		}
		if err != nil {
			return nil, wrongField("cursor", "want the cursor of a previous response of this call")
		}
	}
	if req.Endpoint != "" {
		if _, err := b.outbox.Endpoint(ctx, req.Endpoint); errors.Is(err, store.ErrNotFound) {
			return nil, wrongField("endpoint", "there is no such endpoint")
		} else if err != nil {
			return nil, err
		}
	}
	events, next, err := b.outbox.ReplayRange(ctx, r)
	if err != nil {
		return nil, err
	}
	result := v1.Replayed{Events: events}
	if next != nil {
		result.Next = encodeCursor(next.At, strconv.FormatInt(next.Seq, 10))
	}
	return result, nil
}

// publicEvent returns the v1.Event of an event, with the state of its delivery.
func (b backend) publicEvent(e order.Event) v1.Event {
	public := v1.Event{ID: e.ID, Type: e.Type, OrderID: e.OrderID, Data: json.RawMessage(e.Data), CreatedAt: e.CreatedAt.UnixMilli(),
		Shop: e.Shop, AppID: e.AppID, MchID: e.MchID, Simulated: e.Simulated || b.shop.Simulated,
		Status: e.Status, Attempts: e.Attempts, DeliveredAt: unixMilli(e.DeliveredAt), LastError: e.LastError}
	if e.Status == api.EventPending {
		public.NextAt = e.NextAt.UnixMilli()
	}
	return public
}
