package payment

import (
	"context"
	"errors"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// closeWindow is the number of open orders that one CloseOrders checks. It bounds the rows that the
// call reads and that its UPDATE and triggers write.
const closeWindow = 200

// Cancel cancels an order for its owner.
func (s *Service) Cancel(ctx context.Context, id, owner string) (store.Whole, error) {
	w, err := s.ownWhole(ctx, id, owner)
	if err != nil {
		return store.Whole{}, err
	}
	return s.cancel(ctx, w)
}

// cancelTimeout bounds the calls of one cancellation.
const cancelTimeout = 2 * queryTimeout

// cancel closes an unpaid order. Nobody gets payment parameters of it any more. Its payments are
// closed at WeChat at once, or by Reconcile as soon as WeChat allows it. An order without a payment
// needs no call. A payment in the meantime wins. cancel returns the stored order; CodeOrderPaid
// means that it is paid.
func (s *Service) cancel(ctx context.Context, w store.Whole) (store.Whole, error) {
	if w.Status == api.StatusClosing && s.stale(w.Order) {
		if _, news := s.queryOrder(ctx, w.Order); news { // it may be paid, or due to be closed
			w = s.latest(ctx, w)
		}
	}
	if !w.Open() {
		return w, paidError(w.Order)
	}
	log := s.logger(ctx).With("order", w.ID, "source", sourceClose)
	live, err := s.livePayments(ctx, w.Order)
	if err != nil {
		return w, err
	}
	callCtx, cancel := context.WithTimeout(ctx, cancelTimeout)
	defer cancel()
	reports := make([]Report, len(live))
	var mismatch Mismatch
	for i, p := range live {
		live[i], reports[i], err = s.Sync(callCtx, p, sourceClose)
		switch {
		case errors.As(err, &mismatch): // it is in the log
			return w, errDiffers()
		case err != nil:
			log.Warn("querying WeChat about a payment failed", "out_trade_no", p.OutTradeNo, "error", err)
			return w, errNoResponse()
		}
		if live[i].Status == api.PaymentPaid {
			break
		}
	}
	// From here on nobody gets payment parameters of the order, so the close is the last call about
	// it. If it is already paid, nothing changes.
	if w, err = s.beginClose(ctx, w.Order, sourceClose); err != nil {
		return w, err
	}
	if w.Status != api.StatusClosing {
		return w, paidError(w.Order)
	}
	closed := false
	for i, p := range live {
		if order.PaymentEnded(p.Status) {
			continue
		}
		p.Status, p.UpdatedAt = api.PaymentClosing, s.now()
		if !s.mayClose(p, reports[i]) {
			continue
		}
		closed = true
		if _, err := s.closeAtWeChat(callCtx, p, reports[i]); err != nil && !errors.As(err, &mismatch) {
			log.Warn("closing a payment failed", "out_trade_no", p.OutTradeNo, "error", err)
		}
	}
	if closed {
		if w, err = s.cfg.Store.WholeByID(ctx, w.ID); err != nil {
			return w, err
		}
	}
	return w, paidError(w.Order)
}

// beginClose makes an open order closing, or closed if it has no payment, and returns the stored
// order. The trigger order_closes marks its payments as closing. They are closed at WeChat before
// the order is closed.
func (s *Service) beginClose(ctx context.Context, o order.Order, source string) (store.Whole, error) {
	w, changed, err := s.cfg.Store.CloseWhole(ctx, o.ID, s.now())
	if err != nil {
		return store.Whole{Order: o}, err
	}
	if changed {
		s.logOrder(ctx, o.ID, w.Status, source)
	}
	return w, nil
}

// paidError returns CodeOrderPaid if an order is paid.
func paidError(o order.Order) error {
	if order.WasPaid(o.Status) {
		return reject(api.CodeOrderPaid, "the order is paid")
	}
	return nil
}

// Close closes an order for the operator. The order is closing at once, or closed if it has no
// payment, whatever WeChat responds. Nobody gets payment parameters of it any more. WeChat is
// queried at once, and Reconcile closes the payments that cannot be closed yet. A payment in the
// meantime counts.
func (s *Service) Close(ctx context.Context, id string) (order.Order, error) {
	o, err := s.anyOrder(ctx, id)
	if err != nil {
		return o, err
	}
	w, err := s.beginClose(ctx, o, sourceOperator)
	if err != nil {
		return o, err
	}
	if o = w.Order; o.Status == api.StatusClosing {
		o = s.refresh(ctx, o)
	}
	return o, paidError(o)
}

// CloseOrders begins to close the open orders that f selects, a bounded number per call, from the
// position of f on. It returns the number of orders that it changed, and the filter of the next
// call, nil after the last one. Reconcile closes their payments at WeChat and in the shop.
func (s *Service) CloseOrders(ctx context.Context, f store.OpenFilter) (closing int, next *store.OpenFilter, err error) {
	f.Limit = closeWindow
	window, err := s.cfg.Store.OpenOrders(ctx, f)
	if err != nil {
		return 0, nil, err
	}
	var ids []string
	for _, o := range window {
		if o.Matches {
			ids = append(ids, o.ID)
		}
	}
	if closing, err = s.beginCloseAll(ctx, ids); err != nil {
		return 0, nil, err
	}
	if len(window) == closeWindow {
		last := window[len(window)-1]
		f.AfterTime, f.AfterID = last.CreatedAt, last.ID
		next = &f
	}
	s.logger(ctx).Warn("the operator closes orders", "product_id", f.ProductID, "before", f.Before, "closing", closing, "more", next != nil)
	return closing, next, nil
}

// DeleteOrders deletes orders that ended more than a year ago, for the operator who has archived
// them: order.MinKeep after they were made, and order.MinUnchanged after their last change. It
// returns the IDs of those that it deleted, and of those that stay. An order that does not exist is in
// neither list. unset is true if the settings have no endpoint for webhooks: then no event waits for it.
func (s *Service) DeleteOrders(ctx context.Context, ids []string, unset bool) (deleted, kept []string, err error) {
	now := s.now()
	deleted, kept, err = s.cfg.Store.DeleteOld(ctx, ids, now.Add(-order.MinKeep), now.Add(-order.MinUnchanged), unset)
	if err == nil && len(deleted) > 0 {
		s.logger(ctx).Warn("the operator deletes old orders", "orders", len(deleted), "kept", len(kept))
	}
	return deleted, kept, err
}

// beginCloseAll is beginClose for many orders, for the operator. It returns the number of orders
// that it changed.
func (s *Service) beginCloseAll(ctx context.Context, ids []string) (int, error) {
	changed, err := s.cfg.Store.BeginCloseAll(ctx, ids, s.now())
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if to := changed[id]; to != "" {
			s.logOrder(ctx, id, to, sourceOperator)
		}
	}
	return len(changed), nil
}
