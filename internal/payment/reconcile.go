package payment

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"h5pay/internal/job"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// Bounds of one Reconcile, in addition to Config.Statements.
const (
	dueBatch         = 100 // payments that one statement reads
	queryAtOnce      = 5   // Workers have six connections open at once
	refundBatch      = 4
	reconcileTime    = 40 * time.Second // no query begins later
	refundTime       = 12 * time.Second // no refund begins later: one may take 25 s
	maxDeletedStates = 1000             // states of sign-ins
	maxDeleted       = 100              // unpaid orders
	maxExpired       = 200              // orders that expire in one run

	// queryCost is the largest number of statements of the query about one payment. A trade that
	// differs costs four: the claim, a change, a read and a count. An unpaid payment costs one, the
	// claim. A payment with refunds can cost more: one for all stored refunds and four for each new
	// one, and for a duplicate the other payments. An invocation that then exceeds the limit fails,
	// and the next one continues.
	queryCost = 4
	// closingCost is the number of statements after the queries.
	closingCost = 1
)

// Reconcile continues what no request has finished, in bounded portions and in this order:
//
//  1. It notes the size of the database, deletes old unpaid orders, and ends the wait of orders
//     whose time is over.
//  2. It queries WeChat about payments that a notification reported and WeChat has not confirmed.
//  3. It sends refunds that WeChat has not taken, and queries WeChat about those that have
//     not ended.
//  4. It queries WeChat about the payments that are due, and closes those whose time is over,
//     or that are closing, at WeChat and here.
//
// A timer calls it every minute. It keeps to Config.Statements, and begins no query of a
// payment after reconcileTime. The next call continues with the rest, so it may stop or fail
// anywhere. Failures of WeChat's are logged. The error is the database's, or that ctx ended;
// without one the time is noted for the health page.
//
// One round trip reads what is due. If nothing is, it is the only one.
func (s *Service) Reconcile(ctx context.Context) error {
	began := s.now()
	ctx, statements := store.CountStatements(ctx)
	m, err := s.cfg.Store.Minute(ctx, store.MinuteFilter{
		MchID: s.cfg.MchID, Now: began, Unpaid: began.Add(-s.cfg.KeepUnpaid), Refunds: refundBatch, Notified: s.bounded(2*queryAtOnce, 2*queryCost), Payments: s.bounded(dueBatch, 1),
	})
	if err != nil {
		return fmt.Errorf("reconciling: %w", err)
	}
	// In a full database settling needs the space that deleting frees, so deleting comes first. If
	// it fails the rest continues.
	kept := errors.Join(s.noteSize(ctx, m.Size), s.tidy(ctx, m, began))
	if m.Done {
		if kept != nil {
			return fmt.Errorf("reconciling: %w", kept)
		}
		return nil
	}
	q := queries{s: s, began: began, statements: statements, calls: 3 * len(m.Refunds)}
	if err := q.batch(ctx, m.Notified, s.cfg.Store.ClaimDueNotified); err != nil {
		return fmt.Errorf("reconciling: %w", errors.Join(err, kept))
	}
	refundsBegan := s.now()
	for _, r := range m.Refunds {
		if job.Stopping(ctx) || s.now().Sub(refundsBegan) > refundTime {
			break // refunds that hang must not delay payments; the next call begins with the others
		}
		if _, err := s.continueRefund(ctx, r, sourceCron); err != nil {
			return fmt.Errorf("reconciling: %w", err)
		}
	}
	if m.Expired || len(m.Notified)+len(m.Refunds) > 0 {
		m.Due = nil // what came before may have changed it
	}
	err = q.run(ctx, m.Due)
	if q.queried > 0 {
		s.log.Info("payments reconciled", "queried", q.queried, "failed", q.failed, "more", q.more)
	}
	if err = errors.Join(err, kept); err != nil {
		return fmt.Errorf("reconciling: %w", err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.cfg.Store.Reconciled(ctx, s.now(), q.queried, q.failed)
}

// bounded returns most, or fewer if Config.Statements allows no more than that of a number of
// statements each.
func (s *Service) bounded(most, cost int) int {
	if s.cfg.Statements > 0 {
		return min(most, s.cfg.Statements/cost)
	}
	return most
}

// tidy deletes old rows and expires orders, a bounded number of each.
func (s *Service) tidy(ctx context.Context, m store.Minute, now time.Time) (err error) {
	if m.Unpaid {
		var deleted int
		if deleted, err = s.cfg.Store.DeleteUnpaid(ctx, now.Add(-s.cfg.KeepUnpaid), maxDeleted); deleted > 0 {
			s.log.Info("old unpaid orders deleted", "orders", deleted)
		}
	}
	if m.Expired && !job.Stopping(ctx) {
		expired, expireErr := s.cfg.Store.Expire(ctx, now, maxExpired)
		if len(expired) > 0 {
			s.log.Info("orders have expired", "orders", len(expired))
		}
		err = errors.Join(err, expireErr)
	}
	if m.States {
		err = errors.Join(err, s.cfg.Store.DeleteStates(ctx, now, maxDeletedStates))
	}
	if m.Hours {
		err = errors.Join(err, s.cfg.Store.DeleteHours(ctx, now))
	}
	return err
}

// noteSize stores the size of the database if it differs from the stored one.
func (s *Service) noteSize(ctx context.Context, stored store.Size) error {
	if s.cfg.Size == nil {
		return nil
	}
	size, err := s.cfg.Size(ctx)
	if err != nil || size.Capacity <= 0 {
		return err
	}
	if size.Full() {
		s.log.Error("the database is nearly full, new orders are rejected", "used", size.Used, "capacity", size.Capacity)
	}
	return s.cfg.Store.NoteSize(ctx, size, stored)
}

// queries are the queries about payments of one Reconcile. Some run concurrently.
type queries struct {
	s               *Service
	began           time.Time
	statements      *atomic.Int64 // of this Reconcile so far
	calls           int           // to WeChat, at most
	queried, failed int
	more            bool // the next call must continue
}

// queried is the result of one query.
type queried struct {
	claimed bool
	err     error // of the database
	failed  bool
}

// run queries WeChat about the payments that are due, batch by batch, until there are no more or a
// bound is reached. due is the first batch, or nil if it has to be read. The error is the
// database's.
func (q *queries) run(ctx context.Context, due []order.Payment) (err error) {
	limit := q.s.bounded(dueBatch, 1)
	for ; ; due = nil {
		if due == nil {
			if due, err = q.s.cfg.Store.Due(ctx, q.s.cfg.MchID, q.s.now(), limit); err != nil {
				return err
			}
		}
		queried := q.queried
		if err := q.batch(ctx, due, q.s.cfg.Store.ClaimQuery); err != nil || q.more || len(due) < limit {
			return err
		}
		// Payments that another caller queries stay due, so another read would return them again.
		if q.queried == queried || !q.affords(1, 0) {
			q.more = true
			return nil
		}
	}
}

// claimFunc claims the query about a payment: see store.Store.ClaimQuery.
type claimFunc func(ctx context.Context, outTradeNo string, window time.Duration, now time.Time) (bool, error)

// batch queries WeChat about some payments, queryAtOnce at a time.
func (q *queries) batch(ctx context.Context, due []order.Payment, claim claimFunc) (err error) {
	running := 0
	ended := make(chan queried, queryAtOnce)
	wait := func() {
		r := <-ended
		running--
		if r.claimed {
			q.queried++
		}
		if r.failed {
			q.failed++
		}
		if r.err != nil {
			err = r.err
		}
	}
	for _, p := range due {
		calls := 1
		if q.s.closeDue(p) {
			calls = 3 // the close, and another query if WeChat reports it as paid
		}
		for running > 0 && (running == queryAtOnce || !q.affords(running+1, calls)) {
			wait()
		}
		if err != nil {
			break
		}
		if job.Stopping(ctx) || q.s.now().Sub(q.began) > reconcileTime || !q.affords(running+1, calls) {
			q.more = true
			break
		}
		q.calls += calls
		running++
		go func() { ended <- q.s.queryDue(ctx, p, claim) }()
	}
	for running > 0 {
		wait()
	}
	return err
}

// affords reports whether running queries may run at the same time, with so many more calls.
func (q *queries) affords(running, calls int) bool {
	most := q.s.cfg.Statements
	return most == 0 || int(q.statements.Load())+running*queryCost+closingCost <= most && q.calls+calls <= most
}

// queryDue queries WeChat about a payment that is due.
func (s *Service) queryDue(ctx context.Context, p order.Payment, claim claimFunc) (r queried) {
	defer s.caught(ctx, &r.err)
	claimed, err := claim(ctx, p.OutTradeNo, queryWindow, s.now())
	if err != nil || !claimed {
		return queried{err: err} // not claimed: another request queries WeChat, or the payment is already paid
	}
	r.claimed = true
	var mismatch Mismatch
	if _, _, err := s.Sync(ctx, p, sourceCron); err != nil && !errors.As(err, &mismatch) {
		r.failed = true
		r.err = s.cfg.Store.QueryAgain(ctx, p.OutTradeNo, s.now())
		s.log.Warn("querying WeChat about a payment failed", "order", p.OrderID, "out_trade_no", p.OutTradeNo, "source", sourceCron, "error", err)
	}
	return r
}
