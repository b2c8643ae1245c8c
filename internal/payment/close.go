package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// Cancel cancels an order for its owner.
func (s *Service) Cancel(ctx context.Context, id, owner string) (order.Order, error) {
	o, err := s.ownOrder(ctx, id, owner)
	if err != nil {
		return order.Order{}, err
	}
	return s.giveUp(ctx, o)
}

// giveUp makes sure that an order is not paid, that it is offered for payment
// no longer, and that WeChat takes no payment for it, now or as soon as it may
// be closed there: Reconcile does the rest. A payment in between wins. The
// order is returned as it is then; CodeOrderPaid says that it is paid.
func (s *Service) giveUp(ctx context.Context, o order.Order) (order.Order, error) {
	if o.Status == api.StatusClosing {
		o, _ = s.refresh(ctx, o) // paid since, or ready to be closed
	}
	if !o.Open() {
		return unpaid(o)
	}
	log := s.logger(ctx).With("order", o.ID, "out_trade_no", o.OutTradeNo)
	found, err := s.ask(ctx, o, sourceClose)
	var mismatch Mismatch
	switch {
	case errors.As(err, &mismatch): // settle has said so aloud
		return o, reject(api.CodeWeChatRefused, "what WeChat says of the order does not agree with it")
	case err != nil:
		log.Warn("asking WeChat about an order failed", "source", sourceClose, "error", err)
		return o, reject(api.CodeWeChatBusy, "WeChat did not answer, try again")
	}
	// From here on nobody gets anything to pay it with, so that what WeChat is
	// told last is the close.
	now := s.now()
	began, err := s.cfg.Store.BeginClose(ctx, o.ID, now)
	if err != nil {
		return o, err
	}
	if began {
		s.logChange(ctx, o, api.StatusClosing, sourceClose)
		o.Status, o.UpdatedAt = api.StatusClosing, now
		if found != paidOrOpen && s.mayClose(o) {
			if err := s.shut(ctx, o, found); err != nil && !errors.As(err, &mismatch) {
				log.Warn("closing an order failed", "source", sourceClose, "error", err)
			}
		}
	}
	if o, err = s.cfg.Store.Get(ctx, o.ID, o.Owner); err != nil {
		return o, err
	}
	return unpaid(o)
}

// unpaid is what giveUp answers about an order as it is stored.
func unpaid(o order.Order) (order.Order, error) {
	if order.WasPaid(o.Status) {
		return o, reject(api.CodeOrderPaid, "the order is paid")
	}
	return o, nil
}

// mayClose reports whether an order that is not paid is to be closed, and may be
// at WeChat: its time is over, or it was given up and is old enough.
func (s *Service) mayClose(o order.Order) bool {
	now := s.now()
	return !now.Before(o.ExpiresAt.Add(order.ExpiryGrace)) ||
		o.Status == api.StatusClosing && !now.Before(o.CreatedAt.Add(order.MinCloseAge))
}

// shut closes an order of which WeChat has just said that it is not paid, at
// WeChat and then here.
func (s *Service) shut(ctx context.Context, o order.Order, found int) error {
	source := "expiry"
	if o.Status == api.StatusClosing {
		source = sourceClose
	}
	if found == notThere && o.Status == api.StatusClosing && s.now().Before(o.UpdatedAt.Add(claimLife)) {
		return nil // a call of before may still be on its way there
	}
	if found == notPaid {
		// Past its time_expire WeChat takes no payment; closing makes sure of
		// that before anything here relies on it.
		callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
		defer cancel()
		err := s.cfg.WeChat.CloseOrder(callCtx, o.OutTradeNo, o.CreatedAt)
		var e *wechat.Error
		switch {
		case err == nil, errors.As(err, &e) && (e.Code == wechat.CodeOrderClosed || e.Code == wechat.CodeOrderNotExist):
		case errors.As(err, &e) && e.Code == wechat.CodeOrderPaid:
			_, err := s.ask(ctx, o, source)
			return err
		default:
			return fmt.Errorf("closing order %s: %w", o.ID, err)
		}
	}
	closed, err := s.cfg.Store.Close(ctx, o.ID, s.now())
	if closed {
		s.logChange(ctx, o, api.StatusClosed, source)
	}
	return err
}

// Close closes an order for the operator. It is closing from then on, whatever
// WeChat answers: nobody gets anything to pay it with. WeChat is queried at once; if
// it cannot be closed yet, Reconcile does the rest. A payment in between counts.
func (s *Service) Close(ctx context.Context, id string) (order.Order, error) {
	o, err := s.anyOrder(ctx, id)
	if err != nil {
		return o, err
	}
	now := s.now()
	began, err := s.cfg.Store.BeginClose(ctx, o.ID, now)
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
		o, _ = s.refreshNow(ctx, o)
	}
	return unpaid(o)
}

// CloseOrders begins to close the open orders that f selects, from its position on and a
// bounded part of them a call. It returns how many are closing now, and the filter of
// the next call, nil when this was the last. Reconcile queries WeChat about each order
// and closes it there and here.
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

// beginCloseAll makes those orders closing that match, and returns how many.
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
		if changed[o.ID] {
			s.logChange(ctx, order.Order{ID: o.ID, OutTradeNo: o.OutTradeNo, Status: o.Status}, api.StatusClosing, sourceAdmin)
		}
	}
	return len(changed), nil
}

// closeWindow is how many open orders one call of adminCloseOrders looks at, of each
// status. It bounds what the call reads, and what its UPDATE and triggers write.
const closeWindow = 200
