package store_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
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
	"h5pay/webhook"
)

// pay pays an order at the given time.
func pay(t *testing.T, s *store.Store, o order.Order, at time.Time) {
	t.Helper()
	if ok, err := s.Pay(ctx, o.Payment.OutTradeNo, order.Paid{TransactionID: "4200-" + o.Payment.OutTradeNo, Payer: o.Owner, PaidAt: at}, at); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// prepay stores a prepay_id of an order.
func prepay(t *testing.T, s *store.Store, o order.Order) {
	t.Helper()
	p := order.Prepay{ID: "wx-" + o.ID, SignType: "MD5"}
	if o.Payment.TradeType != api.TradeJSAPI {
		p.URL = "weixin://wxpay/bizpayurl?pr=" + o.ID
	}
	if ok, err := s.SetPrepay(ctx, o.Payment.OutTradeNo, p, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// refund makes a refund and lets it succeed.
func refund(t *testing.T, s *store.Store, o order.Order, id string, amount fen.Fen, at time.Time) {
	t.Helper()
	ok, err := s.InsertRefund(ctx, order.Refund{ID: id, OrderID: o.ID, OutTradeNo: o.Payment.OutTradeNo, Key: "key-" + id, Amount: amount, Reason: "七天无理由", CreatedAt: at}, 0)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := moved(s.MoveRefund(ctx, id, api.RefundSucceeded, "5000-"+id, at.Add(time.Second), at.Add(2*time.Second))); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// Every change that receivers must know makes one event, with the data of that moment.
func TestEventsSayWhatHappened(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	pay(t, s, o, now.Add(time.Minute))
	refund(t, s, o, "R1", 600, now.Add(time.Hour))
	refund(t, s, o, "R2", 13000, now.Add(2*time.Hour))
	closed := insert(t, s, "bob", "key-2")
	prepay(t, s, closed)
	if ok, err := closeOrder(s, closed, now.Add(3*time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	// Nobody could pay these two.
	failed := insert(t, s, "bob", "key-3")
	if ok, err := s.Fail(ctx, failed.Payment.OutTradeNo, "PARAM_ERROR", now.Add(4*time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if status, err := beginClose(s, failed.ID, now.Add(4*time.Hour)); status != api.StatusClosed || err != nil {
		t.Fatal(status, err)
	}
	cancelled := insertBare(t, s, "bob", "key-4")
	if status, err := beginClose(s, cancelled.ID, now.Add(4*time.Hour)); status != api.StatusClosed || err != nil {
		t.Fatal(status, err)
	}
	storetest.Check(t, db)

	what := func(o order.Order, status string, refunded int64) webhook.Order {
		return webhook.Order{
			ID: o.ID, Source: "shop", Status: status, Total: 13600, Currency: "CNY", Refunded: refunded, Description: o.Description,
			Items:     []webhook.Item{{ProductID: "tea", Name: "高山乌龙茶", Price: 6800, Quantity: 2}},
			Metadata:  json.RawMessage("null"),
			CreatedAt: now.UnixMilli(), ExpiresAt: now.Add(order.Lifetime).UnixMilli(),
		}
	}
	by := &webhook.Payment{
		OutTradeNo: o.Payment.OutTradeNo, TransactionID: "4200-" + o.Payment.OutTradeNo, TradeType: "JSAPI", Payer: "alice", PaidAt: now.Add(time.Minute).UnixMilli(),
		APIVersion: "v2", AppID: o.AppID, MchID: mchID,
	}
	back := func(id string, amount int64, at time.Time) *webhook.Refund {
		return &webhook.Refund{ID: id, RefundID: "5000-" + id, Amount: amount, Reason: "七天无理由",
			CreatedAt: at.UnixMilli(), EndedAt: at.Add(time.Second).UnixMilli()}
	}
	want := []webhook.Event{
		{Type: "order.paid", CreatedAt: now.Add(time.Minute).UnixMilli(), Data: webhook.Data{Order: what(o, "paid", 0), Payment: by}},
		{Type: "order.refunded", CreatedAt: now.Add(time.Hour + 2*time.Second).UnixMilli(),
			Data: webhook.Data{Order: what(o, "paid", 600), Payment: by, Refund: back("R1", 600, now.Add(time.Hour))}},
		{Type: "order.refunded", CreatedAt: now.Add(2*time.Hour + 2*time.Second).UnixMilli(),
			Data: webhook.Data{Order: what(o, "refunded", 13600), Payment: by, Refund: back("R2", 13000, now.Add(2*time.Hour))}},
		{Type: "order.closed", CreatedAt: now.Add(3 * time.Hour).UnixMilli(), Data: webhook.Data{Order: what(closed, "closed", 0)}},
	}
	var got []webhook.Event
	stored, _, err := s.Events(ctx, store.EventPage{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range stored {
		ids = append([]string{e.ID}, ids...)
		event := webhook.Event{Type: webhook.Type(e.Type), CreatedAt: e.CreatedAt.UnixMilli()}
		d := json.NewDecoder(strings.NewReader(e.Data))
		d.DisallowUnknownFields()
		if err := d.Decode(&event.Data); err != nil {
			t.Fatalf("%s: %v", e.Data, err)
		}
		got = append([]webhook.Event{event}, got...) // newest first
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	wantIDs := []string{"evt_paid_" + o.ID, "evt_refunded_R1", "evt_refunded_R2", "evt_closed_" + closed.ID}
	if d := cmp.Diff(wantIDs, ids); d != "" {
		t.Errorf("ids (-want +got):\n%s", d)
	}
}

// The event of a refund has the status that the order has then, also while another refund of
// it has not ended.
func TestEventOfARefundWhileAnotherRuns(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	pay(t, s, o, now)
	for _, id := range []string{"R1", "R2", "R3"} {
		if !addRefund(t, s, refundDraft(o, id, 500)) {
			t.Fatal(id)
		}
	}
	for i, want := range []struct {
		id     string
		ends   api.RefundStatus
		status string // in the event, and of the order
	}{{"R1", api.RefundSucceeded, "refunding"}, {"R2", api.RefundClosed, ""}, {"R3", api.RefundSucceeded, "paid"}} {
		at := now.Add(time.Duration(i+1) * time.Second)
		if ok, err := moved(s.MoveRefund(ctx, want.id, want.ends, "5000-"+want.id, at, at)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if want.status == "" {
			continue
		}
		e, err := s.Event(ctx, "evt_refunded_"+want.id)
		if err != nil {
			t.Fatal(err)
		}
		var data webhook.Data
		if err := json.Unmarshal([]byte(e.Data), &data); err != nil {
			t.Fatal(err)
		}
		stored, err := s.ByID(ctx, o.ID)
		if err != nil || data.Order.Status != want.status || string(stored.Status) != want.status || data.Order.Refunded != int64(stored.Refunded) {
			t.Errorf("%s: the event says %s and %d, the order is %s with %d: %v", want.id, data.Order.Status, data.Order.Refunded, stored.Status, stored.Refunded, err)
		}
	}
	storetest.Check(t, db)
}

// Refunds made by hand have numbers of the merchant platform, whose characters may be invalid
// in a path. Different refunds still have different event ids.
func TestEventIDOfARefundMadeByHand(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	pay(t, s, o, now)
	form := regexp.MustCompile(`^evt_refunded_[0-9A-Za-z_~-]{1,128}$`)
	ids := map[string]string{}
	for i, no := range []string{"a|b", "a*b", "a@b", "a_b", "a-b", "ab", "apb", "A|B", "a||b", strings.Repeat("|", 64)} {
		refundID := fmt.Sprint("5000", i)
		if ok, err := s.RecordRefund(ctx, order.Refund{ID: no, OrderID: o.ID, OutTradeNo: o.Payment.OutTradeNo, Amount: 1, RefundID: refundID, CreatedAt: now, AcceptedAt: now}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if ok, err := moved(s.MoveRefund(ctx, no, api.RefundSucceeded, refundID, now, now)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		events, _, err := s.Events(ctx, store.EventPage{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		id := events[0].ID
		if !form.MatchString(id) || url.PathEscape(id) != id || ids[id] != "" {
			t.Errorf("%s: id %q, as of %q", no, id, ids[id])
		}
		ids[id] = no
	}
	storetest.Check(t, db)
}

// A change makes one event, however often and by how many concurrent callers it is reported.
func TestEventsAreNeverDoubled(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	prepay(t, s, o)
	if ok, err := closeOrder(s, o, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := s.Pay(ctx, o.Payment.OutTradeNo, order.Paid{TransactionID: "4200000001", Payer: "alice", PaidAt: now}, now); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	refund(t, s, o, "R1", 13600, now)
	storetest.Check(t, db)
	var got []api.EventType
	events, err := s.EventsOf(ctx, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		got = append(got, e.Type)
	}
	if d := cmp.Diff([]api.EventType{api.EventOrderClosed, api.EventOrderPaid, api.EventOrderRefunded}, got); d != "" {
		t.Error(d)
	}
}

// The event and the change of its order are one statement: if the event cannot be stored, the
// order is not paid.
func TestNoPaymentWithoutItsEvent(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	storetest.Exec(t, db, `CREATE TRIGGER disk_full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
	before := storetest.Dump(t, db)
	if ok, err := s.Pay(ctx, o.Payment.OutTradeNo, order.Paid{TransactionID: "4200000001", PaidAt: now}, now); ok || err == nil {
		t.Errorf("paid: %t, %v", ok, err)
	}
	if d := cmp.Diff(before, storetest.Dump(t, db)); d != "" {
		t.Error(d)
	}
	storetest.Exec(t, db, `DROP TRIGGER disk_full`)
	pay(t, s, o, now)
	storetest.Check(t, db)
}

func TestEventsComeInPages(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	var want []string
	for i := range 7 {
		o := insert(t, s, "alice", fmt.Sprint("key-", i))
		pay(t, s, o, now)
		want = append([]string{o.ID}, want...)
	}
	for _, status := range []api.EventStatus{"", api.EventPending} {
		var got []string
		page := store.EventPage{Status: status, Limit: 3}
		for _, size := range []int{3, 3, 1} {
			events, next, err := s.Events(ctx, page)
			if err != nil || len(events) != size {
				t.Fatalf("%d events, %v; want %d", len(events), err, size)
			}
			for _, e := range events {
				got = append(got, e.OrderID)
			}
			page.Before = next
		}
		if page.Before != 0 {
			t.Error("there is a page after the last")
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", status, d)
		}
	}
	if events, _, err := s.Events(ctx, store.EventPage{Status: api.EventDead, Limit: 3}); err != nil || len(events) != 0 {
		t.Errorf("dead: %+v, %v", events, err)
	}
	if ok, err := s.Replay(ctx, "evt_unknown", "", now); ok || err != nil {
		t.Errorf("an unknown event is replayed: %t, %v", ok, err)
	}
}
