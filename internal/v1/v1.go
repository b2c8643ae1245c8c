// Package v1 describes the API for back ends and for the console: its routes, the shapes of
// its messages and their bounds. The server's routes and the OpenAPI document are made from
// it, so they cannot differ.
//
// Messages are JSON in UTF-8. Amounts are whole fen. Times are Unix milliseconds, UTC. A
// field with omitempty is absent when it has no value. A request with an unknown field is
// rejected.
//
// A caller sends "Authorization: Bearer" and an API key. Every POST that makes something
// needs the header Idempotency-Key. A repeated call with the same key and the same body makes
// nothing new. It returns the object of the first call as it is now. The same key with
// another body is rejected with code "idempotency_mismatch".
package v1

import (
	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// Scope is what an API key may do.
type Scope string

// The scopes.
const (
	ScopeRead   Scope = "read"   // every GET
	ScopeWrite  Scope = "write"  // orders, links, products
	ScopeRefund Scope = "refund" // refunds
	ScopeAdmin  Scope = "admin"  // keys, endpoints, personal data
)

// Bounds that no tag of a field has.
const (
	MaxIdempotencyKey = 64 // characters
	DefaultPage       = 20
	DefaultExpiresIn  = 24 * 3600 // seconds
	MaxMetadataKey    = 40        // characters
	MaxMetadataValue  = 500       // characters
	// MaxEndpoints bounds the webhook endpoints of a shop.
	MaxEndpoints = 5
)

// Order is what is sold. Payments collect it.
type Order struct {
	ID string `json:"id"`
	// Reference is the merchant's own number of the order, unique in the shop.
	Reference string      `json:"reference,omitempty"`
	Source    Source      `json:"source"`
	LinkID    string      `json:"link_id,omitempty"` // of the payment link that made it
	Status    OrderStatus `json:"status"`
	Amount    fen.Fen     `json:"amount"`   // fen
	Refunded  fen.Fen     `json:"refunded"` // fen that were refunded
	Currency  string      `json:"currency"` // "CNY"
	// Description is the text that the payer reads on the payment sheet.
	Description string            `json:"description"`
	Lines       []Line            `json:"lines,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	ReturnURL   string            `json:"return_url,omitempty"`
	// TradeTypes are the trade types that may pay the order.
	TradeTypes []api.TradeType `json:"trade_types"`
	// URL is the page where the customer pays. Anybody who has it can pay the order and see it.
	URL       string `json:"url,omitempty"`
	CreatedAt int64  `json:"created_at"`        // Unix ms
	ExpiresAt int64  `json:"expires_at"`        // Unix ms; no payment begins in the six minutes before
	PaidAt    int64  `json:"paid_at,omitempty"` // Unix ms, WeChat's time; absent until WeChat has reported it
	Simulated bool   `json:"simulated,omitempty"`
	// Payments, Refunds and Steps are only in the response about one order. An API key
	// without the scope "read" does not get them. If it closes an order that it did not make,
	// it gets neither texts nor URLs.
	Payments []Payment `json:"payments,omitempty"`
	Refunds  []Refund  `json:"refunds,omitempty"`
	Steps    []Step    `json:"steps,omitempty"`
}

// Source is the origin of an order.
type Source string

// The sources.
const (
	SourceShop Source = "shop" // the page's basket
	SourceAPI  Source = "api"  // POST /v1/orders
	SourceLink Source = "link" // a payment link
)

// OrderStatus is the status of an order.
type OrderStatus string

// The life of an order:
//
//	open -> paid -> refunding -> refunded
//	open -> closing, closed
//	closing -> closed
//	closing, closed -> paid (a late payment still counts)
//	refunding -> paid (the refund failed, or was a part)
const (
	OrderOpen      OrderStatus = "open"      // it can be paid
	OrderPaid      OrderStatus = "paid"      // WeChat has the money
	OrderClosing   OrderStatus = "closing"   // cancelled; WeChat closes no payment in its first five minutes
	OrderClosed    OrderStatus = "closed"    // it can no longer be paid
	OrderRefunding OrderStatus = "refunding" // paid, and a refund has not ended
	OrderRefunded  OrderStatus = "refunded"  // refunded in full
)

// Line is one position of an order.
type Line struct {
	ProductID string  `json:"product_id,omitempty"` // of the shop's catalogue
	Name      string  `json:"name"`
	Price     fen.Fen `json:"price"` // fen, for one
	Quantity  int     `json:"quantity"`
}

// Payment is one attempt to collect an order.
type Payment struct {
	OutTradeNo    string        `json:"out_trade_no"` // the number that WeChat knows
	TradeType     api.TradeType `json:"trade_type"`
	APIVersion    string        `json:"api_version"` // "v2" or "v3"
	AppID         string        `json:"appid"`
	MchID         string        `json:"mch_id"`
	Status        PaymentStatus `json:"status"`
	TransactionID string        `json:"transaction_id,omitempty"` // WeChat's number; it is on the payer's receipt
	Payer         string        `json:"payer,omitempty"`          // openid
	CreatedAt     int64         `json:"created_at"`               // Unix ms
	PaidAt        int64         `json:"paid_at,omitempty"`        // Unix ms
	Refunded      fen.Fen       `json:"refunded"`                 // fen
	// Duplicate means that another payment had paid the order. The shop refunds this one in
	// full by itself.
	Duplicate bool   `json:"duplicate,omitempty"`
	Failure   string `json:"failure,omitempty"` // WeChat's code when it declined the payment
}

// PaymentStatus is the status of a payment.
type PaymentStatus string

// The life of a payment:
//
//	created -> pending -> paid
//	created -> failed, closing
//	pending -> closing, closed
//	closing -> closed
//	failed, closing, closed -> paid
const (
	PaymentCreated PaymentStatus = "created" // stored; WeChat may not know it yet
	PaymentPending PaymentStatus = "pending" // WeChat waits for it
	PaymentPaid    PaymentStatus = "paid"
	PaymentClosing PaymentStatus = "closing" // to be closed at WeChat
	PaymentClosed  PaymentStatus = "closed"
	PaymentFailed  PaymentStatus = "failed" // WeChat declined it
)

// Step is a change of an order's status.
type Step struct {
	Status OrderStatus `json:"status"`
	At     int64       `json:"at"` // Unix ms
}

// CreateOrder makes an order. It has Amount with Description, or Lines, or all three. With
// Lines and Amount the lines must add up to the amount.
type CreateOrder struct {
	Amount fen.Fen      `json:"amount,omitempty" minimum:"1" maximum:"100000000"` // fen
	Lines  []CreateLine `json:"lines,omitempty" minItems:"1" maxItems:"20"`
	// Currency must be "CNY", which is also the default.
	Currency string `json:"currency,omitempty" enum:"CNY"`
	// Description is required without Lines. The payer reads its first 40 characters.
	Description string `json:"description,omitempty" minLength:"1" maxLength:"120"`
	// Reference is the merchant's own number. The code "reference_used" means that another
	// order has it.
	Reference string            `json:"reference,omitempty" minLength:"1" maxLength:"64"`
	Metadata  map[string]string `json:"metadata,omitempty" maxProperties:"20"`
	// ReturnURL is the page after the payment. The shop adds order=ID to its query. Its host
	// must be in the setting RETURN_HOSTS.
	ReturnURL string `json:"return_url,omitempty" minLength:"1" maxLength:"512"`
	// ExpiresIn is the time in seconds until the order expires. No payment begins in its last
	// six minutes. 24 hours when it is absent.
	ExpiresIn int64 `json:"expires_in,omitempty" minimum:"600" maximum:"1296000"`
	// TradeTypes limits the trade types that may pay the order. All of the shop's when it is
	// absent.
	TradeTypes []api.TradeType `json:"trade_types,omitempty" minItems:"1" maxItems:"3"`
}

// CreateLine is a product of the catalogue at its price, or a position of the
// merchant's own with Name and Price.
type CreateLine struct {
	ProductID string  `json:"product_id,omitempty" minLength:"1" maxLength:"64"`
	Name      string  `json:"name,omitempty" minLength:"1" maxLength:"80"`
	Price     fen.Fen `json:"price,omitempty" minimum:"1" maximum:"100000000"` // fen, for one
	Quantity  int     `json:"quantity" required:"true" minimum:"1" maximum:"9999"`
}

// Refund returns money of a payment to its payer.
type Refund struct {
	ID         string       `json:"id"` // out_refund_no
	OrderID    string       `json:"order_id"`
	OutTradeNo string       `json:"out_trade_no"` // of the payment
	Amount     fen.Fen      `json:"amount"`       // fen
	Reason     string       `json:"reason,omitempty"`
	Status     RefundStatus `json:"status"`
	RefundID   string       `json:"refund_id,omitempty"` // WeChat's number
	CreatedAt  int64        `json:"created_at"`          // Unix ms
	EndedAt    int64        `json:"ended_at,omitempty"`  // Unix ms
	Failure    string       `json:"failure,omitempty"`   // WeChat's code when it last declined the refund
	// FailureText is WeChat's text for Failure. Advice is what the operator can do.
	FailureText string `json:"failure_text,omitempty"`
	Advice      string `json:"advice,omitempty"`
	FromBalance bool   `json:"from_balance,omitempty"` // the money comes from the available balance
	// Duplicate means that the order was paid more than once, and that this refund returns
	// another payment. It does not count in Refunded of the order.
	Duplicate bool `json:"duplicate,omitempty"`
}

// RefundStatus is the status of a refund.
type RefundStatus = api.RefundStatus

// CreateRefund refunds all or a part of an order.
type CreateRefund struct {
	// OutTradeNo is a duplicate payment of the order whose own refund failed or was closed.
	// The payment that pays the order when it is absent.
	OutTradeNo string `json:"out_trade_no,omitempty" minLength:"1" maxLength:"32"`
	// Amount is in fen. The rest of the payment when it is absent.
	Amount fen.Fen `json:"amount,omitempty" minimum:"1" maximum:"100000000"`
	// Reason is the text that the payer reads, 80 bytes of UTF-8 at most.
	Reason string `json:"reason,omitempty" maxLength:"80"`
	// FromBalance takes the money from the merchant's available balance instead of the
	// unsettled funds.
	FromBalance bool `json:"from_balance,omitempty"`
}

// OrderQuery filters a list of orders. The first of OutTradeNo, TransactionID and Reference
// that is set selects one order at most.
type OrderQuery struct {
	// Number is any number of an order: its ID, reference, out_trade_no or transaction_id, or
	// the id or refund_id of one of its refunds. The other filters apply too.
	Number string      `query:"number" minLength:"1" maxLength:"64"`
	Status OrderStatus `query:"status"`
	Source Source      `query:"source"`
	Link   string      `query:"link" minLength:"1" maxLength:"40"` // ID of a payment link
	// From and To are Unix ms: created at or after From, and before To.
	From          int64  `query:"from" minimum:"0"`
	To            int64  `query:"to" minimum:"0"`
	Reference     string `query:"reference" minLength:"1" maxLength:"64"`
	OutTradeNo    string `query:"out_trade_no" minLength:"1" maxLength:"32"`
	TransactionID string `query:"transaction_id" minLength:"1" maxLength:"32"`
	// Metadata filters by one entry, written key:value.
	Metadata string `query:"metadata" minLength:"3" maxLength:"541"`
	Page
}

// Page selects a part of a list.
type Page struct {
	// Cursor is Next of the previous part.
	Cursor string `query:"cursor" minLength:"1" maxLength:"200"`
	// Limit is 20 when it is absent.
	Limit int `query:"limit" minimum:"1" maximum:"100"`
}

// Orders is a part of a list, newest first. Next is absent in the last part.
type Orders struct {
	Orders []Order `json:"orders"`
	Next   string  `json:"next,omitempty"`
}

// GetOrder is the query of a call for one order.
type GetOrder struct {
	// Sync queries WeChat about the payments that can still be paid.
	Sync bool `query:"sync"`
}
