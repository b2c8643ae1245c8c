package order

import (
	"time"

	"h5pay/internal/api"
)

// SettingsEndpoint is the ID of the endpoint whose URL and secrets are settings of the shop.
const SettingsEndpoint = "settings"

// EndpointState is what an endpoint gets.
type EndpointState string

// The states of an endpoint.
const (
	EndpointEnabled  EndpointState = "enabled"
	EndpointDisabled EndpointState = "disabled" // by an operator: new events are not for it
	EndpointGone     EndpointState = "gone"     // the receiver responded 410: new events wait
	EndpointUnset    EndpointState = "unset"    // SettingsEndpoint without a URL, in a shop with other endpoints
	EndpointDeleted  EndpointState = "deleted"  // its deliveries are being deleted
)

// Endpoint is where events are delivered to.
type Endpoint struct {
	ID          string
	URL         string // "" for SettingsEndpoint
	Description string
	Types       []api.EventType // that it gets; none: all
	// Secret signs deliveries. SecretOld, the one before, signs too until OldUntil. Both are
	// sealed, and "" for SettingsEndpoint.
	Secret, SecretOld string
	OldUntil          time.Time // zero without SecretOld
	State             EndpointState
	CreatedAt         time.Time

	Attempts      int // deliveries that had a result
	Failures      int // those that failed since the last success
	LastSuccessAt time.Time
	LastFailureAt time.Time
	LastError     string // of the last failure

	// The request that made the endpoint, and the last one that changed its secret.
	MadeBy, IdempotencyKey, Fingerprint, Rotation string
}

// Delivery is the state of one event at one endpoint.
type Delivery struct {
	EndpointID  string
	Status      api.EventStatus
	Attempts    int       // since the event was made
	Tries       int       // since the event was made or replayed
	NextAt      time.Time // of the next try, while it is pending
	DeliveredAt time.Time // zero unless delivered
	LastStatus  int       // HTTP status of the last response, 0 without one
	LastError   string    // of the last try that failed
}

// weight orders statuses: an event has the status of its delivery with the greatest weight.
var weight = map[api.EventStatus]int{api.EventPending: 3, api.EventDead: 2, api.EventDelivered: 1}

// Summarize sets the state of an event from its deliveries: pending while one is, else
// dead if one is, else delivered. Without a delivery no endpoint takes it.
func (e *Event) Summarize() {
	sum := Delivery{Status: api.EventUntaken}
	for _, d := range e.Deliveries {
		sum.Attempts += d.Attempts
		sum.Tries = max(sum.Tries, d.Tries)
		if d.Status == api.EventPending && (sum.NextAt.IsZero() || d.NextAt.Before(sum.NextAt)) {
			sum.NextAt = d.NextAt
		}
		if d.DeliveredAt.After(sum.DeliveredAt) {
			sum.DeliveredAt = d.DeliveredAt
		}
		if weight[d.Status] > weight[sum.Status] {
			sum.Status, sum.LastError, sum.LastStatus = d.Status, "", 0
		}
		if d.Status == sum.Status && sum.LastError == "" {
			sum.LastError, sum.LastStatus = d.LastError, d.LastStatus
		}
	}
	if sum.Status != api.EventDelivered {
		sum.DeliveredAt = time.Time{}
	}
	e.Delivery = sum
}
