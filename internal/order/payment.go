package order

import (
	"time"

	"h5pay/internal/fen"
)

// Prepay is what WeChat gave for an order it has taken.
type Prepay struct {
	ID       string    // prepay_id
	URL      string    // code_url or mweb_url, "" for JSAPI
	SignType string    // of the call, where the page has to sign alike: JSAPI
	Claim    time.Time // under which it was asked for, zero without one
}

// Payment is what WeChat tells of a payment.
type Payment struct {
	TransactionID string
	Payer         string    // openid; "" when WeChat does not say
	PaidAt        time.Time // zero when WeChat does not say
	Source        string    // how the shop heard of it, for the operator
	Simulated     bool      // a simulator reported it
}

// Told is what a payment notification says of an order.
type Told struct {
	OutTradeNo, AppID, MchID string
	Total                    fen.Fen
	Currency                 string
}

// KnownPayment is what became known of a payment after the order was paid.
type KnownPayment struct {
	OutTradeNo    string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	PaidAt        int64  `json:"paid_at"` // Unix ms, 0 when it is still not known
	Payer         string `json:"payer"`   // openid, "" when it is still not known
}
