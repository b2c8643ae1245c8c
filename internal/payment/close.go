package payment

import (
	"context"
	"errors"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// closeWindow is how many open orders one CloseOrders looks at, of each status. It
// bounds what the call reads, and what its UPDATE and triggers write.
const closeWindow = 200

// Cancel cancels an order for its owner.
func (s *Service) Cancel(ctx context.Context, id, owner string) (order.Order, error) {
	o, err := s.ownOrder(ctx, id, owner)
	if err != nil {
		return order.Order{}, err
	}
	return s.cancel(ctx, o)
}

// cancel makes sure that an order is not paid, that it is offered for payment no
// longer, and that WeChat takes no payment for it: at once, or as soon as WeChat
// allows the close, which Reconcile does then. An order that was never sent needs no call.
// A payment in between wins. The order is returned as it is stored then; CodeOrderPaid
// says that it is paid.
func (s *Service) cancel(ctx context.Context, o order.Order) (order.Order, error) {
	o, err := s.endUnsent(ctx, o, sourceClose)
	if err != nil {
		return o, err
	}
	if o.Status == api.StatusClosing && s.stale(o) {
		o, _ = s.refresh(ctx, o) // it may be paid, or due to be closed
	}
	if !o.Open() {
		return unpaid(o)
	}
	log := s.logger(ctx).With("order", o.ID, "out_trade_no", o.OutTradeNo, "source", sourceClose)
	var report Report
	o, report, err = s.Sync(ctx, o, sourceClose)
	var mismatch Mismatch
	switch {
	case errors.As(err, &mismatch): // it is in the log
		return o, reject(api.CodeWeChatDeclined, "what WeChat reports of the order does not agree with it")
	case err != nil:
		log.Warn("querying WeChat about an order failed", "error", err)
		return o, reject(api.CodeWeChatBusy, "WeChat did not answer, try again")
	}
	if o.Open() {
		// From here on nobody gets anything to pay the order with, so that the close is
		// the last that WeChat receives of it.
		now := s.now()
		began, err := s.cfg.Store.BeginClose(ctx, o.ID, now)
		if err != nil {
			return o, err
		}
		if began {
			s.logChange(ctx, o, api.StatusClosing, sourceClose)
			o.Status, o.UpdatedAt = api.StatusClosing, now
			if s.mayClose(o, report) {
				if _, err := s.closeAtWeChat(ctx, o, report); err != nil && !errors.As(err, &mismatch) {
					log.Warn("closing an order failed", "error", err)
				}
			}
		}
	}
	if o, err = s.cfg.Store.Get(ctx, o.ID, o.Owner); err != nil {
		return o, err
	}
	return unpaid(o)
}

// endUnsent closes an open order that was never sent, and returns the order as it is
// stored then. Another order is returned as it is.
func (s *Service) endUnsent(ctx context.Context, o order.Order, source string) (order.Order, error) {
	if !o.Open() || !o.SentAt.IsZero() {
		return o, nil
	}
	if _, err := s.closeUnsent(ctx, o, source); err != nil {
		return o, err
	}
	return s.cfg.Store.Get(ctx, o.ID, o.Owner)
}

// unpaid returns an order as it is, with CodeOrderPaid if it is paid.
func unpaid(o order.Order) (order.Order, error) {
	if order.WasPaid(o.Status) {
		return o, reject(api.CodeOrderPaid, "the order is paid")
	}
	return o, nil
}

// Close closes an order for the operator. It is closing from then on, or closed if it was
// never sent, whatever WeChat answers: nobody gets anything to pay it with. WeChat is queried at once; if
// it cannot be closed yet, Reconcile does the rest. A payment in between counts.
func (s *Service) Close(ctx context.Context, id string) (order.Order, error) {
	o, err := s.anyOrder(ctx, id)
	if err != nil {
		return o, err
	}
	if o, err = s.endUnsent(ctx, o, sourceAdmin); err != nil {
		return o, err
	}
	began, err := s.cfg.Store.BeginClose(ctx, o.ID, s.now())
	if err != nil {
		return o, err
	}
	if began {
		s.logChange(ctx, o, api.StatusClosing, sourceAdmin)
	}
	if o, err = s.cfg.Store.ByID(ctx, o.ID); err != nil {
		return o, err
	}
	if o.Status == api.StatusClosing {
		o, _ = s.refresh(ctx, o)
	}
	return unpaid(o)
}

// CloseOrders begins to close the open orders that f selects, from its position on and a
// bounded part of them a call. It returns how many are closing or closed now, and the
// filter of the next call, nil when this was the last. Reconcile queries WeChat about each
// order that was sent, and closes it there and here.
func (s *Service) CloseOrders(ctx context.Context, f store.OpenFilter) (closing int, next *store.OpenFilter, err error) {
	f.Limit = closeWindow
	for {
		window, err := s.cfg.Store.OpenOrders(ctx, f)
		if err != nil {
			return closing, nil, err
		}
		n, err := s.beginCloseAll(ctx, window)
		if err != nil {
			return closing, nil, err
		}
		closing += n
		switch {
		case len(window) == closeWindow:
			last := window[len(window)-1]
			f.AfterTime, f.AfterID = last.CreatedAt, last.ID
			next = &f
		case f.Status == api.StatusCreated:
			// An order that became pending meanwhile is still ahead.
			f.Status, f.AfterTime, f.AfterID = api.StatusPending, time.Time{}, ""
			continue
		}
		break
	}
	s.logger(ctx).Warn("operator closes orders", "product_id", f.ProductID, "before", f.Before, "closing", closing, "more", next != nil)
	return closing, next, nil
}

// beginCloseAll makes the orders of a window closing that match, or closed if they were
// never sent, and returns how many.
func (s *Service) beginCloseAll(ctx context.Context, window []store.OpenOrder) (int, error) {
	var ids []string
	for _, o := range window {
		if o.Matches {
			ids = append(ids, o.ID)
		}
	}
	changed, err := s.cfg.Store.BeginCloseAll(ctx, ids, s.now())
	if err != nil {
		return 0, err
	}
	for _, o := range window {
		if to := changed[o.ID]; to != "" {
			s.logChange(ctx, order.Order{ID: o.ID, OutTradeNo: o.OutTradeNo, Status: o.Status}, to, sourceAdmin)
		}
	}
	return len(changed), nil
}
