package main

import (
	"context"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/job"
)

// capacityMB is DATABASE_MB of a campaign: room for what it stores several times over.
func (o options) capacityMB() int { return 10 + o.orders/50 }

// fullness is whether the database is full, as the signer may see it.
type fullness struct {
	work      sync.Mutex   // held while it changes
	steps     sync.RWMutex // held by every other step, so that fill can wait for their end
	mu        sync.Mutex
	possible  bool // from before the first byte too many until the signer knows of the room
	changes   int
	confirmed bool  // the signer has noted that it is full
	last      int64 // rowid of the newest order then
	paid      int   // orders that were paid then
	waiting   []*checkout
}

// fullnessAt is what was known of the fullness when a call was made.
type fullnessAt struct {
	possible bool
	changes  int
}

func (f *fullness) state() fullnessAt {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fullnessAt{f.possible, f.changes}
}

func (f *fullness) set(maybe bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.possible != maybe {
		f.possible = maybe
		f.changes++
	}
}

// check takes an answer shop_full to a call that was made at a moment.
func (f *fullness) check(w *world, before fullnessAt) {
	if now := f.state(); !before.possible && now == before {
		w.note(wrong, "", "the database has room, and an order was rejected: shop_full")
	}
	w.count("database full: order rejected, shop_full")
}

// postpone keeps a wish whose buyer comes back when there is room.
func (f *fullness) postpone(p *checkout) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, p)
}

// ballast fills the database with rows of a million bytes. D1 reports its size with
// every statement, and the timer stores it.
const (
	makeBallast = `CREATE TABLE IF NOT EXISTS ballast (i INTEGER PRIMARY KEY, data BLOB NOT NULL)`
	fillBallast = `INSERT OR REPLACE INTO ballast (i, data) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		SELECT i, zeroblob(1000000) FROM n`
	dropBallast = `DELETE FROM ballast`
	sizeIsFull  = `SELECT used >= capacity / 10 * 9 AS full, (SELECT COALESCE(MAX(rowid), 0) FROM orders) AS last,
		(SELECT COUNT(*) FROM orders WHERE transaction_id IS NOT NULL) AS paid FROM database_size`
)

// waitUntilNoted fires the timer until the signer has noted that the database is full, or that
// it is not.
func (c *campaign) waitUntilNoted(ctx context.Context, full bool) (last int64, paid int, ok bool) {
	for range 20 {
		c.d1.await()
		c.checkEvent(c.worker.tick(ctx, job.Reconcile))
		rows, err := read[struct {
			Full int
			Last int64
			Paid int
		}](c.world, sizeIsFull)
		if err != nil {
			c.note(wrong, "", "%v", err)
			return 0, 0, false
		}
		if len(rows) == 1 && (rows[0].Full == 1) == full {
			return rows[0].Last, rows[0].Paid, true
		}
		if ctx.Err() != nil {
			return 0, 0, false
		}
	}
	c.note(wrong, "", "20 minutes of cron later the signer has not noted that the database is full: %t", full)
	return 0, 0, false
}

// ballastMB is what fills the database to 90 %, whatever else it holds.
func (o options) ballastMB() int { return (o.capacityMB()*90 + 99) / 100 }

// fill makes the database full.
func (c *campaign) fill(ctx context.Context) {
	c.fullness.work.Lock()
	defer c.fullness.work.Unlock()
	c.fullness.set(true)
	if _, err := read[struct{}](c.world, makeBallast); err != nil {
		c.note(wrong, "", "%v", err)
	}
	if _, err := read[struct{}](c.world, fillBallast, c.ballastMB()); err != nil {
		c.note(wrong, "", "%v", err)
	}
	// The buyers wait until the signer knows. A timer that began before may store the
	// old size, or workerd's death may leave a slow statement of one on its way.
	c.fullness.steps.Lock()
	defer c.fullness.steps.Unlock()
	time.Sleep(500 * time.Millisecond)
	last, paid, ok := c.waitUntilNoted(ctx, true)
	c.count("database full")
	c.fullness.mu.Lock()
	defer c.fullness.mu.Unlock()
	c.fullness.confirmed, c.fullness.last, c.fullness.paid = ok, last, paid
}

// drain makes room again. No order may have been stored meanwhile.
func (c *campaign) drain(ctx context.Context) {
	c.fullness.work.Lock()
	defer c.fullness.work.Unlock()
	if !c.fullness.state().possible {
		return // this visit came before that of fill
	}
	rows, err := read[struct {
		Full int
		Last int64
		Paid int
	}](c.world, sizeIsFull)
	c.fullness.mu.Lock()
	if c.fullness.confirmed && (err != nil || len(rows) != 1 || rows[0].Full != 1 || rows[0].Last != c.fullness.last) {
		c.note(wrong, "", "the database was full and the newest order is no longer %d: %+v, %v", c.fullness.last, rows, err)
	}
	if err == nil && len(rows) == 1 && c.fullness.confirmed {
		c.countMany("database full: payment settled", rows[0].Paid-c.fullness.paid)
	}
	c.fullness.confirmed = false
	c.fullness.mu.Unlock()
	if _, err := read[struct{}](c.world, dropBallast); err != nil {
		c.note(wrong, "", "%v", err)
	}
	c.waitUntilNoted(ctx, false)
	c.fullness.set(false)
}

// retryPostponed has the buyers try again who met a full shop.
func (c *campaign) retryPostponed() {
	c.fullness.mu.Lock()
	waiting := c.fullness.waiting
	c.fullness.waiting = nil
	c.fullness.mu.Unlock()
	each(c.atOnce, waiting, func(p *checkout) {
		if p.orderID() == "" {
			p.place()
			p.open()
			p.answerSheet(c.wechat.PaySheet)
			p.poll()
			if p.orderID() != "" {
				c.count("database full: buyer came back and ordered")
			}
		}
	})
}

// rejected are the codes with which a shop may reject an order for now.
var rejected = []api.Code{api.CodeOrderNotPayable, api.CodeOrderPaid, api.CodeShopFull}
