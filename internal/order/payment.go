package order

import (
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// Payment is one attempt to collect an order, as it is stored.
type Payment struct {
	OutTradeNo string // 32 digits and upper-case letters: the number WeChat knows
	OrderID    string
	Guest      bool // the owner of the order is a guest

	// The parameters of the unifiedorder call. They never change, because WeChat
	// accepts a repeated OutTradeNo only with identical parameters.
	AppID      string
	MchID      string
	APIVersion string // of WeChat's API, "v2" or "v3": the payment and its refunds end with it
	TradeType  api.TradeType
	OpenID     string // JSAPI: who is to pay
	Total      fen.Fen
	Currency   string
	ShopName   string // for MWEB
	Body       string // 127 bytes at most
	ClientIP   string // "" once the payment has ended
	NotifyURL  string
	CreatedAt  time.Time // just before unifiedorder was first called
	ExpiresAt  time.Time // of the order

	Status        api.PaymentStatus
	PrepayID      string    // of WeChat; PayURL if APIv3 returned none
	PrepayAt      time.Time // zero without PrepayID
	SignType      string    // signature type of the call that returned PrepayID
	PayURL        string    // the code_url or mweb_url returned with PrepayID
	ClaimedUntil  time.Time // until then only one request may call unifiedorder for another PayURL; zero if none does
	Failure       string    // WeChat's code when it last declined the payment
	QueriedAt     time.Time // zero if WeChat was never queried
	TransactionID string    // set once, when paid
	PaidAt        time.Time // WeChat's time_end; zero until it is known
	Payer         string    // openid of the payer; "" until it is known
	PayerUnknown  bool      // it is paid, and WeChat has not reported the payer
	Duplicate     bool      // another payment pays the order, and this one is refunded in full
	Refunded      fen.Fen   // refunded so far
	Simulated     bool      // WeChat was a simulator
	UpdatedAt     time.Time
}

// Live reports whether the payment is offered to the buyer.
func (p *Payment) Live() bool { return PaymentLive(p.Status) }

// Expired reports whether the time to make the payment is over.
func (p *Payment) Expired(now time.Time) bool { return !now.Before(p.ExpiresAt) }

// PayUntil returns until when PrepayID and PayURL are used.
func (p *Payment) PayUntil() time.Time {
	until := p.PrepayAt.Add(PrepayLifetime)
	if p.TradeType == api.TradeMWEB {
		until = p.PrepayAt.Add(MWebLifetime)
	}
	if p.ExpiresAt.Before(until) {
		return p.ExpiresAt
	}
	return until
}

// PrepayValid reports whether the payment has a prepay_id that is still used.
func (p *Payment) PrepayValid(now time.Time) bool {
	return p.PrepayID != "" && now.Before(p.PayUntil())
}

// Prepay is WeChat's response to unifiedorder.
type Prepay struct {
	ID       string    // prepay_id
	URL      string    // code_url or mweb_url, "" for JSAPI
	SignType string    // of the call; a JSAPI page must sign with the same one
	Claim    time.Time // the claim of the request, zero without one
}

// Paid is what WeChat reports about a payment that is paid.
type Paid struct {
	TransactionID string
	Payer         string    // openid; "" if WeChat does not report it
	PaidAt        time.Time // zero if WeChat does not report it
	Source        string    // how the payment became known, for the operator
	Simulated     bool      // a simulator reported it
	Note          *Note     // of the notification that caused the query; nil without one
}

// Notified has the fields of a payment notification that must agree with the payment.
type Notified struct {
	APIVersion               string // of the notification
	OutTradeNo, AppID, MchID string
	Total                    fen.Fen
	Currency                 string
}

// KnownPayment completes a payment whose payer or time became known after it was paid.
type KnownPayment struct {
	OutTradeNo    string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	PaidAt        int64  `json:"paid_at"` // Unix ms, 0 if it is still unknown
	Payer         string `json:"payer"`   // openid, "" if it is still unknown
}
