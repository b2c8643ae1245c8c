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

	// MinPrepay is the least time before its expiry at which an order gets a prepay_id.
	// WeChat declines a time_expire that is closer than five minutes.
	MinPrepay = 6 * time.Minute

	// MinCloseAge is the age from which WeChat closes an order. WeChat counts five
	// minutes from when it received the order, which is up to a call's duration later.
	MinCloseAge = 5*time.Minute + 15*time.Second

	// ExpiryGrace is how long after its expiry an order that WeChat reports as unpaid
	// still counts as pending. A payment that began in time may be completing.
	ExpiryGrace = time.Minute

	// MaxTotal is the largest amount of one order, in fen.
	MaxTotal fen.Fen = 100_000_000
)

// MinKeepUnpaid is the least time that an order without a payment is kept. An order can
// be paid for Lifetime. WeChat sends notifications for a day after the payment, and the
// timer compares the bills of the last BillDays days.
const MinKeepUnpaid = Lifetime + 24*time.Hour + (BillDays+1)*24*time.Hour

// Order is one order as it is stored.
type Order struct {
	ID          string // public, in URLs
	Owner       string // the openid of a user, or the id of a guest
	ClientKey   string // unique for the owner
	Fingerprint string // of the request with ClientKey
	Lines       []Line

	// The parameters of the unifiedorder call. They never change, because WeChat
	// accepts a repeated OutTradeNo only with identical parameters.
	OutTradeNo string // 32 digits and upper-case letters
	AppID      string
	MchID      string
	APIVersion string // of WeChat's API, "v2" or "v3": the order and its refunds end with it
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
	SentAt        time.Time // when unifiedorder was first called, stored before the call; zero if WeChat does not know the order
	PrepayID      string    // of WeChat; PayURL where APIv3 gives none
	PrepayAt      time.Time // zero without PrepayID
	SignType      string    // signature type of the call that returned PrepayID
	PayURL        string    // the code_url or mweb_url returned with PrepayID
	AskingUntil   time.Time // until then only one request may call unifiedorder for another PayURL; zero if none does
	Failure       string    // WeChat's code when it last declined the order
	QueriedAt     time.Time // zero if WeChat was never queried
	TransactionID string    // set once, when paid
	PaidAt        time.Time // WeChat's time_end; zero until it is known
	Payer         string    // openid of the payer; "" until it is known
	PayerUnknown  bool      // the order is paid, and WeChat has not reported the payer
	Refunded      fen.Fen   // refunded so far
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

// Expired reports whether the time to pay the order is over.
func (o *Order) Expired(now time.Time) bool { return !now.Before(o.ExpiresAt) }

// PayUntil returns until when PrepayID and PayURL are used.
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

// PrepayAlive reports whether the order has a prepay_id that is still used.
func (o *Order) PrepayAlive(now time.Time) bool {
	return o.PrepayID != "" && now.Before(o.PayUntil())
}

// Open reports whether the order waits for a payment and is offered for it.
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
