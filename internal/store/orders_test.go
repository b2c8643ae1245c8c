package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

var (
	ctx = context.Background()
	now = time.Date(2026, 11, 23, 3, 4, 5, 678e6, time.UTC)
)

// mchID is the merchant of the orders.
const mchID = "1900000109"

// draft returns an order that is ready to be inserted.
func draft(t *testing.T, openid, key string) order.Order {
	t.Helper()
	id, err := order.NewID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	no, err := order.NewOutTradeNo(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	return order.Order{
		ID: id, Owner: openid, ClientKey: key, Fingerprint: "f",
		Lines:      []order.Line{{ProductID: "tea", Name: "高山乌龙茶", Price: 6800, Quantity: 2}},
		OutTradeNo: no, AppID: "wx5a1e0f7c3b2d4968", MchID: mchID, APIVersion: "v2", TradeType: api.TradeJSAPI,
		Total: 13600, Currency: order.Currency, Body: "店 - 茶", ClientIP: "203.0.113.7",
		NotifyURL: "https://shop.example.com/api/notify/pay",
		CreatedAt: now, ExpiresAt: now.Add(order.Lifetime),
	}
}

// insert stores an order that is sent to WeChat at once.
func insert(t *testing.T, s *store.Store, openid, key string) order.Order {
	t.Helper()
	return send(t, s, insertUnsent(t, s, openid, key))
}

// insertUnsent stores an order that WeChat does not know.
func insertUnsent(t *testing.T, s *store.Store, openid, key string) order.Order {
	t.Helper()
	o, err := s.Insert(ctx, draft(t, openid, key))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// send stores that an order was sent when it was made.
func send(t *testing.T, s *store.Store, o order.Order) order.Order {
	t.Helper()
	if ok, err := s.ClaimPrepay(ctx, o.ID, "", time.Time{}, o.CreatedAt); !ok || err != nil {
		t.Fatal(ok, err)
	}
	o.SentAt = o.CreatedAt
	return o
}

func TestOrderComesBackAsStored(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	want := insert(t, s, "alice", "key-1")
	for name, read := range map[string]func() (order.Order, error){
		"Get":          func() (order.Order, error) { return s.Get(ctx, want.ID, "alice") },
		"ByOutTradeNo": func() (order.Order, error) { return s.ByOutTradeNo(ctx, want.OutTradeNo) },
		"ByClientKey":  func() (order.Order, error) { return s.ByClientKey(ctx, "alice", "key-1") },
		"List": func() (order.Order, error) {
			all, err := s.List(ctx, "alice", 50)
			if len(all) != 1 {
				return order.Order{}, fmt.Errorf("%d orders: %w", len(all), err)
			}
			return all[0], err
		},
	} {
		got, err := read()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	storetest.Check(t, db)
}

func TestOrderIsHiddenFromOthers(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	o := insert(t, s, "alice", "key-1")
	if _, err := s.Get(ctx, o.ID, "bob"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get by another: %v", err)
	}
	if all, err := s.List(ctx, "bob", 50); err != nil || len(all) != 0 {
		t.Errorf("List by another: %v, %v", all, err)
	}
}

func TestSameClientKeyIsTheSameOrder(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	first := insert(t, s, "alice", "key-1")
	if again := insert(t, s, "alice", "key-1"); again.ID != first.ID {
		t.Errorf("a repeated key made order %s beside %s", again.ID, first.ID)
	}
	if other := insert(t, s, "bob", "key-1"); other.ID == first.ID {
		t.Error("two people share an order because of their key")
	}
	storetest.Check(t, db)
}

func TestListIsNewestFirstAndLimited(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	for i := range 5 {
		o := draft(t, "alice", fmt.Sprint("key-", i))
		o.CreatedAt = now.Add(time.Duration(i) * time.Second)
		if _, err := s.Insert(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.List(ctx, "alice", 3)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range all {
		keys = append(keys, o.ClientKey)
	}
	if d := cmp.Diff([]string{"key-4", "key-3", "key-2"}, keys); d != "" {
		t.Error(d)
	}
}

// changes are all changes of the store, by the status they lead to.
func changes(s *store.Store, id string) map[api.OrderStatus]func() (bool, error) {
	return map[api.OrderStatus]func() (bool, error){
		api.StatusPending: func() (bool, error) { return s.SetPrepay(ctx, id, order.Prepay{ID: "wx-prepay", SignType: "MD5"}, now) },
		api.StatusFailed:  func() (bool, error) { return s.Fail(ctx, id, "PARAM_ERROR", now) },
		api.StatusClosing: func() (bool, error) { return s.BeginClose(ctx, id, now) },
		api.StatusClosed:  func() (bool, error) { return s.Close(ctx, id, now) },
		api.StatusPaid: func() (bool, error) {
			return s.Pay(ctx, id, order.Payment{TransactionID: "4200-" + id, PaidAt: now}, now)
		},
	}
}

// paths lead a new order to each status.
var paths = map[api.OrderStatus][]api.OrderStatus{
	api.StatusCreated: {},
	api.StatusPending: {api.StatusPending},
	api.StatusFailed:  {api.StatusFailed},
	api.StatusClosing: {api.StatusPending, api.StatusClosing},
	api.StatusClosed:  {api.StatusPending, api.StatusClosed},
	api.StatusPaid:    {api.StatusPending, api.StatusPaid},
}

func TestEveryChangeObeysTheTable(t *testing.T) {
	t.Parallel()
	for from, path := range paths {
		for to := range paths {
			if to == api.StatusCreated {
				continue // nothing leads back there, and no method tries
			}
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				db := storetest.Open(t)
				s := store.New(db)
				o := insert(t, s, "alice", "key-1")
				for _, step := range path {
					if ok, err := changes(s, o.ID)[step](); !ok || err != nil {
						t.Fatalf("to %s: %t, %v", step, ok, err)
					}
				}
				before := storetest.Dump(t, db)
				ok, err := changes(s, o.ID)[to]()
				if err != nil {
					t.Fatal(err)
				}
				if want := order.CanBecome(from, to); ok != want {
					t.Errorf("happened: %t, the table says %t", ok, want)
				}
				if !ok && storetest.Dump(t, db) != before {
					t.Error("a rejected change changed something")
				}
				storetest.Check(t, db)
			})
		}
	}
}

func TestPaidIsForEver(t *testing.T) {
	t.Parallel()
	for _, to := range []api.OrderStatus{api.StatusCreated, api.StatusPending, api.StatusFailed, api.StatusClosed, api.StatusPaid} {
		if order.CanBecome(api.StatusPaid, to) {
			t.Errorf("paid may become %s", to)
		}
	}
}

// An order that was given up is looked after as soon as WeChat may close it, and
// then less and less often.
func TestDueFindsWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	early, late := insert(t, s, "alice", "key-1"), insert(t, s, "alice", "key-2")
	give := func(id string, at time.Time) {
		t.Helper()
		if ok, err := s.BeginClose(ctx, id, at); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	give(early.ID, now.Add(10*time.Second))
	give(late.ID, now.Add(3*time.Hour))
	var minutes []int
	for minute := range 12 * 60 {
		at := now.Add(order.MinCloseAge).Add(time.Duration(minute-6) * time.Minute)
		due, err := s.Due(ctx, mchID, at, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range due {
			if ok, err := s.ClaimQuery(ctx, o.ID, time.Second, at); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if o.ID == early.ID {
				minutes = append(minutes, minute-6)
			}
		}
	}
	if len(minutes) < 8 || len(minutes) > 20 || minutes[0] != 0 || minutes[1] > 4 {
		t.Errorf("due %v minutes after WeChat may close it", minutes)
	}
	if ok, err := s.Close(ctx, early.ID, now.Add(4*time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if due, err := s.Due(ctx, mchID, now.Add(100*time.Hour), 10); err != nil || len(due) != 1 || due[0].ID != late.ID {
		t.Errorf("due %v, %v", due, err)
	}
}

// However many orders of one kind are due, the other kinds do not wait for them: the
// open and the cancelled orders of guests and of buyers. Orders of another merchant
// are not due at all, also if they are older.
func TestDueTakesKindsInTurn(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	var junk []string
	for i := range 40 {
		o := draft(t, "guest:1", fmt.Sprint("key-", i))
		o.Network = "203.0.113.7"
		o.TradeType = api.TradeNative
		o.CreatedAt = now
		if i >= 30 {
			o.MchID = "1900000110"
		}
		o, err := s.Insert(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if send(t, s, o); i < 30 {
			junk = append(junk, o.ID)
		}
	}
	later := now.Add(order.MinCloseAge)
	var wanted []string
	for i := range 2 {
		o := draft(t, "alice", fmt.Sprint("key-", i))
		o.CreatedAt = later
		o, err := s.Insert(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		wanted = append(wanted, send(t, s, o).ID)
	}
	for _, id := range append(junk[10:], wanted[1]) {
		if ok, err := s.BeginClose(ctx, id, later); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	due, err := s.Due(ctx, mchID, later.Add(time.Hour), 4)
	if err != nil || len(due) != 4 {
		t.Fatal(len(due), err)
	}
	var got []string
	for _, o := range due {
		got = append(got, o.ID)
	}
	for _, id := range wanted {
		if !slices.Contains(got, id) {
			t.Errorf("%s waits: %v", id, got)
		}
	}
	if due[2].Status != api.StatusCreated || due[3].Status != api.StatusClosing || due[2].Owner != "guest:1" || due[3].Owner != "guest:1" {
		t.Errorf("the guest's two kinds do not have a turn each: %+v", due[2:])
	}
	all, err := s.Due(ctx, mchID, later.Add(time.Hour), 100)
	if err != nil || len(all) != 32 {
		t.Errorf("%d are due, %v", len(all), err)
	}
	if v, err := s.Vitals(ctx, mchID); err != nil || v.Foreign != 10 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestTransactionPaysOneOrder(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	a, b := insert(t, s, "alice", "key-1"), insert(t, s, "bob", "key-1")
	if ok, err := s.Pay(ctx, a.ID, order.Payment{TransactionID: "4200000001", PaidAt: now}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := s.Pay(ctx, b.ID, order.Payment{TransactionID: "4200000001", PaidAt: now}, now); ok || err != nil {
		t.Errorf("the transaction paid a second order: %t, %v", ok, err)
	}
	storetest.Check(t, db)
}

func TestConcurrentChangesHappenOnce(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	if _, err := s.SetPrepay(ctx, o.ID, order.Prepay{ID: "wx-prepay", SignType: "MD5"}, now); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	happened := map[string]int{}
	var wg sync.WaitGroup
	for range 50 {
		for name, f := range map[string]func() (bool, error){
			"pay": func() (bool, error) {
				return s.Pay(ctx, o.ID, order.Payment{TransactionID: "4200000001", PaidAt: now}, now)
			},
			"claim": func() (bool, error) { return s.ClaimQuery(ctx, o.ID, time.Second, now) },
		} {
			wg.Go(func() {
				ok, err := f()
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if ok {
					happened[name]++
				}
			})
		}
	}
	wg.Wait()
	if happened["pay"] != 1 || happened["claim"] > 1 {
		t.Errorf("happened %v times", happened)
	}
	storetest.Check(t, db)
}

// What keeps an expired order from being closed may last: a wrong key, say.
func TestExpiredOrdersAreDueLessAndLess(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := draft(t, "alice", "key-expired-00000")
	if _, err := s.Insert(ctx, o); err != nil {
		t.Fatal(err)
	}
	n := 0
	for at := o.ExpiresAt; at.Before(o.ExpiresAt.Add(10 * 24 * time.Hour)); at = at.Add(15 * time.Minute) {
		due, err := s.Due(ctx, o.MchID, at, 10)
		if err != nil {
			t.Fatal(err)
		}
		for range due {
			if ok, err := s.ClaimQuery(ctx, o.ID, time.Second, at); !ok || err != nil {
				t.Fatal(ok, err)
			}
			n++
		}
	}
	if n < 20 || n > 70 {
		t.Errorf("due %d times in ten days", n)
	}
}
