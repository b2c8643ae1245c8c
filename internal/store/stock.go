package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/order"
)

// The triggers stock_is_taken, stock_comes_back, stock_is_taken_late and
// stock_of_deleted_order change the stock in the statement that changes an order.

// wanted is SQL for the products of an order that have a stock. pieces is a parameter with the JSON
// that piecesOf returns.
func wanted(pieces string) string {
	return `FROM json_each(` + pieces + `) CROSS JOIN products ON products.id = key WHERE stock IS NOT NULL`
}

// taken is SQL for the column taken of an order: what it takes of each product that has a stock at
// this moment, whatever the catalogue said when the order was priced.
func taken(pieces string) string {
	return `(SELECT NULLIF(json_group_object(key, CAST(value AS INTEGER)), '{}') ` + wanted(pieces) + `)`
}

// inStock is SQL for whether each product has as many pieces as the order wants.
func inStock(pieces string) string {
	return `NOT EXISTS (SELECT 1 ` + wanted(pieces) + ` AND stock < CAST(value AS INTEGER))`
}

// piecesOf returns the pieces of an order as JSON, nil for none.
func piecesOf(o order.Order) (any, error) {
	pieces := order.Pieces(o.Lines)
	if pieces == nil {
		return nil, nil
	}
	text, err := json.Marshal(pieces)
	if err != nil {
		return nil, fmt.Errorf("encoding the pieces of order %s: %w", o.ID, err)
	}
	return string(text), nil
}

// checkStock returns an *order.OutOfStock if a product has fewer pieces than an order wants.
func (s *Store) checkStock(ctx context.Context, o order.Order) error {
	pieces, err := piecesOf(o)
	if pieces == nil {
		return err
	}
	short := &order.OutOfStock{}
	err = s.db.QueryRowContext(ctx, `SELECT products.id, stock `+wanted(`?1`)+` AND stock < CAST(value AS INTEGER) LIMIT 1`, pieces).Scan(&short.ProductID, &short.Left)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("reading the stock for order %s: %w", o.ID, err)
	}
	return short
}

// The errors of ChangeStock.
var (
	ErrNoStock     = errors.New("the product has no stock")
	ErrStockBounds = errors.New("the stock would be out of its bounds")
	ErrStockKey    = errors.New("the key was used for another change of the stock")
)

// ChangeStock changes the stock of a product and returns the product. A key that was used for the
// product in the last day changes nothing. The error is ErrStockKey if its fingerprint was another.
// The error is ErrNoStock if pieces are added where no stock is kept. It is ErrStockBounds if more
// pieces would leave than there are, or more than order.MaxStock would be there.
//
// The trigger stock_is_changed stores the stock, and deletes the keys of earlier days.
func (s *Store) ChangeStock(ctx context.Context, id string, c order.StockChange, key, fingerprint string, now time.Time) (order.Product, error) {
	add, set := int64(0), any(nil)
	if c.Add != nil {
		add = *c.Add
	}
	if c.Set != nil {
		set = *c.Set
	}
	changed, err := s.run(ctx, "changing the stock of "+id, `
		INSERT INTO stock_changes (product_id, key, fingerprint, stock, at)
		SELECT id, ?2, ?3, IIF(?4 = 1, stock + ?5, ?6), ?7 FROM products
		WHERE id = ?1 AND (?4 = 0 OR stock IS NOT NULL AND (?5 > 0 OR stock + ?5 >= 0) AND stock + ?5 <= ?8)
		ON CONFLICT DO NOTHING`, id, key, fingerprint, flag(c.Add != nil), add, set, now.UnixMilli(), order.MaxStock)
	if err != nil {
		return order.Product{}, err
	}
	p, err := s.Product(ctx, id)
	if changed || err != nil {
		return p, err
	}
	var last string
	err = s.db.QueryRowContext(ctx, `SELECT fingerprint FROM stock_changes WHERE product_id = ? AND key = ?`, id, key).Scan(&last)
	switch {
	case errors.Is(err, sql.ErrNoRows) && p.Stock == nil:
		return p, ErrNoStock
	case errors.Is(err, sql.ErrNoRows):
		return p, ErrStockBounds
	case err != nil:
		return p, fmt.Errorf("reading a change of the stock of %s: %w", id, err)
	case last != fingerprint:
		return p, ErrStockKey
	}
	return p, nil
}
