package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/pgtest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// bytesOfAnOrder is about how much of the disk FillPostgres uses for an order, its log included.
const bytesOfAnOrder = 3000

// fillSettings are those of a server that only this program uses, and that may lose its data.
var fillSettings = []string{"fsync=off", "full_page_writes=off", "autovacuum=off", "max_wal_size=512MB", "wal_level=minimal", "max_wal_senders=0",
	"maintenance_work_mem=1GB", "shared_buffers=1GB"}

// fill writes how long the calls of the operator, of a buyer and of an idle minute take in a database
// of PostgreSQL with a number of orders. url names a database: one that this program filled before
// with as many orders, or an empty one, which it fills. Without a url it fills one of a server of its
// own.
func fill(ctx context.Context, w io.Writer, url string, orders int) (err error) {
	if url == "" {
		if err := enoughDisk(orders); err != nil {
			return err
		}
		server, err := pgtest.Start(fillSettings...)
		if err != nil {
			return err
		}
		defer func() {
			if closeErr := server.Close(); err == nil {
				err = closeErr
			}
		}()
		if err := server.Exec(ctx, "postgres", "CREATE DATABASE shop"); err != nil {
			return err
		}
		url = server.URL("shop")
	}
	cfg := postgres.Config{URL: url}
	if err := postgres.Migrate(ctx, cfg); err != nil {
		return err
	}
	db, err := postgres.Open(cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // its statistics are those of everything
	s := store.New(db)
	s.Bounds = store.Bounds{Buyer: 1e9, Guest: 1e9, NetworkGuests: 1e9, Guests: 1e9} // more orders are open than a shop has
	if err := filled(ctx, w, s, url, orders); err != nil {
		return err
	}
	size, err := postgres.Size(ctx, db)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d orders, %.2f GB, %d bytes an order\n", orders, float64(size)/1e9, size/int64(orders))
	lives.Store(time.Now().Unix() % 1e6 * 1000) // a database that is measured twice has the orders of the first time
	minute, err := newMinute(s)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "\n| call | pages of 8 KB read | fastest ms | median ms | 99 % within ms |\n|---|--:|--:|--:|--:|")
	for _, c := range calls(s, orders, minute) {
		var times []time.Duration
		before, err := pagesRead(ctx, db)
		if err != nil {
			return err
		}
		for start := time.Now(); len(times) < most && (len(times) < least || time.Since(start) < enough); {
			began := time.Now()
			if err := c.run(ctx, len(times)); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			times = append(times, time.Since(began))
		}
		after, err := pagesRead(ctx, db)
		if err != nil {
			return err
		}
		slices.Sort(times)
		fmt.Fprintf(w, "| %s | %d | %.1f | %.1f | %.1f |\n", c.name, (after-before)/int64(len(times)), ms(times[0]), ms(times[len(times)/2]), ms(times[len(times)*99/100]))
	}
	return nil
}

// A call is repeated most times, or until it took enough time, and at least least times.
const (
	most, least = 200, 20
	enough      = 15 * time.Second
)

// filled fills an empty database. It returns an error for one with other orders than those of fill.
func filled(ctx context.Context, w io.Writer, s *store.Store, url string, orders int) error {
	first, err := s.FirstOrder(ctx)
	if err != nil {
		return err
	}
	if !first.IsZero() && first.UnixMilli() != 0 {
		_, last := s.ByID(ctx, storetest.FilledOrder(orders))
		_, more := s.ByID(ctx, storetest.FilledOrder(orders+1))
		if last != nil || !errors.Is(more, store.ErrNotFound) {
			return fmt.Errorf("the database has other orders: name an empty one, or one that this command filled with %d orders", orders)
		}
		return nil
	}
	began := time.Now()
	var mu sync.Mutex
	return storetest.FillPostgres(ctx, url, orders, func(step string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%v: %s\n", time.Since(began).Round(time.Second), step)
	})
}

// pagesRead returns how many pages of tables and indexes were read so far, from the disk or from
// memory. Other programs on the machine do not change it.
func pagesRead(ctx context.Context, db *sql.DB) (n int64, err error) {
	if _, err := db.ExecContext(ctx, `SELECT pg_stat_force_next_flush()`); err != nil {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE(SUM(COALESCE(heap_blks_read, 0) + COALESCE(heap_blks_hit, 0) + COALESCE(idx_blks_read, 0) + COALESCE(idx_blks_hit, 0)), 0)::bigint
		FROM pg_statio_user_tables`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("reading the statistics: %w", err)
	}
	return n, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// enoughDisk returns an error if the orders do not fit the disk of the temporary folder.
func enoughDisk(orders int) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(os.TempDir(), &fs); err != nil {
		return err
	}
	free, want := int64(fs.Bavail)*int64(fs.Bsize), int64(orders)*bytesOfAnOrder+1<<30
	if free < want {
		return fmt.Errorf("%d orders need about %d GB in %s, and %d GB are free: set TMPDIR to a larger disk, or ORDERS to a smaller number", orders, want>>30, os.TempDir(), free>>30)
	}
	return nil
}

// call is a call that is measured. The i-th run is about another order.
type call struct {
	name string
	run  func(ctx context.Context, i int) error
}

// calls are the calls of an operator, of a buyer and of the timers.
func calls(s *store.Store, orders int, minute *minute) []call {
	pick := func(i int) int { return 1 + i*7919%(orders-1) }
	paid := func(i int) int { return pick(i)/5*5 + 1 }
	end := storetest.FirstFilled.Add(time.Duration(orders) * time.Second)
	search := func(want int, f func(i int) store.WindowFilter) func(context.Context, int) error {
		return func(ctx context.Context, i int) error {
			filter := f(i)
			filter.Limit = max(20, want)
			found, _, err := s.SearchWindow(ctx, filter)
			if err == nil && len(found) < want {
				err = fmt.Errorf("%d orders were found, want %d", len(found), want)
			}
			return err
		}
	}
	number := func(f func(i int) string) func(context.Context, int) error {
		return search(1, func(i int) store.WindowFilter { return store.WindowFilter{Number: f(i)} })
	}
	writes := newWrites(s, end)
	return []call{
		{"list, the newest 20", search(20, func(int) store.WindowFilter { return store.WindowFilter{} })},
		{"list, 20 from the middle", search(20, func(i int) store.WindowFilter {
			return store.WindowFilter{BeforeTime: storetest.FirstFilled.Add(time.Duration(pick(i)/2+100) * time.Second), BeforeID: "x"}
		})},
		{"list, the newest 20 paid", search(20, func(int) store.WindowFilter { return store.WindowFilter{Status: api.StatusPaid} })},
		{"list, the newest 20 open", search(20, func(int) store.WindowFilter { return store.WindowFilter{Status: api.StatusOpen} })},
		{"list, 20 closed from the middle", search(20, func(i int) store.WindowFilter {
			return store.WindowFilter{Status: api.StatusClosed, BeforeTime: storetest.FirstFilled.Add(time.Duration(pick(i)/2+1000) * time.Second), BeforeID: "x"}
		})},
		{"search, the order's number", number(func(i int) string { return storetest.FilledOrder(pick(i)) })},
		{"search, the payer's receipt: transaction", number(func(i int) string { return storetest.FilledTransaction(paid(i)) })},
		{"search, the payer's receipt: merchant's number", number(func(i int) string { return storetest.FilledPayment(pick(i)) })},
		{"search, a refund's number", number(func(i int) string { return storetest.FilledRefund(pick(i)/10*10 + 1) })},
		{"search, a number that nothing has", search(0, func(i int) store.WindowFilter { return store.WindowFilter{Number: fmt.Sprint("none", i)} })},
		{"search, reference", search(1, func(i int) store.WindowFilter { return store.WindowFilter{Reference: fmt.Sprint("A-", pick(i))} })},
		{"search, WeChat's transaction", search(1, func(i int) store.WindowFilter {
			return store.WindowFilter{TransactionID: storetest.FilledTransaction(paid(i))}
		})},
		{"search, in the 1,000 newest (metadata)", search(20, func(int) store.WindowFilter { return store.WindowFilter{MetaKey: "table", MetaValue: "7"} })},
		{"Today", func(ctx context.Context, _ int) error {
			taken, err := s.Takings(ctx, end.AddDate(0, 0, -30), end)
			if err == nil && len(taken) == 0 {
				err = errors.New("nothing was taken")
			}
			_, waitErr := s.Waiting(ctx, false)
			return errors.Join(err, waitErr)
		}},
		{"orders of a buyer", func(ctx context.Context, i int) error {
			_, err := s.List(ctx, storetest.FilledOwner(pick(i)), 20)
			return err
		}},
		{"orders of a person, by the payer", func(ctx context.Context, i int) error {
			_, err := s.PersonOrders(ctx, fmt.Sprint("payer", pick(i)/7), time.Time{}, "", 15)
			return err
		}},
		{"an order with payments and refunds", func(ctx context.Context, i int) error {
			_, err := s.WholeByID(ctx, storetest.FilledOrder(pick(i)))
			return err
		}},
		{"export, 500 orders", search(min(500, orders), func(int) store.WindowFilter { return store.WindowFilter{} })},
		{"export, 500 refunds", func(ctx context.Context, i int) error {
			_, err := s.RefundsAcceptedBetween(ctx, storetest.FirstFilled.Add(time.Duration(pick(i))*time.Second), time.Time{}, time.Time{}, "", 500)
			return err
		}},
		{"books, 500 payments of a day", func(ctx context.Context, i int) error {
			from := storetest.FirstFilled.Add(time.Duration(pick(i)) * time.Second)
			_, err := s.PaymentsBetween(ctx, from, from.AddDate(0, 0, 1), "2026-01-01", order.Entry{}, 500)
			return err
		}},
		{"events, the newest 20", events(s, "")},
		{"events, 20 that are pending", events(s, api.EventPending)},
		{"events, 20 that are dead", events(s, api.EventDead)},
		{"health page", func(ctx context.Context, _ int) error {
			_, err := s.Health(ctx, filledMerchant)
			_, endpointErr := s.EndpointHealth(ctx)
			return errors.Join(err, endpointErr)
		}},
		{"metrics", func(ctx context.Context, _ int) error {
			last, err := s.LastEvent(ctx)
			if err == nil {
				_, err = s.Backlog(ctx, last, false)
			}
			return err
		}},
		{"idle minute of the timer", minute.reconcile},
		{"idle minute of the deliveries", minute.deliver},
		{"a new order of a guest", writes.insert},
		{"a payment begins", writes.begin},
		{"a notification: paid", writes.notify},
		{"an event is delivered", writes.deliver},
		{"a refund begins and succeeds", writes.refund},
		{"a paid order, " + fmt.Sprint(storetest.LifeStatements) + " statements that write", func(ctx context.Context, _ int) error {
			return storetest.Life(ctx, s, lives.Add(1), storetest.LifeOptions{})
		}},
		{"retention, 20 unpaid orders", func(ctx context.Context, _ int) error {
			n, err := s.DeleteUnpaid(ctx, end, 20)
			if err == nil && n == 0 {
				err = errors.New("none was deleted")
			}
			return err
		}},
		{"retention, the payer of 20 events", func(ctx context.Context, _ int) error { return s.RemovePayers(ctx, end, true, 20) }},
		{"counters of 10,000 orders", func(ctx context.Context, _ int) error {
			_, err := s.Counters(ctx)
			return err
		}},
	}
}

// filledMerchant is the merchant of the orders of storetest.FillPostgres.
const filledMerchant = "1900000109"

func events(s *store.Store, status api.EventStatus) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		_, _, err := s.Events(ctx, store.EventPage{Status: status, Limit: 20})
		return err
	}
}

// writes are the calls of new orders. The i-th call of each is about the same order.
type writes struct {
	s   *store.Store
	at  time.Time
	run string // makes the orders of each run others
}

func newWrites(s *store.Store, at time.Time) *writes {
	return &writes{s, at, fmt.Sprintf("%x", time.Now().UnixNano())}
}

func (w *writes) id(i int) string { return fmt.Sprintf("n%s%07d", w.run, i) }
func (w *writes) no(i int) string { return fmt.Sprintf("N%s%07d", w.run, i) }

func (w *writes) insert(ctx context.Context, i int) error {
	_, err := w.s.Insert(ctx, order.Order{
		ID: w.id(i), Source: order.SourceShop, Owner: "guest:" + w.id(i), Network: fmt.Sprint("203.0.113.", i), ClientKey: "key", Fingerprint: "f", Shop: "https://shop.example.com",
		AppID: "wx", MchID: filledMerchant, Lines: []order.Line{{ProductID: "tea", Name: "tea", Price: 100, Quantity: 1}}, Total: 100, Currency: order.Currency, Description: "tea",
		CreatedAt: w.at, ExpiresAt: w.at.Add(order.Lifetime),
	})
	return err
}

func (w *writes) begin(ctx context.Context, i int) error {
	ok, err := w.s.InsertPayment(ctx, order.Payment{OutTradeNo: w.no(i), OrderID: w.id(i), AppID: "wx", MchID: filledMerchant, APIVersion: "v3", TradeType: api.TradeNative,
		NotifyURL: "https://shop.example.com/api/notify/pay", CreatedAt: w.at}, time.Time{})
	if err == nil && ok {
		ok, err = w.s.SetPrepay(ctx, w.no(i), order.Prepay{ID: "wx", URL: "weixin://", SignType: "RSA"}, w.at)
	}
	return did(ok, err)
}

func (w *writes) notify(ctx context.Context, i int) error {
	_, ok, err := w.s.ClaimNotified(ctx, order.Notified{OutTradeNo: w.no(i), APIVersion: "v3", AppID: "wx", MchID: filledMerchant, Total: 100, Currency: order.Currency}, nil, 3*time.Second, w.at)
	if err == nil && ok {
		ok, err = w.s.Pay(ctx, w.no(i), order.Paid{TransactionID: "T" + w.no(i), Payer: "payer", PaidAt: w.at, Source: "notify"}, w.at)
	}
	return did(ok, err)
}

func (w *writes) deliver(ctx context.Context, _ int) error {
	claimed, err := w.s.ClaimEvents(ctx, order.SettingsEndpoint, w.at, 1, 0)
	if err != nil || len(claimed) == 0 {
		return did(false, err)
	}
	ok, _, err := w.s.Deliver(ctx, claimed[0], w.at)
	return did(ok, err)
}

func (w *writes) refund(ctx context.Context, i int) error {
	ok, err := w.s.InsertRefund(ctx, order.Refund{ID: "R" + w.no(i), OrderID: w.id(i), OutTradeNo: w.no(i), Key: "key", Amount: 10, CreatedAt: w.at}, 0)
	if err == nil && ok {
		_, ok, err = w.s.MoveRefund(ctx, "R"+w.no(i), api.RefundSucceeded, "50"+w.no(i), w.at, w.at)
	}
	return did(ok, err)
}

// did returns an error if a statement changed nothing.
func did(ok bool, err error) error {
	if err == nil && !ok {
		err = errors.New("nothing was changed")
	}
	return err
}

// minute runs the timers at a time at which nothing is due.
type minute struct {
	payments *payment.Service
	events   *outbox.Sender
}

func newMinute(s *store.Store) (*minute, error) {
	now := func() time.Time { return storetest.FirstFilled }
	log := slog.New(slog.DiscardHandler)
	payments, err := payment.New(payment.Config{
		ShopName: "shop", ShopURL: "https://shop.example.com", TradeTypes: []api.TradeType{api.TradeJSAPI}, AppID: "wx", MchID: filledMerchant,
		Store: s, WeChat: noWeChat{}, Log: log, Now: now,
	})
	if err != nil {
		return nil, err
	}
	events, err := outbox.New(outbox.Config{Store: s, EndpointDoer: http.DefaultClient, SessionKey: wechat.Secret(strings.Repeat("k", 32)), Log: log, Now: now, Origin: outbox.Origin{Shop: "https://shop.example.com", AppID: "wx", MchID: filledMerchant}})
	return &minute{payments, events}, err
}

func (m *minute) reconcile(ctx context.Context, _ int) error { return m.payments.Reconcile(ctx) }
func (m *minute) deliver(ctx context.Context, _ int) error   { return m.events.Deliver(ctx) }

// noWeChat has the methods of WeChat Pay. An idle minute calls none of them.
type noWeChat struct{ *wechat.Client }
