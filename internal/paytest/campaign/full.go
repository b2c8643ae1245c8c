package campaign

import (
	"context"
	"time"

	"h5pay/internal/job"
)

// ballast fills the database with rows of a million bytes. D1 reports its size with every
// statement, and the timer stores it.
const (
	makeBallast = `CREATE TABLE IF NOT EXISTS ballast (i INTEGER PRIMARY KEY, data BLOB NOT NULL)`
	fillBallast = `INSERT OR REPLACE INTO ballast (i, data) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		SELECT i, zeroblob(1000000) FROM n`
	dropBallast = `DELETE FROM ballast`
	sizeIsFull  = `SELECT used >= capacity / 10 * 9 AS full, (SELECT COALESCE(MAX(created_at), 0) FROM orders) AS last,
		(SELECT COUNT(*) FROM payments WHERE transaction_id IS NOT NULL) AS paid FROM database_size`
)

// storedFullness is what the signer and the database say of it.
type storedFullness struct {
	Full int   // 1 if the signer has noted that the database is full
	Last int64 // time of the newest order
	Paid int   // orders that were paid
}

func (w *World) readFullness() ([]storedFullness, error) { return read[storedFullness](w, sizeIsFull) }

// waitUntilNoted runs the timer until the signer has noted that the database is full, or that it is
// not.
func (c *Campaign) waitUntilNoted(ctx context.Context, full bool) (last int64, paid int, ok bool) {
	for range 20 {
		c.Await()
		c.checkEvent(c.Tick(ctx, job.Reconcile))
		rows, err := c.readFullness()
		if err != nil {
			c.Note(Wrong, "", "%v", err)
			return 0, 0, false
		}
		if len(rows) == 1 && (rows[0].Full == 1) == full {
			return rows[0].Last, rows[0].Paid, true
		}
		if ctx.Err() != nil {
			return 0, 0, false
		}
	}
	c.Note(Wrong, "", "after 20 minutes of cron the signer has not noted the state of the database: want full %t", full)
	return 0, 0, false
}

// CapacityMB is DATABASE_MB of a campaign: several times what it stores.
func (o Options) CapacityMB() int { return 10 + o.Orders/50 }

// ballastMB fills the database to 90 %, whatever else it contains.
func (o Options) ballastMB() int { return (o.CapacityMB()*90 + 99) / 100 }

// fill fills the database.
func (c *Campaign) fill(ctx context.Context) {
	c.fullness.work.Lock()
	defer c.fullness.work.Unlock()
	c.fullness.set(true)
	if _, err := read[struct{}](c.World, makeBallast); err != nil {
		c.Note(Wrong, "", "%v", err)
	}
	if _, err := read[struct{}](c.World, fillBallast, c.ballastMB()); err != nil {
		c.Note(Wrong, "", "%v", err)
	}
	// The buyers wait until the signer knows. An earlier timer may store the old size, and a slow
	// statement of a killed workerd may arrive late.
	c.fullness.steps.Lock()
	defer c.fullness.steps.Unlock()
	time.Sleep(500 * time.Millisecond)
	last, paid, ok := c.waitUntilNoted(ctx, true)
	c.count("database full")
	c.fullness.mu.Lock()
	defer c.fullness.mu.Unlock()
	c.fullness.confirmed, c.fullness.last, c.fullness.paid = ok, last, paid
}

// payWhileFull lets buyers pay until the signer has settled a payment, because a slow run may have
// settled none. Payments continue while the database is full.
func (c *Campaign) payWhileFull(ctx context.Context) {
	for _, p := range c.checkouts {
		rows, err := c.readFullness()
		if err != nil || len(rows) != 1 || rows[0].Paid > c.fullness.paid || ctx.Err() != nil {
			return
		}
		if p.orderID() == "" {
			continue
		}
		p.renew()
		p.open(-1)
		p.answerSheet(c.WeChat.PaySheet)
		p.poll()
	}
}

// drain frees the space. No order may have been stored meanwhile.
func (c *Campaign) drain(ctx context.Context) {
	c.fullness.work.Lock()
	defer c.fullness.work.Unlock()
	if !c.fullness.state().possible {
		return // this visit ran before fill
	}
	c.payWhileFull(ctx)
	rows, err := c.readFullness()
	c.fullness.mu.Lock()
	if c.fullness.confirmed && (err != nil || len(rows) != 1 || rows[0].Full != 1 || rows[0].Last != c.fullness.last) {
		c.Note(Wrong, "", "the database was full, but the newest order is no longer of %d: %+v, %v", c.fullness.last, rows, err)
	}
	if err == nil && len(rows) == 1 && c.fullness.confirmed {
		c.countMany("database full: payment settled", rows[0].Paid-c.fullness.paid)
	}
	c.fullness.confirmed = false
	c.fullness.mu.Unlock()
	if _, err := read[struct{}](c.World, dropBallast); err != nil {
		c.Note(Wrong, "", "%v", err)
	}
	c.waitUntilNoted(ctx, false)
	c.fullness.set(false)
}

// retryPostponed lets the buyers order again who got shop_full.
func (c *Campaign) retryPostponed() {
	c.fullness.mu.Lock()
	waiting := c.fullness.waiting
	c.fullness.waiting = nil
	c.fullness.mu.Unlock()
	each(c.AtOnce, waiting, func(p *checkout) {
		if p.orderID() == "" {
			p.order()
			p.open(-1)
			p.answerSheet(c.WeChat.PaySheet)
			p.poll()
			if p.orderID() != "" {
				c.count("database full: buyer came back and ordered")
			}
		}
	})
}
