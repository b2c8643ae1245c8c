package server_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// paidBackUnheard makes an order at a QR code, which the second user pays and the
// merchant pays back by hand before the shop hears of either. The shop then asks
// WeChat, which promises neither payer nor time.
func (s *shop) paidBackUnheard() (guest *person, id string, trade wechattest.Trade) {
	s.t.Helper()
	guest = s.guest(0)
	var c api.Checkout
	guest.checkout(native("tea", 1), &c)
	s.fault(wechattest.FaultNotifyLost, "")
	if err := s.scan(1, c.CodeURL); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.sim.Refund(s.outTradeNo(c.Order.ID), 800); err != nil {
		s.t.Fatal(err)
	}
	trades := s.sim.Ledger().Trades
	return guest, c.Order.ID, trades[len(trades)-1]
}

// incomplete searches for a seed with which WeChat reports neither payer nor time:
// what it does not promise it leaves out at will.
func incomplete(t *testing.T) (r *receiver, guest *person, id string, trade wechattest.Trade) {
	t.Helper()
	for seed := range int64(64) {
		r = &receiver{accept: webhook.Receiver{Secrets: []string{webhookSecret}}, times: map[string]int{}}
		r.shop = newShopAt(t, wechattest.Config{Seed: seed + 1}, r.config)
		guest, id, trade = r.paidBackUnheard()
		r.sim.Advance(2 * time.Minute)
		r.reconcile()
		if o, err := store.New(r.db).ByID(t.Context(), id); err != nil {
			t.Fatal(err)
		} else if o.PaidAt.IsZero() && o.PayerUnknown {
			return r, guest, id, trade
		}
	}
	t.Fatal("WeChat reports more than it promises with every seed")
	return nil, nil, "", trade
}

// Until the bill is there everybody is told that payer and time are not known.
// Then the bill fills them in.
func TestBillTellsPayerAndTime(t *testing.T) {
	t.Parallel()
	r, guest, id, trade := incomplete(t)
	op := r.operator()
	r.deliver()
	r.deliver()

	if o := guest.get(id); o.Status != api.StatusPaid || o.PaidAt != 0 || !o.PaidAtUnknown || o.PaymentNo != trade.TransactionID {
		t.Errorf("the buyer sees %+v", o)
	}
	if o := op.look(id); o.PaidAt != 0 || !o.PaidAtUnknown || o.Payer != "" || !o.PayerUnknown {
		t.Errorf("the operator sees %+v", o)
	}
	if table := string(op.call("GET", api.PathAdminOrders+"?format=csv", nil).body); strings.Count(table, "not known yet") != 2 {
		t.Errorf("the table says %s", table)
	}
	for _, body := range r.bodies {
		var told struct {
			Type string
			Data struct{ Order map[string]json.RawMessage }
		}
		if err := json.Unmarshal([]byte(body), &told); err != nil {
			t.Fatal(err)
		}
		if o := told.Data.Order; string(o["payer"]) != "null" || string(o["paid_at"]) != "null" || string(o["transaction_id"]) != `"`+trade.TransactionID+`"` {
			t.Errorf("the back end is told %s", body)
		}
	}
	if len(r.bodies) != 2 {
		t.Errorf("%d events", len(r.bodies))
	}

	r.until(1, "10:00:00")
	r.checkBills()
	if c := op.bills("?date=2026-11-23"); len(c) != 1 || c[0].Status != "agrees" {
		t.Errorf("%+v", c)
	}
	if o := guest.get(id); o.PaidAt != trade.Paid.Unix()*1000 || o.PaidAtUnknown {
		t.Errorf("the buyer sees %+v, paid at %s", o, trade.Paid)
	}
	if o := op.look(id); o.PaidAtUnknown || o.PayerUnknown || o.Payer == "" {
		t.Errorf("the operator sees %+v", o)
	}
	r.wantPayment(id, trade)
	if table := string(op.call("GET", api.PathAdminOrders+"?format=csv", nil).body); strings.Contains(table, "not known yet") {
		t.Errorf("the table says %s", table)
	}
}

// wantPayment compares a stored payment with WeChat's.
func (s *shop) wantPayment(id string, trade wechattest.Trade) {
	s.t.Helper()
	o, err := store.New(s.db).ByID(s.t.Context(), id)
	if err != nil || o.TransactionID != trade.TransactionID || o.Payer != trade.OpenID || !o.PaidAt.Equal(trade.Paid.Truncate(time.Second)) {
		s.t.Errorf("order %s: %s by %q at %s, %v; WeChat has %+v", id, o.TransactionID, o.Payer, o.PaidAt, err, trade)
	}
	s.check()
}

// The payment becomes known after the bill of its day was compared: the bill is
// compared once more, and only once.
func TestBillIsComparedAgainForAPaymentThatWasNotKnown(t *testing.T) {
	t.Parallel()
	r, _, id, trade := incomplete(t)
	op := r.operator()
	storetest.Exec(t, r.db, `INSERT INTO bill_checks (date, status, checked_at, result, run, leased_until, next_at) VALUES ('2026-11-23', 'agrees', 1, 'r', 'r', 0, 0)`)
	r.until(1, "10:00:00")
	for range 3 {
		r.checkBills()
	}
	r.wantPayment(id, trade)
	if c := op.bills("?date=2026-11-23"); len(c) != 1 || c[0].Payments != 1 || c[0].Status != "agrees" {
		t.Errorf("%+v", c)
	}
	if n := r.calls("downloadbill"); n != 1 {
		t.Errorf("the bill was fetched %d times", n)
	}
}

// A payment that lacks its time is looked for in the bills all the same.
func TestPaymentWithoutATimeIsMissedInTheBill(t *testing.T) {
	t.Parallel()
	r, _, id, _ := incomplete(t)
	r.until(1, "10:00:00")
	r.fault(wechattest.FaultBillRowLost, "")
	if c := r.operator().checkBill("2026-11-23"); len(c.Differences) != 1 || c.Differences[0].Kind != "missing_there" || c.Differences[0].OutTradeNo != r.outTradeNo(id) {
		t.Errorf("%+v", c)
	}
}

// The lost notification arrives at last, with payer and time. It is acknowledged and
// not believed: whoever has the API key can sign one. The bill fills in both.
func TestNotificationDoesNotFillInPayerAndTime(t *testing.T) {
	t.Parallel()
	r, _, id, trade := incomplete(t)
	if attempt, err := r.sim.Notify(r.outTradeNo(id), ""); err != nil || !attempt.OK {
		t.Fatal(attempt, err)
	}
	if o, err := store.New(r.db).ByID(t.Context(), id); err != nil || !o.PaidAt.IsZero() {
		t.Errorf("paid at %s, %v", o.PaidAt, err)
	}
	r.until(1, "10:00:00")
	r.checkBills()
	r.wantPayment(id, trade)
}

// A payment whose time is not known can be refunded for a year after the last
// moment at which it can have been made.
func TestRefundOfAPaymentWithoutATime(t *testing.T) {
	t.Parallel()
	r, _, id, _ := incomplete(t)
	op := r.operator()
	r.advanceShop(365 * 24 * time.Hour)
	op.refund(id, refundOf(100))
	r.advanceShop(3 * 24 * time.Hour)
	op.fails(api.CodeWeChatDeclined, "POST", refundPath(id), refundOf(100))
}
