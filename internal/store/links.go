package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// linkOpen is SQL for a link that takes an order, in the statement Insert of orders.go:
// ?25 is the time. The triggers link_order_begins, link_order_ends and link_order_paid
// keep its count.
const linkOpen = `withdrawn_at IS NULL AND (expires_at IS NULL OR expires_at > ?25) AND (max_orders IS NULL OR links.orders < max_orders)`

const linkColumns = `id, token, title, description, COALESCE(amount, 0), COALESCE(min_amount, 0), COALESCE(max_amount, 0), COALESCE(metadata, ''),
	COALESCE(trade_types, '[]'), COALESCE(return_url, ''), COALESCE(max_orders, 0), COALESCE(expires_at, 0), COALESCE(withdrawn_at, 0), created_at,
	orders, paid, paid_amount, made_by, idempotency_key, fingerprint`

// InsertLink stores a payment link. It reports false and stores nothing if the same maker
// made a link under the same idempotency key, or if the database is full.
func (s *Store) InsertLink(ctx context.Context, l order.Link) (bool, error) {
	var trades any
	if len(l.TradeTypes) > 0 {
		list, err := json.Marshal(l.TradeTypes)
		if err != nil {
			return false, err
		}
		trades = string(list)
	}
	made, err := s.run(ctx, "storing a payment link", `
		INSERT INTO links (id, token, title, description, amount, min_amount, max_amount, metadata, trade_types, return_url, max_orders,
			expires_at, created_at, updated_at, made_by, idempotency_key, fingerprint)
		SELECT ?1, ?2, ?3, ?4, NULLIF(?5, 0), NULLIF(?6, 0), NULLIF(?7, 0), ?8, ?9, ?10, NULLIF(?11, 0), ?12, ?13, ?13, ?14, ?15, ?16
		WHERE NOT EXISTS (SELECT 1 FROM database_size WHERE one = 1 AND used >= capacity / 10 * 9)
		ON CONFLICT DO NOTHING`,
		l.ID, l.Token, l.Title, l.Description, int64(l.Amount), int64(l.Min), int64(l.Max), text(l.Metadata), trades, text(l.ReturnURL), l.MaxOrders,
		milli(l.ExpiresAt), milli(l.CreatedAt), l.MadeBy, l.IdempotencyKey, l.Fingerprint)
	return made, err
}

// LinkOfRequest returns the payment link that a request made.
func (s *Store) LinkOfRequest(ctx context.Context, madeBy, idempotencyKey string) (order.Link, error) {
	return one(s.links(ctx, `SELECT `+linkColumns+` FROM links WHERE made_by = ? AND idempotency_key = ?`, madeBy, idempotencyKey))
}

// LinkByID returns a payment link.
func (s *Store) LinkByID(ctx context.Context, id string) (order.Link, error) {
	return one(s.links(ctx, `SELECT `+linkColumns+` FROM links WHERE id = ?`, id))
}

// LinkByToken returns the payment link of a URL.
func (s *Store) LinkByToken(ctx context.Context, token string) (order.Link, error) {
	return one(s.links(ctx, `SELECT `+linkColumns+` FROM links WHERE token = ?`, token))
}

// Links returns at most limit payment links, newest first. beforeTime and beforeID are of the
// last link of the previous page.
func (s *Store) Links(ctx context.Context, beforeTime time.Time, beforeID string, limit int) ([]order.Link, error) {
	before := int64(1) << 52
	if beforeID != "" {
		before = beforeTime.UnixMilli()
	}
	return s.links(ctx, `SELECT `+linkColumns+` FROM links WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?`, before, beforeID, limit)
}

// LinkChange has the new values of a payment link. A nil field stays as it is.
type LinkChange struct {
	Title, Description *string
	MaxOrders          *int       // 0: any number
	ExpiresAt          *time.Time // zero: never
	Withdrawn          *bool
}

// ChangeLink changes a payment link and returns it. The statement sets the fields that c has and no
// others, so concurrent changes of other fields stay. A link that is withdrawn again keeps the time of
// its withdrawal.
func (s *Store) ChangeLink(ctx context.Context, id string, c LinkChange, now time.Time) (order.Link, error) {
	set := setting{`updated_at = MAX(updated_at, ?2)`, []any{id, now.UnixMilli()}}
	if c.Title != nil {
		set.add(`title = `, *c.Title)
	}
	if c.Description != nil {
		set.add(`description = `, *c.Description)
	}
	if c.MaxOrders != nil {
		var most any
		if *c.MaxOrders != 0 {
			most = *c.MaxOrders
		}
		set.add(`max_orders = `, most)
	}
	if c.ExpiresAt != nil {
		set.add(`expires_at = `, milli(*c.ExpiresAt))
	}
	switch {
	case c.Withdrawn == nil:
	case *c.Withdrawn:
		set.columns += `, withdrawn_at = COALESCE(withdrawn_at, ?2)`
	default:
		set.columns += `, withdrawn_at = NULL`
	}
	return one(s.links(ctx, `UPDATE links SET `+set.columns+` WHERE id = ?1 RETURNING `+linkColumns, set.args...))
}

func (s *Store) links(ctx context.Context, query string, args ...any) ([]order.Link, error) {
	return readAll(ctx, s, "payment links", scanLink, query, args...)
}

func scanLink(rows *sql.Rows) (l order.Link, err error) {
	var trades string
	var expires, withdrawn, created int64
	err = rows.Scan(&l.ID, &l.Token, &l.Title, &l.Description, &l.Amount, &l.Min, &l.Max, &l.Metadata, &trades, &l.ReturnURL, &l.MaxOrders,
		&expires, &withdrawn, &created, &l.Orders, &l.Paid, &l.PaidAmount, &l.MadeBy, &l.IdempotencyKey, &l.Fingerprint)
	if err != nil {
		return l, err
	}
	var types []api.TradeType
	if err := json.Unmarshal([]byte(trades), &types); err != nil {
		return l, fmt.Errorf("reading the trade types of link %s: %w", l.ID, err)
	}
	if len(types) > 0 {
		l.TradeTypes = types
	}
	l.ExpiresAt, l.WithdrawnAt, l.CreatedAt = fromMilli(expires), fromMilli(withdrawn), fromMilli(created)
	return l, nil
}
