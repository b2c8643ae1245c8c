package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/v1"
)

// backend handles the calls of package v1, from back ends and from the console. Every call
// has an API key or the root token.
type backend struct{ *Server }

// v1Call is a call of a known caller that has the scope of the call.
type v1Call struct {
	*http.Request
	by             principal
	idempotencyKey string // "" for a call that makes nothing

	body, query any                // a request of the route's type
	products    []order.Product    // the products that the body names, if they are for sale
	intent      *order.AuditIntent // of an audited call
}

// v1Handler returns the response of a call.
type v1Handler func(context.Context, *v1Call) (any, error)

// idempotencyKey returns the header that makes a repeated call the same call.
func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) != 1 || !alphabet.Visible.Valid(values[0], 1, v1.MaxIdempotencyKey) {
		return "", &v1.Error{Code: api.CodeBadRequest, Field: "Idempotency-Key",
			Message: fmt.Sprintf("want the header Idempotency-Key with 1 to %d visible ASCII characters", v1.MaxIdempotencyKey)}
	}
	return values[0], nil
}

// fingerprint identifies the body of a call, whatever the order of its fields.
func (c *v1Call) fingerprint() (string, error) { return c.fingerprintOf(c.body) }

// fingerprintOf identifies a part of the body of a call.
func (c *v1Call) fingerprintOf(body any) (string, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("encoding a request: %w", err)
	}
	sum := sha256.Sum256([]byte(c.URL.Path + "\n" + string(text)))
	return hex.EncodeToString(sum[:]), nil
}

// mismatch returns the error for an Idempotency-Key that was used with another body.
func (c *v1Call) mismatch() error {
	return &v1.Error{Code: v1.CodeIdempotency, Field: "Idempotency-Key", Message: "this Idempotency-Key was used with another body: use a new one"}
}

// wrongField returns the error for a field that is well-formed but cannot be accepted.
func wrongField(field, message string) error {
	return &v1.Error{Code: api.CodeBadRequest, Field: field, Message: field + ": " + message}
}

// noSuch returns the error for an unknown ID.
func noSuch(what string) error {
	return &v1.Error{Code: api.CodeNotFound, Message: "no such " + what}
}

// unixMilli returns a time in Unix ms, 0 for the zero time.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
