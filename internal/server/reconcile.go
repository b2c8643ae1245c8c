package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/wechat"
)

// queryWindow is the least time between two queries of one order at WeChat,
// however many pages wait for it.
const queryWindow = 3 * time.Second

// Bounds of one Reconcile. On Cloudflare's free plan an event may run 50
// statements; an order or a refund takes four at most, one more where a trade is
// refused, and the rest five. All refunds of an order are looked at where WeChat
// has paid back or refuses to: that takes one for each that is known, and
// four for one that is not. An event that it is too much for fails; what it has
// claimed is left alone by the next one, which goes on.
const (
	reconcileBatch = 10 // of both
	refundBatch    = 4
	reconcileTime  = 40 * time.Second // no query begins after it
	refundTime     = 12 * time.Second // no refund's turn begins after it: one may take 25 s
	maxForgotten   = 1000             // states of sign-ins
)

// refresh asks WeChat about an order that may have been paid without our
// knowing, at most once per queryWindow. What goes wrong is logged; the order
// is returned as it is known. notPaid reports that WeChat was asked and said that
// nobody has paid.
func (s *Server) refresh(ctx context.Context, o order.Order) (latest order.Order, notPaid bool) {
	if !s.stale(o) {
		return o, false
	}
	log := s.logger(ctx).With("order", o.ID)
	claimed, err := s.cfg.Store.ClaimQuery(ctx, o.ID, queryWindow, s.now())
	if err != nil {
		log.Error("claiming a query failed", "error", err)
	}
	if !claimed {
		return o, false
	}
	var why refusal
	found, err := s.queryFound(ctx, o, sourcePoll)
	if err != nil && !errors.As(err, &why) {
		log.Warn("asking WeChat about an order failed", "error", err)
	}
	notPaid = err == nil && found != paidOrOpen
	if latest, err := s.cfg.Store.Get(ctx, o.ID, o.Owner); err != nil {
		log.Error("reading an order again failed", "error", err)
	} else {
		o = latest
	}
	return o, notPaid
}

// stale reports whether WeChat may know more of an order, and was not asked just
// now. It saves a poll the statement of a claim that would fail.
func (s *Server) stale(o order.Order) bool {
	return (o.Open() || o.Status == api.StatusClosing) && !s.now().Before(o.QueriedAt.Add(queryWindow))
}

// Reconcile asks WeChat about refunds and orders of which no news has come, those
// that have waited longest first; it sends again the refunds that WeChat has not
// taken, and closes there and here what was not paid in time. A
// timer calls it every minute; what one call leaves over the next takes up, so
// that it may stop, or fail, anywhere. Troubles with single ones are logged;
// the error is the database's.
func (s *Server) Reconcile(ctx context.Context) error {
	began := s.now()
	refunds, err := s.cfg.Store.DueRefunds(ctx, began, refundBatch)
	if err != nil {
		return fmt.Errorf("reconciling: %w", err)
	}
	batch := reconcileBatch - len(refunds)
	due, err := s.cfg.Store.Due(ctx, s.cfg.MchID, began, batch)
	if err != nil {
		return fmt.Errorf("reconciling: %w", err)
	}
	for _, r := range refunds {
		if ctx.Err() != nil || s.now().Sub(began) > refundTime {
			break // refunds that hang hold up no order; the next call begins with the rest
		}
		if err := s.refreshRefund(ctx, r, sourceCron); err != nil {
			return fmt.Errorf("reconciling: %w", err)
		}
	}
	if err := s.cfg.Store.ForgetStates(ctx, began, maxForgotten); err != nil {
		return err
	}
	asked, failed := 0, 0
	for _, o := range due {
		if ctx.Err() != nil || s.now().Sub(began) > reconcileTime {
			break
		}
		claimed, err := s.cfg.Store.ClaimQuery(ctx, o.ID, queryWindow, s.now())
		if err != nil {
			return fmt.Errorf("reconciling: %w", err)
		}
		if !claimed {
			continue // its owner looks at it, or it has just been paid
		}
		asked++
		var why refusal
		if err := s.query(ctx, o, sourceCron); err != nil && !errors.As(err, &why) {
			failed++
			s.log.Warn("asking WeChat about an order failed", "order", o.ID, "source", sourceCron, "error", err)
		}
	}
	if asked > 0 {
		s.log.Info("orders reconciled", "asked", asked, "failed", failed, "more", len(due) == batch)
		s.count(ctx, map[string]int{"reconciled.asked": asked, "reconciled.failed": failed})
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.cfg.Store.Reconciled(ctx, s.now())
}

// query asks WeChat about an order and settles the answer. What nobody paid in
// time, or what was given up, is closed.
func (s *Server) query(ctx context.Context, o order.Order, source string) error {
	_, err := s.queryFound(ctx, o, source)
	return err
}

// queryFound is query for a caller that wants to know what WeChat said.
func (s *Server) queryFound(ctx context.Context, o order.Order, source string) (found int, err error) {
	found, err = s.ask(ctx, o, source)
	if err != nil || found == paidOrOpen || !s.mayClose(o) {
		return found, err
	}
	return found, s.shut(ctx, o, found)
}

// What ask has found out.
const (
	paidOrOpen = iota // paid, or its payment may be under way, or closed there
	notPaid           // WeChat waits for the payment
	notThere          // WeChat does not know the order
)

// ask asks WeChat about an order and settles the answer.
func (s *Server) ask(ctx context.Context, o order.Order, source string) (found int, err error) {
	if o.MchID != s.cfg.MchID {
		return 0, fmt.Errorf("order %s was made for another merchant, of whose orders WeChat does not tell", o.ID)
	}
	callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	trade, err := s.cfg.WeChat.QueryOrder(callCtx, o.OutTradeNo)
	var e *wechat.Error
	switch {
	case errors.As(err, &e) && e.Code == wechat.CodeOrderNotExist:
		return notThere, nil
	case err != nil:
		return 0, fmt.Errorf("querying order %s: %w", o.ID, err)
	case trade.OutTradeNo != o.OutTradeNo:
		return 0, fmt.Errorf("querying order %s: the answer is about another", o.ID)
	}
	if trade.State == wechat.StateRefund {
		return paidOrOpen, s.settleRefunded(ctx, o, trade, source)
	}
	if err := s.settle(ctx, trade, source); err != nil {
		return 0, err
	}
	if trade.State == wechat.StateNotPay {
		return notPaid, nil
	}
	return paidOrOpen, nil
}
