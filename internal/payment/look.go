package payment

import (
	"context"

	"h5pay/internal/order"
)

// Look returns an order to its owner. WeChat is queried about an order that may be paid, so the
// buyer does not notice a lost notification. An expired order is closed. mayQuery is called before
// a query and may forbid it. notPaid means that WeChat was queried and reported no payment.
func (s *Service) Look(ctx context.Context, id, owner string, mayQuery func() bool) (o order.Order, notPaid bool, err error) {
	if o, err = s.ownOrder(ctx, id, owner); err != nil {
		return o, false, err
	}
	return s.look(ctx, o, mayQuery)
}

// LookAt is Look for a caller who has the token of an order.
func (s *Service) LookAt(ctx context.Context, token string, mayQuery func() bool) (o order.Order, notPaid bool, err error) {
	if o, err = s.tokenOrder(ctx, token); err != nil {
		return o, false, err
	}
	return s.look(ctx, o, mayQuery)
}

func (s *Service) look(ctx context.Context, o order.Order, mayQuery func() bool) (_ order.Order, notPaid bool, err error) {
	now := s.now()
	// Nobody can be paying an order without a payment.
	if o.Open() && o.Expired(now) && (o.Live == 0 || !now.Before(o.ExpiresAt.Add(order.ExpiryGrace))) {
		if o, err = s.beginClose(ctx, o, sourceExpiry); err != nil {
			return o, false, err
		}
	}
	if s.stale(o) && mayQuery() {
		o, notPaid = s.refresh(ctx, o)
	}
	return o, notPaid, nil
}

// lookAtRefunds returns an order and its refunds. WeChat is queried about some of
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
		if err := s.continueRefund(ctx, refund, sourceAdmin); err != nil {
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
