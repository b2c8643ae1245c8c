package payment

import (
	"context"
	"errors"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// closeWindow is how many open orders one CloseOrders looks at. It bounds what the call reads, and what its UPDATE and triggers write.
const closeWindow = 200

// Cancel cancels an order for its owner.
func (s *Service) Cancel(ctx context.Context, id, owner string) (order.Order, error) {
	o, err := s.ownOrder(ctx, id, owner)
	if err != nil {
		return order.Order{}, err
	}
	return s.cancel(ctx, o)
}

// cancelTimeout bounds the calls of one cancellation.
const cancelTimeout = 2 * queryTimeout

// cancel makes sure that an order is not paid, that it is offered for payment no
// longer, and that WeChat takes no payment for it: at once, or as soon as WeChat
// allows the close, which Reconcile does then. An order without a payment needs no call.
// A payment in between wins. The order is returned as it is stored then; CodeOrderPaid
// says that it is paid.
func (s *Service) cancel(ctx context.Context, o order.Order) (order.Order, error) {
	if o.Status == api.StatusClosing && s.stale(o) {
		o, _ = s.refresh(ctx, o) // it may be paid, or due to be closed
	}
	if !o.Open() {
		return unpaid(o)
	}
	log := s.logger(ctx).With("order", o.ID, "source", sourceClose)
	live, err := s.livePayments(ctx, o)
	if err != nil {
		return o, err
	}
	callCtx, cancel := context.WithTimeout(ctx, cancelTimeout)
	defer cancel()
	reports := make([]Report, len(live))
	var mismatch Mismatch
	for i, p := range live {
		live[i], reports[i], err = s.Sync(callCtx, p, sourceClose)
		switch {
		case errors.As(err, &mismatch): // it is in the log
			return o, reject(api.CodeWeChatDeclined, "what WeChat reports of the order does not agree with it")
		case err != nil:
			log.Warn("querying WeChat about a payment failed", "out_trade_no", p.OutTradeNo, "error", err)
			return o, reject(api.CodeWeChatBusy, "WeChat did not answer, try again")
		}
		if live[i].Status == api.PaymentPaid {
			break
		}
	}
	// From here on nobody gets anything to pay the order with, so that the close is the
	// last that WeChat receives of it. Nothing happens if it is paid by now.
	if o, err = s.beginClose(ctx, o, sourceClose); err != nil {
		return o, err
	}
	if o.Status != api.StatusClosing {
		return unpaid(o)
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
		if o, err = s.cfg.Store.ByID(ctx, o.ID); err != nil {
			return o, err
		}
	}
	return unpaid(o)
}

// beginClose ends the wait of an open order for a payment, and returns the order as it is
// stored then. The trigger order_closes marks its payments as closing, and they are closed
// at WeChat before the order is closed.
func (s *Service) beginClose(ctx context.Context, o order.Order, source string) (order.Order, error) {
	to, err := s.cfg.Store.BeginClose(ctx, o.ID, s.now())
	if err != nil {
		return o, err
	}
	if to != "" {
		s.logOrder(ctx, o.ID, to, source)
	}
	return s.cfg.Store.ByID(ctx, o.ID)
}

// unpaid returns an order as it is, with CodeOrderPaid if it is paid.
func unpaid(o order.Order) (order.Order, error) {
	if order.WasPaid(o.Status) {
		return o, reject(api.CodeOrderPaid, "the order is paid")
	}
	return o, nil
}

// Close closes an order for the operator. It is closing from then on, or closed if it has
// no payment, whatever WeChat answers: nobody gets anything to pay it with. WeChat is
// queried at once; if a payment cannot be closed yet, Reconcile does the rest. A payment
// in between counts.
func (s *Service) Close(ctx context.Context, id string) (order.Order, error) {
	o, err := s.anyOrder(ctx, id)
	if err != nil {
		return o, err
	}
	if o, err = s.beginClose(ctx, o, sourceAdmin); err != nil {
		return o, err
	}
	if o.Status == api.StatusClosing {
		o, _ = s.refresh(ctx, o)
	}
	return unpaid(o)
}

// CloseOrders begins to close the open orders that f selects, from its position on and a
// bounded part of them a call. It returns how many are closing or closed now, and the
// filter of the next call, nil when this was the last. Reconcile closes their payments at
// WeChat and here.
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
	s.logger(ctx).Warn("operator closes orders", "product_id", f.ProductID, "before", f.Before, "closing", closing, "more", next != nil)
	return closing, next, nil
}

// beginCloseAll is beginClose for many orders, for the operator. It returns how many it
// changed.
func (s *Service) beginCloseAll(ctx context.Context, ids []string) (int, error) {
	changed, err := s.cfg.Store.BeginCloseAll(ctx, ids, s.now())
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if to := changed[id]; to != "" {
			s.logOrder(ctx, id, to, sourceAdmin)
		}
	}
	return len(changed), nil
}
