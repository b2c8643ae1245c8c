package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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

// draft returns an order, ready to be inserted.
func draft(t *testing.T, openid, key string) order.Order {
	t.Helper()
	id, err := order.NewID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return order.Order{
		ID: id, Source: order.SourceShop, Owner: openid, ClientKey: key, Fingerprint: "f",
		Lines: []order.Line{{ProductID: "tea", Name: "高山乌龙茶", Price: 6800, Quantity: 2}},
		Shop:  "https://shop.example.com", AppID: "wx5a1e0f7c3b2d4968", MchID: mchID,
		Total: 13600, Currency: order.Currency, Description: "店 - 茶",
		CreatedAt: now, ExpiresAt: now.Add(order.Lifetime),
	}
}

// attempt returns a payment of an order, ready to be inserted. A user pays inside WeChat, a guest
// scans a code.
func attempt(t *testing.T, o order.Order) order.Payment {
	t.Helper()
	no, err := order.NewOutTradeNo(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	p := order.Payment{
		OutTradeNo: no, OrderID: o.ID, AppID: o.AppID, MchID: o.MchID, APIVersion: "v2", TradeType: api.TradeJSAPI, OpenID: o.Owner,
		ClientIP: "203.0.113.7", NotifyURL: "https://shop.example.com/api/notify/pay", CreatedAt: o.CreatedAt,
	}
	if o.Owner == "" || order.IsGuest(o.Owner) {
		p.TradeType, p.OpenID = api.TradeNative, ""
	}
	return p
}

// insert stores an order with a payment.
func insert(t *testing.T, s *store.Store, openid, key string) order.Order {
	t.Helper()
	return begin(t, s, insertBare(t, s, openid, key))
}

// insertBare stores an order without a payment.
func insertBare(t *testing.T, s *store.Store, openid, key string) order.Order {
	t.Helper()
	o, err := s.Insert(ctx, draft(t, openid, key))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// begin stores the first payment of an order, of the order's time, and returns the stored order.
func begin(t *testing.T, s *store.Store, o order.Order) order.Order {
	t.Helper()
	add(t, s, attempt(t, o))
	stored, err := s.ByID(ctx, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// add stores a payment.
func add(t *testing.T, s *store.Store, p order.Payment) order.Payment {
	t.Helper()
	if ok, err := s.InsertPayment(ctx, p, time.Time{}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return p
}

// beginClose cancels an open order. It returns the new status, closing or closed, or "" if the order was
// not open.
func beginClose(s *store.Store, id string, at time.Time) (api.OrderStatus, error) {
	w, changed, err := s.CloseWhole(ctx, id, at)
	if !changed {
		return "", err
	}
	return w.Status, err
}

// began reports whether beginClose changed an order.
func began(status api.OrderStatus, err error) (bool, error) { return status != "", err }

// closeOrder closes an order with one payment as after a close at WeChat.
func closeOrder(s *store.Store, o order.Order, at time.Time) (bool, error) {
	if ok, err := began(beginClose(s, o.ID, at)); !ok || err != nil {
		return false, err
	}
	return s.Close(ctx, o.Payment.OutTradeNo, at)
}

func TestOrderComesBackAsStored(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	of := draft(t, "", "")
	of.Source, of.Token, of.Reference, of.KeyID, of.ClientKey, of.Metadata = order.SourceAPI, "token-1", "A-1", "key_1", "idempotent-1", `{"a":"b"}`
	of.ReturnURL, of.TradeTypes = "https://merchant.example/thanks", []api.TradeType{api.TradeNative, api.TradeMWEB}
	of, err := s.Insert(ctx, of)
	if err != nil {
		t.Fatal(err)
	}
	shop, made := insertBare(t, s, "alice", "key-1"), begin(t, s, of)
	first := attempt(t, shop)
	add(t, s, first)
	newest := attempt(t, shop)
	newest.TradeType, newest.OpenID, newest.ShopName, newest.CreatedAt = api.TradeMWEB, "", "店", now.Add(time.Minute)
	add(t, s, newest)
	for _, p := range []*order.Payment{&first, &newest} { // fields that come from the order
		p.Total, p.Currency, p.Body, p.ExpiresAt = shop.Total, shop.Currency, shop.Description, shop.ExpiresAt
		p.Status, p.UpdatedAt = api.PaymentCreated, p.CreatedAt
	}
	shop.Payment, shop.Live = newest, 2
	of.Payment, of.Live = made.Payment, 1
	for name, read := range map[string]struct {
		want order.Order
		read func() (order.Order, error)
	}{
		"Whole":       {shop, func() (order.Order, error) { w, err := s.Whole(ctx, shop.ID, "alice"); return w.Order, err }},
		"ByClientKey": {shop, func() (order.Order, error) { return s.ByClientKey(ctx, "alice", "key-1") }},
		"List": {shop, func() (order.Order, error) {
			all, err := s.List(ctx, "alice", 50)
			if len(all) != 1 {
				return order.Order{}, fmt.Errorf("%d orders: %w", len(all), err)
			}
			return all[0], err
		}},
		"ByID":         {of, func() (order.Order, error) { return s.ByID(ctx, of.ID) }},
		"WholeByToken": {of, func() (order.Order, error) { w, err := s.WholeByToken(ctx, "token-1"); return w.Order, err }},
		"ByReference":  {of, func() (order.Order, error) { return s.ByReference(ctx, "A-1") }},
		"ByAPIKey":     {of, func() (order.Order, error) { return s.ByAPIKey(ctx, "key_1", "idempotent-1") }},
	} {
		got, err := read.read()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(read.want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	payments, err := s.PaymentsOf(ctx, shop.ID)
	if d := cmp.Diff([]order.Payment{first, newest}, payments); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if got, err := s.Payment(ctx, first.OutTradeNo); err != nil || got != first {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.Payment(ctx, "nobody's"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	storetest.Check(t, db)
}

func TestOrderIsHiddenFromOthers(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	o := insert(t, s, "alice", "key-1")
	if _, err := s.Whole(ctx, o.ID, "bob"); !errors.Is(err, store.ErrNotFound) {
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
	first := insertBare(t, s, "alice", "key-1")
	if again := insertBare(t, s, "alice", "key-1"); again.ID != first.ID {
		t.Errorf("a repeated key made order %s in addition to %s", again.ID, first.ID)
	}
	if other := insertBare(t, s, "bob", "key-1"); other.ID == first.ID {
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

// An order of an API key is unique by its idempotency key and by its reference.
func TestOrdersOfAPIKeys(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	made := func(key, idempotencyKey, reference string) order.Order {
		o := draft(t, "", idempotencyKey)
		o.Source, o.KeyID, o.Reference = order.SourceAPI, key, reference
		return o
	}
	first, err := s.Insert(ctx, made("k1", "i1", "A-1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		o    order.Order
		same bool
		err  error
	}{
		{"the same key again", made("k1", "i1", "A-1"), true, nil},
		{"the same key for another reference", made("k1", "i1", "A-2"), true, nil},
		{"the same reference", made("k1", "i2", "A-1"), true, store.ErrReference},
		{"the same reference without a key", made("k2", "", "A-1"), true, store.ErrReference},
		{"another API key", made("k2", "i1", "A-2"), false, nil},
		{"neither", made("k1", "", ""), false, nil},
		{"neither, once more", made("k1", "", ""), false, nil},
	} {
		got, err := s.Insert(ctx, c.o)
		if (got.ID == first.ID) != c.same || !errors.Is(err, c.err) {
			t.Errorf("%s: order %s, %v", c.name, got.ID, err)
		}
	}
	storetest.Check(t, db)
}

// paymentChanges are all changes of a payment, by the new status.
func paymentChanges(s *store.Store, o order.Order) map[api.PaymentStatus]func() (bool, error) {
	no := o.Payment.OutTradeNo
	return map[api.PaymentStatus]func() (bool, error){
		api.PaymentPending: func() (bool, error) {
			return s.SetPrepay(ctx, no, order.Prepay{ID: "wx-prepay", SignType: "MD5"}, now)
		},
		api.PaymentFailed: func() (bool, error) { return s.Fail(ctx, no, "PARAM_ERROR", now) },
		api.PaymentClosing: func() (bool, error) {
			if ok, err := began(beginClose(s, o.ID, now)); !ok || err != nil {
				return ok, err
			}
			p, err := s.Payment(ctx, no)
			return p.Status == api.PaymentClosing, err
		},
		api.PaymentClosed: func() (bool, error) { return s.Close(ctx, no, now) },
		api.PaymentPaid: func() (bool, error) {
			return s.Pay(ctx, no, order.Paid{TransactionID: "4200-" + no, PaidAt: now}, now)
		},
	}
}

// paymentPaths lead a new payment to each status.
var paymentPaths = map[api.PaymentStatus][]api.PaymentStatus{
	api.PaymentCreated: {},
	api.PaymentPending: {api.PaymentPending},
	api.PaymentFailed:  {api.PaymentFailed},
	api.PaymentClosing: {api.PaymentPending, api.PaymentClosing},
	api.PaymentClosed:  {api.PaymentPending, api.PaymentClosed},
	api.PaymentPaid:    {api.PaymentPending, api.PaymentPaid},
}

func TestPaymentChangesFollowTheTable(t *testing.T) {
	t.Parallel()
	for from, path := range paymentPaths {
		for to := range paymentPaths {
			if to == api.PaymentCreated {
				continue // no method makes this change
			}
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				db := storetest.Open(t)
				s := store.New(db)
				o := insert(t, s, "alice", "key-1")
				for _, step := range path {
					if ok, err := paymentChanges(s, o)[step](); !ok || err != nil {
						t.Fatalf("to %s: %t, %v", step, ok, err)
					}
				}
				before := storetest.Dump(t, db)
				ok, err := paymentChanges(s, o)[to]()
				if err != nil {
					t.Fatal(err)
				}
				if want := order.PaymentCanBecome(from, to); ok != want {
					t.Errorf("changed: %t, want %t by the table", ok, want)
				}
				if !ok && to != api.PaymentClosing && storetest.Dump(t, db) != before {
					t.Error("a rejected change changed the database")
				}
				storetest.Check(t, db)
			})
		}
	}
}

func TestPaidIsFinal(t *testing.T) {
	t.Parallel()
	for _, to := range []api.OrderStatus{api.StatusOpen, api.StatusClosing, api.StatusClosed, api.StatusPaid} {
		if order.CanBecome(api.StatusPaid, to) {
			t.Errorf("paid may become %s", to)
		}
	}
	if to := slices.IndexFunc(slices.Collect(maps.Keys(paymentPaths)), func(to api.PaymentStatus) bool { return order.PaymentCanBecome(api.PaymentPaid, to) }); to >= 0 {
		t.Errorf("paymentTransitions lets a paid payment change")
	}
}

// A cancelled order is due as soon as WeChat allows the close, and then less and less often.
func TestDueFindsCancelledOrders(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	early, late := insert(t, s, "alice", "key-1"), insert(t, s, "alice", "key-2")
	give := func(id string, at time.Time) {
		t.Helper()
		if ok, err := began(beginClose(s, id, at)); !ok || err != nil {
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
		for _, p := range due {
			if ok, err := s.ClaimQuery(ctx, p.OutTradeNo, time.Second, at); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if p.OrderID == early.ID {
				minutes = append(minutes, minute-6)
			}
		}
	}
	if len(minutes) < 8 || len(minutes) > 20 || minutes[0] != 0 || minutes[1] > 4 {
		t.Errorf("due %v minutes after WeChat may close it", minutes)
	}
	if ok, err := s.Close(ctx, early.Payment.OutTradeNo, now.Add(4*time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if due, err := s.Due(ctx, mchID, now.Add(100*time.Hour), 10); err != nil || len(due) != 1 || due[0].OrderID != late.ID {
		t.Errorf("due %v, %v", due, err)
	}
}

// Many due orders of one kind do not delay the other kinds: the open and the cancelled orders of
// guests and of buyers. Orders of another merchant are never due, even if they are older.
func TestDueTakesKindsInTurn(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	var junk []string
	for i := range 40 {
		o := draft(t, "guest:1", fmt.Sprint("key-", i))
		o.Network = "203.0.113.7"
		o.CreatedAt = now
		if i >= 30 {
			o.MchID = "1900000110"
		}
		o, err := s.Insert(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if begin(t, s, o); i < 30 {
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
		wanted = append(wanted, begin(t, s, o).ID)
	}
	for _, id := range append(junk[10:], wanted[1]) {
		if ok, err := began(beginClose(s, id, later)); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	due, err := s.Due(ctx, mchID, later.Add(time.Hour), 4)
	if err != nil || len(due) != 4 {
		t.Fatal(len(due), err)
	}
	var got []string
	for _, p := range due {
		got = append(got, p.OrderID)
	}
	for _, id := range wanted {
		if !slices.Contains(got, id) {
			t.Errorf("%s waits: %v", id, got)
		}
	}
	if due[2].Status != api.PaymentCreated || due[3].Status != api.PaymentClosing || !due[2].Guest || !due[3].Guest {
		t.Errorf("the two kinds of guests' orders do not alternate: %+v", due[2:])
	}
	all, err := s.Due(ctx, mchID, later.Add(time.Hour), 100)
	if err != nil || len(all) != 32 {
		t.Errorf("%d are due, %v", len(all), err)
	}
	if v, err := s.Health(ctx, mchID); err != nil || v.Foreign != 10 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestTransactionIsOfOnePayment(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	a, b := insert(t, s, "alice", "key-1"), insert(t, s, "bob", "key-1")
	if ok, err := s.Pay(ctx, a.Payment.OutTradeNo, order.Paid{TransactionID: "4200000001", PaidAt: now}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := s.Pay(ctx, b.Payment.OutTradeNo, order.Paid{TransactionID: "4200000001", PaidAt: now}, now); ok || err != nil {
		t.Errorf("the transaction paid a second order: %t, %v", ok, err)
	}
	storetest.Check(t, db)
}

func TestConcurrentChangesHappenOnce(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	if _, err := s.SetPrepay(ctx, o.Payment.OutTradeNo, order.Prepay{ID: "wx-prepay", SignType: "MD5"}, now); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	happened := map[string]int{}
	var wg sync.WaitGroup
	for range 50 {
		for name, f := range map[string]func() (bool, error){
			"pay": func() (bool, error) {
				return s.Pay(ctx, o.Payment.OutTradeNo, order.Paid{TransactionID: "4200000001", PaidAt: now}, now)
			},
			"claim": func() (bool, error) { return s.ClaimQuery(ctx, o.Payment.OutTradeNo, time.Second, now) },
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

// An expired payment may stay open for long, for example because of a wrong key.
func TestExpiredPaymentsAreDueLessOften(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-expired-00000")
	n := 0
	for at := o.ExpiresAt; at.Before(o.ExpiresAt.Add(10 * 24 * time.Hour)); at = at.Add(15 * time.Minute) {
		due, err := s.Due(ctx, o.MchID, at, 10)
		if err != nil {
			t.Fatal(err)
		}
		for range due {
			if ok, err := s.ClaimQuery(ctx, o.Payment.OutTradeNo, time.Second, at); !ok || err != nil {
				t.Fatal(ok, err)
			}
			n++
		}
	}
	if n < 20 || n > 70 {
		t.Errorf("due %d times in ten days", n)
	}
}
