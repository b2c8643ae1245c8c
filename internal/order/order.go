// Package order holds what the shop sells and collects: orders, refunds, events, the
// catalogue's prices, and the tables of the changes of status.
//
// It knows nothing of HTTP, of WeChat's messages or of a database.
package order

import (
	"slices"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

const (
	// Currency is the only one that WeChat Pay accepts from a mainland merchant.
	Currency = "CNY"

	// Lifetime is how long an order can be paid. It is sent to WeChat as time_expire,
	// which may be at most 15 days ahead.
	Lifetime = 24 * time.Hour

	// PrepayLifetime is how long a prepay_id is used. WeChat's own limit is two hours;
	// the buyer has the margin for the payment sheet.
	PrepayLifetime = 2*time.Hour - 5*time.Minute

	// MWebLifetime is how long a mweb_url is used. WeChat's own limit is five minutes;
	// the buyer has the margin to open it.
	MWebLifetime = 4 * time.Minute

	// MinPrepay is the least time before its expiry at which a payment gets a prepay_id.
	// WeChat declines a time_expire that is closer than five minutes.
	MinPrepay = 6 * time.Minute

	// MinCloseAge is the age from which WeChat closes a payment. WeChat counts five
	// minutes from when it received the payment, which is up to a call's duration later.
	// The triggers order_closes and payment_is_paid have it too.
	MinCloseAge = 5*time.Minute + 15*time.Second

	// ExpiryGrace is how long after its expiry an order that WeChat reports as unpaid
	// still counts as pending. A payment that began in time may be completing.
	ExpiryGrace = time.Minute

	// MaxTotal is the largest amount of one order, in fen.
	MaxTotal fen.Fen = 100_000_000

	// MaxLive is how many payments of one order can be paid at WeChat at the same time. MaxPayments is
	// how many payments an order has in all, without those that WeChat declined. No payment begins
	// after WeChat has declined MaxFailed. Each payment is a call to WeChat and a row.
	MaxLive     = 4
	MaxPayments = 20
	MaxFailed   = 20
)

// MinKeepUnpaid is the least time that an order without a payment is kept. An order can
// be paid for Lifetime. WeChat sends notifications for a day after the payment, and the
// timer compares the bills of the last BillDays days.
const MinKeepUnpaid = Lifetime + 24*time.Hour + (BillDays+1)*24*time.Hour

// An order is deleted by the operator MinKeep after it was made at the earliest, and MinUnchanged
// after its last change. It can be paid for 15 days, WeChat refunds it within a year of the payment
// (docs/wechat.md 9.3), and a refund takes days.
const (
	MinKeep      = 400 * 24 * time.Hour
	MinUnchanged = 30 * 24 * time.Hour
)

// Source is what made an order.
type Source string

// The sources.
const (
	SourceShop Source = "shop" // a basket of the shop's page
	SourceAPI  Source = "api"  // a back end, with an API key
	SourceLink Source = "link" // a payment link
)

// Order is one order as it is stored.
type Order struct {
	ID        string // public, in URLs of the shop
	Token     string // of the customer's URL; "" of an order of the shop's basket
	Source    Source
	Reference string // the merchant's own number, unique; "" without one
	KeyID     string // of the API key that made it; "" without one
	LinkID    string // of the payment link that made it; "" without one

	// Owner is the openid of a user, or the id of a guest. Orders of back ends have none.
	Owner       string
	Network     string // of a guest, for Bounds; not read back
	ClientKey   string // unique for the owner or for the API key; "" without one
	Fingerprint string // of the request with ClientKey

	Shop        string // the origin of the shop that made it
	AppID       string
	MchID       string
	Lines       []Line
	Total       fen.Fen
	Currency    string
	Description string          // the payer reads it on the payment sheet; 127 bytes at most
	Metadata    string          // a JSON object of the merchant's, "" without one
	ReturnURL   string          // where the customer's page leads after the payment
	TradeTypes  []api.TradeType // that may pay it; all when empty
	CreatedAt   time.Time
	ExpiresAt   time.Time

	Status    api.OrderStatus
	PaidBy    string  // the OutTradeNo of the payment that pays it; "" until it is paid
	Refunded  fen.Fen // of that payment, so far
	Simulated bool    // WeChat was a simulator
	UpdatedAt time.Time

	// Payment is the one that pays the order, or else the newest one. Its OutTradeNo is ""
	// without payments.
	Payment Payment
	Live    int // payments that can still be paid at WeChat
}

// Line is an item with the price it had when the order was made.
type Line struct {
	ProductID string  `json:"product_id"`
	Name      string  `json:"name"`
	Price     fen.Fen `json:"price"` // fen, for one
	Quantity  int     `json:"quantity"`
}

// Expired reports whether the time to pay the order is over.
func (o *Order) Expired(now time.Time) bool { return !now.Before(o.ExpiresAt) }

// Open reports whether the order waits for a payment and is offered for it.
func (o *Order) Open() bool { return o.Status == api.StatusOpen }

// Takes reports whether a trade type may pay the order.
func (o *Order) Takes(t api.TradeType) bool {
	return len(o.TradeTypes) == 0 || slices.Contains(o.TradeTypes, t)
}

// Public returns the order as its owner may see it.
func (o *Order) Public() api.Order {
	lines := make([]api.OrderLine, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = api.OrderLine(l)
	}
	p := api.Order{
		ID:        o.ID,
		Status:    o.Status,
		Items:     lines,
		Total:     o.Total,
		Refunded:  o.Refunded,
		Currency:  o.Currency,
		TradeType: o.Payment.TradeType,
		CreatedAt: o.CreatedAt.UnixMilli(),
		ExpiresAt: o.ExpiresAt.UnixMilli(),
	}
	if o.PaidBy == "" {
		return p
	}
	p.PaymentNo = o.Payment.TransactionID
	if !o.Payment.PaidAt.IsZero() {
		p.PaidAt = o.Payment.PaidAt.UnixMilli()
	}
	p.PaidAtUnknown = o.Payment.PaidAt.IsZero()
	return p
}
