package wechat

import (
	"context"
	"net/url"
)

const pathRefunds = "/v3/refund/domestic/refunds"

// v3refundRequest is the request of a refund (docs/wechat.md 18.7).
type v3refundRequest struct {
	OutTradeNo   string         `json:"out_trade_no"`
	OutRefundNo  string         `json:"out_refund_no"`
	Reason       string         `json:"reason,omitempty"`
	NotifyURL    string         `json:"notify_url,omitempty"`
	FundsAccount string         `json:"funds_account,omitempty"`
	Amount       v3refundAmount `json:"amount"`
}

type v3refundAmount struct {
	Refund   Fen    `json:"refund"`
	Total    Fen    `json:"total"`
	Currency string `json:"currency"`
}

// CanRefund is true: APIv3 needs no client certificate.
func (*v3client) CanRefund() bool { return true }

// Refund requests a refund. Its response has the state of the refund, which
// may be final.
func (v *v3client) Refund(ctx context.Context, r RefundRequest) (Refund, error) {
	if problem := r.problem(); problem != "" {
		return Refund{}, notSent(opV3+opRefund, problem)
	}
	in := v3refundRequest{
		OutTradeNo: r.OutTradeNo, OutRefundNo: r.OutRefundNo, Reason: cut(r.Reason, maxReason), NotifyURL: r.NotifyURL,
		Amount: v3refundAmount{r.Amount, r.Total, "CNY"},
	}
	if r.FromBalance {
		in.FundsAccount = "AVAILABLE"
	}
	var out v3refund
	if err := v.call(ctx, v3call{op: opRefund, method: "POST", uri: pathRefunds, in: in}, &out); err != nil {
		return Refund{}, err
	}
	refund, problem := readV3Refund(out, out.Status)
	switch {
	case problem != "":
	case refund.OutTradeNo != r.OutTradeNo || refund.OutRefundNo != r.OutRefundNo:
		problem = "the response is about another refund"
	case refund.Total != r.Total || refund.Amount != r.Amount:
		problem = "the response has other amounts"
	}
	if problem != "" {
		return Refund{}, &Error{Op: opV3 + opRefund, Message: problem, Kind: Untrusted}
	}
	return refund, nil
}

// QueryRefund queries a refund.
func (v *v3client) QueryRefund(ctx context.Context, outRefundNo string) (Refund, error) {
	if !validOutRefundNo(outRefundNo) {
		return Refund{}, notSent(opV3+opRefundQuery, "malformed out_refund_no")
	}
	var out v3refund
	err := v.call(ctx, v3call{op: opRefundQuery, method: "GET", uri: pathRefunds + "/" + url.PathEscape(outRefundNo)}, &out)
	if err != nil {
		return Refund{}, err
	}
	refund, problem := readV3Refund(out, out.Status)
	if problem == "" && refund.OutRefundNo != outRefundNo {
		problem = "the response is about another refund"
	}
	if problem != "" {
		return Refund{}, &Error{Op: opV3 + opRefundQuery, Message: problem, Kind: Untrusted}
	}
	return refund, nil
}

// QueryRefunds is not offered: APIv3 has no query of the refunds of an order
// (docs/wechat.md 18.12).
func (v *v3client) QueryRefunds(context.Context, string) ([]Refund, error) {
	return nil, notOffered(opV3+opRefundQuery, V3)
}

// v3refund is a refund in a response and in a notification.
type v3refund struct {
	MchID         string `json:"mchid"` // of a notification
	OutTradeNo    string `json:"out_trade_no"`
	OutRefundNo   string `json:"out_refund_no"`
	TransactionID string `json:"transaction_id"`
	RefundID      string `json:"refund_id"`
	Status        string `json:"status"`        // of a response
	RefundStatus  string `json:"refund_status"` // of a notification
	SuccessTime   string `json:"success_time"`
	Amount        struct {
		Total    *int64 `json:"total"`
		Refund   *int64 `json:"refund"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

// readV3Refund checks a refund whose state is status.
func readV3Refund(m v3refund, status string) (refund Refund, problem string) {
	switch {
	case !validOutTradeNo(m.OutTradeNo):
		return Refund{}, "the message has no out_trade_no of ours"
	case !validOutRefundNo(m.OutRefundNo):
		return Refund{}, "the message has no out_refund_no"
	case !validTransactionID(m.TransactionID) || !validTransactionID(m.RefundID):
		return Refund{}, "the message has no transaction_id or refund_id"
	case m.Amount.Total == nil || *m.Amount.Total < 1 || *m.Amount.Total > maxTotalFee:
		return Refund{}, "amount.total is not a number of fen"
	case m.Amount.Refund == nil || *m.Amount.Refund < 1 || *m.Amount.Refund > *m.Amount.Total:
		return Refund{}, "amount.refund is not a number of fen, or more than amount.total"
	case m.Amount.Currency != "" && m.Amount.Currency != "CNY":
		return Refund{}, "amount.currency is not CNY"
	case !visible(status, 32):
		return Refund{}, "the message has no status"
	}
	refund = Refund{
		Version: V3, OutTradeNo: m.OutTradeNo, OutRefundNo: m.OutRefundNo, TransactionID: m.TransactionID, RefundID: m.RefundID,
		Total: Fen(*m.Amount.Total), Amount: Fen(*m.Amount.Refund), State: refundState(status),
	}
	if refund.State == RefundSuccess && m.SuccessTime != "" {
		var ok bool
		if refund.RefundedAt, ok = readTime(m.SuccessTime); !ok {
			return Refund{}, "success_time: want a time of RFC 3339"
		}
	}
	return refund, ""
}
