package payment

import (
	"context"

	"h5pay/internal/order"
	"h5pay/internal/store"
)

// Look returns an order to its owner. WeChat is queried about an order that may be paid, so the
// buyer does not notice a lost notification. An expired order is closed. mayQuery is called before
// a query and may forbid it. notPaid means that WeChat was queried and reported no payment.
func (s *Service) Look(ctx context.Context, id, owner string, mayQuery func() bool) (w store.Whole, notPaid bool, err error) {
	if w, err = s.ownWhole(ctx, id, owner); err != nil {
		return w, false, err
	}
	return s.look(ctx, w, mayQuery)
}

// LookAt is Look for a caller who has the token of an order.
func (s *Service) LookAt(ctx context.Context, token string, mayQuery func() bool) (w store.Whole, notPaid bool, err error) {
	if w, err = s.tokenWhole(ctx, token); err != nil {
		return w, false, err
	}
	return s.look(ctx, w, mayQuery)
}

func (s *Service) look(ctx context.Context, w store.Whole, mayQuery func() bool) (_ store.Whole, notPaid bool, err error) {
	now := s.now()
	// Nobody can be paying an order without a payment.
	if w.Open() && w.Expired(now) && (w.Live == 0 || !now.Before(w.ExpiresAt.Add(order.ExpiryGrace))) {
		if w, err = s.beginClose(ctx, w.Order, sourceExpiry); err != nil {
			return w, false, err
		}
	}
	if s.stale(w.Order) && mayQuery() {
		var news bool
		if notPaid, news = s.queryOrder(ctx, w.Order); news {
			w = s.latest(ctx, w)
		}
	}
	return w, notPaid, nil
}

// lookAtRefunds returns an order and its refunds to the operator. WeChat is queried about some of
// the open refunds.
func (s *Service) lookAtRefunds(ctx context.Context, o order.Order) (order.Order, []order.Refund, error) {
	refunds, err := s.cfg.Store.Refunds(ctx, o.ID)
	if err != nil {
		return o, nil, err
	}
	queried := 0
	for _, refund := range refunds {
		if !order.RefundOpen(refund.Status) || queried == maxSynced || s.now().Before(refund.QueriedAt.Add(queryWindow)) {
			continue
		}
		queried++
		if _, err := s.continueRefund(ctx, refund, sourceOperator); err != nil {
			return o, nil, err
		}
	}
	if queried > 0 {
		if o, err = s.cfg.Store.ByID(ctx, o.ID); err != nil {
			return o, nil, err
		}
		refunds, err = s.cfg.Store.Refunds(ctx, o.ID)
	}
	return o, refunds, err
}
