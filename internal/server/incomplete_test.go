package server_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// refundedBeforeKnown makes an order by QR code. The second user pays it, and the merchant refunds
// it by hand, before the shop knows of the payment. Then the shop queries WeChat, which guarantees
// neither payer nor time.
func refundedBeforeKnown(s *paytest.Shop) (guest *paytest.Person, id string, trade wechattest.Trade) {
	s.T.Helper()
	guest = s.NewGuest(0)
	var c api.Checkout
	guest.Checkout(paytest.BasketForCode("tea", 1), &c)
	s.Fault(wechattest.FaultNotifyLost, "")
	if err := s.Scan(1, c.CodeURL); err != nil {
		s.T.Fatal(err)
	}
	if _, err := s.Sim.Refund(s.OutTradeNo(c.Order.ID), 800); err != nil {
		s.T.Fatal(err)
	}
	trades := s.Sim.Ledger().Trades
	return guest, c.Order.ID, trades[len(trades)-1]
}

// incomplete searches for a seed with which WeChat reports neither payer nor time. The simulator
// omits optional fields at random.
func incomplete(t *testing.T) (r *paytest.Merchant, guest *paytest.Person, id string, trade wechattest.Trade) {
	t.Helper()
	for seed := range int64(64) {
		r = &paytest.Merchant{Accept: webhook.Receiver{Secrets: []string{paytest.WebhookSecret}}, Acknowledged: map[string]int{}}
		r.Shop = paytest.NewShopAt(t, wechattest.Config{Seed: seed + 1}, r.Configure)
		guest, id, trade = refundedBeforeKnown(r.Shop)
		r.Sim.Advance(2 * time.Minute)
		r.Reconcile()
		if o, err := store.New(r.DB).ByID(t.Context(), id); err != nil {
			t.Fatal(err)
		} else if o.Payment.PaidAt.IsZero() && o.Payment.PayerUnknown {
			return r, guest, id, trade
		}
	}
	t.Fatal("WeChat reports payer or time with every seed")
	return nil, nil, "", trade
}

// Until the bill is available, all responses show that payer and time are unknown. Then the bill
// adds them.
func TestBillAddsPayerAndTime(t *testing.T) {
	t.Parallel()
	r, guest, id, trade := incomplete(t)
	op := r.Operator()
	r.Deliver()
	r.Deliver()

	if o := guest.GetOrder(id); o.Status != api.StatusPaid || o.PaidAt != 0 || !o.PaidAtUnknown || o.PaymentNo != trade.TransactionID {
		t.Errorf("the buyer gets %+v", o)
	}
	if o := op.StoredOrder(id); o.PaidAt != 0 || o.Payments[0].PaidAt != 0 || o.Payments[0].Payer != "" {
		t.Errorf("the operator gets %+v", o)
	}
	if table := string(op.Call("GET", "/v1/tables/orders", nil).Body); strings.Count(table, "not known yet") != 2 {
		t.Errorf("the table has %s", table)
	}
	for _, body := range r.Bodies {
		var told struct {
			Type string
			Data struct{ Payment map[string]json.RawMessage }
		}
		if err := json.Unmarshal([]byte(body), &told); err != nil {
			t.Fatal(err)
		}
		if o := told.Data.Payment; string(o["payer"]) != "null" || string(o["paid_at"]) != "null" || string(o["transaction_id"]) != `"`+trade.TransactionID+`"` {
			t.Errorf("the back end gets %s", body)
		}
	}
	if len(r.Bodies) != 2 {
		t.Errorf("%d events", len(r.Bodies))
	}

	r.AdvanceTo(1, "10:00:00")
	r.CheckBills()
	if c := billChecks(op, "?date=2026-11-23"); len(c) != 1 || c[0].Status != "agrees" {
		t.Errorf("%+v", c)
	}
	if o := guest.GetOrder(id); o.PaidAt != trade.Paid.Unix()*1000 || o.PaidAtUnknown {
		t.Errorf("the buyer gets %+v, paid at %s", o, trade.Paid)
	}
	if o := op.StoredOrder(id); o.PaidAt == 0 || o.Payments[0].PaidAt == 0 || o.Payments[0].Payer == "" {
		t.Errorf("the operator gets %+v", o)
	}
	wantPayment(r.Shop, id, trade)
	if table := string(op.Call("GET", "/v1/tables/orders", nil).Body); strings.Contains(table, "not known yet") {
		t.Errorf("the table has %s", table)
	}
}

// wantPayment compares a stored payment with WeChat's.
func wantPayment(s *paytest.Shop, id string, trade wechattest.Trade) {
	s.T.Helper()
	o, err := store.New(s.DB).ByID(s.T.Context(), id)
	if err != nil || o.Payment.TransactionID != trade.TransactionID || o.Payment.Payer != trade.OpenID || !o.Payment.PaidAt.Equal(trade.Paid.Truncate(time.Second)) {
		s.T.Errorf("order %s: %s by %q at %s, %v; WeChat has %+v", id, o.Payment.TransactionID, o.Payment.Payer, o.Payment.PaidAt, err, trade)
	}
	s.Check()
}

// The payment becomes known after the bill of its day was compared: the bill is
// compared once more, and only once.
func TestBillIsComparedAgainForAPaymentThatWasNotKnown(t *testing.T) {
	t.Parallel()
	r, _, id, trade := incomplete(t)
	op := r.Operator()
	storetest.Exec(t, r.DB, `INSERT INTO bill_checks (date, status, checked_at, result, run, leased_until, next_at) VALUES ('2026-11-23', 'agrees', 1, 'r', 'r', 0, 0)`)
	r.AdvanceTo(1, "10:00:00")
	for range 3 {
		r.CheckBills()
	}
	wantPayment(r.Shop, id, trade)
	if c := billChecks(op, "?date=2026-11-23"); len(c) != 1 || c[0].Payments != 1 || c[0].Status != "agrees" {
		t.Errorf("%+v", c)
	}
	if n := r.Calls("downloadbill"); n != 1 {
		t.Errorf("the bill was fetched %d times", n)
	}
}

// A payment without a time is compared with the bills too.
func TestPaymentWithoutATimeIsMissedInTheBill(t *testing.T) {
	t.Parallel()
	r, _, id, _ := incomplete(t)
	r.AdvanceTo(1, "10:00:00")
	r.Fault(wechattest.FaultBillRowLost, "")
	if c := checkBill(r.Operator(), "2026-11-23"); len(c.Differences) != 1 || c.Differences[0].Kind != "missing_there" || c.Differences[0].OutTradeNo != r.OutTradeNo(id) {
		t.Errorf("%+v", c)
	}
}

// The lost notification arrives late, with payer and time. It is acknowledged and its fields are
// not stored, because anybody with the API key can sign one. The bill adds both.
func TestNotificationAddsNeitherPayerNorTime(t *testing.T) {
	t.Parallel()
	r, _, id, trade := incomplete(t)
	if attempt, err := r.Sim.Notify(r.OutTradeNo(id), ""); err != nil || !attempt.OK {
		t.Fatal(attempt, err)
	}
	if o, err := store.New(r.DB).ByID(t.Context(), id); err != nil || !o.Payment.PaidAt.IsZero() {
		t.Errorf("paid at %s, %v", o.Payment.PaidAt, err)
	}
	r.AdvanceTo(1, "10:00:00")
	r.CheckBills()
	wantPayment(r.Shop, id, trade)
}

// A payment of unknown time can be refunded until a year after its latest possible time.
func TestRefundOfAPaymentWithoutATime(t *testing.T) {
	t.Parallel()
	r, _, id, _ := incomplete(t)
	op := r.Operator()
	r.AdvanceClock(365 * 24 * time.Hour)
	op.Refund(id, paytest.RefundRequest(100))
	r.AdvanceClock(3 * 24 * time.Hour)
	op.Fails(api.CodeWeChatDeclined, "POST", paytest.RefundPath(id), paytest.RefundRequest(100))
}
