package payment

import (
	"context"
	"errors"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// ownWhole returns an order with its steps and refunds to its owner. To anybody else the order does
// not exist.
func (s *Service) ownWhole(ctx context.Context, id, owner string) (store.Whole, error) {
	unknown := reject(api.CodeNotFound, "no such order")
	if !order.ValidID(id) {
		return store.Whole{}, unknown
	}
	w, err := s.cfg.Store.Whole(ctx, id, owner)
	if errors.Is(err, store.ErrNotFound) {
		return store.Whole{}, unknown
	}
	return w, err
}

// tokenWhole returns an order with its steps and refunds to a caller who has its token.
func (s *Service) tokenWhole(ctx context.Context, token string) (store.Whole, error) {
	unknown := reject(api.CodeNotFound, "no such order")
	if !alphabet.Lower32.Valid(token, tokenLength, tokenLength) {
		return store.Whole{}, unknown
	}
	w, err := s.cfg.Store.WholeByToken(ctx, token)
	if errors.Is(err, store.ErrNotFound) {
		return store.Whole{}, unknown
	}
	return w, err
}

// anyOrder returns an order to the operator.
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

// latest reads an order again. If that fails, it logs the error and returns the order as it was.
func (s *Service) latest(ctx context.Context, w store.Whole) store.Whole {
	latest, err := s.cfg.Store.WholeByID(ctx, w.ID)
	if err != nil {
		s.logger(ctx).Error("reading an order again failed", "order", w.ID, "error", err)
		return w
	}
	return latest
}
