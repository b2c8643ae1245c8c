package v1

import "h5pay/internal/api"

// Endpoint is an address that gets events. The endpoint "settings" has its URL and its
// secrets from the settings of the shop. It exists if they have a URL.
type Endpoint struct {
	ID          string `json:"id"`
	URL         string `json:"url"` // of the endpoint "settings" the origin only
	Description string `json:"description,omitempty"`
	// Types are the event types that it gets. Empty: all.
	Types []api.EventType `json:"types"`
	State EndpointState   `json:"state"`
	// Secret is only in the responses of the calls that make the endpoint or change its
	// secret.
	Secret string `json:"secret,omitempty"`
	// OldSecretUntil is when the previous secret stops signing, Unix ms. Absent without one.
	OldSecretUntil int64  `json:"old_secret_until,omitempty"`
	CreatedAt      int64  `json:"created_at,omitempty"` // Unix ms; absent for "settings"
	Attempts       int    `json:"attempts"`             // deliveries that had a result
	Failures       int    `json:"failures"`             // those that failed since the last success
	LastSuccessAt  int64  `json:"last_success_at,omitempty"`
	LastFailureAt  int64  `json:"last_failure_at,omitempty"`
	LastError      string `json:"last_error,omitempty"` // of the last failure
	// Problem is the reason why nothing is sent, if the secret cannot be used.
	Problem string `json:"problem,omitempty"`
}

// EndpointState decides which events an endpoint gets.
type EndpointState string

// The states of an endpoint.
const (
	EndpointEnabled  EndpointState = "enabled"
	EndpointDisabled EndpointState = "disabled" // by a call: it gets no new events
	EndpointGone     EndpointState = "gone"     // the receiver responded 410: events wait until it is enabled
)

// CreateEndpoint makes an endpoint. The shop generates its secret.
type CreateEndpoint struct {
	// URL is https, with a public address.
	URL         string `json:"url" required:"true" minLength:"1" maxLength:"500"`
	Description string `json:"description,omitempty" maxLength:"200"`
	// Types are the event types that it gets. All when it is absent or empty.
	Types []api.EventType `json:"types,omitempty" maxItems:"4"`
}

// ChangeEndpoint changes the fields that it has. Absent fields stay.
type ChangeEndpoint struct {
	URL         *string `json:"url,omitempty" minLength:"1" maxLength:"500"`
	Description *string `json:"description,omitempty" maxLength:"200"`
	// Types are the event types that it gets. Empty: all.
	Types []api.EventType `json:"types,omitempty" maxItems:"4"`
	// Enabled false stops deliveries, and the endpoint gets no new events. True resumes
	// deliveries, also after a response 410.
	Enabled *bool `json:"enabled,omitempty"`
}

// RotateSecret changes the secret of an endpoint.
type RotateSecret struct {
	// KeepOld is the time in seconds for which the previous secret also signs. Send 0 if it
	// leaked. A day when it is absent.
	KeepOld *int64 `json:"keep_old,omitempty" minimum:"0" maximum:"604800"`
}

// Endpoints are all endpoints.
type Endpoints struct {
	Endpoints []Endpoint `json:"endpoints"`
}

// EndpointTest is the result of a delivery of type endpoint.test, which is not stored.
type EndpointTest struct {
	EventID string `json:"event_id,omitempty"`
	OK      bool   `json:"ok"`                // the endpoint acknowledged the event
	Status  int    `json:"status,omitempty"`  // HTTP status of the response
	Problem string `json:"problem,omitempty"` // why it is not OK
	TookMS  int64  `json:"took_ms"`
}
