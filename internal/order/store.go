package order

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/api"
)

// Store keeps products and orders in a database with the schema of
// migrations/. It is safe for concurrent use.
type Store struct {
	db *sql.DB
}

// NewStore returns a store over db: D1 in the Worker, SQLite elsewhere.
func NewStore(db *sql.DB) *Store { return &Store{db: db} }

// Insert stores a new order. When its owner has used its client_key before, the
// order of that time is returned and nothing is stored; the caller compares
// fingerprints.
func (s *Store) Insert(ctx context.Context, o Order) (Order, error) {
	lines, err := json.Marshal(o.Lines)
	if err != nil {
		return Order{}, fmt.Errorf("encoding the lines of order %s: %w", o.ID, err)
	}
	o.Status = api.StatusCreated
	o.CreatedAt = o.CreatedAt.UTC().Truncate(time.Millisecond)
	o.ExpiresAt = o.ExpiresAt.UTC().Truncate(time.Millisecond)
	o.UpdatedAt = o.CreatedAt
	res, err := s.db.ExecContext(ctx, `
		INSERT INTO orders (id, out_trade_no, owner, client_key, fingerprint, appid, mch_id, trade_type, items,
			total, currency, shop_name, body, client_ip, notify_url, created_at, expires_at, status, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (owner, client_key) DO NOTHING`,
		o.ID, o.OutTradeNo, o.Owner, o.ClientKey, o.Fingerprint, o.AppID, o.MchID, string(o.TradeType), string(lines),
		int64(o.Total), o.Currency, o.ShopName, o.Body, o.ClientIP, o.NotifyURL, o.CreatedAt.UnixMilli(), o.ExpiresAt.UnixMilli(),
		string(o.Status), o.UpdatedAt.UnixMilli())
	if err != nil {
		return Order{}, fmt.Errorf("inserting order %s: %w", o.ID, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return Order{}, fmt.Errorf("inserting order %s: %w", o.ID, err)
	}
	if n == 0 {
		return s.ByClientKey(ctx, o.Owner, o.ClientKey)
	}
	return o, nil
}

const selectOrders = `SELECT id, out_trade_no, owner, client_key, fingerprint, appid, mch_id, trade_type, items,
	total, currency, shop_name, body, client_ip, notify_url, created_at, expires_at, status,
	COALESCE(prepay_id, '') AS prepay_id, COALESCE(prepay_at, 0) AS prepay_at, COALESCE(sign_type, '') AS sign_type,
	COALESCE(pay_url, '') AS pay_url, COALESCE(asking_until, 0) AS asking_until,
	COALESCE(failure, '') AS failure, COALESCE(queried_at, 0) AS queried_at,
	COALESCE(transaction_id, '') AS transaction_id, COALESCE(paid_at, 0) AS paid_at,
	COALESCE(payer, '') AS payer, refunded, updated_at
	FROM orders `

// Get returns an order to its owner, and ErrNotFound to everybody else.
func (s *Store) Get(ctx context.Context, id, owner string) (Order, error) {
	return s.one(ctx, `WHERE id = ? AND owner = ?`, id, owner)
}

// ByOutTradeNo returns the order that WeChat knows by a number. It asks for no
// owner: for WeChat's messages only.
func (s *Store) ByOutTradeNo(ctx context.Context, outTradeNo string) (Order, error) {
	return s.one(ctx, `WHERE out_trade_no = ?`, outTradeNo)
}

// ByClientKey returns the order an owner made under a key.
func (s *Store) ByClientKey(ctx context.Context, owner, key string) (Order, error) {
	return s.one(ctx, `WHERE owner = ? AND client_key = ?`, owner, key)
}

// List returns the orders of an owner, newest first, limit at most.
func (s *Store) List(ctx context.Context, owner string, limit int) ([]Order, error) {
	return s.query(ctx, `WHERE owner = ? ORDER BY created_at DESC, id DESC LIMIT ?`, owner, limit)
}

// Timeline returns what an order went through, oldest first.
func (s *Store) Timeline(ctx context.Context, id string) ([]api.Step, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT status, at FROM order_steps WHERE order_id = ? ORDER BY rowid`, id)
	if err != nil {
		return nil, fmt.Errorf("reading the steps of order %s: %w", id, err)
	}
	defer rows.Close()
	var steps []api.Step
	for rows.Next() {
		var step api.Step
		if err := rows.Scan(&step.Status, &step.At); err != nil {
			return nil, fmt.Errorf("reading the steps of order %s: %w", id, err)
		}
		steps = append(steps, step)
	}
	return steps, rows.Err()
}

// Due returns the orders that WeChat is to be asked about because nobody else
// has: unpaid ones that were made, or last asked about, a minute ago or more. The
// older an order was then, the longer it is left alone, by half its age, until
// it is past its expiry; then by half the time since its expiry, up to six hours,
// because what keeps it from being closed may last. One that was given up is as young as that, and is left
// alone until WeChat may close it. WeChat tells a merchant of his own orders only.
//
// Those left alone longest come first, limit at most; but what was given up, what
// was ordered inside WeChat and what anybody may order come in turn, so that many
// of one kind do not keep the others waiting.
func (s *Store) Due(ctx context.Context, mchID string, now time.Time, limit int) ([]Order, error) {
	const (
		kind  = `CASE WHEN status = 'closing' THEN 0 WHEN trade_type = 'JSAPI' THEN 1 ELSE 2 END`
		asked = `COALESCE(queried_at, created_at)`
		since = `CASE status WHEN 'closing' THEN updated_at ELSE created_at END`
	)
	return s.query(ctx, `
		WHERE status IN ('created', 'pending', 'closing') AND mch_id = ? AND `+asked+` <= ?
		AND (status <> 'closing' OR created_at <= ?)
		AND (`+asked+` + (`+asked+` - `+since+`) / 2 <= ? OR expires_at <= ? AND `+asked+` + MIN((`+asked+` - expires_at) / 2, ?) <= ?)
		ORDER BY ROW_NUMBER() OVER (PARTITION BY `+kind+` ORDER BY `+asked+`), `+asked+` LIMIT ?`,
		mchID, now.Add(-time.Minute).UnixMilli(), now.Add(-MinCloseAge).UnixMilli(), now.UnixMilli(),
		now.Add(-ExpiryGrace).UnixMilli(), (6 * time.Hour).Milliseconds(), now.UnixMilli(), limit)
}

// DueTold returns the unpaid orders, in whatever status, of which a notification
// said in the last day that they are paid, and which WeChat has not confirmed. They
// were left alone for ten seconds, or for half the time between the notification
// and the last query. Those left alone longest come first, limit at most.
func (s *Store) DueTold(ctx context.Context, mchID string, now time.Time, limit int) ([]Order, error) {
	return s.query(ctx, `INDEXED BY told_orders
		WHERE told_at IS NOT NULL AND transaction_id IS NULL AND queried_at > ?1 AND queried_at <= ?2 AND mch_id = ?3
		AND queried_at + (queried_at - told_at) / 2 <= ?4 AND told_at > ?1
		ORDER BY queried_at LIMIT ?5`, // told_at <= queried_at, so that the index bounds both
		now.Add(-24*time.Hour).UnixMilli(), now.Add(-10*time.Second).UnixMilli(), mchID, now.UnixMilli(), limit)
}

func (s *Store) one(ctx context.Context, where string, args ...any) (Order, error) {
	orders, err := s.query(ctx, where, args...)
	if err != nil {
		return Order{}, err
	}
	if len(orders) == 0 {
		return Order{}, ErrNotFound
	}
	return orders[0], nil
}

func (s *Store) query(ctx context.Context, where string, args ...any) ([]Order, error) {
	rows, err := s.db.QueryContext(ctx, selectOrders+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading orders: %w", err)
	}
	defer rows.Close()
	var orders []Order
	for rows.Next() {
		o, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading an order: %w", err)
		}
		orders = append(orders, o)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading orders: %w", err)
	}
	return orders, nil
}

func scan(rows *sql.Rows) (Order, error) {
	var o Order
	var lines string
	var created, expires, prepay, asking, queried, paid, updated int64
	if err := rows.Scan(&o.ID, &o.OutTradeNo, &o.Owner, &o.ClientKey, &o.Fingerprint, &o.AppID, &o.MchID, &o.TradeType, &lines,
		&o.Total, &o.Currency, &o.ShopName, &o.Body, &o.ClientIP, &o.NotifyURL, &created, &expires, &o.Status,
		&o.PrepayID, &prepay, &o.SignType, &o.PayURL, &asking, &o.Failure, &queried,
		&o.TransactionID, &paid, &o.Payer, &o.Refunded, &updated); err != nil {
		return Order{}, err
	}
	if err := json.Unmarshal([]byte(lines), &o.Lines); err != nil {
		return Order{}, errors.New("its lines are not JSON")
	}
	o.CreatedAt, o.ExpiresAt, o.UpdatedAt = fromMilli(created), fromMilli(expires), fromMilli(updated)
	o.PrepayAt, o.QueriedAt, o.PaidAt = fromMilli(prepay), fromMilli(queried), fromMilli(paid)
	o.AskingUntil = fromMilli(asking)
	return o, nil
}

// milli is how a time is stored; the zero time as NULL.
func milli(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// flag is how a bool is stored.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// fromMilli reads a stored time; 0 stands for NULL.
func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
