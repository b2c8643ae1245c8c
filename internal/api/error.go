package api

// Error is the body of every answer that is not a success.
type Error struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"` // for a developer, English
	RequestID string `json:"request_id,omitempty"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Code says what went wrong. The page branches on it and has a sentence for
// each in its own language.
type Code string

// The codes; [Code.Status] has the HTTP status of each.
const (
	CodeBadRequest       Code = "bad_request"         // malformed, unknown field, out of range
	CodeForbiddenOrigin  Code = "forbidden_origin"    // the Origin header is not this shop's
	CodeNotFound         Code = "not_found"           // no such thing, or not yours
	CodeMethodNotAllowed Code = "method_not_allowed"  //
	CodeBodyTooLarge     Code = "body_too_large"      //
	CodeContentType      Code = "unsupported_content" // the body must be application/json
	CodeUnauthenticated  Code = "unauthenticated"     // sign in first
	CodeStateInvalid     Code = "state_invalid"       // unknown, expired or foreign state: sign in again
	CodeCodeUsed         Code = "code_used"           // WeChat 40163: sign in again
	CodeCodeInvalid      Code = "code_invalid"        // WeChat 40029, 42003: sign in again
	CodeSnapshotUser     Code = "snapshot_user"       // WeChat's virtual user: open the full page first
	CodeSignInLoop       Code = "signin_loop"         // two sign-ins in a row failed: let the user decide
	CodeProductGone      Code = "product_unavailable" // an item is not, or no longer, for sale
	CodeConflict         Code = "conflict"            // client_key was used for another order
	CodeOrderNotPayable  Code = "order_not_payable"   // closed, failed or expired
	CodeOrderPaid        Code = "order_paid"          // nothing left to pay
	CodeOrderNotPaid     Code = "order_not_paid"      // nothing there to refund
	CodeRefundTooMuch    Code = "refund_too_much"     // more than is left of the payment
	CodeNotSelling       Code = "not_selling"         // the operator has stopped selling: no order, no new payment
	CodeRateLimited      Code = "rate_limited"        // too many calls, wait a minute
	CodeAddressUnknown   Code = "address_unknown"     // MWEB needs the payer's public address, and it is not known: pay by another trade type
	CodeTooManyOrders    Code = "too_many_orders"     // too many orders wait for a payment: pay or cancel one
	CodeShopFull         Code = "shop_full"           // the database takes no new orders
	CodeWeChatRefused    Code = "wechat_refused"      // WeChat said no; retrying does not help
	CodeWeChatBusy       Code = "wechat_unavailable"  // WeChat did not answer; retry
	CodeBusy             Code = "busy"                // another request about the same order is under way; nothing was done, repeat after Retry-After
	CodeOverloaded       Code = "overloaded"          // the server is full, retry in a moment
	CodeMisconfigured    Code = "misconfigured"       // a setting is missing or wrong; the log names it
	CodeInternal         Code = "internal"            // our fault; the log has the request_id
)

// statuses is the one table from code to HTTP status.
var statuses = map[Code]int{
	CodeBadRequest:       400,
	CodeForbiddenOrigin:  403,
	CodeNotFound:         404,
	CodeMethodNotAllowed: 405,
	CodeBodyTooLarge:     413,
	CodeContentType:      415,
	CodeUnauthenticated:  401,
	CodeStateInvalid:     400,
	CodeCodeUsed:         409,
	CodeCodeInvalid:      400,
	CodeSnapshotUser:     403,
	CodeSignInLoop:       409,
	CodeProductGone:      409,
	CodeConflict:         409,
	CodeOrderNotPayable:  409,
	CodeOrderPaid:        409,
	CodeOrderNotPaid:     409,
	CodeRefundTooMuch:    409,
	CodeNotSelling:       503,
	CodeRateLimited:      429,
	CodeAddressUnknown:   503,
	CodeTooManyOrders:    429,
	CodeShopFull:         503,
	CodeWeChatRefused:    502,
	CodeWeChatBusy:       503,
	CodeBusy:             409,
	CodeOverloaded:       503,
	CodeMisconfigured:    503,
	CodeInternal:         500,
}

// Status returns the HTTP status that goes with c, 500 for an unknown code.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return 500
}
