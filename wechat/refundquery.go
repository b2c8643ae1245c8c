package wechat

import (
	"context"
	"strconv"
)

// maxRefunds is how many refunds an order may have (docs/wechat.md 9.3).
const maxRefunds = 50

const opRefundQuery = "refundquery"

// QueryRefund asks WeChat where a refund stands. The caller compares order and
// amounts with what it knows. For a refund that WeChat has never heard of the
// error's code is CodeRefundNotExist.
func (c *Client) QueryRefund(ctx context.Context, outRefundNo string) (Refund, error) {
	if !validOutRefundNo(outRefundNo) {
		return Refund{}, notSent(opRefundQuery, "malformed out_refund_no")
	}
	// Not by the order: from the 21st refund on WeChat wants it this way.
	refunds, _, err := c.refunds(ctx, Field{"out_refund_no", outRefundNo}, 0)
	if err != nil {
		return Refund{}, err
	}
	for _, r := range refunds {
		if r.OutRefundNo == outRefundNo {
			return r, nil
		}
	}
	return Refund{}, &Error{Op: opRefundQuery, Message: "the answer is about another refund", Kind: Untrusted}
}

// QueryRefunds asks WeChat for all refunds of an order, those of the merchant
// platform too; none is no error. WeChat gives ten at a time, so that it may be
// up to five calls.
func (c *Client) QueryRefunds(ctx context.Context, outTradeNo string) ([]Refund, error) {
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
				return nil, &Error{Op: opRefundQuery, Message: "the answer is about another order", Kind: Untrusted}
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

// refunds makes one refundquery. It returns what the answer lists, at least one
// refund, and how many there are in all.
func (c *Client) refunds(ctx context.Context, by Field, offset int) (refunds []Refund, total int, err error) {
	from := ""
	if offset > 0 {
		from = strconv.Itoa(offset)
	}
	// Sent to the backup host too: it changes nothing.
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
	// Only an order with more refunds than fit has it.
	total = offset + len(refunds)
	if s := value(reply, "total_refund_count"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || len(s) > 10 || !digits(s) {
			return nil, 0, &Error{Op: opRefundQuery, Message: "total_refund_count is no number", Kind: Untrusted}
		}
		total = n
	}
	return refunds, total, nil
}
