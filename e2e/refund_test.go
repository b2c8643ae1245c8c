package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// callOperator makes a call of the operator.
func callOperator(t *testing.T, method, path, key, body string, status int, result any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, world.shop.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+world.env["ADMIN_TOKEN"])
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		t.Fatalf("%s %s: %s %s, %v", method, path, res.Status, b, err)
	}
	if err := json.Unmarshal(b, result); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, b)
	}
}

// A payment is refunded in two parts: by the operator's call and WeChat's notification, and by the
// timer. The bill of the day agrees.
func TestRefund(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("coffee")
	id := p.order()
	p.pay()
	p.seesPaid()
	var o v1.Order
	callOperator(t, "GET", "/v1/orders/"+id, "", "", 200, &o)
	path := "/v1/orders/" + id + "/refunds"

	var rejected api.Error
	callOperator(t, "POST", path, "e2e-0", `{"amount":100000}`, 409, &rejected)
	if rejected.Code != api.CodeRefundTooMuch {
		t.Errorf("too much: %+v", rejected)
	}
	var part, again v1.Refund
	callOperator(t, "POST", path, "e2e-1", `{"amount":100,"reason":"少了一包"}`, 201, &part)
	callOperator(t, "POST", path, "e2e-1", `{"amount":100,"reason":"少了一包"}`, 201, &again)
	if part.ID != again.ID || part.Status == api.RefundCreated {
		t.Errorf("%+v and %+v", part, again)
	}
	world.sim.Advance(time.Minute) // WeChat sends the notification
	seen := ownOrder(t, p, id)
	for deadline := time.Now().Add(waitTimeout); seen.Status != api.StatusPaid && time.Now().Before(deadline); seen = ownOrder(t, p, id) {
		time.Sleep(100 * time.Millisecond)
	}
	if seen.Status != api.StatusPaid || seen.Refunded != 100 || len(seen.Refunds) != 1 || seen.Refunds[0].Status != api.RefundSucceeded {
		t.Errorf("the buyer sees %+v", seen)
	}

	// WeChat accepts the rest, but its response and its notification are lost.
	for _, fault := range []wechattest.Fault{{Kind: wechattest.FaultTimeoutAfter, Path: byVersion("/secapi/pay/refund", "/v3/refund/domestic/refunds")}, {Kind: wechattest.FaultNotifyLost}} {
		if err := world.sim.AddFault(fault); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := json.Marshal(v1.CreateRefund{Amount: o.Amount - 100})
	if err != nil {
		t.Fatal(err)
	}
	callOperator(t, "POST", path, "e2e-2", string(rest), 201, &part)
	if part.Status != api.RefundCreated {
		t.Errorf("%+v", part)
	}
	world.sim.Advance(time.Minute)
	for range 2 { // the refund is sent again and queried
		execSQL(t, `UPDATE refunds SET created_at = created_at - 240000, queried_at = queried_at - 240000 WHERE id = ?`, part.ID)
		if err := world.shop.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	seen = ownOrder(t, p, id)
	if seen.Status != api.StatusRefunded || seen.Refunded != o.Amount || len(seen.Refunds) != 2 {
		t.Errorf("the buyer sees %+v\n%s", seen, world.log)
	}
	var steps []api.OrderStatus
	for _, step := range seen.Timeline {
		steps = append(steps, step.Status)
	}
	if len(steps) != 6 || steps[5] != api.StatusRefunded {
		t.Errorf("steps %v", steps)
	}
	if n := len(world.sim.Ledger().Refunds); n < 2 {
		t.Errorf("WeChat made %d refunds", n)
	}
}

// A bill check on real D1, by the timer: the shop has a payment on a day on which WeChat has none.
func TestBillCheck(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("coffee")
	id := p.order()
	p.pay()
	p.seesPaid()
	// As if it had been paid three days ago.
	const threeDays = 3 * 24 * time.Hour
	execSQL(t, `UPDATE payments SET paid_at = paid_at - ? WHERE order_id = ?`, threeDays.Milliseconds(), id)
	defer execSQL(t, `UPDATE payments SET paid_at = paid_at + ? WHERE order_id = ?`, threeDays.Milliseconds(), id)
	var o v1.Order
	callOperator(t, "GET", "/v1/orders/"+id, "", "", 200, &o)
	date := cst.In(time.Now().Add(-threeDays)).Format("2006-01-02")
	want := v1.BillDifference{Kind: "missing_there", OutTradeNo: o.Payments[0].OutTradeNo, Ours: o.Amount.String() + " paid"}
	for range 2 {
		var c v1.Bill
		callOperator(t, "POST", "/v1/bills/"+date+"/check", "", "", 200, &c)
		if c.Status != "differs" || len(c.Differences) != 1 || c.Differences[0] != want {
			t.Errorf("%+v, want %+v", c, want)
		}
	}
	var list v1.Bills
	callOperator(t, "GET", "/v1/bills", "", "", 200, &list)
	if len(list.Bills) != 1 || len(list.Bills[0].Differences) != 1 || list.Bills[0].Differences[0] != want {
		t.Errorf("%+v", list)
	}
	// The first order is from today. The timer checks bills only after an order is older.
	execSQL(t, `UPDATE orders SET created_at = created_at - ? WHERE id = ?`, threeDays.Milliseconds(), id)
	defer execSQL(t, `UPDATE orders SET created_at = created_at + ? WHERE id = ?`, threeDays.Milliseconds(), id)
	if err := world.shop.CheckBills(t.Context()); err != nil {
		t.Fatal(err)
	}
	callOperator(t, "GET", "/v1/bills", "", "", 200, &list)
	if len(list.Bills) != 2 || list.Bills[0].Status != "agrees" {
		t.Errorf("%+v", list)
	}
}

// ownOrder reads an order as the page does.
func ownOrder(t *testing.T, p phone, id string) (o api.Order) {
	t.Helper()
	status, body := p.fetch("GET", api.OrderPath(id), "")
	if err := json.Unmarshal([]byte(body), &o); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	return o
}
