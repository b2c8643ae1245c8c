package storetest

import (
	"context"
	"database/sql/driver"
	"regexp"
	"sync/atomic"
)

// changes counts statements that may have changed a database. Check does nothing if there was
// none since its last run. A change is counted when other connections see it.
type changes struct {
	n       atomic.Int64
	checked atomic.Int64 // n before the newest check, plus one; 0 before the first one
}

// begin returns whether something changed since the newest check. If so, a check follows, and then
// end.
func (c *changes) begin() (n int64, changed bool) {
	n = c.n.Load()
	return n, c.checked.Load() != n+1
}

func (c *changes) end(n int64) { c.checked.Store(n + 1) }

var (
	writes = regexp.MustCompile(`\b(INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|PRAGMA|VACUUM)\b`)
	rows   = regexp.MustCompile(`^\s*(INSERT|UPDATE|DELETE)\b`)
	// unchecked are statements on a table that no check reads.
	unchecked = regexp.MustCompile(`^\s*INSERT INTO timers\b`)
)

// ran counts a statement of a connection.
func (c recordingConn) ran(ctx context.Context, query string) {
	if !writes.MatchString(query) || rows.MatchString(query) && !c.wrote(ctx) || unchecked.MatchString(query) {
		return
	}
	c.changes.n.Add(1)
}

// wrote returns whether rows were written since the last call, by triggers too.
func (c recordingConn) wrote(ctx context.Context) bool {
	if c.postgres {
		return true
	}
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, `SELECT total_changes()`, nil)
	if err != nil {
		return true
	}
	defer rows.Close()
	var total [1]driver.Value
	if err := rows.Next(total[:]); err != nil {
		return true
	}
	before := *c.total
	*c.total, _ = total[0].(int64)
	return *c.total != before
}

// changingRows are the rows of a statement that may change the database. The statement ends
// when they are closed.
type changingRows struct {
	driver.Rows
	conn  recordingConn
	query string
}

func (r changingRows) Close() error {
	defer r.conn.ran(context.Background(), r.query)
	return r.Rows.Close()
}

// changingTx is a transaction, whose changes are visible when it is committed.
type changingTx struct {
	driver.Tx
	changes *changes
}

func (t changingTx) Commit() error {
	defer t.changes.n.Add(1)
	return t.Tx.Commit()
}
