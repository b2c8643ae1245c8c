package api

// Error is the body of every error response.
type Error struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`         // for developers, in English
	Field     string `json:"field,omitempty"` // of the request, if one is wrong: "items[0].quantity"
	RequestID string `json:"request_id,omitempty"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Code is an error code. The page has a text for each in its own languages.
type Code string

// The error codes. [Code.Status] returns the HTTP status of each.
const (
	CodeBadRequest       Code = "bad_request"         // malformed, unknown field, out of range
	CodeForbiddenOrigin  Code = "forbidden_origin"    // the Origin header is not this shop's
	CodeNotFound         Code = "not_found"           // does not exist, or belongs to another user
	CodeMethodNotAllowed Code = "method_not_allowed"  // the path has no such method
	CodeBodyTooLarge     Code = "body_too_large"      // the body is larger than the call accepts
	CodeContentType      Code = "unsupported_content" // the body must be application/json
	CodeUnauthenticated  Code = "unauthenticated"     // sign in first
	CodeStateInvalid     Code = "state_invalid"       // the state is unknown, expired or from another browser: sign in again
	CodeCodeUsed         Code = "code_used"           // WeChat 40163: sign in again
	CodeCodeInvalid      Code = "code_invalid"        // WeChat 40029, 42003: sign in again
	CodeSnapshotUser     Code = "snapshot_user"       // WeChat's virtual user: open the full page first
	CodeSignInLoop       Code = "signin_loop"         // two sign-ins in a row failed: let the user retry
	CodeProductGone      Code = "product_unavailable" // a product is not for sale
	CodeOutOfStock       Code = "out_of_stock"        // the stock of a product has fewer pieces
	CodePriceChanged     Code = "price_changed"       // the total differs from the one that the buyer saw
	CodeConflict         Code = "conflict"            // client_key was used for another order
	CodeLinkEnded        Code = "link_ended"          // the payment link is withdrawn, expired or sold out
	CodeOrderNotPayable  Code = "order_not_payable"   // closed, failed or expired
	CodeOrderPaid        Code = "order_paid"          // the order is already paid
	CodeOrderNotPaid     Code = "order_not_paid"      // there is nothing to refund
	CodeRefundTooMuch    Code = "refund_too_much"     // more than the refundable amount
	CodeNotSelling       Code = "not_selling"         // the operator stopped selling: no new orders, no new payments
	CodeRateLimited      Code = "rate_limited"        // too many calls: wait a minute
	CodeAddressUnknown   Code = "address_unknown"     // MWEB requires the payer's public address, which is unknown: use another trade type
	CodeTooManyPayments  Code = "too_many_payments"   // too many payments of the order have begun
	CodeTooManyOrders    Code = "too_many_orders"     // too many unpaid orders: pay or cancel one
	CodeShopFull         Code = "shop_full"           // the database accepts no new orders
	CodeWeChatDeclined   Code = "wechat_declined"     // WeChat declined the request; a retry does not help
	CodeWeChatBusy       Code = "wechat_unavailable"  // WeChat did not respond; retry
	CodeBusy             Code = "busy"                // another request is working on the order, or took the last place; nothing was done, repeat after Retry-After
	CodeOverloaded       Code = "overloaded"          // the server is full; retry later
	CodeMisconfigured    Code = "misconfigured"       // a setting is missing or wrong; the log names it
	CodeInternal         Code = "internal"            // an error of the server; the log contains the request_id
)

// statuses maps each code to its HTTP status.
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
	CodeOutOfStock:       409,
	CodePriceChanged:     409,
	CodeConflict:         409,
	CodeLinkEnded:        409,
	CodeOrderNotPayable:  409,
	CodeOrderPaid:        409,
	CodeOrderNotPaid:     409,
	CodeRefundTooMuch:    409,
	CodeNotSelling:       503,
	CodeRateLimited:      429,
	CodeAddressUnknown:   503,
	CodeTooManyPayments:  429,
	CodeTooManyOrders:    429,
	CodeShopFull:         503,
	CodeWeChatDeclined:   502,
	CodeWeChatBusy:       503,
	CodeBusy:             409,
	CodeOverloaded:       503,
	CodeMisconfigured:    503,
	CodeInternal:         500,
}

// Status returns the HTTP status of c, 500 for an unknown code.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return 500
}
