package api

import "h5pay/internal/fen"

// AdminOrder is an order as the operator sees it.
type AdminOrder struct {
	Order
	OutTradeNo string `json:"out_trade_no"`
	Owner      string `json:"owner"`           // openid or guest, masked
	Payer      string `json:"payer,omitempty"` // openid of who paid, masked
	// PayerUnknown says that the order is paid and that WeChat has not reported by
	// whom, like PaidAtUnknown.
	PayerUnknown bool    `json:"payer_unknown,omitempty"`
	Failure      string  `json:"failure,omitempty"` // WeChat's code when it last refused the order
	QueriedAt    int64   `json:"queried_at,omitempty"`
	Simulated    bool    `json:"simulated,omitempty"` // a simulator took the place of WeChat: no money was paid
	Events       []Event `json:"events,omitempty"`    // in the answer about one order only
}

// AdminOrderList is a page of orders, newest first. The query takes status, q
// (an order's ID, out_trade_no or transaction_id), from and to (Unix ms), cursor
// and limit (1 to 500, 50 when absent).
type AdminOrderList struct {
	Orders []AdminOrder `json:"orders"`
	Cursor string       `json:"cursor,omitempty"` // of the next page, "" when this is the last
}

// RefundRequest pays money back.
type RefundRequest struct {
	// RefundKey makes a repeated request the same refund: 16 to 64 letters,
	// digits, '-' or '_'. The same key with another amount or reason is CodeConflict.
	RefundKey string  `json:"refund_key"`
	Amount    fen.Fen `json:"amount"`           // fen; 1 to what is left
	Reason    string  `json:"reason,omitempty"` // 80 bytes at most; the payer reads it
	// FromBalance takes the money from the available balance of the merchant, instead
	// of from takings that are not settled. In a repeated call it changes a refund that
	// WeChat has not taken.
	FromBalance bool `json:"from_balance,omitempty"`
}

// CloseOrdersRequest closes open orders: those that hold a product, or those that were
// made before a moment, or those of which both is true. One call closes a bounded
// part of them; call again with the Cursor of the answer until there is none.
type CloseOrdersRequest struct {
	ProductID string `json:"product_id,omitempty"`
	Before    int64  `json:"before,omitempty"` // Unix ms
	Cursor    string `json:"cursor,omitempty"`
}

// CloseOrdersResponse says how many orders are closing now that were open before. A
// timer closes each at WeChat and then here; a payment until then counts.
type CloseOrdersResponse struct {
	Closing int    `json:"closing"`
	Cursor  string `json:"cursor,omitempty"` // "" when all open orders were looked at
}

// SellingRequest stops selling, or starts it again.
type SellingRequest struct {
	Selling *bool `json:"selling"` // required
}

// Selling says whether the shop sells. While it does not, orders and new payments of
// open orders are answered CodeNotSelling. What is paid all the same, refunds and
// events go on.
type Selling struct {
	Selling    bool  `json:"selling"`
	SettingOff bool  `json:"setting_off,omitempty"` // the setting SELLING is off: a call does not start it
	SwitchedAt int64 `json:"switched_at,omitempty"` // Unix ms, when a call last changed it
}

// PersonRequest names a person in one of three ways.
type PersonRequest struct {
	OpenID  string `json:"openid,omitempty"`
	OwnerOf string `json:"owner_of,omitempty"` // the ID of an order that they made
	PayerOf string `json:"payer_of,omitempty"` // the ID of an order that they paid
	Cursor  string `json:"cursor,omitempty"`   // of an export
}

// PersonExport is a page of what is stored about a person, oldest first.
type PersonExport struct {
	Orders []PersonOrder `json:"orders"`
	Cursor string        `json:"cursor,omitempty"` // of the next page, "" when this is the last
}

// PersonOrder is an order that a person made or paid. Their openid is stored in it,
// and the openid of the payer in its events.
type PersonOrder struct {
	AdminOrder
	IsOwner  bool   `json:"is_owner"`
	IsPayer  bool   `json:"is_payer"`
	ClientIP string `json:"client_ip,omitempty"` // from which the order was made, while it is open
}

// PersonErased says in how many orders a person was erased. With More send the same
// request again.
type PersonErased struct {
	Orders int  `json:"orders"`
	More   bool `json:"more,omitempty"`
}

// EventType is what a webhook tells the merchant's back end.
type EventType string

// The events.
const (
	EventOrderPaid     EventType = "order.paid"     // once for an order
	EventOrderRefunded EventType = "order.refunded" // once for a refund that succeeded
	EventOrderClosed   EventType = "order.closed"   // once for an order that can no longer be paid
)

// EventStatus is where the delivery of an event stands.
type EventStatus string

// The statuses.
const (
	EventPending   EventStatus = "pending"   // to be delivered, again if it failed
	EventDelivered EventStatus = "delivered" // the merchant's back end has acknowledged it
	EventDead      EventStatus = "dead"      // given up after the last try; can be replayed
)

// Event is an entry of the outbox.
type Event struct {
	ID          string      `json:"id"`
	Type        EventType   `json:"type"`
	OrderID     string      `json:"order_id"`
	Status      EventStatus `json:"status"`
	Attempts    int         `json:"attempts"`
	CreatedAt   int64       `json:"created_at"`             // Unix ms
	NextAt      int64       `json:"next_at,omitempty"`      // Unix ms, of the next try
	DeliveredAt int64       `json:"delivered_at,omitempty"` // Unix ms
	LastError   string      `json:"last_error,omitempty"`   // of the last try: "HTTP 500", "no answer"
}

// EventList is a page of events, newest first. The query takes status, cursor
// and limit as for AdminOrderList.
type EventList struct {
	Events []Event `json:"events"`
	Cursor string  `json:"cursor,omitempty"`
}

// BillRequest asks for a day's bill to be compared with the orders now.
type BillRequest struct {
	Date string `json:"date"` // "2026-03-01", a day in Beijing
}

// BillCheck is what came of comparing a day's bill with the orders.
type BillCheck struct {
	Date        string           `json:"date"`
	Status      string           `json:"status"` // "agrees", "differs", "waiting" (the bill is not ready), "failed"
	CheckedAt   int64            `json:"checked_at,omitempty"`
	Payments    int              `json:"payments"` // in the bill
	Refunds     int              `json:"refunds"`  // in the bill
	Differences []BillDifference `json:"differences,omitempty"`
}

// BillDifference is one thing on which bill and orders disagree: about a payment,
// or about a refund when it has an OutRefundNo.
type BillDifference struct {
	// Kind is "missing_here", "missing_there", "amount", "status", "number" (the
	// payment or the refund is another one), or "twice" (in the bill).
	Kind        string `json:"kind"`
	OutTradeNo  string `json:"out_trade_no"`
	OutRefundNo string `json:"out_refund_no,omitempty"`
	Ours        string `json:"ours,omitempty"`
	Theirs      string `json:"theirs,omitempty"`
}

// BillCheckList holds the last 31 days that were checked, newest first, with the
// first 100 differences of each. The query takes date, for all that is known of one
// day.
type BillCheckList struct {
	Checks []BillCheck `json:"checks"`
}

// Counters are those of the newest 10,000 orders, their payments, refunds and events,
// and of what the shop rejected and queried since the database has them.
// docs/runbook.md explains each.
type Counters struct {
	Counters map[string]int64 `json:"counters"` // "settled.notify", "refused.amount_differs", "events.dead", ...
}
