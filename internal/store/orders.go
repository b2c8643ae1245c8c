package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// Insert stores a new order. If its owner has used its client_key before, Insert returns
// that order and stores nothing; the caller compares fingerprints. Beyond a bound it
// stores nothing either, and returns ErrFull, ErrBuyerBound, ErrNetworkBound or
// ErrGuestsBound.
//
// The trigger order_begins stores the first step, guest_order_begins counts the order of
// a guest for the bounds.
func (s *Store) Insert(ctx context.Context, o order.Order) (order.Order, error) {
	for range maxInserts {
		stored, err := s.insert(ctx, o)
		if !errors.Is(err, errRoomAgain) {
			return stored, err
		}
	}
	return order.Order{}, ErrFull // other orders took each free place: the caller may retry later
}

// maxInserts is how often Insert tries if places become free meanwhile.
const maxInserts = 3

// insert is one try of Insert. errRoomAgain says that another try may succeed.
func (s *Store) insert(ctx context.Context, o order.Order) (order.Order, error) {
	lines, err := json.Marshal(o.Lines)
	if err != nil {
		return order.Order{}, fmt.Errorf("encoding the lines of order %s: %w", o.ID, err)
	}
	o.Status = api.StatusCreated
	o.CreatedAt = o.CreatedAt.UTC().Truncate(time.Millisecond)
	o.ExpiresAt = o.ExpiresAt.UTC().Truncate(time.Millisecond)
	o.UpdatedAt = o.CreatedAt
	res, err := s.db.ExecContext(ctx, `
		INSERT INTO orders (owner, guest, network, id, out_trade_no, client_key, fingerprint, appid, mch_id, trade_type, items,
			total, currency, shop_name, body, client_ip, notify_url, created_at, expires_at, status, updated_at, due_at, simulated, api_version)
		SELECT ?1, ?3, IIF(?3 = 1, ?6, NULL), ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?23, ?24, ?26, ?27
		WHERE `+room+` = ''
		ON CONFLICT (owner, client_key) DO NOTHING`,
		append(s.roomArgs(o, 0), o.ID, o.OutTradeNo, o.ClientKey, o.Fingerprint, o.AppID, o.MchID, string(o.TradeType), string(lines),
			int64(o.Total), o.Currency, o.ShopName, o.Body, o.ClientIP, o.NotifyURL, o.CreatedAt.UnixMilli(), o.ExpiresAt.UnixMilli(),
			string(o.Status), flag(o.Simulated), o.APIVersion)...)
	if err != nil {
		return order.Order{}, fmt.Errorf("inserting order %s: %w", o.ID, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return order.Order{}, fmt.Errorf("inserting order %s: %w", o.ID, err)
	}
	if n == 0 {
		return s.notStored(ctx, o)
	}
	return o, nil
}

const selectOrders = `SELECT id, out_trade_no, owner, client_key, fingerprint, appid, mch_id, api_version, trade_type, items,
	total, currency, shop_name, body, client_ip, notify_url, created_at, expires_at, status,
	COALESCE(sent_at, 0) AS sent_at, COALESCE(prepay_id, '') AS prepay_id, COALESCE(prepay_at, 0) AS prepay_at, COALESCE(sign_type, '') AS sign_type,
	COALESCE(pay_url, '') AS pay_url, COALESCE(asking_until, 0) AS asking_until,
	COALESCE(failure, '') AS failure, COALESCE(queried_at, 0) AS queried_at,
	COALESCE(transaction_id, '') AS transaction_id, COALESCE(paid_at, 0) AS paid_at,
	COALESCE(payer, '') AS payer, (transaction_id IS NOT NULL AND payer IS NULL) AS payer_unknown, refunded, updated_at, simulated
	FROM orders `

// Get returns an order of an owner. An order of another owner is ErrNotFound.
func (s *Store) Get(ctx context.Context, id, owner string) (order.Order, error) {
	return s.one(ctx, `WHERE id = ? AND owner = ?`, id, owner)
}

// ByOutTradeNo returns the order with a number that WeChat knows. It checks no owner:
// use it for WeChat's messages only.
func (s *Store) ByOutTradeNo(ctx context.Context, outTradeNo string) (order.Order, error) {
	return s.one(ctx, `WHERE out_trade_no = ?`, outTradeNo)
}

// ByClientKey returns the order that an owner made with a client_key.
func (s *Store) ByClientKey(ctx context.Context, owner, key string) (order.Order, error) {
	return s.one(ctx, `WHERE owner = ? AND client_key = ?`, owner, key)
}

// ByID returns an order of any owner, for the operator.
func (s *Store) ByID(ctx context.Context, id string) (order.Order, error) {
	return s.one(ctx, `WHERE id = ?`, id)
}

// List returns the orders of an owner, newest first, at most limit.
func (s *Store) List(ctx context.Context, owner string, limit int) ([]order.Order, error) {
	return s.query(ctx, `WHERE owner = ? ORDER BY created_at DESC, id DESC LIMIT ?`, owner, limit)
}

// Filter selects orders for the operator. A zero field selects all.
type Filter struct {
	Status     api.OrderStatus
	Number     string    // an order's ID, OutTradeNo or TransactionID, in full
	From, To   time.Time // made at From or after it, and before To
	BeforeTime time.Time // with BeforeID: the last order of the previous page
	BeforeID   string
	Limit      int // required
}

// Search returns the orders that f selects, of all owners, newest first.
func (s *Store) Search(ctx context.Context, f Filter) ([]order.Order, error) {
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if f.Status != "" {
		column := `status`
		if f.Number != "" {
			column = `+status` // keeps the planner from the index of the statuses: each has a large part of all orders
		}
		add(column+` = ?`, string(f.Status))
	}
	if f.Number != "" {
		add(`(id = ? OR out_trade_no = ? OR transaction_id = ?)`, f.Number, f.Number, f.Number)
	}
	if !f.From.IsZero() {
		add(`created_at >= ?`, f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		add(`created_at < ?`, f.To.UnixMilli())
	}
	if f.BeforeID != "" {
		add(`(created_at, id) < (?, ?)`, f.BeforeTime.UnixMilli(), f.BeforeID)
	}
	clause := ``
	if len(where) > 0 {
		clause = `WHERE ` + strings.Join(where, ` AND `)
	}
	return s.query(ctx, clause+` ORDER BY created_at DESC, id DESC LIMIT ?`, append(args, f.Limit)...)
}

// OpenOrder is an order that is open.
type OpenOrder struct {
	ID         string
	OutTradeNo string
	Status     api.OrderStatus // created or pending
	CreatedAt  time.Time
	Matches    bool // it has the product of the filter
}

// OpenFilter selects the open orders that an operator wants to close.
type OpenFilter struct {
	Status    api.OrderStatus // created or pending
	ProductID string          // that matches; "" for any
	Before    time.Time       // of the creation
	AfterTime time.Time       // with AfterID: the last order of the previous page
	AfterID   string
	Limit     int
}

// OpenOrders returns open orders of one status, oldest first, at most f.Limit. It also
// returns those that do not match, so that one call reads at most f.Limit orders and the
// next call continues after the last one.
func (s *Store) OpenOrders(ctx context.Context, f OpenFilter) ([]OpenOrder, error) {
	return readAll(ctx, s, "open orders", scanOpenOrder, `
		SELECT id, out_trade_no, status, created_at, (?1 = '' OR EXISTS (SELECT 1 FROM json_each(items) WHERE value ->> 'product_id' = ?1)) AS matches
		FROM orders WHERE status = ?2 AND created_at < ?3 AND (created_at, id) > (?4, ?5) ORDER BY created_at, id LIMIT ?6`,
		f.ProductID, string(f.Status), f.Before.UnixMilli(), f.AfterTime.UnixMilli(), f.AfterID, f.Limit)
}

func scanOpenOrder(rows *sql.Rows) (o OpenOrder, err error) {
	var created int64
	err = rows.Scan(&o.ID, &o.OutTradeNo, &o.Status, &created, &o.Matches)
	o.CreatedAt = fromMilli(created)
	return o, err
}

// FirstOrder returns the time of the first order, the zero time without orders.
func (s *Store) FirstOrder(ctx context.Context) (time.Time, error) {
	var first int64
	if err := s.db.QueryRowContext(ctx, `SELECT COALESCE(MIN(created_at), 0) FROM orders`).Scan(&first); err != nil {
		return time.Time{}, fmt.Errorf("looking for the first order: %w", err)
	}
	return fromMilli(first), nil
}

// Timeline returns the steps of an order, oldest first.
func (s *Store) Timeline(ctx context.Context, id string) ([]api.Step, error) {
	return readAll(ctx, s, "the steps of order "+id, scanStep, `SELECT status, at FROM order_steps WHERE order_id = ? ORDER BY rowid`, id)
}

func scanStep(rows *sql.Rows) (step api.Step, err error) {
	err = rows.Scan(&step.Status, &step.At)
	return step, err
}

// The least and the greatest time between two queries of the timer about one order.
const (
	minDue = time.Minute
	maxDue = 6 * time.Hour // after the expiry: what keeps the order open may last
)

// sent is SQL for the time from which an order's age counts. An order that a restored
// database did not know as sent may be queried because of a notification.
const sent = `COALESCE(sent_at, created_at)`

// due is SQL for the time of the next query about an order that is queried at ?1. The
// pause is half the time since the order was sent, but at least minDue. After the expiry it is half
// the time since then, between minDue and maxDue. The age of a cancelled order counts
// from its cancellation, and the order waits until WeChat closes it. The arguments are
// those of dueArgs; D1 binds them as REAL, so the result is cast.
const due = `CAST(MAX(IIF(status = 'closing', ` + sent + ` + ?4, 0),
	MIN(?1 + MAX(?2, (?1 - IIF(status = 'closing', updated_at, ` + sent + `)) / 2),
		MAX(expires_at + ?3, ?1 + MAX(?2, MIN(?5, (?1 - expires_at) / 2))))) AS INTEGER)`

func dueArgs(now time.Time) []any {
	return []any{now.UnixMilli(), minDue.Milliseconds(), order.ExpiryGrace.Milliseconds(), order.MinCloseAge.Milliseconds(), maxDue.Milliseconds()}
}

// DueTold returns unpaid orders of any status that a notification of the last day
// reported as paid and that WeChat has not confirmed. An order is due after a pause of
// ten seconds, or half the time between the notification and the last query if that is
// longer. The longest pause comes first; DueTold returns at most limit orders.
func (s *Store) DueTold(ctx context.Context, mchID string, now time.Time, limit int) ([]order.Order, error) {
	return s.query(ctx, `INDEXED BY told_orders
		WHERE told_at IS NOT NULL AND transaction_id IS NULL AND queried_at > ?1 AND queried_at <= ?2 AND mch_id = ?3
		AND queried_at + (queried_at - told_at) / 2 <= ?4 AND told_at > ?1
		ORDER BY orders.queried_at LIMIT ?5`, // told_at <= queried_at, so that the index bounds both
		now.Add(-24*time.Hour).UnixMilli(), now.Add(-10*time.Second).UnixMilli(), mchID, now.UnixMilli(), limit)
}

// Due returns the orders of a merchant that the timer has to query WeChat about, at most
// limit. WeChat answers about a merchant's own orders only. An order that was never sent
// is due when it expires, and has to be closed without a query.
//
// Four kinds of each API version take turns, each with the longest due first: open and
// cancelled orders of signed-in buyers, open and cancelled orders of guests. So no number
// of orders of one kind delays another. The statement reads at most limit index entries of
// each kind, and the orders that it returns.
func (s *Store) Due(ctx context.Context, mchID string, now time.Time, limit int) ([]order.Order, error) {
	var versions []string // D1 takes compounds of five terms at most
	for n, version := range []string{`v2`, `v3`} {
		var kinds []string
		for _, where := range []string{`guest = 0 AND (status = 'closing') = 0`, `guest = 0 AND (status = 'closing') = 1`,
			`guest = 1 AND (status = 'closing') = 0`, `guest = 1 AND (status = 'closing') = 1`} {
			kinds = append(kinds, fmt.Sprintf(`SELECT * FROM (SELECT rowid AS row, due_at AS at, %d AS kind FROM orders INDEXED BY orders_due
			WHERE mch_id = ?1 AND api_version = '%s' AND %s AND due_at <= ?2 ORDER BY due_at LIMIT ?3)`, 4*n+len(kinds), version, where))
		}
		versions = append(versions, `SELECT * FROM (`+strings.Join(kinds, ` UNION ALL `)+`)`)
	}
	return s.query(ctx, `JOIN (
			SELECT row, kind, ROW_NUMBER() OVER (PARTITION BY kind ORDER BY at) AS turn
			FROM (`+strings.Join(versions, ` UNION ALL `)+`) ORDER BY turn, kind LIMIT ?3
		) ON orders.rowid = row ORDER BY turn, kind`,
		mchID, now.UnixMilli(), limit)
}

func (s *Store) one(ctx context.Context, where string, args ...any) (order.Order, error) {
	orders, err := s.query(ctx, where, args...)
	if err != nil {
		return order.Order{}, err
	}
	if len(orders) == 0 {
		return order.Order{}, ErrNotFound
	}
	return orders[0], nil
}

func (s *Store) query(ctx context.Context, where string, args ...any) ([]order.Order, error) {
	return readAll(ctx, s, "orders", scan, selectOrders+where, args...)
}

func scan(rows *sql.Rows) (order.Order, error) {
	var o order.Order
	var lines string
	var created, expires, sentAt, prepay, asking, queried, paid, updated int64
	if err := rows.Scan(&o.ID, &o.OutTradeNo, &o.Owner, &o.ClientKey, &o.Fingerprint, &o.AppID, &o.MchID, &o.APIVersion, &o.TradeType, &lines,
		&o.Total, &o.Currency, &o.ShopName, &o.Body, &o.ClientIP, &o.NotifyURL, &created, &expires, &o.Status,
		&sentAt, &o.PrepayID, &prepay, &o.SignType, &o.PayURL, &asking, &o.Failure, &queried,
		&o.TransactionID, &paid, &o.Payer, &o.PayerUnknown, &o.Refunded, &updated, &o.Simulated); err != nil {
		return order.Order{}, err
	}
	if err := json.Unmarshal([]byte(lines), &o.Lines); err != nil {
		return order.Order{}, errors.New("its lines are not JSON")
	}
	o.CreatedAt, o.ExpiresAt, o.UpdatedAt = fromMilli(created), fromMilli(expires), fromMilli(updated)
	o.PrepayAt, o.QueriedAt, o.PaidAt = fromMilli(prepay), fromMilli(queried), fromMilli(paid)
	o.SentAt, o.AskingUntil = fromMilli(sentAt), fromMilli(asking)
	return o, nil
}
