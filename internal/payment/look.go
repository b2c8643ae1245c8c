package payment

import (
	"context"

	"h5pay/internal/order"
)

// Look returns an order to its owner. WeChat is queried about one that may still be
// paid, so that the buyer does not notice a lost notification. An order that was never
// sent is closed when it has expired. mayQuery is called
// before a query, which it may forbid. notPaid reports that WeChat was queried and said
// that nobody has paid.
func (s *Service) Look(ctx context.Context, id, owner string, mayQuery func() bool) (o order.Order, notPaid bool, err error) {
	o, err = s.ownOrder(ctx, id, owner)
	if err == nil && o.SentAt.IsZero() && o.Open() && o.Expired(s.now()) {
		if _, err = s.closeUnsent(ctx, o, sourceExpiry); err == nil {
			o, err = s.ownOrder(ctx, id, owner)
		}
	}
	if err == nil && s.stale(o) && mayQuery() {
		o, notPaid = s.refresh(ctx, o)
	}
	return o, notPaid, err
}

// LookAtRefunds returns an order and its refunds to the operator. WeChat is queried
// about some of the refunds that have not ended.
func (s *Service) LookAtRefunds(ctx context.Context, id string) (order.Order, []order.Refund, error) {
	o, err := s.anyOrder(ctx, id)
	if err != nil {
		return o, nil, err
	}
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

// maxSynced is how many refunds WeChat is queried about for one look at an
// order.
const maxSynced = 3
