package wechat

import (
	"context"
	"strconv"

	"h5pay/internal/fen"
)

const opRefund = "refund"

// CanRefund reports whether there is a client certificate, without which Refund
// sends nothing.
func (c *v2client) CanRefund() bool { return c.cfg.CertDoer != nil }

// Refund requests a refund. The response has no state: QueryRefund returns it. After CodeNotEnough
// the merchant must pay in, or FromBalance may help.
func (c *v2client) Refund(ctx context.Context, r RefundRequest) (Refund, error) {
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
	// The call goes to the backup host too: WeChat pays one out_refund_no once.
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
		return Refund{}, &Error{Op: op, Message: "the response is about another refund", Kind: Untrusted}
	case refund.Total != r.Total || refund.Amount != r.Amount:
		return Refund{}, &Error{Op: op, Message: "the response has other amounts", Kind: Untrusted}
	}
	refund.State = RefundProcessing
	return refund, nil
}

// readRefund reads the fields that refund, refundquery and the notification share,
// without state and time. The names of one refund end in suffix, "" or "_0".
func readRefund(fields []Field, suffix string) (refund Refund, problem string) {
	refund = Refund{
		Version:       V2,
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
		return "the time of the refund: want a time as yyyy-MM-dd HH:mm:ss"
	}
	return ""
}

// maxRefunds is how many refunds an order may have (docs/wechat.md 9.3).
const maxRefunds = 50

const opRefundQuery = "refundquery"

// QueryRefund queries a refund. The caller compares order and amounts with its own. If WeChat does
// not know the refund, the error's code is CodeRefundNotExist.
func (c *v2client) QueryRefund(ctx context.Context, outRefundNo string) (Refund, error) {
	if !validOutRefundNo(outRefundNo) {
		return Refund{}, notSent(opRefundQuery, "malformed out_refund_no")
	}
	// Not by the order: from the 21st refund on WeChat requires the refund's number.
	refunds, _, err := c.refunds(ctx, Field{"out_refund_no", outRefundNo}, 0)
	if err != nil {
		return Refund{}, err
	}
	for _, r := range refunds {
		if r.OutRefundNo == outRefundNo {
			return r, nil
		}
	}
	return Refund{}, &Error{Op: opRefundQuery, Message: "the response is about another refund", Kind: Untrusted}
}

// QueryRefunds queries all refunds of an order, those of the merchant platform too. An
// order without refunds is no error. WeChat lists ten at a time, in up to five calls.
func (c *v2client) QueryRefunds(ctx context.Context, outTradeNo string) ([]Refund, error) {
	if !validOutTradeNo(outTradeNo) {
		return nil, notSent(opRefundQuery, "malformed out_trade_no")
	}
	var all []Refund
	known := map[string]bool{}
	for {
		refunds, total, err := c.refunds(ctx, Field{"out_trade_no", outTradeNo}, len(all))
		if e, ok := err.(*Error); ok && e.Code == CodeRefundNotExist && len(all) == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, r := range refunds {
			switch {
			case r.OutTradeNo != outTradeNo:
				return nil, &Error{Op: opRefundQuery, Message: "the response is about another order", Kind: Untrusted}
			case known[r.OutRefundNo]:
				return nil, &Error{Op: opRefundQuery, Message: "a refund comes twice", Kind: Untrusted}
			}
			known[r.OutRefundNo] = true
		}
		all = append(all, refunds...)
		switch {
		case len(all) > min(total, maxRefunds):
			return nil, &Error{Op: opRefundQuery, Message: "there are more refunds than there can be", Kind: Untrusted}
		case len(all) == total:
			return all, nil
		}
	}
}

// refunds makes one refundquery. It returns the refunds that the response lists, at
// least one, and how many there are in all.
func (c *v2client) refunds(ctx context.Context, by Field, offset int) (refunds []Refund, total int, err error) {
	from := ""
	if offset > 0 {
		from = strconv.Itoa(offset)
	}
	// The call goes to the backup host too, because it changes nothing.
	reply, err := c.pay(ctx, c.cfg.Doer, opRefundQuery, "/pay/refundquery", []Field{by, {"offset", from}})
	if err != nil {
		return nil, 0, err
	}
	for value(reply, "out_refund_no_"+strconv.Itoa(len(refunds))) != "" {
		suffix := "_" + strconv.Itoa(len(refunds))
		r, problem := readRefund(reply, suffix)
		if problem == "" {
			problem = r.setState(value(reply, "refund_status"+suffix), value(reply, "refund_success_time"+suffix))
		}
		if problem != "" {
			return nil, 0, &Error{Op: opRefundQuery, Message: problem, Kind: Untrusted}
		}
		refunds = append(refunds, r)
	}
	if count := value(reply, "refund_count"); len(refunds) == 0 || count != strconv.Itoa(len(refunds)) {
		return nil, 0, &Error{Op: opRefundQuery, Message: "refund_count does not count the refunds", Kind: Untrusted}
	}
	// The field is there when an order has more refunds than the response lists.
	total = offset + len(refunds)
	if s := value(reply, "total_refund_count"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || len(s) > 10 || !digits(s) {
			return nil, 0, &Error{Op: opRefundQuery, Message: "total_refund_count: want a number", Kind: Untrusted}
		}
		total = n
	}
	return refunds, total, nil
}
