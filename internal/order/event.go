package order

import (
	"time"

	"h5pay/internal/api"
)

// Event is a message to the merchant's back ends, and the state of its deliveries.
type Event struct {
	ID        string // follows from type and subject: "evt_paid_" and the order's ID, for example
	Type      api.EventType
	OrderID   string
	Data      string // JSON: the order, and the payment and the refund if any, at that time
	CreatedAt time.Time

	// These are of the order and never change.
	Shop      string // the origin of the shop that made it
	AppID     string
	MchID     string
	Simulated bool // WeChat was a simulator

	// Delivery is the one that was claimed, or the sum of Deliveries.
	Delivery
	Deliveries []Delivery // at each endpoint; not of a claimed event

	Seq int64 // of all events, in the order of creation
}

// EventLease is how long a claimed event belongs to the caller. A delivery that takes
// longer may happen twice.
const EventLease = time.Minute

// schedule holds the pause before each try of an event.
var schedule = [...]time.Duration{
	0, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// EventSchedule returns the pauses before the tries of an event; the first try is at once. Each
// pause is up to a tenth longer, so that events that failed together are not tried together again.
// After the last try an event is dead.
func EventSchedule() []time.Duration { return schedule[:] }

// Failure describes a failed try.
type Failure struct {
	Why       string    // for the operator; replaced if Gone
	Status    int       // HTTP status of the response, 0 without one
	NotBefore time.Time // the receiver's Retry-After; zero without one
	Gone      bool      // the receiver responded 410 Gone
}

// LastTry reports whether a claimed event is tried for the last time.
func (e *Event) LastTry() bool { return e.Tries >= len(schedule) }
