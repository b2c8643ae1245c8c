package campaign

import (
	"context"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/job"
	"h5pay/internal/order"
)

// finish stops all failures and lets a day pass, in which WeChat repeats its notifications and
// orders expire. It runs the cron triggers every minute until nothing is left to do, and compares
// the bills.
func (c *Campaign) finish(ctx context.Context) error {
	c.Failures.disarm()
	c.Await()
	if err := c.Settle(ctx); err != nil {
		return err
	}
	c.WeChat.ClearFaults()
	c.WeChat.PayIn() // for refunds that WeChat declined for lack of money
	c.closeProduct()
	c.WeChat.Advance(order.Lifetime + order.ExpiryGrace + time.Hour)
	if err := c.runUntilIdle(ctx); err != nil {
		return err
	}
	c.refundDuplicates()
	if err := c.runUntilIdle(ctx); err != nil {
		return err
	}
	c.bills()
	c.billed.Store(true)
	if err := c.runUntilIdle(ctx); err != nil { // for the differences that the bills found
		return err
	}
	// What the buyers see at the end.
	each(c.AtOnce, c.checkouts, (*checkout).poll)
	return ctx.Err()
}

// runUntilIdle runs the cron triggers every minute until nothing is left to do.
func (c *Campaign) runUntilIdle(ctx context.Context) error {
	open := -1
	for limit := c.crons + 60 + len(c.checkouts) + len(c.floods.confirmed)/10; c.crons < limit; c.crons++ {
		if complete, err := c.Tick(ctx, job.Reconcile); err != nil || !complete {
			return fmt.Errorf("the job %s failed after the last fault: complete response %t, %w", job.Reconcile, complete, err)
		}
		if complete, err := c.deliver(ctx); err != nil || !complete {
			return fmt.Errorf("the job %s failed after the last fault: complete response %t, %w", job.Deliver, complete, err)
		}
		var err error
		if open, err = c.unsettled(); err != nil {
			return err
		}
		if open == 0 {
			return nil
		}
		c.WeChat.Advance(time.Minute)
	}
	c.Note(Wrong, "", "%d orders, payments, refunds or events are unfinished after %d minutes of cron", open, c.crons)
	return nil
}

// unsettled counts the work left for the cron triggers.
func (c *Campaign) unsettled() (int, error) {
	rows, err := read[struct{ N int }](c.World, `SELECT (SELECT COUNT(*) FROM orders WHERE status IN (?, ?)) + (SELECT COUNT(*) FROM payments WHERE status IN (?, ?, ?)) +
		(SELECT COUNT(*) FROM refunds WHERE status IN (?, ?)) + (SELECT COUNT(*) FROM deliveries WHERE status = ?) AS n`,
		api.StatusOpen, api.StatusClosing, api.PaymentCreated, api.PaymentPending, api.PaymentClosing, api.RefundCreated, api.RefundProcessing, api.EventPending)
	if err != nil {
		return 0, err
	}
	return rows[0].N, nil
}
