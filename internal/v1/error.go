package v1

import (
	"strings"

	"h5pay/internal/api"
)

// Error is the body of every response that is not a success.
type Error struct {
	Code      api.Code `json:"code"`
	Message   string   `json:"message"`         // English, for a developer
	Field     string   `json:"field,omitempty"` // "lines[0].quantity"
	RequestID string   `json:"request_id,omitempty"`
	// OrderID is the order that has the reference, with code "reference_used".
	OrderID string `json:"order_id,omitempty"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// The codes of this API. It also uses the codes of package api.
const (
	CodeScopeMissing  api.Code = "scope_missing"        // the API key lacks the scope of the call
	CodeIdempotency   api.Code = "idempotency_mismatch" // the Idempotency-Key was used with another body
	CodeReferenceUsed api.Code = "reference_used"       // another order has the reference
	CodeFull          api.Code = "too_many"             // the shop has the maximum of these
	CodeNoEndpoint    api.Code = "no_endpoint"          // no endpoint may get the event, or the named one may not
	CodeNoStock       api.Code = "no_stock"             // the product has no stock to add to, or fewer pieces than leave
	CodeOfSettings    api.Code = "of_settings"          // the endpoint "settings" is changed in the settings of the shop
)

// Status returns the HTTP status of a code.
func Status(code api.Code) int {
	switch code {
	case CodeScopeMissing, CodeSecondPerson:
		return 403
	case CodeIdempotency, CodeReferenceUsed, CodeFull, CodeNoEndpoint, CodeNoStock, CodeOfSettings:
		return 409
	}
	return code.Status()
}

// Codes returns the error codes that a call may return: those of every call, those that
// follow from its form, and its own.
func (r Route) Codes() []api.Code {
	codes := []api.Code{api.CodeBadRequest, api.CodeUnauthenticated, CodeScopeMissing, api.CodeRateLimited, api.CodeInternal, api.CodeMisconfigured, api.CodeOverloaded}
	if strings.Contains(r.Path, "{") {
		codes = append(codes, api.CodeNotFound)
	}
	if r.Method != "GET" {
		codes = append(codes, api.CodeBodyTooLarge, api.CodeContentType, api.CodeForbiddenOrigin)
	}
	if r.Creates {
		codes = append(codes, CodeIdempotency)
	}
	return append(codes, r.Errors...)
}
