package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Group commit. Most of the time of a small change is its commit, which writes to the disk. So the
// changes that wait while another commit is under way are one transaction, with one commit.
//
// Each call is undone by itself if it fails, so that the error of one does not change what another
// one did. No call returns before the commit. If the commit fails, all calls of the group fail and
// nothing of them is stored. A call that finds nobody at work runs at once and waits for nobody.

// The bounds of a group, so that its first call does not wait long for the commit.
const (
	groupCalls = 64
	groupTime  = 10 * time.Millisecond // no call joins a group that is older
)

// command is a statement with its arguments.
type command struct {
	query string
	args  []driver.NamedValue
}

// call is a statement that changes rows, or a batch with one.
type call struct {
	statements []command
	exec       bool // one statement whose rows nobody reads

	taken  bool          // guarded by Connector.mu: a group has it
	done   chan struct{} // closed when the fields below are final
	result driver.Result // of exec
	rows   *sets         // otherwise
	err    error
}

// change runs a call in a group and returns its error. If the context ends before a group takes the
// call, nothing of it runs. Afterwards it completes: an interrupted statement would end the
// transaction of the whole group.
func (c *Connector) change(ctx context.Context, one *call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	one.done = make(chan struct{})
	c.mu.Lock()
	c.queue = append(c.queue, one)
	c.mu.Unlock()
	for {
		select {
		case <-one.done:
			return one.err
		case <-ctx.Done():
			if c.withdraw(one) {
				return ctx.Err()
			}
			<-one.done
			return one.err
		case c.turn <- struct{}{}:
			// The first group of the queue need not have this call.
			c.group()
			c.end()
		}
	}
}

// withdraw removes a call that no group has taken.
func (c *Connector) withdraw(one *call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one.taken {
		return false
	}
	c.queue = slices.DeleteFunc(c.queue, func(other *call) bool { return other == one })
	return true
}

// take takes the oldest call of the queue, nil if there is none. more says whether others wait.
func (c *Connector) take() (one *call, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return nil, false
	}
	one = c.queue[0]
	c.queue = c.queue[1:]
	one.taken = true
	return one, len(c.queue) > 0
}

// group runs the calls that wait, as one transaction. The caller has the turn.
func (c *Connector) group() {
	one, more := c.take()
	if one == nil {
		return
	}
	calls := []*call{one}
	defer func() {
		if p := recover(); p != nil {
			c.panicked(calls, p)
		}
	}()
	if err := c.ready(); err != nil {
		one.end(err)
		return
	}
	if !more && len(one.statements) == 1 {
		one.end(one.run(c.writer))
		return
	}
	c.groups.Add(1)
	began := time.Now()
	if err := c.writer.exec("BEGIN IMMEDIATE"); err != nil {
		one.end(err)
		return
	}
	for open := true; open && one != nil; {
		if open = one.join(c.writer); !open {
			break
		}
		if one = nil; len(calls) < groupCalls && time.Since(began) < c.groupTime {
			if one, _ = c.take(); one != nil {
				calls = append(calls, one)
			}
		}
	}
	if one != nil {
		c.separately(calls)
		return
	}
	if err := c.writer.exec("COMMIT"); err != nil {
		c.writer.exec("ROLLBACK") // fails if SQLite has rolled back
		for _, each := range calls {
			each.err = errors.Join(each.err, fmt.Errorf("committing %d calls: %w", len(calls), err))
		}
	}
	for _, each := range calls {
		each.end(each.err)
	}
}

// panicked ends the calls of a group in which SQLite panicked. Closing the writer undoes what is not
// committed, and the next group opens another one.
func (c *Connector) panicked(calls []*call, p any) {
	err := fmt.Errorf("sqlite: a panic: %v", p)
	w := c.writer
	c.writer = nil
	if w != nil {
		err = errors.Join(err, w.Close())
	}
	for _, each := range calls {
		select {
		case <-each.done: // it had ended before
		default:
			each.end(err)
		}
	}
}

// separately runs the calls of a group whose last call ended the transaction, as a full disk does.
// Nothing of the others is stored, so each of them runs again, with a commit of its own.
func (c *Connector) separately(calls []*call) {
	last := calls[len(calls)-1]
	last.end(last.err)
	for _, each := range calls[:len(calls)-1] {
		if each.err == nil {
			each.err = each.alone(c.writer)
		}
		each.end(each.err)
	}
}

// alone runs a call as a transaction of its own.
func (one *call) alone(w *conn) error {
	if len(one.statements) == 1 {
		return one.run(w)
	}
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := one.run(w)
	if err == nil {
		err = w.exec("COMMIT")
	}
	if err != nil {
		w.exec("ROLLBACK")
	}
	return err
}

// join runs a call inside the transaction of a group. If it fails, it undoes what the call changed.
// It reports whether the transaction is still open.
func (one *call) join(w *conn) (open bool) {
	// SQLite undoes a single statement that fails.
	several := len(one.statements) > 1
	if several {
		if one.err = w.exec("SAVEPOINT one"); one.err != nil {
			return w.inTransaction()
		}
	}
	one.err = one.run(w)
	switch {
	case one.err == nil && !several:
		return true
	case one.err == nil:
		one.err = w.exec("RELEASE one")
		return one.err == nil || w.inTransaction()
	case !w.inTransaction():
		return false
	case several:
		if err := errors.Join(w.exec("ROLLBACK TO one"), w.exec("RELEASE one")); err != nil {
			one.err = errors.Join(one.err, err)
			w.exec("ROLLBACK")
			return false
		}
	}
	return true
}

// run runs the statements of a call. They cannot be interrupted.
func (one *call) run(w *conn) (err error) {
	if one.exec {
		one.result, err = w.ExecContext(context.Background(), one.statements[0].query, one.statements[0].args)
		return err
	}
	one.rows = &sets{}
	for _, st := range one.statements {
		set, err := w.set(context.Background(), st)
		if err != nil {
			return err
		}
		one.rows.all = append(one.rows.all, set)
	}
	return nil
}

// end makes a call return.
func (one *call) end(err error) {
	one.err = err
	close(one.done)
}

// exec runs a statement without arguments.
func (c *conn) exec(query string) error {
	_, err := c.ExecContext(context.Background(), query, nil)
	return err
}

// inTransaction reports whether a transaction is open after an error. Some errors end it. BEGIN
// succeeds only if none is open.
func (c *conn) inTransaction() bool {
	if c.exec("BEGIN") != nil {
		return true
	}
	c.exec("ROLLBACK")
	return false
}
