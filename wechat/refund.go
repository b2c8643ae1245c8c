package wechat

import (
	"strconv"
	"strings"
	"time"
)

// Limits of a refund (docs/wechat.md 9.1).
const (
	maxOutRefundNo = 64 // bytes
	maxReason      = 80 // bytes; the documents do not say bytes or characters
)

// RefundRequest is a refund to the payer. WeChat accepts it within a year of the payment, at most
// 50 times for an order, and a minute apart.
type RefundRequest struct {
	OutTradeNo  string // of the paid order
	OutRefundNo string // of this refund: 1 to 64 letters, digits or "_-|*@", unique for the merchant
	Total       Fen    // of the order, as it was paid
	Amount      Fen    // of this refund, 1 to Total
	Reason      string // optional, the payer reads it; cut to 80 bytes like CutBody
	NotifyURL   string // optional, absolute, at most 256 bytes; the merchant platform's setting when empty
	// FromBalance takes the money from the merchant's available balance, instead of from unsettled
	// takings. It may change between two tries.
	FromBalance bool
}

// RefundState is the state of a refund at WeChat.
type RefundState string

// The states.
const (
	RefundProcessing RefundState = "PROCESSING"
	RefundSuccess    RefundState = "SUCCESS"
	RefundClosed     RefundState = "CLOSED"   // ended; the merchant keeps the money
	RefundAbnormal   RefundState = "ABNORMAL" // it cannot be returned to the payer's account: act at the merchant platform
)

// Refund is a refund of this account as WeChat reports it.
type Refund struct {
	Version                 Version // of the message
	OutTradeNo, OutRefundNo string
	TransactionID, RefundID string // WeChat's numbers of the payment and of the refund
	Total                   Fen    // of the order
	Amount                  Fen    // of this refund, 1 to Total; coupons do not lower it
	State                   RefundState
	RefundedAt              time.Time // of RefundSuccess; zero if WeChat sent none
}

// problem names the field that WeChat would decline, "" for none.
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

// refundState returns the name of a state in version 3. An unknown state is returned unchanged.
func refundState(status string) RefundState {
	switch status {
	case "REFUNDCLOSE", "CLOSE": // CLOSE is in some texts of APIv3
		return RefundClosed
	case "CHANGE", "FAIL": // FAIL is in old texts and in bills
		return RefundAbnormal
	}
	return RefundState(status)
}

func validOutRefundNo(s string) bool {
	return len(s) >= 1 && len(s) <= maxOutRefundNo && alphanumeric(strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-|*@", r) {
			return 'x'
		}
		return r
	}, s))
}
