package api

import "h5pay/internal/fen"

// The limits of one order. The signer enforces them.
const (
	MaxQuantity   = 99 // of one product
	MaxOrderItems = 20 // different products
)

// CreateOrderRequest creates an order. The signer prices the order from its catalogue. WeChat learns of the order with the first PayRequest.
type CreateOrderRequest struct {
	Items []OrderItem `json:"items"`
	// ClientKey makes requests idempotent: the same key is the same order, whatever its status is.
	// It has 16 to 64 letters, digits, '-' or '_'. The same key with other Items is rejected with
	// CodeConflict.
	ClientKey string `json:"client_key"`
	// Total, optional, is the total in fen that the buyer saw. If the prices have changed since, the
	// request is rejected with CodePriceChanged.
	Total fen.Fen `json:"total,omitempty"`
}

// OrderItem is one chosen product.
type OrderItem struct {
	ProductID string `json:"product_id"`
	Quantity  int    `json:"quantity"` // 1 to MaxQuantity
	// Amount is the amount that the payer entered, in fen, within Product.Amount. It is required if
	// Product.Amount is set, and then Quantity is 1. Otherwise it is rejected.
	Amount fen.Fen `json:"amount,omitempty"`
}

// OrderLine is an item with its price at the time of the order.
type OrderLine struct {
	ProductID string  `json:"product_id"`
	Name      string  `json:"name"`
	Price     fen.Fen `json:"price"` // fen, for one piece
	Quantity  int     `json:"quantity"`
}

// OrderStatus is the status of an order.
type OrderStatus string

// The transitions of an order:
//
//	open -> paid -> refunding -> refunded
//	open -> closing -> closed
//	open -> closed (nothing can be paid at WeChat)
//	closing, closed -> paid (a late payment still counts)
//	refunding -> paid (the refund failed or was partial)
const (
	StatusOpen      OrderStatus = "open"      // waits for a payment
	StatusPaid      OrderStatus = "paid"      // WeChat confirmed a payment; Order.Refunded is the refunded part
	StatusClosing   OrderStatus = "closing"   // cancelled or expired here; WeChat closes no payment in its first five minutes
	StatusClosed    OrderStatus = "closed"    // can no longer be paid
	StatusRefunding OrderStatus = "refunding" // paid, with a refund in progress
	StatusRefunded  OrderStatus = "refunded"  // completely refunded
)

// PaymentStatus is the status of a payment: of one attempt to collect an order.
type PaymentStatus string

// The transitions of a payment:
//
//	created -> pending -> paid
//	created -> failed
//	created, pending -> closing -> closed
//	created, pending -> closed
//	failed, closing, closed -> paid (a late payment still counts)
const (
	PaymentCreated PaymentStatus = "created" // stored; WeChat may not know it yet
	PaymentPending PaymentStatus = "pending" // WeChat waits for it
	PaymentPaid    PaymentStatus = "paid"    // WeChat confirmed it
	PaymentClosing PaymentStatus = "closing" // is to be closed at WeChat
	PaymentClosed  PaymentStatus = "closed"  // can no longer be paid
	PaymentFailed  PaymentStatus = "failed"  // WeChat declined it
)

// Order is an order as its owner sees it.
type Order struct {
	ID        string      `json:"id"`
	Status    OrderStatus `json:"status"`
	Items     []OrderLine `json:"items"`
	Total     fen.Fen     `json:"total"`              // fen
	Refunded  fen.Fen     `json:"refunded,omitempty"` // fen; refunded so far
	Currency  string      `json:"currency"`
	TradeType TradeType   `json:"trade_type,omitempty"` // of the payment that paid it, or of the newest one; "" without payments
	CreatedAt int64       `json:"created_at"`           // Unix ms
	ExpiresAt int64       `json:"expires_at"`           // Unix ms; not payable afterwards
	PaidAt    int64       `json:"paid_at,omitempty"`    // Unix ms, WeChat's time_end
	// PaidAtUnknown reports that the order is paid but WeChat has not reported when. It need not do
	// so after a refund. The bill of that day adds the time.
	PaidAtUnknown bool   `json:"paid_at_unknown,omitempty"`
	PaymentNo     string `json:"payment_no,omitempty"` // WeChat's transaction_id

	// Only in the response for a single order, oldest first.
	Timeline []Step   `json:"timeline,omitempty"`
	Refunds  []Refund `json:"refunds,omitempty"`
	// NotPaid reports that WeChat was queried for this response and the order is not paid. If it is
	// false, the response is the stored state.
	NotPaid bool `json:"not_paid,omitempty"`
}

// CustomerOrder is an order as the holder of its URL sees it. Its Timeline is absent, and of its
// Refunds only those of a second payment are there.
type CustomerOrder struct {
	Order
	ShopName string `json:"shop_name"`
	// Description is the merchant's own text. It is absent if the items say the same.
	Description string `json:"description,omitempty"`
	// TradeTypes are those that the shop and the order accept.
	TradeTypes []TradeType `json:"trade_types"`
	// Expired reports that the time to pay ended before the order was paid or cancelled.
	Expired bool `json:"expired,omitempty"`
	// PaidBy is set if it is known who paid. Without a sign-in it is not. Only the payer sees PaymentNo.
	PaidBy PaidBy `json:"paid_by,omitempty"`
	// ReturnURL is the merchant's page to return to once the order is paid, with order=ID in its query.
	ReturnURL string `json:"return_url,omitempty"`
	// SignedIn reports whether the session can pay with JSAPI.
	SignedIn bool `json:"signed_in,omitempty"`
}

// PaidBy is the payer of an order, seen from the caller.
type PaidBy string

// The payers.
const (
	PaidByYou   PaidBy = "you"
	PaidByOther PaidBy = "other"
)

// Step is one status change of an order.
type Step struct {
	Status OrderStatus `json:"status"` // the new status
	At     int64       `json:"at"`     // Unix ms
}

// Refund is a refund of a payment.
type Refund struct {
	ID        string       `json:"id"` // WeChat's out_refund_no
	Amount    fen.Fen      `json:"amount"`
	Reason    string       `json:"reason,omitempty"` // the payer sees it
	Status    RefundStatus `json:"status"`
	CreatedAt int64        `json:"created_at"`         // Unix ms
	EndedAt   int64        `json:"ended_at,omitempty"` // Unix ms
	// Failure is WeChat's code when it last declined the refund, for example "NOT_ENOUGH". Only the
	// operator sees it. The owner of the order does not see refunds that failed.
	Failure string `json:"failure,omitempty"`
	// FailureText is WeChat's text for Failure. Advice is what the operator can do if a retry does
	// not help. FromBalance reports that the money comes from the merchant's available balance.
	// Only the operator sees them.
	FailureText string `json:"failure_text,omitempty"`
	Advice      string `json:"advice,omitempty"`
	FromBalance bool   `json:"from_balance,omitempty"`
	// Duplicate reports that the order was paid more than once and that this refund returns another
	// payment. It does not count in Order.Refunded.
	Duplicate bool `json:"duplicate,omitempty"`
}

// RefundStatus is the status of a refund.
type RefundStatus string

// The transitions of a refund:
//
//	created -> processing -> succeeded, closed, abnormal
//	created -> failed, succeeded, closed, abnormal
//	abnormal -> succeeded, closed (an operator acted on the merchant platform)
//	failed -> processing (a call without a response reached WeChat late)
const (
	RefundCreated    RefundStatus = "created"    // stored; WeChat may not know it yet
	RefundProcessing RefundStatus = "processing" // WeChat accepted it
	RefundSucceeded  RefundStatus = "succeeded"  // the payer received the money
	RefundClosed     RefundStatus = "closed"     // WeChat closed it; the merchant keeps the money
	RefundAbnormal   RefundStatus = "abnormal"   // the money cannot be returned to its source: see the merchant platform
	RefundFailed     RefundStatus = "failed"     // WeChat declined it
)

// OrderList holds the user's own orders, newest first, at most 50.
type OrderList struct {
	Orders []Order `json:"orders"`
}

// PayRequest requests an order with the parameters that pay it. A request with another trade type
// begins another payment of the same order. The first payment that is paid pays the order, and a
// second one is refunded. The request sends the payment to WeChat unless the last parameters are
// valid.
type PayRequest struct {
	// TradeTypes are those that the page can use where it is, the best one first. The first one that
	// the shop and the order accept is used.
	TradeTypes []TradeType `json:"trade_types"`
	// Renew requests new parameters from WeChat although the last ones should still be valid: the
	// client failed with them, or they are about to expire. A new code_url invalidates the last
	// one.
	Renew bool `json:"renew,omitempty"`
}

// CloseRequest cancels an unpaid order. The response has the status closed, or closing if WeChat
// does not close its payments yet. An order that ended before is returned unchanged. A paid order
// is rejected with CodeOrderPaid.
type CloseRequest struct{}

// Checkout is an order with the parameters to pay it. By trade type one of Pay, CodeURL and MWebURL
// is set. None is set if there is nothing to pay.
type Checkout struct {
	Order Order `json:"order"`
	// Pay is the argument of getBrandWCPayRequest. JSAPI.
	Pay *PayParams `json:"pay,omitempty"`
	// CodeURL is the content of a QR code, "weixin://...". NATIVE.
	CodeURL string `json:"code_url,omitempty"`
	// MWebURL is the address to navigate to in the same browser. WeChat returns to
	// /result?order=ID, whether the user paid or not. MWEB.
	MWebURL string `json:"mweb_url,omitempty"`
	// PayUntil is when these parameters expire, Unix ms. Renew them before.
	PayUntil int64 `json:"pay_until,omitempty"`
}

// PayParams are the six fields of getBrandWCPayRequest, in WeChat's spelling. All are strings; the
// client rejects a numeric timeStamp.
type PayParams struct {
	AppID     string `json:"appId"`
	TimeStamp string `json:"timeStamp"` // Unix seconds
	NonceStr  string `json:"nonceStr"`
	Package   string `json:"package"` // "prepay_id=..."
	SignType  string `json:"signType"`
	PaySign   string `json:"paySign"`
}
