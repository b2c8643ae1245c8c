package wechat

import (
	"context"
	"strconv"
	"strings"
	"time"

	"h5pay/internal/fen"
)

// Limits of a refund (docs/wechat.md 9.1).
const (
	maxOutRefundNo = 64 // bytes
	maxReason      = 80 // bytes; the documents do not say bytes or characters
)

// RefundRequest is money that goes back to the payer. WeChat takes it within a
// year of the payment, at most 50 times for an order, and a minute apart.
type RefundRequest struct {
	OutTradeNo  string // of the paid order
	OutRefundNo string // of this refund: 1 to 64 letters, digits or "_-|*@", unique for the merchant
	Total       Fen    // of the order, as it was paid
	Amount      Fen    // of this refund, 1 to Total
	Reason      string // optional, the payer reads it; cut to 80 bytes like CutBody
	NotifyURL   string // optional, absolute, at most 256 bytes; the merchant platform's setting when empty
	// FromBalance takes the money from what the merchant paid in, instead of
	// from takings that are not settled yet. It may change between two tries.
	FromBalance bool
}

// RefundState is where a refund stands at WeChat.
type RefundState string

// The states.
const (
	RefundProcessing RefundState = "PROCESSING"
	RefundSuccess    RefundState = "SUCCESS"
	RefundClosed     RefundState = "CLOSED"   // given up; the merchant keeps the money
	RefundAbnormal   RefundState = "ABNORMAL" // it cannot go back to where it came from: a matter for the merchant platform
)

// Refund is what WeChat says about a refund of this account.
type Refund struct {
	OutTradeNo, OutRefundNo string
	TransactionID, RefundID string // WeChat's numbers of the payment and of the refund
	Total                   Fen    // of the order
	Amount                  Fen    // of this refund, 1 to Total; coupons do not lower it
	State                   RefundState
	RefundedAt              time.Time // of RefundSuccess; zero when WeChat does not say
}

const opRefund = "refund"

// CanRefund reports whether there is a client certificate, without which Refund
// sends nothing.
func (c *Client) CanRefund() bool { return c.cfg.CertDoer != nil }

// Refund asks WeChat to pay money back. Success means that WeChat will do it,
// not that it has: QueryRefund tells.
//
// The only right retry, also when it is not known what became of the first
// try, is the same request with the same OutRefundNo: it is paid once. With
// CodeNotEnough the merchant has to pay in, or FromBalance may help.
func (c *Client) Refund(ctx context.Context, r RefundRequest) (Refund, error) {
	const op = opRefund
	if problem := r.problem(); problem != "" {
		return Refund{}, notSent(op, problem)
	}
	if !c.CanRefund() {
		return Refund{}, &Error{Op: op, Message: "not sent: there is no client certificate", Kind: Operator}
	}
	account := ""
	if r.FromBalance {
		account = "REFUND_SOURCE_RECHARGE_FUNDS"
	}
	// Sent to the backup host too: out_refund_no is paid once.
	reply, err := c.pay(ctx, c.cfg.CertDoer, op, "/secapi/pay/refund", []Field{
		{"out_trade_no", r.OutTradeNo},
		{"out_refund_no", r.OutRefundNo},
		{"total_fee", strconv.FormatInt(int64(r.Total), 10)},
		{"refund_fee", strconv.FormatInt(int64(r.Amount), 10)},
		{"refund_fee_type", "CNY"},
		{"refund_desc", cut(r.Reason, maxReason)},
		{"refund_account", account},
		{"notify_url", r.NotifyURL},
	})
	if err != nil {
		return Refund{}, err
	}
	refund, problem := readRefund(reply, "")
	switch {
	case problem != "":
		return Refund{}, &Error{Op: op, Message: problem, Kind: Untrusted}
	case refund.OutTradeNo != r.OutTradeNo || refund.OutRefundNo != r.OutRefundNo:
		return Refund{}, &Error{Op: op, Message: "the answer is about another refund", Kind: Untrusted}
	case refund.Total != r.Total || refund.Amount != r.Amount:
		return Refund{}, &Error{Op: op, Message: "the answer has other amounts", Kind: Untrusted}
	}
	refund.State = RefundProcessing
	return refund, nil
}

// problem names what WeChat would refuse, "" when there is nothing.
func (r *RefundRequest) problem() string {
	switch {
	case !validOutTradeNo(r.OutTradeNo):
		return "malformed out_trade_no"
	case !validOutRefundNo(r.OutRefundNo):
		return "out_refund_no is not 1 to 64 letters, digits or _-|*@"
	case r.Total < 1 || r.Total > maxTotalFee:
		return "total_fee is not 1 to " + strconv.FormatInt(maxTotalFee, 10)
	case r.Amount < 1 || r.Amount > r.Total:
		return "refund_fee is not 1 to total_fee"
	case r.NotifyURL != "" && (!absolute(r.NotifyURL) || len(r.NotifyURL) > maxNotify):
		return "notify_url is not an absolute URL of 256 bytes at most"
	case strings.ContainsAny(r.NotifyURL, "?#"):
		return "notify_url has a query"
	}
	return ""
}

// readRefund reads the fields that refund, refundquery and the notification
// share, but for state and time. Those of one refund end in suffix, "" or "_0".
func readRefund(fields []Field, suffix string) (refund Refund, problem string) {
	refund = Refund{
		OutTradeNo:    value(fields, "out_trade_no"),
		OutRefundNo:   value(fields, "out_refund_no"+suffix),
		TransactionID: value(fields, "transaction_id"),
		RefundID:      value(fields, "refund_id"+suffix),
	}
	var ok bool
	switch {
	case !validOutTradeNo(refund.OutTradeNo):
		return Refund{}, "the message has no out_trade_no of ours"
	case !validOutRefundNo(refund.OutRefundNo):
		return Refund{}, "the message has no out_refund_no"
	case refund.TransactionID == "" || refund.RefundID == "":
		return Refund{}, "the message has no transaction_id or refund_id"
	}
	if refund.Total, ok = fen.Parse(value(fields, "total_fee")); !ok || refund.Total < 1 {
		return Refund{}, "total_fee is not a number of fen"
	}
	if refund.Amount, ok = fen.Parse(value(fields, "refund_fee"+suffix)); !ok || refund.Amount < 1 || refund.Amount > refund.Total {
		return Refund{}, "refund_fee is not a number of fen, or more than total_fee"
	}
	return refund, ""
}

// setState adds state and time.
func (r *Refund) setState(status, successTime string) (problem string) {
	if status == "" {
		return "the message has no refund_status"
	}
	r.State = refundState(status)
	if r.State != RefundSuccess || successTime == "" {
		return ""
	}
	var ok bool
	if r.RefundedAt, ok = parseDateTime(successTime); !ok {
		return "the time of the refund is no time"
	}
	return ""
}

// refundState gives WeChat's states the names they have in version 3. One that
// is new is passed on.
func refundState(status string) RefundState {
	switch status {
	case "REFUNDCLOSE":
		return RefundClosed
	case "CHANGE", "FAIL": // FAIL is in old texts and in bills
		return RefundAbnormal
	}
	return RefundState(status)
}

// dateTime is how refunds and bills write a time.
const dateTime = "2006-01-02 15:04:05"

// parseDateTime reads a dateTime of Beijing. time.Parse alone would take a
// fraction of a second and hours of one digit too.
func parseDateTime(s string) (time.Time, bool) {
	if len(s) != len(dateTime) {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(dateTime, s, beijing)
	return t.UTC(), err == nil && t.Format(dateTime) == s
}

func validOutRefundNo(s string) bool {
	return len(s) >= 1 && len(s) <= maxOutRefundNo && alphanumeric(strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-|*@", r) {
			return 'x'
		}
		return r
	}, s))
}
