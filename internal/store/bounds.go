package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/order"
)

// Bounds limit the unpaid orders. A guest can make orders for free, so there are bounds for
// all guests together. Without them guests could fill the database and keep the timer busy. A
// cancelled or paid order frees its place among the open orders at once.
type Bounds struct {
	Buyer int // open orders of one signed-in buyer
	Guest int // open orders of one guest

	// NetworkGuests bounds the open orders of the guests of one network, and also the orders
	// that they make in an hour and do not pay. A network is an IPv4 address, which an office
	// or a carrier shares, or an IPv6 /64. Insert reads at most this many rows.
	NetworkGuests int
	// Guests bounds the same for all guests together.
	Guests int
}

// DefaultBounds returns the bounds of a new Store.
//
// Buyer and Guest are several times what a person leaves unpaid in a day; a kiosk is one guest all
// day long. If one guest in five does not pay, 1,000 guest orders an hour from one address reach
// NetworkGuests, and 25,000 a day reach Guests.
func DefaultBounds() Bounds { return Bounds{Buyer: 100, Guest: 50, NetworkGuests: 200, Guests: 5000} }

// The errors of Insert.
var (
	ErrNotSelling   = errors.New("the operator has stopped selling")
	ErrFull         = errors.New("the database is 90 % full")
	ErrBuyerBound   = errors.New("the buyer has too many unpaid orders")
	ErrNetworkBound = errors.New("the guests of this network have too many unpaid orders")
	ErrGuestsBound  = errors.New("all guests together have too many unpaid orders")
	ErrBusy         = errors.New("other orders took every place that became free: try again")
	ErrLinkEnded    = errors.New("the payment link takes no orders: it is withdrawn, expired or sold out")
)

// room is SQL for the reason to reject a new order: the shop does not sell, or the order
// would exceed a bound. "" means that the order is accepted. Its arguments are those of
// roomArgs. Each branch reads one row, or at most as many as its bound. The triggers
// guest_order_begins, guest_order_ends, guest_order_paid and guest_order_is_deleted keep the
// counts that it reads.
const room = `CASE
	WHEN EXISTS (SELECT 1 FROM switches WHERE name = 'selling' AND value = 0) THEN 'not selling'
	WHEN EXISTS (SELECT 1 FROM database_size WHERE one = 1 AND used >= capacity / 10 * 9) THEN 'full'
	WHEN ?1 IS NULL THEN ''
	WHEN (SELECT COUNT(*) FROM (SELECT 1 FROM orders INDEXED BY orders_open_by_owner
		WHERE owner = ?1 AND status = 'open' LIMIT ?2)) >= ?2 THEN 'buyer'
	WHEN ?3 = 0 THEN ''
	WHEN (SELECT n FROM guests_open WHERE one = 1) >= ?4 THEN 'guests'
	WHEN (SELECT n FROM guests_by_hour WHERE hour = ?5 AND network = '') >= ?4 THEN 'guests'
	WHEN (SELECT COUNT(*) FROM (SELECT 1 FROM orders INDEXED BY orders_open_by_network WHERE network = ?6 LIMIT ?7)) >= ?7 THEN 'network'
	WHEN (SELECT n FROM guests_by_hour WHERE hour = ?5 AND network = ?6) >= ?7 THEN 'network'
	ELSE '' END`

// roomArgs returns the arguments of room for an order. An API key made an order without an owner,
// and the key has a limit of its own. So only the size of the database limits such an order.
func (s *Store) roomArgs(o order.Order) []any {
	own, guest := s.Bounds.Buyer, 0
	if order.IsGuest(o.Owner) {
		own, guest = s.Bounds.Guest, 1
	}
	// The network is NULL if it is unknown; no bound counts it.
	return []any{text(o.Owner), own, guest, s.Bounds.Guests, hour(o.CreatedAt), text(o.Network), s.Bounds.NetworkGuests}
}

// room returns nil if Insert would store an order now, and the error of Insert if not.
func (s *Store) room(ctx context.Context, o order.Order) error {
	var bound string
	if err := s.db.QueryRowContext(ctx, `SELECT `+room, s.roomArgs(o)...).Scan(&bound); err != nil {
		return fmt.Errorf("checking the bounds for order %s: %w", o.ID, err)
	}
	switch bound {
	case "not selling":
		return ErrNotSelling
	case "full":
		return ErrFull
	case "buyer":
		return ErrBuyerBound
	case "network":
		return ErrNetworkBound
	case "guests":
		return ErrGuestsBound
	}
	return nil
}

// hour counts hours since 1970, as guests_by_hour does.
func hour(t time.Time) int64 { return t.UnixMilli() / time.Hour.Milliseconds() }

// DeleteHours deletes the counts of guests that no bound reads any more. It keeps those of the hour
// before: an order that began in it may be stored after the hour has ended.
func (s *Store) DeleteHours(ctx context.Context, now time.Time) error {
	_, err := s.run(ctx, "deleting the counts of guests", `DELETE FROM guests_by_hour WHERE hour < ?`, hour(now)-1)
	return err
}
