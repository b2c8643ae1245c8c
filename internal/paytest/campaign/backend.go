package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/webhook"
)

// WebhookPath is the path of the merchant's endpoint for events.
const WebhookPath = "/webhook"

// Backend is the merchant's back end as docs/webhooks.md recommends it. It checks the signature,
// processes each event ID once, and responds after that. It knows orders only from events.
type Backend struct {
	*World
	receiver webhook.Receiver

	mu       sync.Mutex
	events   map[string]webhook.Event // by ID
	received int                      // deliveries, including repeated ones
	closed   int                      // deliveries of order.closed
}

func NewBackend(w *World, receiver webhook.Receiver) *Backend {
	return &Backend{World: w, receiver: receiver, events: map[string]webhook.Event{}}
}

// deliveries counts received deliveries.
type deliveries struct{ all, closed int }

func (b *Backend) sent() deliveries {
	b.mu.Lock()
	defer b.mu.Unlock()
	return deliveries{b.received, b.closed}
}

func (b *Backend) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // workerd was killed during the request
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	event, err := b.receiver.Receive(r, b.WeChat.Now())
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
			b.Note(Wrong, "", "a webhook was rejected: %v", err)
		}
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	if before, ok := b.events[event.ID]; ok && !same(before, event) {
		b.Note(Wrong, event.Data.Order.ID, "event %s was delivered twice with different contents", event.ID)
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
func (c *Campaign) checkEvents(all []paytest.Order, payments []paytest.Payment, refunds []paytest.Refund) {
	// By the id of the order, of payment.duplicate by the out_trade_no, of order.refunded by the
	// out_refund_no.
	delivered := map[webhook.Type]map[string][]webhook.Event{}
	for _, e := range c.Backend.events {
		about := e.Data.Order.ID
		switch {
		case e.Type == webhook.PaymentDuplicate && e.Data.Payment != nil:
			about = e.Data.Payment.OutTradeNo
		case e.Type == webhook.OrderRefunded && e.Data.Refund != nil:
			about = e.Data.Refund.ID
		}
		if delivered[e.Type] == nil {
			delivered[e.Type] = map[string][]webhook.Event{}
		}
		delivered[e.Type][about] = append(delivered[e.Type][about], e)
	}
	take := func(t webhook.Type, about string) []webhook.Event {
		events := delivered[t][about]
		delete(delivered[t], about)
		return events
	}
	byNumber, payable := map[string]paytest.Payment{}, map[string]bool{}
	for _, p := range payments {
		byNumber[p.Number] = p
		payable[p.Order] = payable[p.Order] || p.Prepay != ""
	}
	orders := map[string]paytest.Order{}
	for _, o := range all {
		payable[o.ID] = payable[o.ID] || o.Source == "api" // the shop sends order.closed for each of these
		orders[o.ID] = o
		c.checkPaidEvents(o, byNumber[o.PaidBy], take(webhook.OrderPaid, o.ID))
		switch closed := take(webhook.OrderClosed, o.ID); {
		case o.Status == api.StatusClosed && payable[o.ID] && len(closed) == 0:
			c.Note(Wrong, o.ID, "the order is closed, but the back end got no event")
		case !payable[o.ID] && len(closed) > 0:
			c.Note(Wrong, o.ID, "the back end got order.closed for an order that could not be paid")
		case len(closed) > 1:
			c.Note(Doubled, o.ID, "the back end got %d order.closed events", len(closed))
		}
	}
	for _, p := range payments {
		if p.Duplicate == 1 {
			c.checkDuplicateEvents(orders[p.Order], p, take(webhook.PaymentDuplicate, p.Number))
		}
	}
	for _, r := range refunds {
		if r.Status != api.RefundSucceeded || byNumber[r.Number].Duplicate == 1 {
			continue // payment.duplicate is the event of the refund of a duplicate
		}
		switch events := take(webhook.OrderRefunded, r.ID); {
		case len(events) == 0:
			c.Note(Lost, r.Number, "%d fen were refunded by %s, but the back end got no event", r.Amount, r.ID)
		case len(events) > 1:
			c.Note(Doubled, r.Number, "the back end got %d order.refunded events for refund %s", len(events), r.ID)
		case events[0].Data.Refund.Amount != r.Amount || events[0].Data.Order.ID != r.Order:
			c.Note(Wrong, r.Number, "order.refunded has another refund: %+v", events[0].Data.Refund)
		}
	}
	for t, left := range delivered {
		for about := range left {
			c.Note(Wrong, about, "unexpected event %s", t)
		}
	}
}

// checkPaidEvents checks the events order.paid of an order and the payment that pays it.
func (c *Campaign) checkPaidEvents(o paytest.Order, p paytest.Payment, events []webhook.Event) {
	switch {
	case order.WasPaid(o.Status) && len(events) == 0:
		c.Note(Lost, o.ID, "the order is paid, but the back end got no event")
	case len(events) > 1:
		c.Note(Doubled, o.ID, "the back end got %d order.paid events", len(events))
	case !order.WasPaid(o.Status) && len(events) > 0:
		c.Note(Wrong, o.ID, "the back end got order.paid, but the order is %s", o.Status)
	case len(events) == 1 && (events[0].Data.Order.Status != string(api.StatusPaid) || !agrees(o, p, events[0].Data, c.refundedByHand(p))):
		c.Note(Wrong, o.ID, "order.paid has another payment: %+v", events[0].Data.Payment)
	}
}

// checkDuplicateEvents checks the events payment.duplicate of a payment.
func (c *Campaign) checkDuplicateEvents(o paytest.Order, p paytest.Payment, events []webhook.Event) {
	switch {
	case len(events) == 0:
		c.Note(Lost, p.Number, "the order was paid twice, but the back end got no event")
	case len(events) > 1:
		c.Note(Doubled, p.Number, "the back end got %d payment.duplicate events", len(events))
	case !agrees(o, p, events[0].Data, c.refundedByHand(p)):
		c.Note(Wrong, p.Number, "payment.duplicate has another payment: %+v", events[0].Data.Payment)
	case events[0].Data.Refund == nil || events[0].Data.Refund.ID != order.DuplicateRefundID(p.Number) || events[0].Data.Refund.Amount != p.Total:
		c.Note(Wrong, p.Number, "payment.duplicate has another refund: %+v", events[0].Data.Refund)
	}
}

// refundedByHand returns when a payment was first refunded past the shop.
func (c *Campaign) refundedByHand(p paytest.Payment) time.Time {
	if c.WeChat == nil {
		return time.Time{}
	}
	return byHand(c.WeChat.RefundsOf(p.Number))
}

// agrees reports whether an event has the stored order and payment. It may lack the time, and
// outside WeChat the payer, if money was refunded by hand before the shop knew of the payment.
func agrees(o paytest.Order, p paytest.Payment, e webhook.Data, refunded time.Time) bool {
	if e.Payment == nil {
		return false
	}
	is := *e.Payment
	if !refunded.IsZero() && refunded.Before(time.UnixMilli(p.Settled).Add(2*MaxSkew)) {
		if is.PaidAt == 0 {
			is.PaidAt = p.Paid
		}
		if is.Payer == "" && p.TradeType != api.TradeJSAPI {
			is.Payer = p.Payer
		}
	}
	return e.Order.ID == o.ID && e.Order.Total == o.Total && is.OutTradeNo == p.Number && is.TradeType == string(p.TradeType) &&
		is.TransactionID == p.Transaction && is.Payer == p.Payer && is.PaidAt == p.Paid
}
