package wechat

import (
	"context"
	"strings"
	"time"

	"h5pay/internal/fen"
)

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

// QueryOrder asks WeChat where an order stands. For an order it has never
// heard of the error's code is CodeOrderNotExist.
func (c *Client) QueryOrder(ctx context.Context, outTradeNo string) (Trade, error) {
	const op = "orderquery"
	if !validOutTradeNo(outTradeNo) {
		return Trade{}, notSent(op, "malformed out_trade_no")
	}
	// Sent to the backup host too: it changes nothing.
	reply, err := c.pay(ctx, c.cfg.Doer, op, "/pay/orderquery", []Field{{"out_trade_no", outTradeNo}})
	if err != nil {
		return Trade{}, err
	}
	trade, problem := readTrade(reply, TradeState(value(reply, "trade_state")))
	switch {
	case problem != "":
		return Trade{}, &Error{Op: op, Message: problem, Kind: Untrusted}
	case trade.OutTradeNo != outTradeNo:
		return Trade{}, &Error{Op: op, Message: "the answer is about another order", Kind: Untrusted}
	}
	return trade, nil
}

// readTrade reads the fields that orderquery and the notification share. Only
// out_trade_no is promised when the state is another than SUCCESS.
func readTrade(fields []Field, state TradeState) (trade Trade, problem string) {
	trade = Trade{
		AppID:      value(fields, "appid"),
		MchID:      value(fields, "mch_id"),
		OutTradeNo: value(fields, "out_trade_no"),
		State:      state,
		OpenID:     value(fields, "openid"),
		TradeType:  TradeType(value(fields, "trade_type")),
		Attach:     value(fields, "attach"),
	}
	if !validOutTradeNo(trade.OutTradeNo) {
		return Trade{}, "the message has no out_trade_no of ours"
	}
	if state == "" {
		return Trade{}, "the message has no trade_state"
	}
	if !trade.Paid() {
		return trade, ""
	}
	var ok bool
	left := func(v string) bool { return v == "" && state == StateRefund }
	fee, end := value(fields, "total_fee"), value(fields, "time_end")
	if trade.TotalFee, ok = fen.Parse(fee); !ok && !left(fee) {
		return Trade{}, "total_fee is not a number of fen"
	}
	if trade.PaidAt, ok = parseTime(end); !ok && !left(end) {
		return Trade{}, "time_end is no time"
	}
	if trade.TransactionID = value(fields, "transaction_id"); trade.TransactionID == "" && !left("") {
		return Trade{}, "the message has no transaction_id"
	}
	if trade.Currency = value(fields, "fee_type"); trade.Currency == "" {
		trade.Currency = "CNY"
	}
	return trade, ""
}

// parseTime reads 14 digits of Beijing time. time.Parse alone would take a
// fraction of a second too.
func parseTime(s string) (time.Time, bool) {
	if len(s) != len(timeFormat) || !digits(s) {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(timeFormat, s, beijing)
	return t.UTC(), err == nil
}

// digits reports whether s is decimal digits, at least one.
func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
