package payment

import (
	"context"
	"errors"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// Look returns an order to its owner. WeChat is queried about one that may still be
// paid, so that the buyer does not notice a lost notification. mayQuery is called
// before a query, which it may forbid. notPaid reports that WeChat was queried and said
// that nobody has paid.
func (s *Service) Look(ctx context.Context, id, owner string, mayQuery func() bool) (o order.Order, notPaid bool, err error) {
	o, err = s.ownOrder(ctx, id, owner)
	if err == nil && s.stale(o) && mayQuery() {
		o, notPaid = s.refresh(ctx, o)
	}
	return o, notPaid, err
}

// ownOrder returns an order to its owner. Somebody else's is as unknown as one
// that never was.
func (s *Service) ownOrder(ctx context.Context, id, owner string) (order.Order, error) {
	unknown := reject(api.CodeNotFound, "no such order")
	if !order.ValidID(id) {
		return order.Order{}, unknown
	}
	o, err := s.cfg.Store.Get(ctx, id, owner)
	if errors.Is(err, store.ErrNotFound) {
		return order.Order{}, unknown
	}
	return o, err
}

// anyOrder returns an order to the operator, whoever's it is.
func (s *Service) anyOrder(ctx context.Context, id string) (order.Order, error) {
	unknown := reject(api.CodeNotFound, "no such order")
	if !order.ValidID(id) {
		return order.Order{}, unknown
	}
	o, err := s.cfg.Store.ByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return order.Order{}, unknown
	}
	return o, err
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
	asked := 0
	for _, refund := range refunds {
		if !order.RefundOpen(refund.Status) || asked == maxRefreshed || s.now().Before(refund.QueriedAt.Add(queryWindow)) {
			continue
		}
		asked++
		if err := s.refreshRefund(ctx, refund, sourceAdmin); err != nil {
			return o, nil, err
		}
	}
	if asked > 0 {
		if o, err = s.cfg.Store.ByID(ctx, o.ID); err != nil {
			return o, nil, err
		}
		refunds, err = s.cfg.Store.Refunds(ctx, o.ID)
	}
	return o, refunds, err
}

// maxRefreshed is how many refunds WeChat is asked about for one look at an
// order.
const maxRefreshed = 3
