package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// ErrReference means that another order has the reference.
var ErrReference = errors.New("another order has this reference")

// Insert stores a new order of any source. If its owner, or its API key, has used its ClientKey
// before, Insert returns that order and stores nothing; the caller compares fingerprints. If
// another order has its Reference, Insert returns that one with ErrReference. While the operator
// has stopped selling it stores nothing and returns ErrNotSelling. Beyond a bound it returns
// ErrFull, ErrBuyerBound, ErrNetworkBound or ErrGuestsBound. It returns ErrBusy if places become free
// and are taken by others, again and again. If the link takes no order, it returns
// ErrLinkEnded. If a product has fewer pieces in stock than the order wants, it returns an
// *order.OutOfStock.
//
// The trigger guest_order_begins counts the order of a guest for the bounds, and
// link_order_begins that of a link. stock_is_taken takes the pieces.
func (s *Store) Insert(ctx context.Context, o order.Order) (order.Order, error) {
	return s.insertAgain(ctx, o, false)
}

// ErrPrices means that a product of the order is no longer for sale with the name and the price that
// the order has.
var ErrPrices = errors.New("the prices of the catalogue have changed")

// InsertPriced is Insert for an order whose lines are products of the catalogue, as it was read before.
// It stores the order only if each is still for sale with the name and the price of its line, and
// returns ErrPrices otherwise.
func (s *Store) InsertPriced(ctx context.Context, o order.Order) (order.Order, error) {
	return s.insertAgain(ctx, o, true)
}

func (s *Store) insertAgain(ctx context.Context, o order.Order, priced bool) (order.Order, error) {
	for range maxInserts {
		stored, err := s.insert(ctx, o, priced)
		if !errors.Is(err, errRoomAgain) {
			return stored, err
		}
	}
	return order.Order{}, ErrBusy
}

// maxInserts is how often Insert tries if places become free meanwhile.
const maxInserts = 3

// insert is one try of Insert. After errRoomAgain another try may succeed.
func (s *Store) insert(ctx context.Context, o order.Order, priced bool) (order.Order, error) {
	if o.Lines == nil {
		o.Lines = []order.Line{}
	}
	lines, err := json.Marshal(o.Lines)
	if err != nil {
		return order.Order{}, fmt.Errorf("encoding the lines of order %s: %w", o.ID, err)
	}
	var trades any
	if len(o.TradeTypes) > 0 {
		list, err := json.Marshal(o.TradeTypes)
		if err != nil {
			return order.Order{}, fmt.Errorf("encoding the trade types of order %s: %w", o.ID, err)
		}
		trades = string(list)
	}
	pieces, err := piecesOf(o)
	if err != nil {
		return order.Order{}, err
	}
	o.Status = api.StatusOpen
	o.CreatedAt = o.CreatedAt.UTC().Truncate(time.Millisecond)
	o.ExpiresAt = o.ExpiresAt.UTC().Truncate(time.Millisecond)
	o.UpdatedAt = o.CreatedAt
	stored, err := s.run(ctx, "inserting order "+o.ID, `
		INSERT INTO orders (owner, guest, network, id, token, source, reference, key_id, client_key, fingerprint, shop, appid, mch_id, items,
			total, currency, description, metadata, return_url, trade_types, created_at, expires_at, status, updated_at, due_at, simulated, link_id, taken)
		SELECT ?1, ?3, IIF(?3 = 1, ?6, NULL), ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, 'open', ?25, ?26 + ?27, ?28, ?29, `+taken(`?31`)+`
		WHERE `+room+` = '' AND (?29 IS NULL OR EXISTS (SELECT 1 FROM links WHERE id = ?29 AND `+linkOpen+`))
		AND (?30 = 0 OR `+pricesHold(`?18`)+`) AND `+inStock(`?31`)+`
		ON CONFLICT DO NOTHING`,
		append(s.roomArgs(o), o.ID, text(o.Token), string(o.Source), text(o.Reference), text(o.KeyID), text(o.ClientKey), o.Fingerprint, o.Shop, o.AppID, o.MchID,
			string(lines), int64(o.Total), o.Currency, o.Description, text(o.Metadata), text(o.ReturnURL), trades,
			o.CreatedAt.UnixMilli(), o.ExpiresAt.UnixMilli(), order.ExpiryGrace.Milliseconds(), flag(o.Simulated), text(o.LinkID), flag(priced), pieces)...)
	if err != nil {
		return order.Order{}, err
	}
	if !stored {
		return s.notStored(ctx, o, priced, string(lines))
	}
	return o, nil
}

// notStored returns the order that was stored before with the ClientKey of o, or the order with its
// Reference and ErrReference. Otherwise it returns the error of the bound that Insert exceeded, or
// ErrPrices.
func (s *Store) notStored(ctx context.Context, o order.Order, priced bool, lines string) (order.Order, error) {
	old, err := order.Order{}, ErrNotFound
	switch {
	case o.ClientKey == "":
	case o.Owner != "":
		old, err = s.ByClientKey(ctx, o.Owner, o.ClientKey)
	case o.KeyID != "":
		old, err = s.ByAPIKey(ctx, o.KeyID, o.ClientKey)
	}
	if !errors.Is(err, ErrNotFound) {
		return old, err
	}
	if o.Reference != "" {
		switch old, err := s.ByReference(ctx, o.Reference); {
		case err == nil && o.ClientKey != "" && old.ClientKey == o.ClientKey && old.Owner == o.Owner && old.KeyID == o.KeyID:
			return old, nil // another call with the same key has stored it since
		case err == nil:
			return old, ErrReference
		case !errors.Is(err, ErrNotFound):
			return order.Order{}, err
		}
	}
	if err := s.room(ctx, o); err != nil {
		return order.Order{}, err
	}
	if o.LinkID != "" {
		if l, err := s.LinkByID(ctx, o.LinkID); err != nil || l.State(o.CreatedAt) != order.LinkOpen {
			return order.Order{}, cmp.Or(err, ErrLinkEnded)
		}
	}
	if priced {
		var hold bool
		if err := s.db.QueryRowContext(ctx, `SELECT `+pricesHold(`?1`), lines).Scan(&hold); err != nil || !hold {
			return order.Order{}, cmp.Or(err, ErrPrices)
		}
	}
	if err := s.checkStock(ctx, o); err != nil {
		return order.Order{}, err
	}
	return order.Order{}, errRoomAgain
}

// errRoomAgain means that a place became free after Insert found a bound exceeded.
var errRoomAgain = errors.New("a bound was exceeded, and no longer is")

// selectOrders reads orders, each with the payment that pays it, or else its newest one.
const selectOrders = `SELECT orders.id, COALESCE(token, '') AS token, source, COALESCE(reference, '') AS reference, COALESCE(key_id, '') AS key_id, COALESCE(link_id, '') AS link_id,
	COALESCE(owner, '') AS owner, COALESCE(client_key, '') AS client_key, fingerprint, shop, orders.appid, orders.mch_id, items, orders.total, orders.currency,
	description, COALESCE(metadata, '') AS metadata, COALESCE(return_url, '') AS return_url, COALESCE(trade_types, '[]') AS trade_types,
	orders.created_at, orders.expires_at, orders.status, COALESCE(paid_by, '') AS paid_by, orders.refunded, orders.simulated, orders.updated_at,
	(SELECT COUNT(*) FROM payments AS live WHERE live.order_id = orders.id AND live.status IN ('created', 'pending', 'closing')) AS live,
	` + paymentColumns + `
	FROM orders LEFT JOIN payments ON payments.out_trade_no = COALESCE(paid_by,
		(SELECT newest.out_trade_no FROM payments AS newest WHERE newest.order_id = orders.id ORDER BY newest.created_at DESC, newest.out_trade_no DESC LIMIT 1)) `

// ByClientKey returns the order that an owner made with a client_key.
func (s *Store) ByClientKey(ctx context.Context, owner, key string) (order.Order, error) {
	return s.one(ctx, `WHERE owner = ? AND client_key = ?`, owner, key)
}

// ByAPIKey returns the order that an API key made with an Idempotency-Key.
func (s *Store) ByAPIKey(ctx context.Context, keyID, key string) (order.Order, error) {
	return s.one(ctx, `WHERE key_id = ? AND client_key = ?`, keyID, key)
}

// ByID returns an order of any owner, for the operator and the timer.
func (s *Store) ByID(ctx context.Context, id string) (order.Order, error) {
	return s.one(ctx, `WHERE orders.id = ?`, id)
}

// ByReference returns the order with the merchant's own number.
func (s *Store) ByReference(ctx context.Context, reference string) (order.Order, error) {
	return s.one(ctx, `WHERE reference = ?`, reference)
}

// List returns the orders of an owner, newest first, at most limit.
func (s *Store) List(ctx context.Context, owner string, limit int) ([]order.Order, error) {
	return s.query(ctx, `WHERE owner = ? ORDER BY orders.created_at DESC, orders.id DESC LIMIT ?`, owner, limit)
}

// OpenOrder is an order that is open.
type OpenOrder struct {
	ID        string
	CreatedAt time.Time
	Matches   bool // it has the product of the filter
}

// OpenFilter selects the open orders that an operator wants to close.
type OpenFilter struct {
	ProductID string    // that matches; "" for any
	Before    time.Time // of the creation
	AfterTime time.Time // with AfterID: the last order of the previous page
	AfterID   string
	Limit     int
}

// OpenOrders returns open orders, oldest first, at most f.Limit. It also returns orders that do not
// match. So one call reads at most f.Limit orders, and the next call continues after the last one.
func (s *Store) OpenOrders(ctx context.Context, f OpenFilter) ([]OpenOrder, error) {
	return readAll(ctx, s, "open orders", scanOpenOrder, `
		SELECT id, created_at, (?1 = '' OR EXISTS (SELECT 1 FROM json_each(items) WHERE value ->> 'product_id' = ?1)) AS matches
		FROM orders WHERE status = 'open' AND status <> 'paid' AND created_at < ?2 AND (created_at, id) > (?3, ?4) ORDER BY created_at, id LIMIT ?5`,
		f.ProductID, f.Before.UnixMilli(), f.AfterTime.UnixMilli(), f.AfterID, f.Limit)
}

func scanOpenOrder(rows *sql.Rows) (o OpenOrder, err error) {
	var created int64
	err = rows.Scan(&o.ID, &created, &o.Matches)
	o.CreatedAt = fromMilli(created)
	return o, err
}

// FirstOrder returns the time of the first order, the zero time without orders.
func (s *Store) FirstOrder(ctx context.Context) (time.Time, error) {
	var first int64
	if err := s.db.QueryRowContext(ctx, `SELECT COALESCE(MIN(created_at), 0) FROM orders`).Scan(&first); err != nil {
		return time.Time{}, fmt.Errorf("reading the time of the first order: %w", err)
	}
	return fromMilli(first), nil
}

// Timeline returns the steps of an order, oldest first.
func (s *Store) Timeline(ctx context.Context, id string) ([]api.Step, error) {
	return readAll(ctx, s, "the steps of order "+id, scanStep, `SELECT status, at, n FROM order_steps WHERE order_id = ? ORDER BY n`, id)
}

func scanStep(rows *sql.Rows) (step api.Step, err error) {
	var n int // for the order
	err = rows.Scan(&step.Status, &step.At, &n)
	return step, err
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
	var p paymentRow
	var lines, trades string
	var created, expires, updated int64
	if err := rows.Scan(append([]any{&o.ID, &o.Token, &o.Source, &o.Reference, &o.KeyID, &o.LinkID, &o.Owner, &o.ClientKey, &o.Fingerprint, &o.Shop, &o.AppID, &o.MchID,
		&lines, &o.Total, &o.Currency, &o.Description, &o.Metadata, &o.ReturnURL, &trades,
		&created, &expires, &o.Status, &o.PaidBy, &o.Refunded, &o.Simulated, &updated, &o.Live}, p.fields()...)...); err != nil {
		return order.Order{}, err
	}
	if err := json.Unmarshal([]byte(lines), &o.Lines); err != nil {
		return order.Order{}, errors.New("the column items is not JSON")
	}
	if err := json.Unmarshal([]byte(trades), &o.TradeTypes); err != nil {
		return order.Order{}, errors.New("the column trade_types is not JSON")
	}
	o.CreatedAt, o.ExpiresAt, o.UpdatedAt = fromMilli(created), fromMilli(expires), fromMilli(updated)
	o.Payment = p.payment()
	return o, nil
}
