package order

import (
	"time"

	"h5pay/internal/fen"
)

// Prepay is WeChat's response to unifiedorder.
type Prepay struct {
	ID       string    // prepay_id
	URL      string    // code_url or mweb_url, "" for JSAPI
	SignType string    // of the call; a JSAPI page must sign with the same one
	Claim    time.Time // the claim of the request, zero without one
}

// Payment is what WeChat reports about a payment.
type Payment struct {
	TransactionID string
	Payer         string    // openid; "" if WeChat does not report it
	PaidAt        time.Time // zero if WeChat does not report it
	Source        string    // how the payment became known, for the operator
	Simulated     bool      // a simulator reported it
}

// Told is what a payment notification says about an order.
type Told struct {
	APIVersion               string // of the notification
	OutTradeNo, AppID, MchID string
	Total                    fen.Fen
	Currency                 string
}

// KnownPayment completes a payment whose payer or time became known after the order was
// paid.
type KnownPayment struct {
	OutTradeNo    string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	PaidAt        int64  `json:"paid_at"` // Unix ms, 0 if it is still unknown
	Payer         string `json:"payer"`   // openid, "" if it is still unknown
}
