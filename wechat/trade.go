package wechat

import "time"

// TradeState is where an order stands at WeChat (docs/wechat.md 7.3).
type TradeState string

// The states.
const (
	StateSuccess    TradeState = "SUCCESS"
	StateRefund     TradeState = "REFUND" // paid, and a refund was begun
	StateNotPay     TradeState = "NOTPAY"
	StateClosed     TradeState = "CLOSED"
	StateRevoked    TradeState = "REVOKED"
	StateUserPaying TradeState = "USERPAYING"
	StatePayError   TradeState = "PAYERROR"
	StateAccept     TradeState = "ACCEPT"
)

// Trade is what WeChat says about an order, signature checked. What comes after
// State is certain only for StateSuccess. WeChat promises none of it for
// StateRefund: what is left out is zero, and QueryRefunds knows TransactionID
// and the order's total.
type Trade struct {
	Version       Version // of the message
	AppID, MchID  string
	OutTradeNo    string
	State         TradeState
	TransactionID string
	OpenID        string
	TradeType     TradeType
	TotalFee      Fen    // of the order; coupons do not lower it
	Currency      string // "CNY" unless WeChat says otherwise
	Attach        string
	PaidAt        time.Time
	// Downgraded says that the message was a notification signed with MD5 although
	// this account signs with HMAC-SHA256.
	Downgraded bool
}

// Paid reports whether the money was paid, refunded since or not.
func (t Trade) Paid() bool { return t.State == StateSuccess || t.State == StateRefund }
