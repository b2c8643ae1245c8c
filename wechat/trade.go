package wechat

import "time"

// TradeState is the state of an order at WeChat (docs/wechat.md 7.3).
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

// Trade is the state of an order, from a message that was verified. The fields after State are
// certain for StateSuccess only. For StateRefund APIv2 may omit them, and they are zero; APIv3 was
// observed to send them (docs/wechat.md 18.11). QueryRefunds of APIv2 has TransactionID and the
// order's total.
type Trade struct {
	Version       Version // of the message
	AppID, MchID  string
	OutTradeNo    string
	State         TradeState
	TransactionID string
	OpenID        string
	TradeType     TradeType
	TotalFee      Fen    // of the order; coupons do not lower it
	Currency      string // "CNY" unless WeChat sends another
	Attach        string
	PaidAt        time.Time
	// Downgraded reports that the message was a notification signed with MD5 although this account
	// signs with HMAC-SHA256.
	Downgraded bool
}

// Paid reports whether the money was paid, refunded since or not.
func (t Trade) Paid() bool { return t.State == StateSuccess || t.State == StateRefund }
