package main

import (
	"context"

	"h5pay/internal/stack"
	"h5pay/wechat/wechattest"
)

// deliveryTrigger runs the delivery of webhooks when WeChat's ledger has changed. Without it a
// webhook would wait up to a minute. It does nothing without a change, to keep the log short.
type deliveryTrigger struct {
	ledger         func() wechattest.Ledger
	shop           *stack.Shop
	completed      int // payments and refunds that have ended
	deliveriesLeft int // runs left after the last change
}

// poll is called about once per second.
func (d *deliveryTrigger) poll(ctx context.Context) error {
	ledger := d.ledger()
	n := len(ledger.Trades)
	for _, r := range ledger.Refunds {
		if !r.Done.IsZero() {
			n++
		}
	}
	if n != d.completed {
		d.completed, d.deliveriesLeft = n, 2
		return nil // the shop has not received the notification yet
	}
	if d.deliveriesLeft == 0 {
		return nil
	}
	d.deliveriesLeft--
	return d.shop.Deliver(ctx)
}
