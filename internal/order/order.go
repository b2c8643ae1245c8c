// Package order holds what the shop sells and collects: orders, refunds, events, the
// catalogue's prices, and the tables of the changes of status.
//
// It knows nothing of HTTP, of WeChat's messages or of a database.
package order

import (
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

const (
	// Currency is the only one WeChat Pay takes from a mainland merchant.
	Currency = "CNY"

	// Lifetime is how long an order can be paid; it is sent to WeChat as
	// time_expire, which may be 15 days away at most.
	Lifetime = 24 * time.Hour

	// PrepayLifetime is how long a prepay_id is used. WeChat's own limit is two
	// hours; the margin is for a buyer who takes their time on the payment
	// sheet.
	PrepayLifetime = 2*time.Hour - 5*time.Minute

	// MWebLifetime is how long a mweb_url is used: a minute less than WeChat's
	// five, for the way there.
	MWebLifetime = 4 * time.Minute

	// MinPrepay is the least time an order must have left for asking WeChat for
	// a prepay_id: it refuses a time_expire that is closer than five minutes.
	MinPrepay = 6 * time.Minute

	// MinCloseAge is how old an order must be before WeChat closes it: five
	// minutes from when it took the order, which is a call's length later.
	MinCloseAge = 5*time.Minute + 15*time.Second

	// ExpiryGrace is how long after its expiry an order that WeChat calls
	// unpaid still counts as pending: a payment begun in time may just be
	// ending.
	ExpiryGrace = time.Minute

	// MaxTotal is the largest amount of one order, in fen.
	MaxTotal fen.Fen = 100_000_000
)

// MinKeepUnpaid is the least time that an order without a payment is kept. An order can
// be paid for Lifetime. WeChat reports a payment for a day after it, and a timer
// compares the bills of the last BillDays days.
const MinKeepUnpaid = Lifetime + 24*time.Hour + (BillDays+1)*24*time.Hour

// Order is one order as it is stored.
type Order struct {
	ID          string // public, in URLs
	Owner       string // the openid of a user, or the id of a guest
	ClientKey   string // unique for the owner
	Fingerprint string // of what was asked for under ClientKey
	Lines       []Line

	// The parameters of the unifiedorder call. They never change: WeChat takes
	// a repeated call for the same OutTradeNo only when it is the same.
	OutTradeNo string // 32 digits and upper-case letters
	AppID      string
	MchID      string
	TradeType  api.TradeType
	Total      fen.Fen
	Currency   string
	ShopName   string // for MWEB
	Body       string // 127 bytes at most
	ClientIP   string
	Network    string // of a guest, for Bounds; not read back
	NotifyURL  string
	CreatedAt  time.Time
	ExpiresAt  time.Time

	Status        api.OrderStatus
	PrepayID      string
	PrepayAt      time.Time // zero without PrepayID
	SignType      string    // signature type of the call that brought PrepayID
	PayURL        string    // the code_url or mweb_url that came with PrepayID
	AskingUntil   time.Time // until then one request alone asks WeChat for another PayURL; zero when none does
	Failure       string    // WeChat's code when it last refused the order
	QueriedAt     time.Time // zero when WeChat was never asked
	TransactionID string    // set once, when paid
	PaidAt        time.Time // WeChat's time_end; zero until it is known
	Payer         string    // openid of who paid; "" until it is known
	PayerUnknown  bool      // the order is paid, and WeChat has not reported by whom
	Refunded      fen.Fen   // what has gone back so far
	Simulated     bool      // a simulator took the place of WeChat
	UpdatedAt     time.Time
}

// Line is an item with the price it had when the order was made.
type Line struct {
	ProductID string  `json:"product_id"`
	Name      string  `json:"name"`
	Price     fen.Fen `json:"price"` // fen, for one
	Quantity  int     `json:"quantity"`
}

// Expired reports whether the order can no longer be paid because of its age.
func (o *Order) Expired(now time.Time) bool { return !now.Before(o.ExpiresAt) }

// PayUntil returns when what came with PrepayID is no longer used.
func (o *Order) PayUntil() time.Time {
	until := o.PrepayAt.Add(PrepayLifetime)
	if o.TradeType == api.TradeMWEB {
		until = o.PrepayAt.Add(MWebLifetime)
	}
	if o.ExpiresAt.Before(until) {
		return o.ExpiresAt
	}
	return until
}

// PrepayAlive reports whether the order has a prepay_id that can be used now.
func (o *Order) PrepayAlive(now time.Time) bool {
	return o.PrepayID != "" && now.Before(o.PayUntil())
}

// Open reports whether the order waits for its payment and is offered for it.
func (o *Order) Open() bool { return o.Status == api.StatusCreated || o.Status == api.StatusPending }

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
		TradeType: o.TradeType,
		CreatedAt: o.CreatedAt.UnixMilli(),
		ExpiresAt: o.ExpiresAt.UnixMilli(),
		PaymentNo: o.TransactionID,
	}
	if !o.PaidAt.IsZero() {
		p.PaidAt = o.PaidAt.UnixMilli()
	}
	p.PaidAtUnknown = o.TransactionID != "" && o.PaidAt.IsZero()
	return p
}
