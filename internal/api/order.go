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
	// digits, '-' or '_', new for every basket. The same key with other items
	// is refused with CodeConflict.
	ClientKey string `json:"client_key"`
}

// OrderItem is what the buyer chose.
type OrderItem struct {
	ProductID string `json:"product_id"`
	Quantity  int    `json:"quantity"` // 1 to MaxQuantity
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
//	created -> pending -> paid
//	created -> failed, closed
//	pending -> closed
//	failed, closed -> paid (a late payment is money all the same)
const (
	StatusCreated OrderStatus = "created" // stored; WeChat may not know it yet
	StatusPending OrderStatus = "pending" // has a prepay_id, waits for the payment
	StatusPaid    OrderStatus = "paid"    // WeChat says so
	StatusClosed  OrderStatus = "closed"  // can no longer be paid
	StatusFailed  OrderStatus = "failed"  // WeChat refused to take the order
)

// Order is an order as its owner may see it.
type Order struct {
	ID        string      `json:"id"`
	Status    OrderStatus `json:"status"`
	Items     []OrderLine `json:"items"`
	Total     Fen         `json:"total"` // fen
	Currency  string      `json:"currency"`
	TradeType TradeType   `json:"trade_type"`
	CreatedAt int64       `json:"created_at"`           // Unix ms
	ExpiresAt int64       `json:"expires_at"`           // Unix ms; not payable from then on
	PaidAt    int64       `json:"paid_at,omitempty"`    // Unix ms, WeChat's time_end
	PaymentNo string      `json:"payment_no,omitempty"` // WeChat's transaction_id
}

// OrderList holds the caller's own orders, newest first, 50 at most.
type OrderList struct {
	Orders []Order `json:"orders"`
}

// PayRequest asks for the pay parameters of an order.
type PayRequest struct {
	// Renew asks WeChat for a new prepay_id although the last one should still
	// be good: the client failed on it.
	Renew bool `json:"renew,omitempty"`
}

// Checkout is an order with what the page needs to pay it.
type Checkout struct {
	Order Order `json:"order"`
	// Pay goes to getBrandWCPayRequest as it is. Nil when there is nothing to
	// pay (any more).
	Pay *PayParams `json:"pay,omitempty"`
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
