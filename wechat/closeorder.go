package wechat

import (
	"context"
	"time"
)

// MinCloseAge is how old an order must be before it may be closed
// (docs/wechat.md 8.2).
const MinCloseAge = 5 * time.Minute

// CloseOrder makes an order that nobody paid unpayable. Do it before its number
// is replaced or its goods are given to somebody else, and believe a payment
// that is told of later all the same.
//
// The time is when WeChat took the order, the end of the first UnifiedOrder that
// succeeded. Until MinCloseAge has passed since then, nothing is sent and the
// error is of kind Retry. With the zero time the caller answers for the rule.
//
// What it means for the order is in the error's code: CodeOrderPaid, ask
// QueryOrder; CodeOrderClosed, it was closed before, which is as good;
// CodeOrderNotExist, WeChat never took it. WeChat's answer does not name the
// order: that it is about this one is TLS's word.
func (c *Client) CloseOrder(ctx context.Context, outTradeNo string, taken time.Time) error {
	const op = "closeorder"
	switch {
	case !validOutTradeNo(outTradeNo):
		return notSent(op, "malformed out_trade_no")
	case !taken.IsZero() && c.cfg.Now().Sub(taken) < MinCloseAge:
		return &Error{Op: op, Message: "not sent: the order is younger than five minutes", Kind: Retry}
	}
	// Sent to the backup host too: a second close finds the order closed.
	reply, err := c.pay(ctx, c.cfg.Doer, op, "/pay/closeorder", []Field{{"out_trade_no", outTradeNo}})
	if err != nil {
		return err
	}
	if no := value(reply, "out_trade_no"); no != "" && no != outTradeNo {
		return &Error{Op: op, Message: "the answer is about another order", Kind: Untrusted}
	}
	return nil
}
