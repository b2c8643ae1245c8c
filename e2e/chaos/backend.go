package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/webhook"
)

// webhookPath is the path of the merchant's endpoint for events.
const webhookPath = "/webhook"

// backend is the merchant's back end as docs/webhooks.md recommends it. It checks the signature,
// processes each event ID once, and responds after that. It knows orders only from events.
type backend struct {
	*world
	receiver webhook.Receiver

	mu       sync.Mutex
	events   map[string]webhook.Event // by ID
	received int                      // deliveries, including repeated ones
	closed   int                      // deliveries of order.closed
}

// deliveries counts received deliveries.
type deliveries struct{ all, closed int }

func (b *backend) sent() deliveries {
	b.mu.Lock()
	defer b.mu.Unlock()
	return deliveries{b.received, b.closed}
}

func (b *backend) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // workerd was killed during the request
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	event, err := b.receiver.Receive(r, b.wechat.Now())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.received++
	if event.Type == webhook.OrderClosed {
		b.closed++
	}
	if err != nil {
		// After a leap in time a delivery can be too old. The shop must then deliver the event
		// again.
		if !errors.Is(err, webhook.ErrTime) {
			b.note(wrong, "", "a webhook was rejected: %v", err)
		}
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	if before, ok := b.events[event.ID]; ok && !same(before, event) {
		b.note(wrong, event.Data.Order.OutTradeNo, "event %s was delivered twice with different contents", event.ID)
	}
	b.events[event.ID] = event
}

// same reports whether two deliveries of an event have the same content.
func same(a, b webhook.Event) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errors.Join(errX, errY) == nil && bytes.Equal(x, y)
}

// checkEvents checks that the back end received exactly one event per ID for every payment and
// every end, and no others.
func (c *campaign) checkEvents(all []paytest.Order, refunds []paytest.Refund) {
	delivered := map[webhook.Type]map[string][]webhook.Event{}
	for _, e := range c.backend.events {
		if delivered[e.Type] == nil {
			delivered[e.Type] = map[string][]webhook.Event{}
		}
		delivered[e.Type][e.Data.Order.OutTradeNo] = append(delivered[e.Type][e.Data.Order.OutTradeNo], e)
	}
	take := func(t webhook.Type, number string) []webhook.Event {
		events := delivered[t][number]
		delete(delivered[t], number)
		return events
	}
	for _, o := range all {
		var refunded time.Time
		if c.wechat != nil {
			refunded = byHand(c.wechat.RefundsOf(o.Number))
		}
		paid, closed := take(webhook.OrderPaid, o.Number), take(webhook.OrderClosed, o.Number)
		switch {
		case order.WasPaid(o.Status) && len(paid) == 0:
			c.note(lost, o.Number, "the order is paid, but the back end got no event")
		case len(paid) > 1:
			c.note(doubled, o.Number, "the back end got %d order.paid events", len(paid))
		case !order.WasPaid(o.Status) && len(paid) > 0:
			c.note(wrong, o.Number, "the back end got order.paid, but the order is %s", o.Status)
		case len(paid) == 1 && !agrees(o, paid[0].Data.Order, refunded):
			c.note(wrong, o.Number, "order.paid has another payment: %+v", paid[0].Data.Order)
		}
		switch {
		case o.Status == api.StatusClosed && o.Prepay != "" && len(closed) == 0:
			c.note(wrong, o.Number, "the order is closed, but the back end got no event")
		case o.Prepay == "" && len(closed) > 0:
			c.note(wrong, o.Number, "the back end got order.closed for an order that could not be paid")
		case len(closed) > 1:
			c.note(doubled, o.Number, "the back end got %d order.closed events", len(closed))
		}
	}
	for _, r := range refunds {
		if r.Status != api.RefundSucceeded {
			continue
		}
		events := delivered[webhook.OrderRefunded][r.Number]
		about := func(e webhook.Event) bool { return e.Data.Refund != nil && e.Data.Refund.ID == r.ID }
		switch i := slices.IndexFunc(events, about); {
		case i < 0:
			c.note(lost, r.Number, "%d fen were refunded by %s, but the back end got no event", r.Amount, r.ID)
		case events[i].Data.Refund.Amount != r.Amount:
			c.note(wrong, r.Number, "order.refunded has another refund: %+v", events[i].Data.Refund)
		default:
			if events = slices.Delete(events, i, i+1); slices.ContainsFunc(events, about) {
				c.note(doubled, r.Number, "the back end got two order.refunded events for refund %s", r.ID)
			}
			if delivered[webhook.OrderRefunded][r.Number] = events; len(events) == 0 {
				delete(delivered[webhook.OrderRefunded], r.Number)
			}
		}
	}
	for t, left := range delivered {
		for number := range left {
			c.note(wrong, number, "unexpected event %s", t)
		}
	}
}

// agrees reports whether an event has the stored payment. It may lack the time, and outside WeChat
// the payer, if money was refunded by hand before the shop knew of the payment.
func agrees(o paytest.Order, e webhook.Order, refunded time.Time) bool {
	if !refunded.IsZero() && refunded.Before(time.UnixMilli(o.Settled).Add(2*maxSkew)) {
		if e.PaidAt == 0 {
			e.PaidAt = o.Paid
		}
		if e.Payer == "" && o.TradeType != api.TradeJSAPI {
			e.Payer = o.Payer
		}
	}
	return e.ID == o.ID && e.Status == string(api.StatusPaid) && e.TradeType == string(o.TradeType) && e.Total == o.Total && e.TransactionID == o.Transaction &&
		e.Payer == o.Payer && e.PaidAt == o.Paid
}
