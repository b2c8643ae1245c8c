package storetest

import (
	"database/sql/driver"
	"io"
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

// ran counts a statement of a connection. wrote says whether it wrote rows, as far as is known: a
// statement that writes none runs no trigger.
func (c recordingConn) ran(query string, wrote bool) {
	if !writes.MatchString(query) || !c.postgres && !wrote && rows.MatchString(query) || unchecked.MatchString(query) {
		return
	}
	c.changes.n.Add(1)
}

// changingRows are the rows of a statement that may change the database. The statement ends
// when they are closed.
type changingRows struct {
	driver.Rows
	conn  recordingConn
	query string
	none  bool // the first row was read, and there is none
	some  bool
}

func (r *changingRows) Next(row []driver.Value) error {
	err := r.Rows.Next(row)
	r.none = r.none || err == io.EOF && !r.some
	r.some = true
	return err
}

func (r *changingRows) Close() error {
	defer func() { r.conn.ran(r.query, !r.none) }()
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
