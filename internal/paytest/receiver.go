package paytest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"h5pay/webhook"
)

// Receiver is a merchant's endpoint for events. It keeps the events that verify, and rejects others
// with 400. The zero Receiver accepts nothing: set Verify.
type Receiver struct {
	Verify webhook.Receiver
	Now    func() time.Time // nil means time.Now
	// Answer, if not nil, responds to a verified delivery, and may read it again. Otherwise the
	// status is 204.
	Answer func(w http.ResponseWriter, r *http.Request, e webhook.Event)

	mu       sync.Mutex
	events   []webhook.Event
	rejected []error
}

func (b *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now
	if b.Now != nil {
		now = b.Now
	}
	e, err := b.receive(r, now())
	b.mu.Lock()
	if err != nil {
		b.rejected = append(b.rejected, fmt.Errorf("%s %s: %w", r.Method, r.URL, err))
	} else {
		b.events = append(b.events, e)
	}
	b.mu.Unlock()
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case b.Answer != nil:
		b.Answer(w, r, e)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// receive verifies a delivery, which must have a Content-Length.
func (b *Receiver) receive(r *http.Request, now time.Time) (webhook.Event, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return webhook.Event{}, err
	}
	if r.ContentLength < 0 {
		return webhook.Event{}, errors.New("the length is not known")
	}
	defer func() { r.Body = io.NopCloser(bytes.NewReader(body)) }()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return b.Verify.Receive(r, now)
}

// Events returns the verified deliveries of all orders in the order of their arrival. Repeated
// deliveries are included.
func (b *Receiver) Events() []webhook.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// EventsOf returns the verified deliveries of an order in the order of their arrival. Repeated
// deliveries are included.
func (b *Receiver) EventsOf(orderID string) (events []webhook.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Data.Order.ID == orderID {
			events = append(events, e)
		}
	}
	return events
}

// Rejected returns why deliveries were rejected.
func (b *Receiver) Rejected() []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]error(nil), b.rejected...)
}
