package main

import (
	"context"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/job"
	"h5pay/internal/order"
)

// settle ends what goes wrong, lets a day pass, in which WeChat repeats its
// notifications and orders expire, fires the cron triggers every minute until
// there is nothing left to do, and has the bills compared.
func (c *campaign) settle(ctx context.Context) error {
	c.mishaps.disarm()
	c.wechat.ClearFaults()
	c.wechat.PayIn() // for the refunds that lack money
	c.withdraw()
	c.wechat.Advance(order.Lifetime + order.ExpiryGrace + time.Hour)
	if err := c.quiet(ctx); err != nil {
		return err
	}
	c.bills()
	c.billed.Store(true)
	if err := c.quiet(ctx); err != nil { // what the bills have found
		return err
	}
	// What the buyers see in the end.
	each(c.atOnce, c.wishes, (*wish).poll)
	return ctx.Err()
}

// quiet fires the cron triggers every minute until there is nothing left to do.
func (c *campaign) quiet(ctx context.Context) error {
	open := -1
	for limit := c.crons + 60 + len(c.wishes); c.crons < limit; c.crons++ {
		for _, j := range []job.Job{job.Reconcile, job.Deliver} {
			if heard, err := c.worker.tick(ctx, j); err != nil || !heard {
				return fmt.Errorf("the cron trigger of %s, with nothing wrong any more: %t, %w", j, heard, err)
			}
		}
		var err error
		if open, err = c.unsettled(); err != nil {
			return err
		}
		if open == 0 {
			return nil
		}
		c.wechat.Advance(time.Minute)
	}
	c.note(wrong, "", "%d things are unsettled after %d minutes of cron", open, c.crons)
	return nil
}

// unsettled counts what the cron trigger still has to do.
func (c *campaign) unsettled() (int, error) {
	rows, err := read[struct{ N int }](c.world, `SELECT (SELECT COUNT(*) FROM orders WHERE status IN (?, ?, ?)) +
		(SELECT COUNT(*) FROM refunds WHERE status IN (?, ?)) + (SELECT COUNT(*) FROM events WHERE status = ?) AS n`,
		api.StatusCreated, api.StatusPending, api.StatusClosing, api.RefundCreated, api.RefundProcessing, api.EventPending)
	if err != nil {
		return 0, err
	}
	return rows[0].N, nil
}
