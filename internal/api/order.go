package api

// Limits of one order. The signer enforces them; the page keeps within them.
const (
	MaxQuantity   = 99 // of one product
	MaxOrderItems = 20 // different products
)

// CreateOrderRequest asks for a new order. It carries no amount: the signer
// prices it from its own catalogue.
type CreateOrderRequest struct {
	Items     []OrderItem `json:"items"`
	TradeType TradeType   `json:"trade_type"`
	// ClientKey makes a repeated request the same order: 16 to 64 letters,
	// digits, '-' or '_', new for every basket. The same key with other items,
	// another TradeType or another Replaces is refused with CodeConflict.
	ClientKey string `json:"client_key"`
	// Replaces is the ID of an own order that this one takes the place of. It
	// is given up first, as by PathOrderClose; when it turns out to be paid,
	// nothing is made and the answer is CodeOrderPaid.
	Replaces string `json:"replaces,omitempty"`
}

// OrderItem is what the buyer chose.
type OrderItem struct {
	ProductID string `json:"product_id"`
	Quantity  int    `json:"quantity"` // 1 to MaxQuantity
	// Amount is what the payer named, in fen: required within Product.Amount
	// where the product has it, and then Quantity is 1; refused elsewhere.
	Amount Fen `json:"amount,omitempty"`
}

// OrderLine is an item as it was priced when the order was made.
type OrderLine struct {
	ProductID string `json:"product_id"`
	Name      string `json:"name"`
	Price     Fen    `json:"price"` // fen, for one
	Quantity  int    `json:"quantity"`
}

// OrderStatus is where an order stands.
type OrderStatus string

// The life of an order:
//
//	created -> pending -> paid -> refunding -> refunded
//	created -> failed, closing, closed
//	pending -> closing, closed
//	closing -> closed
//	failed, closing, closed -> paid (a late payment is money all the same)
//	refunding -> paid (a refund came to nothing, or was a part)
const (
	StatusCreated   OrderStatus = "created"   // stored; WeChat may not know it yet
	StatusPending   OrderStatus = "pending"   // WeChat waits for the payment
	StatusPaid      OrderStatus = "paid"      // WeChat says so; Order.Refunded of it may have gone back
	StatusClosing   OrderStatus = "closing"   // given up; WeChat closes no order in its first five minutes
	StatusClosed    OrderStatus = "closed"    // can no longer be paid
	StatusFailed    OrderStatus = "failed"    // WeChat refused to take the order
	StatusRefunding OrderStatus = "refunding" // paid, and a refund is under way
	StatusRefunded  OrderStatus = "refunded"  // all of it has gone back
)

// Order is an order as its owner may see it.
type Order struct {
	ID        string      `json:"id"`
	Status    OrderStatus `json:"status"`
	Items     []OrderLine `json:"items"`
	Total     Fen         `json:"total"`              // fen
	Refunded  Fen         `json:"refunded,omitempty"` // fen; what has gone back so far
	Currency  string      `json:"currency"`
	TradeType TradeType   `json:"trade_type"`
	CreatedAt int64       `json:"created_at"`        // Unix ms
	ExpiresAt int64       `json:"expires_at"`        // Unix ms; not payable from then on
	PaidAt    int64       `json:"paid_at,omitempty"` // Unix ms, WeChat's time_end
	// PaidAtUnknown says that the order is paid and that WeChat has not reported
	// when: it need not once money has gone back. The bill of that day fills it in.
	PaidAtUnknown bool   `json:"paid_at_unknown,omitempty"`
	PaymentNo     string `json:"payment_no,omitempty"` // WeChat's transaction_id

	// In the answer about one order only, oldest first.
	Timeline []Step   `json:"timeline,omitempty"`
	Refunds  []Refund `json:"refunds,omitempty"`
	// NotPaid says that WeChat was asked for this answer and said that nobody has paid.
	// Without it the answer is what the signer knew before.
	NotPaid bool `json:"not_paid,omitempty"`
}

// Step is a change in the life of an order.
type Step struct {
	Status OrderStatus `json:"status"` // what it became
	At     int64       `json:"at"`     // Unix ms
}

// Refund is money that goes back to the payer.
type Refund struct {
	ID        string       `json:"id"` // WeChat's out_refund_no
	Amount    Fen          `json:"amount"`
	Reason    string       `json:"reason,omitempty"` // the payer reads it
	Status    RefundStatus `json:"status"`
	CreatedAt int64        `json:"created_at"`         // Unix ms
	EndedAt   int64        `json:"ended_at,omitempty"` // Unix ms
	// Failure is WeChat's code when it last refused the refund, "NOT_ENOUGH" say.
	// For the operator: the owner of the order sees neither it nor refunds that
	// failed.
	Failure string `json:"failure,omitempty"`
	// FailureText is WeChat's words for it, and Cure what the operator can do where a
	// retry does not help. FromBalance says that the money comes from the merchant's
	// available balance. All three are for the operator too.
	FailureText string `json:"failure_text,omitempty"`
	Cure        string `json:"cure,omitempty"`
	FromBalance bool   `json:"from_balance,omitempty"`
}

// RefundStatus is where a refund stands.
type RefundStatus string

// The life of a refund:
//
//	created -> processing -> succeeded, closed, abnormal
//	created -> failed, succeeded, closed, abnormal
//	abnormal -> succeeded, closed (an operator acted on the merchant platform)
//	failed -> processing (a call that was given up for lost reached WeChat late)
const (
	RefundCreated    RefundStatus = "created"    // stored; WeChat may not know it yet
	RefundProcessing RefundStatus = "processing" // WeChat has taken it
	RefundSucceeded  RefundStatus = "succeeded"  // the money is back
	RefundClosed     RefundStatus = "closed"     // WeChat gave it up, the merchant keeps the money
	RefundAbnormal   RefundStatus = "abnormal"   // it cannot go back to where it came from: merchant platform
	RefundFailed     RefundStatus = "failed"     // WeChat refused to take it
)

// OrderList holds the caller's own orders, newest first, 50 at most.
type OrderList struct {
	Orders []Order `json:"orders"`
}

// PayRequest asks for what pays an order.
type PayRequest struct {
	// Renew asks WeChat again although what it gave last should still be good:
	// the client failed on it, or it is about to end. A renewed code_url voids
	// the one before.
	Renew bool `json:"renew,omitempty"`
}

// CloseRequest gives an unpaid order up. The order comes back closed, or closing
// when WeChat does not close it yet; what has ended before comes back as it is,
// and CodeOrderPaid says that it is paid.
type CloseRequest struct{}

// Checkout is an order with what the page needs to pay it: one of Pay, CodeURL
// and MWebURL, by the order's trade type, or none when there is nothing to pay
// (any more).
type Checkout struct {
	Order Order `json:"order"`
	// Pay goes to getBrandWCPayRequest as it is. JSAPI.
	Pay *PayParams `json:"pay,omitempty"`
	// CodeURL is to be shown as a QR code: "weixin://...". NATIVE.
	CodeURL string `json:"code_url,omitempty"`
	// MWebURL is to be navigated to in the same browser; it comes back to
	// /result?order=ID, paid or not. MWEB.
	MWebURL string `json:"mweb_url,omitempty"`
	// PayUntil is when the above stops working, Unix ms. Renew before.
	PayUntil int64 `json:"pay_until,omitempty"`
}

// PayParams are the six fields of getBrandWCPayRequest, in WeChat's spelling.
// All are strings; the client refuses a timeStamp that is a number.
type PayParams struct {
	AppID     string `json:"appId"`
	TimeStamp string `json:"timeStamp"` // Unix seconds
	NonceStr  string `json:"nonceStr"`
	Package   string `json:"package"` // "prepay_id=..."
	SignType  string `json:"signType"`
	PaySign   string `json:"paySign"`
}
