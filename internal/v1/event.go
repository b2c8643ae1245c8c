package v1

import (
	"encoding/json"

	"h5pay/internal/api"
)

// Event is a fact about an order, and the state of its delivery to the endpoints of the
// merchant.
type Event struct {
	ID      string        `json:"id"` // the same in every delivery
	Type    api.EventType `json:"type"`
	OrderID string        `json:"order_id"`
	// Data is the delivered data: the order at that time, and the refund of a refund event.
	// It is {} for an API key without the scope "read".
	Data      json.RawMessage `json:"data"`
	CreatedAt int64           `json:"created_at"` // Unix ms
	// Shop, AppID and MchID are those of the order, as they are delivered.
	Shop  string `json:"shop"`
	AppID string `json:"appid"`
	MchID string `json:"mch_id"`
	// Simulated means that a simulator took the place of WeChat: no money was paid.
	Simulated bool `json:"simulated,omitempty"`
	// Status is "pending" while a delivery is pending, else "dead" if one is dead, else
	// "delivered".
	Status   api.EventStatus `json:"status"`
	Attempts int             `json:"attempts"`          // of all deliveries
	NextAt   int64           `json:"next_at,omitempty"` // Unix ms, of the next attempt
	// DeliveredAt is when the last endpoint acknowledged the event, Unix ms.
	DeliveredAt int64  `json:"delivered_at,omitempty"`
	LastError   string `json:"last_error,omitempty"` // of the last attempt that failed
	// Deliveries, one for each endpoint, are only in the response about one event.
	Deliveries []Delivery `json:"deliveries,omitempty"`
}

// Delivery is the state of an event at one endpoint.
type Delivery struct {
	EndpointID  string          `json:"endpoint_id"`
	Status      api.EventStatus `json:"status"`
	Attempts    int             `json:"attempts"`
	NextAt      int64           `json:"next_at,omitempty"`      // Unix ms, of the next attempt
	DeliveredAt int64           `json:"delivered_at,omitempty"` // Unix ms
	LastStatus  int             `json:"last_status,omitempty"`  // HTTP status of the last response
	LastError   string          `json:"last_error,omitempty"`   // of the last attempt, if it failed
}

// ReplayEvent selects the endpoints that get an event again.
type ReplayEvent struct {
	// Endpoint is the ID of an endpoint. Without it all endpoints that take the event get it.
	Endpoint string `query:"endpoint" minLength:"1" maxLength:"40"`
}

// EventQuery filters a list of events.
type EventQuery struct {
	// Status finds the events that have a delivery with this status.
	Status api.EventStatus `query:"status"`
	// Order is "newest" when it is absent. With "oldest" the list continues with later
	// events: keep Next, and send it as Cursor in the next call.
	Order EventOrder `query:"order"`
	// After is the ID of an event. The list begins with the one after it, oldest first.
	After string `query:"after" minLength:"1" maxLength:"120"`
	Page
}

// EventOrder is the order of a list.
type EventOrder string

// The orders of a list.
const (
	NewestFirst EventOrder = "newest"
	OldestFirst EventOrder = "oldest"
)

// Events are a part of the events.
type Events struct {
	Events []Event `json:"events"`
	// Next is absent in the last part of a list that begins with the newest. With "oldest" it
	// is absent only if the list is empty and had no Cursor. With the status "delivered" or
	// "untaken" a part is of 1000 events at most, so that it may be empty although Next is new.
	Next string `json:"next,omitempty"`
}

// ReplayEvents delivers the events of an interval again.
type ReplayEvents struct {
	From int64 `json:"from" required:"true" minimum:"1" maximum:"9007199254740991"` // Unix ms
	// To is the end of the interval, Unix ms. The present when it is absent.
	To int64 `json:"to,omitempty" minimum:"1" maximum:"9007199254740991"`
	// Status is "dead" or "delivered". Both when it is absent.
	Status string `json:"status,omitempty" enum:"dead,delivered"`
	// Endpoint is the ID of an endpoint. All endpoints when it is absent. Without Status an
	// endpoint also gets the events of its types that it never got before.
	Endpoint string `json:"endpoint,omitempty" minLength:"1" maxLength:"40"`
	// Cursor is Next of the previous response. One call replays 200 events at most, and looks
	// at 1000 at most.
	Cursor string `json:"cursor,omitempty" minLength:"1" maxLength:"200"`
}

// Replayed has the number of events that are pending again.
type Replayed struct {
	Events int `json:"events"`
	// Next is absent when nothing is left. It may be there although no event was replayed: repeat
	// the call with it.
	Next string `json:"next,omitempty"`
}
