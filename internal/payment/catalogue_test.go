package payment_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// Prices come from the catalogue that was read in the last minute, and an order is stored only at the
// prices of the database. Another node changes the catalogue here.
func TestNoOrderHasAnOldPrice(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change string // of the catalogue
		id     string
		amount fen.Fen // of the payer
		seen   fen.Fen // total that the buyer saw; 0 for none
		total  fen.Fen // of the order; 0 without one
		code   api.Code
	}{
		"nothing":                      {`SELECT 1`, "tea", 0, 6800, 6800, ""},
		"a price":                      {`UPDATE products SET price = 7000 WHERE id = 'tea'`, "tea", 0, 6800, 0, api.CodePriceChanged},
		"a price, as seen":             {`UPDATE products SET price = 7000 WHERE id = 'tea'`, "tea", 0, 7000, 7000, ""},
		"a price, none seen":           {`UPDATE products SET price = 7000 WHERE id = 'tea'`, "tea", 0, 0, 7000, ""},
		"a name":                       {`UPDATE products SET name = '绿茶' WHERE id = 'tea'`, "tea", 0, 6800, 6800, ""},
		"it is withdrawn":              {`UPDATE products SET for_sale = 0 WHERE id = 'tea'`, "tea", 0, 6800, 0, api.CodeProductGone},
		"it is deleted":                {`DELETE FROM products WHERE id = 'tea'`, "tea", 0, 0, 0, api.CodeProductGone},
		"it is new":                    {`INSERT INTO products (id, name, price) VALUES ('new', '新茶', 900)`, "new", 0, 900, 900, ""},
		"an amount within new bounds":  {`UPDATE products SET max_price = 600000 WHERE id = 'tip'`, "tip", 600000, 600000, 600000, ""},
		"an amount beyond new bounds":  {`UPDATE products SET max_price = 2000 WHERE id = 'tip'`, "tip", 2001, 2001, 0, api.CodeBadRequest},
		"a price, now of the payer":    {`UPDATE products SET min_price = 1, max_price = 9000 WHERE id = 'tea'`, "tea", 0, 6800, 6800, ""},
		"an amount, now a fixed price": {`UPDATE products SET min_price = NULL, max_price = NULL WHERE id = 'tip'`, "tip", 2001, 2001, 0, api.CodeBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			if _, err := s.Signer.Products(t.Context()); err != nil {
				t.Fatal(err)
			}
			storetest.Exec(t, s.DB, tt.change)
			req := paytest.Basket("tea", 1).CreateOrderRequest
			req.Items = []api.OrderItem{{ProductID: tt.id, Quantity: 1, Amount: tt.amount}}
			req.Total = tt.seen
			o, err := s.Signer.PlaceBasket(t.Context(), payment.BasketRequest{Owner: s.buyer, CreateOrderRequest: req})
			var rejected *api.Error
			switch {
			case tt.code != "" && (!errors.As(err, &rejected) || rejected.Code != tt.code):
				t.Errorf("%v, want %s", err, tt.code)
			case tt.code == "" && (err != nil || o.Total != tt.total):
				t.Errorf("the order has %d, %v; want %d", o.Total, err, tt.total)
			}
			var stored, wrong int
			if err := s.DB.QueryRow(`SELECT COUNT(*), COALESCE(SUM(IIF(total <> ?1, 1, 0)), 0) FROM orders`, int64(tt.total)).Scan(&stored, &wrong); err != nil || stored != min(1, int(tt.total)) || wrong != 0 {
				t.Errorf("%d orders are stored, %d with another total, %v", stored, wrong, err)
			}
			if tt.code == "" {
				var name string
				if err := s.DB.QueryRow(`SELECT name FROM products WHERE id = ?`, tt.id).Scan(&name); err != nil || o.Lines[0].Name != name {
					t.Errorf("the line has the name %s, want %s, %v", o.Lines[0].Name, name, err)
				}
			}
		})
	}
}

// After a minute the catalogue is read again.
func TestCatalogueIsUsedForAMinute(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	reads := func(advance time.Duration) int64 {
		t.Helper()
		s.Sim.Advance(advance)
		ctx, n := store.CountStatements(context.Background())
		if _, err := s.Signer.PlaceBasket(ctx, payment.BasketRequest{Owner: s.buyer, CreateOrderRequest: paytest.Basket("tea", 1).CreateOrderRequest}); err != nil {
			t.Fatal(err)
		}
		return n.Load() - 1 // the insert
	}
	for i, want := range []int64{1, 0, 0, 1, 0} {
		if n := reads([]time.Duration{0, 0, 55 * time.Second, 10 * time.Second, 0}[i]); n != want {
			t.Errorf("order %d: the catalogue was read %d times, want %d", i, n, want)
		}
	}
}

// If the catalogue changes between each look at it and the order, the order is rejected after some
// tries, and nothing is stored.
func TestCatalogueThatKeepsChanging(t *testing.T) {
	t.Parallel()
	for changes, want := range map[int64]fen.Fen{2: 6802, 3: 0} {
		s := newShop(t)
		plain := s.DB
		var left atomic.Int64
		left.Store(changes)
		s.DB = sql.OpenDB(&beforeInsert{db: plain, do: func() {
			if left.Add(-1) >= 0 {
				storetest.Exec(t, plain, `UPDATE products SET price = price + 1 WHERE id = 'tea'`)
			}
		}})
		s.Reopen(s.settings)
		req := paytest.Basket("tea", 1).CreateOrderRequest
		req.Total = 0
		o, err := s.Signer.PlaceBasket(t.Context(), payment.BasketRequest{Owner: s.buyer, CreateOrderRequest: req})
		var rejected *api.Error
		if want == 0 && (!errors.As(err, &rejected) || rejected.Code != api.CodePriceChanged) || want != 0 && (err != nil || o.Total != want) {
			t.Errorf("after %d changes: %d, %v; want %d", changes, o.Total, err, want)
		}
		var stored fen.Fen
		if err := plain.QueryRow(`SELECT COALESCE(SUM(total), 0) FROM orders`).Scan(&stored); err != nil || stored != want {
			t.Errorf("orders of %d fen are stored, %v; want %d", stored, err, want)
		}
		s.DB = plain
	}
}

// beforeInsert is a database that calls a function before each statement that inserts an order. It
// commits each statement by itself, as PostgreSQL does.
type beforeInsert struct {
	db   *sql.DB
	do   func()
	fail func(query string) error // of a query that returns rows; nil: none
}

// Driver returns a driver that takes no batches.
func (b *beforeInsert) Driver() driver.Driver { return noBatches{} }

type noBatches struct{ driver.Driver }

func (b *beforeInsert) Connect(context.Context) (driver.Conn, error) { return beforeInsertConn{b}, nil }

type beforeInsertConn struct{ b *beforeInsert }

func (beforeInsertConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("no statements") }
func (beforeInsertConn) Begin() (driver.Tx, error)           { return nil, errors.New("no transactions") }
func (beforeInsertConn) Close() error                        { return nil }

func (c beforeInsertConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if strings.Contains(query, "INSERT INTO orders") {
		c.b.do()
	}
	return c.b.db.ExecContext(ctx, query, values(args)...)
}

func (c beforeInsertConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.b.fail != nil {
		if err := c.b.fail(query); err != nil {
			return nil, err
		}
	}
	found, err := c.b.db.QueryContext(ctx, query, values(args)...)
	if err != nil {
		return nil, err
	}
	return queriedRows{found}, nil
}

func values(args []driver.NamedValue) []any {
	all := make([]any, len(args))
	for i, arg := range args {
		all[i] = arg.Value
	}
	return all
}

// queriedRows are rows of a database as a driver returns them.
type queriedRows struct{ rows *sql.Rows }

func (r queriedRows) Columns() []string {
	names, _ := r.rows.Columns()
	return names
}

func (r queriedRows) Close() error { return r.rows.Close() }

func (r queriedRows) Next(row []driver.Value) error {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	cells, to := make([]any, len(row)), make([]any, len(row))
	for i := range cells {
		to[i] = &cells[i]
	}
	if err := r.rows.Scan(to...); err != nil {
		return err
	}
	for i, cell := range cells {
		row[i] = cell
	}
	return nil
}
