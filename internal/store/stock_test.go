package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// stockWorld is a shop that has three pieces of tea.
type stockWorld struct {
	*testing.T
	db *sql.DB
	s  *store.Store
}

func newStockWorld(t *testing.T) *stockWorld {
	w := &stockWorld{t, storetest.Open(t), nil}
	w.s = store.New(w.db)
	three := int64(3)
	if _, err := w.s.ChangeStock(ctx, "tea", order.StockChange{Set: &three}, "first-key", "f", now); err != nil {
		t.Fatal(err)
	}
	return w
}

// place stores an order of two pieces of tea.
func (w *stockWorld) place(key string) (order.Order, error) {
	return w.s.Insert(ctx, draft(w.T, "alice", key))
}

func (w *stockWorld) placed(key string) order.Order {
	w.Helper()
	o, err := w.place(key)
	if err != nil {
		w.Fatal(err)
	}
	return o
}

func (w *stockWorld) want(stock int64) {
	w.Helper()
	p, err := w.s.Product(ctx, "tea")
	if err != nil || p.Stock == nil || *p.Stock != stock {
		w.Errorf("the stock is %v, %v; want %d", p.Stock, err, stock)
	}
	storetest.Check(w.T, w.db)
}

// An order takes its pieces in the statement that stores it, once. One that takes more than there
// are is not stored.
func TestOrderTakesItsPieces(t *testing.T) {
	t.Parallel()
	w := newStockWorld(t)
	first := w.placed("key-1")
	w.want(1)
	if again := w.placed("key-1"); again.ID != first.ID {
		t.Errorf("repeated: order %s, want %s", again.ID, first.ID)
	}
	w.want(1)
	before := storetest.Dump(t, w.db)
	_, err := w.place("key-2")
	if short := (*order.OutOfStock)(nil); !errors.As(err, &short) || *short != (order.OutOfStock{ProductID: "tea", Left: 1}) {
		t.Errorf("%v", err)
	}
	if d := cmp.Diff(before, storetest.Dump(t, w.db)); d != "" {
		t.Errorf("a rejected order changed the database:\n%s", d)
	}
	// An order without pieces of a stock is stored, and changes none.
	other := draft(t, "bob", "key-3")
	other.Lines = []order.Line{{ProductID: "bun", Name: "包", Price: 6800, Quantity: 1}, {Name: "tea", Price: 6800, Quantity: 1}}
	if _, err := w.s.Insert(ctx, other); err != nil {
		t.Fatal(err)
	}
	w.want(1)
	// Two lines of a product count together.
	twice := draft(t, "bob", "key-4")
	twice.Lines = []order.Line{{ProductID: "tea", Name: "茶", Price: 6800, Quantity: 1}, {ProductID: "tea", Name: "茶", Price: 6800, Quantity: 1}}
	if _, err := w.s.Insert(ctx, twice); !errors.As(err, new(*order.OutOfStock)) {
		t.Errorf("two lines of one piece: %v", err)
	}
	w.want(1)
}

// An order that ends without a payment gives its pieces back once, in the statement that closes
// it, whatever closes it.
func TestClosedOrderGivesItsPiecesBack(t *testing.T) {
	t.Parallel()
	w := newStockWorld(t)
	cancelled := w.placed("key-1")
	for range 2 {
		if _, err := beginClose(w.s, cancelled.ID, now); err != nil {
			t.Fatal(err)
		}
		w.want(3)
	}
	expired := w.placed("key-2")
	if ended, err := w.s.Expire(ctx, now.Add(order.Lifetime+order.ExpiryGrace), 10); err != nil || ended[expired.ID] != api.StatusClosed {
		t.Fatal(ended, err)
	}
	w.want(3)
	all := w.placed("key-3")
	if _, err := w.s.BeginCloseAll(ctx, []string{all.ID, cancelled.ID}, now); err != nil {
		t.Fatal(err)
	}
	w.want(3)
	// While WeChat may take its payment, the order keeps them.
	closing := begin(t, w.s, w.placed("key-4"))
	if status, err := beginClose(w.s, closing.ID, now); err != nil || status != api.StatusClosing {
		t.Fatal(status, err)
	}
	w.want(1)
	for _, want := range []bool{true, false} {
		if ok, err := w.s.Close(ctx, closing.Payment.OutTradeNo, now); ok != want || err != nil {
			t.Fatal(ok, err)
		}
		w.want(3)
	}
	if n, err := w.s.DeleteUnpaid(ctx, now.Add(time.Hour), 10); n != 4 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	w.want(3)
	// An operator deletes an open order by hand.
	byHand := w.placed("key-5")
	storetest.Exec(t, w.db, `DELETE FROM orders WHERE id = ?`, byHand.ID)
	w.want(3)
}

// A paid order keeps its pieces. A payment that comes after the end of its order counts, even if
// the pieces were sold meanwhile.
func TestPaidOrderKeepsItsPieces(t *testing.T) {
	t.Parallel()
	w := newStockWorld(t)
	late := begin(t, w.s, w.placed("key-1"))
	if _, err := beginClose(w.s, late.ID, now); err != nil {
		t.Fatal(err)
	}
	if ok, err := w.s.Close(ctx, late.Payment.OutTradeNo, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.want(3)
	paid := begin(t, w.s, w.placed("key-2"))
	pay(t, w.s, paid, now)
	w.want(1)
	pay(t, w.s, late, now)
	w.want(-1)
	if o, err := w.s.ByID(ctx, late.ID); err != nil || o.Status != api.StatusPaid {
		t.Errorf("%s, %v", o.Status, err)
	}
	// One that is paid while it closes had its pieces all the time.
	five := int64(5)
	if _, err := w.s.ChangeStock(ctx, "tea", order.StockChange{Set: &five}, "key-a", "f", now); err != nil {
		t.Fatal(err)
	}
	closing := begin(t, w.s, w.placed("key-3"))
	if _, err := beginClose(w.s, closing.ID, now); err != nil {
		t.Fatal(err)
	}
	pay(t, w.s, closing, now)
	w.want(3)
}

// An order of a product that had no stock when it was made gives none back.
func TestStockOfAProductThatHadNone(t *testing.T) {
	t.Parallel()
	w := newStockWorld(t)
	taken := w.placed("key-2")
	p, err := w.s.ChangeStock(ctx, "tea", order.StockChange{Unlimited: true}, "key-a", "f", now)
	if err != nil || p.Stock != nil {
		t.Fatal(p, err)
	}
	o := w.placed("key-1")
	three := int64(3)
	if _, err := w.s.ChangeStock(ctx, "tea", order.StockChange{Set: &three}, "key-b", "f", now); err != nil {
		t.Fatal(err)
	}
	if _, err := beginClose(w.s, o.ID, now); err != nil {
		t.Fatal(err)
	}
	w.want(3)
	if _, err := w.s.ChangeStock(ctx, "tea", order.StockChange{Unlimited: true}, "key-c", "f", now); err != nil {
		t.Fatal(err)
	}
	if _, err := beginClose(w.s, taken.ID, now); err != nil {
		t.Fatal(err)
	}
	if p, err := w.s.Product(ctx, "tea"); err != nil || p.Stock != nil {
		t.Errorf("%+v, %v", p, err)
	}
	// A product that was removed.
	other := w.placed("key-3")
	if _, err := w.s.DeleteProduct(ctx, "tea"); err != nil {
		t.Fatal(err)
	}
	if status, err := beginClose(w.s, other.ID, now); err != nil || status != api.StatusClosed {
		t.Errorf("%s, %v", status, err)
	}
}

func TestChangeStock(t *testing.T) {
	t.Parallel()
	w := newStockWorld(t)
	number := func(n int64) *int64 { return &n }
	for _, test := range []struct {
		change           order.StockChange
		key, fingerprint string
		stock            int64
		err              error
		after            time.Duration
	}{
		{order.StockChange{Add: number(4)}, "key-a", "f", 7, nil, 0},
		{order.StockChange{Add: number(4)}, "key-a", "f", 7, nil, 0}, // the same request
		{order.StockChange{Add: number(5)}, "key-a", "g", 7, store.ErrStockKey, 0},
		{order.StockChange{Add: number(4)}, "key-b", "f", 11, nil, 0},
		{order.StockChange{Add: number(4)}, "key-a", "f", 11, nil, 23 * time.Hour}, // also after another change
		{order.StockChange{Add: number(-11)}, "key-c", "f", 0, nil, 0},
		{order.StockChange{Add: number(-1)}, "key-d", "f", 0, store.ErrStockBounds, 0},
		{order.StockChange{Set: number(order.MaxStock)}, "key-e", "f", order.MaxStock, nil, 0},
		{order.StockChange{Add: number(1)}, "key-f", "f", order.MaxStock, store.ErrStockBounds, 0},
		{order.StockChange{Set: number(0)}, "key-g", "f", 0, nil, 0},
		{order.StockChange{Add: number(2)}, "key-h", "f", 2, nil, 25 * time.Hour},
		{order.StockChange{Add: number(4)}, "key-a", "f", 6, nil, 25 * time.Hour}, // the next day
		{order.StockChange{Set: number(0)}, "key-i", "f", 0, nil, 25 * time.Hour},
	} {
		p, err := w.s.ChangeStock(ctx, "tea", test.change, test.key, test.fingerprint, now.Add(test.after))
		if !errors.Is(err, test.err) || p.Stock == nil || *p.Stock != test.stock {
			t.Errorf("%+v under %s: %v, %v", test.change, test.key, p.Stock, err)
		}
		w.want(test.stock)
	}
	if _, err := w.s.ChangeStock(ctx, "bun", order.StockChange{Add: number(1)}, "key-a", "f", now); !errors.Is(err, store.ErrNoStock) {
		t.Errorf("a product without a stock: %v", err)
	}
	if _, err := w.s.ChangeStock(ctx, "gold", order.StockChange{Set: number(1)}, "key-a", "f", now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no such product: %v", err)
	}
	// A changed product keeps its stock.
	p, err := w.s.Product(ctx, "tea")
	if err != nil {
		t.Fatal(err)
	}
	p.Stock, p.Price = nil, 7000
	if ok, err := w.s.PutProduct(ctx, p); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.want(0)
}

// Many orders are made, cancelled, closed and paid at the same time, on several nodes if the
// database is PostgreSQL. The pieces in stock, in open orders and in paid orders always have the
// same sum.
func TestStockIsKeptWhileManyOrder(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	stores := []*store.Store{store.New(db), store.New(db)}
	const pieces = 25
	n := int64(pieces)
	for _, product := range []string{"tea", "bun"} {
		if _, err := stores[0].ChangeStock(ctx, product, order.StockChange{Set: &n}, "first-key", "f", now); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	short, late := 0, 0
	buyer := func(i int) error {
		r, s := rand.New(rand.NewPCG(uint64(i), 0)), stores[i%len(stores)]
		for round := range 6 {
			o := draft(t, fmt.Sprint("buyer-", i), fmt.Sprint("key-", round))
			o.Lines = []order.Line{{ProductID: "tea", Name: "茶", Price: 1, Quantity: 1 + r.IntN(3)}, {ProductID: "bun", Name: "包", Price: 1, Quantity: 1 + r.IntN(3)}}
			o.Total = fen.Fen(o.Lines[0].Quantity + o.Lines[1].Quantity)
			stored, err := s.Insert(ctx, o)
			for errors.Is(err, store.ErrBusy) { // as the page does
				stored, err = s.Insert(ctx, o)
			}
			if outOf := (*order.OutOfStock)(nil); errors.As(err, &outOf) {
				mu.Lock()
				short++
				mu.Unlock()
				continue
			}
			if err != nil {
				return err
			}
			if again, err := s.Insert(ctx, o); err != nil || again.ID != stored.ID {
				return fmt.Errorf("repeated: order %s, %w", again.ID, err)
			}
			p := attempt(t, stored)
			p.OpenID = o.Owner
			if r.IntN(3) > 0 {
				if ok, err := s.InsertPayment(ctx, p, time.Time{}); !ok || err != nil {
					return fmt.Errorf("payment: %t, %w", ok, err)
				}
			} else {
				p.OutTradeNo = ""
			}
			paid := func() error {
				if p.OutTradeNo == "" {
					return nil
				}
				_, err := s.Pay(ctx, p.OutTradeNo, order.Paid{TransactionID: "4200-" + p.OutTradeNo, Payer: o.Owner, PaidAt: now}, now)
				return err
			}
			cancelled := func() error {
				_, err := beginClose(s, stored.ID, now)
				if err == nil && p.OutTradeNo != "" {
					_, err = s.Close(ctx, p.OutTradeNo, now)
				}
				return err
			}
			switch r.IntN(4) {
			case 0:
				err = paid()
			case 1:
				err = cancelled()
			case 2: // the payment comes late
				if err = cancelled(); err == nil && p.OutTradeNo != "" {
					mu.Lock()
					late++
					mu.Unlock()
					err = paid()
				}
			case 3: // both at once
				var both sync.WaitGroup
				errs := make([]error, 2)
				both.Go(func() { errs[0] = paid() })
				both.Go(func() { errs[1] = cancelled() })
				both.Wait()
				err = errors.Join(errs...)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	atOnce(t, stores, 16, func(_ *store.Store, i int) error { return buyer(i) })
	storetest.Check(t, db)
	stockAgrees(t, db, map[string]int64{"tea": pieces, "bun": pieces})
	if short == 0 || late == 0 {
		t.Errorf("%d orders were out of stock, %d were paid late: the test tests less than it says", short, late)
	}
}

// stockAgrees compares the stock with the lines of the orders that are not closed.
func stockAgrees(t *testing.T, db *sql.DB, first map[string]int64) {
	t.Helper()
	var sold strings.Builder
	for product, pieces := range first {
		var stock, gone int64
		if err := db.QueryRow(`SELECT stock, (SELECT COALESCE(SUM(CAST(value ->> 'quantity' AS INTEGER)), 0) FROM orders JOIN json_each(items) ON true
			WHERE status <> 'closed' AND value ->> 'product_id' = products.id) FROM products WHERE id = ?1`, product).Scan(&stock, &gone); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&sold, "%s: %d are left, %d are sold or held. ", product, stock, gone)
		if stock+gone != pieces {
			t.Errorf("%s: %d are left and %d are sold or held, want %d together", product, stock, gone, pieces)
		}
	}
	t.Log(sold.String())
}
