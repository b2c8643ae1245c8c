package v1

import "h5pay/internal/api"

// Endpoint is where events are delivered to. The endpoint "settings" has its URL and its
// secrets from the settings of the shop; it is there if they have a URL.
type Endpoint struct {
	ID          string `json:"id"`
	URL         string `json:"url"` // of the endpoint "settings" the origin only
	Description string `json:"description,omitempty"`
	// Types are the event types that it gets. Empty: all.
	Types []api.EventType `json:"types"`
	State EndpointState   `json:"state"`
	// Secret is in the answers of the calls that make the endpoint or change its secret only.
	Secret string `json:"secret,omitempty"`
	// OldSecretUntil is when the secret before stops signing, Unix ms. Absent without one.
	OldSecretUntil int64  `json:"old_secret_until,omitempty"`
	CreatedAt      int64  `json:"created_at,omitempty"` // Unix ms; absent for "settings"
	Attempts       int    `json:"attempts"`             // deliveries that had a result
	Failures       int    `json:"failures"`             // those that failed since the last success
	LastSuccessAt  int64  `json:"last_success_at,omitempty"`
	LastFailureAt  int64  `json:"last_failure_at,omitempty"`
	LastError      string `json:"last_error,omitempty"` // of the last failure
	// Problem says why nothing is sent, if the secret cannot be used.
	Problem string `json:"problem,omitempty"`
}

// EndpointState is what an endpoint gets.
type EndpointState string

// The states of an endpoint.
const (
	EndpointEnabled  EndpointState = "enabled"
	EndpointDisabled EndpointState = "disabled" // by a call: new events are not for it
	EndpointGone     EndpointState = "gone"     // the receiver responded 410: events wait until it is enabled
)

// CreateEndpoint makes an endpoint. Its secret is drawn.
type CreateEndpoint struct {
	// URL is https, with a public address.
	URL         string `json:"url" required:"true" minLength:"1" maxLength:"500"`
	Description string `json:"description,omitempty" maxLength:"200"`
	// Types are the event types that it gets. All when it is absent or empty.
	Types []api.EventType `json:"types,omitempty" maxItems:"4"`
}

// ChangeEndpoint changes what it has. What is absent stays.
type ChangeEndpoint struct {
	URL         *string `json:"url,omitempty" minLength:"1" maxLength:"500"`
	Description *string `json:"description,omitempty" maxLength:"200"`
	// Types are the event types that it gets. Empty: all.
	Types []api.EventType `json:"types,omitempty" maxItems:"4"`
	// Enabled false stops deliveries, and new events are not for the endpoint. True resumes
	// them, also after a response 410.
	Enabled *bool `json:"enabled,omitempty"`
}

// RotateSecret changes the secret of an endpoint.
type RotateSecret struct {
	// KeepOld is for how many seconds the secret before signs too. 0: not at all, for a
	// secret that leaked. A day when it is absent.
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
