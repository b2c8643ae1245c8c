package api

import (
	"encoding/json"

	"h5pay/internal/fen"
)

// AdminOrder is an order with the fields that only the operator sees.
type AdminOrder struct {
	Order
	Source     string `json:"source"`                 // "shop", "api" or "link": what made it
	Reference  string `json:"reference,omitempty"`    // the merchant's own number
	OutTradeNo string `json:"out_trade_no,omitempty"` // of the payment that paid it, or of the newest one
	Owner      string `json:"owner,omitempty"`        // openid or guest, masked
	Payer      string `json:"payer,omitempty"`        // openid of the payer, masked
	// PayerUnknown reports that the order is paid but WeChat has not reported the payer, like
	// PaidAtUnknown.
	PayerUnknown bool      `json:"payer_unknown,omitempty"`
	Failure      string    `json:"failure,omitempty"` // WeChat's code when it last declined that payment
	QueriedAt    int64     `json:"queried_at,omitempty"`
	Simulated    bool      `json:"simulated,omitempty"` // created against the simulator: no money was paid
	Payments     []Payment `json:"payments,omitempty"`  // only in the response for a single order, oldest first
	Events       []Event   `json:"events,omitempty"`    // only in the response for a single order
}

// Payment is one attempt to collect an order, as the operator sees it.
type Payment struct {
	OutTradeNo    string        `json:"out_trade_no"`
	TradeType     TradeType     `json:"trade_type"`
	Status        PaymentStatus `json:"status"`
	APIVersion    string        `json:"api_version"` // of WeChat's API, "v2" or "v3"
	AppID         string        `json:"appid"`
	MchID         string        `json:"mch_id"`
	CreatedAt     int64         `json:"created_at"`           // Unix ms
	QueriedAt     int64         `json:"queried_at,omitempty"` // Unix ms
	PaymentNo     string        `json:"payment_no,omitempty"` // WeChat's transaction_id
	PaidAt        int64         `json:"paid_at,omitempty"`    // Unix ms, WeChat's time_end
	PaidAtUnknown bool          `json:"paid_at_unknown,omitempty"`
	Payer         string        `json:"payer,omitempty"` // openid of the payer, masked
	// Duplicate reports that another payment paid the order and that all of this one is refunded.
	Duplicate bool    `json:"duplicate,omitempty"`
	Refunded  fen.Fen `json:"refunded,omitempty"` // fen; refunded so far
	Failure   string  `json:"failure,omitempty"`  // WeChat's code when it last declined the payment
}

// AdminOrderList is a page of orders, newest first. Query parameters: status, q (an order's ID
// or reference, or an out_trade_no or transaction_id), from and to (Unix ms), cursor, and limit (1 to 500, default 50).
type AdminOrderList struct {
	Orders []AdminOrder `json:"orders"`
	Cursor string       `json:"cursor,omitempty"` // of the next page, "" on the last page
}

// RefundRequest refunds a payment or a part of it.
type RefundRequest struct {
	// RefundKey makes requests idempotent: the same key is the same refund. It has 16 to 64
	// letters, digits, '-' or '_'. The same key with another amount or reason is rejected with
	// CodeConflict.
	RefundKey string  `json:"refund_key"`
	Amount    fen.Fen `json:"amount"`           // fen; 1 to the refundable amount
	Reason    string  `json:"reason,omitempty"` // at most 80 bytes; the payer sees it
	// OutTradeNo names a duplicate payment whose own refund failed. It defaults to the payment that
	// paid the order.
	OutTradeNo string `json:"out_trade_no,omitempty"`
	// FromBalance takes the money from the merchant's available balance and not from unsettled
	// takings. A repeated request changes a refund that WeChat has not accepted yet.
	FromBalance bool `json:"from_balance,omitempty"`
}

// CloseOrdersRequest closes open orders that contain a product, that were created before a time, or
// both. One call closes a limited number. Repeat it with the Cursor of the response until that is
// empty.
type CloseOrdersRequest struct {
	ProductID string `json:"product_id,omitempty"`
	Before    int64  `json:"before,omitempty"` // Unix ms
	Cursor    string `json:"cursor,omitempty"`
}

// CloseOrdersResponse reports how many open orders are now closing. A timer closes each at WeChat
// and then here. A payment before that counts. Orders that were never sent to WeChat are closed at once
// and are counted as well.
type CloseOrdersResponse struct {
	Closing int    `json:"closing"`
	Cursor  string `json:"cursor,omitempty"` // "" when all open orders were checked
}

// SellingRequest stops or resumes selling.
type SellingRequest struct {
	Selling *bool `json:"selling"` // required
}

// Selling reports whether the shop sells. If it does not, new orders and new payments get
// CodeNotSelling. Payments in progress, refunds and events continue.
type Selling struct {
	Selling    bool  `json:"selling"`
	SettingOff bool  `json:"setting_off,omitempty"` // the setting SELLING is off, and a call cannot override it
	SwitchedAt int64 `json:"switched_at,omitempty"` // Unix ms of the last change by a call
}

// PersonRequest identifies a person. Set exactly one of the first three fields.
type PersonRequest struct {
	OpenID  string `json:"openid,omitempty"`
	OwnerOf string `json:"owner_of,omitempty"` // the ID of an order that the person created
	PayerOf string `json:"payer_of,omitempty"` // the ID of an order that the person paid
	Cursor  string `json:"cursor,omitempty"`   // of an export
}

// PersonExport is a page of the data stored about a person, oldest first.
type PersonExport struct {
	Orders []PersonOrder `json:"orders"`
	Cursor string        `json:"cursor,omitempty"` // of the next page, "" on the last page
}

// PersonOrder is an order that a person created, paid or was to pay. It and its payments store their
// openid, and its events store the payer's openid.
type PersonOrder struct {
	AdminOrder
	IsOwner  bool   `json:"is_owner"`
	IsPayer  bool   `json:"is_payer"`
	ClientIP string `json:"client_ip,omitempty"` // the address of the newest payment; stored while it can be paid
}

// PersonErased reports in how many orders a person's data was erased. If More is set, send the same
// request again.
type PersonErased struct {
	Orders int  `json:"orders"`
	More   bool `json:"more,omitempty"`
}

// EventType is the type of a webhook event.
type EventType string

// The events.
const (
	EventOrderPaid        EventType = "order.paid"        // once per order
	EventOrderRefunded    EventType = "order.refunded"    // once per successful refund of an order
	EventOrderClosed      EventType = "order.closed"      // once per order that can no longer be paid
	EventPaymentDuplicate EventType = "payment.duplicate" // once per payment of an order that another payment has paid
	// EventTest is sent by a call that tests an endpoint. It is of no order, and not stored.
	EventTest EventType = "endpoint.test"
)

// WebhookBody is the body of a webhook. docs/webhooks.md describes it, and package webhook reads it.
type WebhookBody struct {
	ID        string          `json:"id"`
	Type      EventType       `json:"type"`
	CreatedAt int64           `json:"created_at"` // Unix ms
	Shop      string          `json:"shop"`       // origin of the shop that made the order
	AppID     string          `json:"appid"`
	MchID     string          `json:"mch_id"`
	Simulated bool            `json:"simulated,omitempty"` // WeChat was a simulator
	Data      json.RawMessage `json:"data"`
}

// EventStatus is the delivery status of an event.
type EventStatus string

// The statuses.
const (
	EventPending   EventStatus = "pending"   // not delivered yet; failed attempts are retried
	EventDelivered EventStatus = "delivered" // acknowledged by the merchant's back end
	EventDead      EventStatus = "dead"      // the last attempt failed; the operator can replay it
	EventUntaken   EventStatus = "untaken"   // no endpoint takes events of this type
)

// Event is an event in the outbox.
type Event struct {
	ID          string      `json:"id"`
	Type        EventType   `json:"type"`
	OrderID     string      `json:"order_id"`
	Status      EventStatus `json:"status"`
	Attempts    int         `json:"attempts"`
	CreatedAt   int64       `json:"created_at"`             // Unix ms
	NextAt      int64       `json:"next_at,omitempty"`      // Unix ms, of the next attempt
	DeliveredAt int64       `json:"delivered_at,omitempty"` // Unix ms
	LastError   string      `json:"last_error,omitempty"`   // of the last attempt, for example "HTTP 500"
}

// EventList is a page of events, newest first. Query parameters: status, cursor and limit as for
// AdminOrderList.
type EventList struct {
	Events []Event `json:"events"`
	Cursor string  `json:"cursor,omitempty"`
}

// BillRequest starts a comparison of a day's bill with the orders.
type BillRequest struct {
	Date string `json:"date"` // "2026-03-01", a day in Beijing time
}

// BillCheck is the result of comparing a day's bill with the orders.
type BillCheck struct {
	Date        string           `json:"date"`
	Status      string           `json:"status"` // "agrees", "differs", "waiting" (the bill is not ready), "failed"
	CheckedAt   int64            `json:"checked_at,omitempty"`
	Payments    int              `json:"payments"` // in the bill
	Refunds     int              `json:"refunds"`  // in the bill
	Differences []BillDifference `json:"differences,omitempty"`
}

// BillDifference is one difference between the bill and the orders. It is about a refund if
// OutRefundNo is set, else about a payment.
type BillDifference struct {
	// Kind is "missing_here", "missing_there", "amount", "status", "number" (another payment or
	// refund) or "twice" (twice in the bill).
	Kind        string `json:"kind"`
	OutTradeNo  string `json:"out_trade_no"`
	OutRefundNo string `json:"out_refund_no,omitempty"`
	Ours        string `json:"ours,omitempty"`
	Theirs      string `json:"theirs,omitempty"`
}

// BillCheckList holds the last 31 checked days, newest first, with the first 100 differences of
// each. The query parameter date returns one day with all its differences.
type BillCheckList struct {
	Checks []BillCheck `json:"checks"`
}

// Counters are those of the newest 10,000 orders, their payments, refunds and events,
// and of what the shop rejected and queried since the database has them.
// docs/runbook.md explains each.
type Counters struct {
	Counters map[string]int64 `json:"counters"` // "settled.notify", "mismatch.amount_differs", "deliveries.dead", ...
}
