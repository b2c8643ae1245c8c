package campaign

import (
	"context"

	"h5pay/internal/job"
)

// deliver runs the timer that delivers events. It checks that strangers' orders do not delay
// payments: while an untried event about money waits, order.closed gets a fifth of the deliveries.
func (c *Campaign) deliver(ctx context.Context) (complete bool, err error) {
	began, before := c.WeChat.Now(), c.Backend.sent()
	if complete, err = c.Tick(ctx, job.Deliver); !complete || err != nil {
		return complete, err
	}
	after := c.Backend.sent()
	rows, err := read[struct{ N int }](c.World, `SELECT COUNT(*) AS n FROM deliveries
		WHERE endpoint_id = 'settings' AND closed = 0 AND status = 'pending' AND blocked = 0 AND tries = 0 AND created_at < ?`, began.Add(-2*MaxSkew).UnixMilli())
	if err != nil {
		c.Note(Wrong, "", "%v", err)
		return complete, nil
	}
	c.checkMoneyFirst(rows[0].N, after.all-before.all, after.closed-before.closed)
	return complete, nil
}

// maxQueueDeliveries is how many deliveries of queue messages may be running when the timer fires:
// four rounds. They were claimed before the event about money existed.
const maxQueueDeliveries = 20

// checkMoneyFirst checks the deliveries of one timer run after which older events about money still
// wait.
func (c *Campaign) checkMoneyFirst(waiting, sent, closed int) {
	if waiting > 0 && closed > sent/5+maxQueueDeliveries {
		c.Note(Wrong, "", "%d events about money wait, but %d of %d deliveries were order.closed", waiting, closed, sent)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mostWaiting = max(c.mostWaiting, waiting)
}
