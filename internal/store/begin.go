package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// Begun is the result of Begin.
type Begun struct {
	Order   order.Order   // without an ID if there is none
	Selling bool          // whether the shop sells
	Stored  order.Payment // the new payment; without an OutTradeNo if Begin stored none
}

// Begin reads an order, and whether the shop sells. In the same round trip it stores p as the first
// payment of the order, as InsertPayment does. The conditions: the shop sells, and the order is
// p.MchID's, accepts p.TradeType and does not expire within latest. Then p is the order's Payment.
// Otherwise the caller decides what follows. p without an OutTradeNo is not stored.
//
// PostgreSQL commits each statement by itself. So with an error the payment may be Stored.
func (s *Store) Begin(ctx context.Context, which Key, p order.Payment, claim time.Time, latest time.Duration) (b Begun, err error) {
	where, value := which.where()
	var orders []order.Order
	var switches []bool
	statements := []statement{
		reading(&orders, "orders", scan, selectOrders+`WHERE `+where+` AND ?2 IN ('', owner)`, value, which.Owner),
		reading(&switches, "whether the shop sells", func(rows *sql.Rows) (on bool, err error) {
			err = rows.Scan(&on)
			return on, err
		},
			`SELECT value FROM switches WHERE name = 'selling'`),
	}
	if p.OutTradeNo != "" {
		query, args := insertPayment(strings.ReplaceAll(where, "?1", "?14"), value, p, claim)
		first := statement{"storing a payment", query + `
			AND ?18 IN ('', owner) AND orders.mch_id = ?3 AND expires_at - ?10 >= ?19
			AND (trade_types IS NULL OR EXISTS (SELECT 1 FROM json_each(trade_types) WHERE value = ?5))
			AND NOT EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id)
			AND NOT EXISTS (SELECT 1 FROM switches WHERE name = 'selling' AND value = 0)
			ON CONFLICT DO NOTHING RETURNING order_id, total`, append(args, which.Owner, latest.Milliseconds()), func(rows *sql.Rows) error {
			b.Stored = p
			b.Stored.Status = api.PaymentCreated
			return rows.Scan(&b.Stored.OrderID, &b.Stored.Total)
		}}
		statements = append([]statement{first}, statements...)
	}
	if err = s.together(ctx, statements...); err != nil {
		return b, err
	}
	b.Order, err = one(orders, nil)
	b.Selling = len(switches) == 0 || switches[0]
	return b, err
}

// Key names an order: its ID and its owner, or its token. Neither may be empty.
type Key struct{ ID, Owner, Token string }

func (k Key) where() (condition, value string) {
	if k.Token != "" {
		return `orders.token = ?1`, k.Token
	}
	return `orders.id = ?1`, k.ID
}
