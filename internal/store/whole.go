package store

import (
	"context"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// Whole is an order with its steps and its refunds, oldest first.
type Whole struct {
	order.Order
	Steps   []api.Step
	Refunds []order.Refund
}

// Whole returns an order of an owner. An order of another owner is ErrNotFound.
func (s *Store) Whole(ctx context.Context, id, owner string) (Whole, error) {
	return s.whole(ctx, nil, `id = ?1 AND owner = ?2`, id, owner)
}

// WholeByToken returns the order of a customer's URL.
func (s *Store) WholeByToken(ctx context.Context, token string) (Whole, error) {
	return s.whole(ctx, nil, `token = ?1`, token)
}

// WholeByID returns an order of any owner.
func (s *Store) WholeByID(ctx context.Context, id string) (Whole, error) {
	return s.whole(ctx, nil, `id = ?1`, id)
}

// CloseWhole cancels an open order: it is closing while WeChat may take a payment of it, else closed.
// CloseWhole returns the order, whether it changed or not. The triggers order_closes, guest_order_ends,
// link_order_ends, stock_comes_back and event_order_closed continue.
func (s *Store) CloseWhole(ctx context.Context, id string, now time.Time) (w Whole, changed bool, err error) {
	closing := writing(&changed, "closing order "+id, endOpen+`WHERE id = ?2 AND status = 'open'`, now.UnixMilli(), id)
	w, err = s.whole(ctx, &closing, `id = ?1`, id)
	return w, changed, err
}

// whole reads the one order of which a condition holds, in one round trip after first, which may
// be nil.
func (s *Store) whole(ctx context.Context, first *statement, where string, args ...any) (w Whole, err error) {
	var orders []order.Order
	statements := []statement{
		reading(&orders, "orders", scan, selectOrders+`WHERE orders.`+where, args...),
		reading(&w.Steps, "the steps of an order", scanStep, `SELECT status, at, n FROM order_steps WHERE order_id = (SELECT id FROM orders WHERE `+where+`) ORDER BY n`, args...),
		reading(&w.Refunds, "refunds", scanRefund, selectRefunds+`WHERE refunds.order_id = (SELECT id FROM orders WHERE `+where+`) ORDER BY refunds.created_at, refunds.id`, args...),
	}
	if first != nil {
		statements = append([]statement{*first}, statements...)
	}
	if err := s.together(ctx, statements...); err != nil {
		return Whole{}, err
	}
	w.Order, err = one(orders, nil)
	if err != nil && err != ErrNotFound {
		err = fmt.Errorf("reading an order: %w", err)
	}
	return w, err
}
