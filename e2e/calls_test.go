package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

// buyer is a signed-in client without a browser.
type buyer struct {
	t    *testing.T
	http *http.Client
}

// newBuyer signs in the n-th user through the simulated WeChat.
func newBuyer(t *testing.T, n int) buyer {
	t.Helper()
	world.sim.ClearFaults()
	takePhone(t, n)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := buyer{t, &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	var to api.AuthorizeResponse
	b.ok("POST", api.PathAuthorize, `{"return_to": "/"}`, &to)
	res, err := b.http.Get(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	back, err := res.Location()
	if err != nil {
		t.Fatalf("WeChat did not send the phone back: %v", err)
	}
	b.ok("POST", api.PathToken, `{"code": "`+back.Query().Get("code")+`", "state": "`+back.Query().Get("state")+`"}`, nil)
	return b
}

// newGuest returns a client with a guest session.
func newGuest(t *testing.T) buyer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := buyer{t, &http.Client{Jar: jar}}
	b.ok("POST", api.PathSession, ``, nil)
	return b
}

// call makes one call as the page does; edit modifies the request. The call goes directly to the
// shop, because through the phone only its current user is signed in.
func (b buyer) call(method, path, body string, edit func(*http.Request)) (int, http.Header, []byte) {
	b.t.Helper()
	req, err := http.NewRequest(method, world.shop.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Origin", world.sim.PhoneURL)
	if edit != nil {
		edit(req)
	}
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, res.Header, answer
}

func (b buyer) ok(method, path, body string, out any) {
	b.t.Helper()
	status, _, answer := b.call(method, path, body, nil)
	if status != http.StatusOK {
		b.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			b.t.Fatal(err)
		}
	}
}

// order creates an order and requests what pays it.
func (b buyer) order(body string, trade api.TradeType, c *api.Checkout) {
	b.t.Helper()
	var o api.Order
	b.ok("POST", api.PathOrders, body, &o)
	b.ok("POST", api.OrderPayPath(o.ID), payBy(trade), c)
}

// payBy returns the body of a request for payment.
func payBy(trade api.TradeType) string { return fmt.Sprintf(`{"trade_types": [%q]}`, trade) }

const goodOrder = `{"items": [{"product_id": "test", "quantity": 1}], "client_key": "edge-0000000000000"}`

// Each bad call gets a typed 4xx through real workerd and changes nothing.
func TestBadCallsChangeNothing(t *testing.T) {
	b := newBuyer(t, 0)
	var mine api.Order
	b.ok("POST", api.PathOrders, goodOrder, &mine)
	stranger, guest := newBuyer(t, 1), newGuest(t)
	anonymous := buyer{t, &http.Client{}}
	var guests api.Order
	guest.ok("POST", api.PathOrders, strings.Replace(goodOrder, "edge-", "gst0-", 1), &guests)
	before := orders(t) + payments(t)

	foreign := func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }
	text := func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }
	for _, test := range []struct {
		name               string
		who                buyer
		method, path, body string
		edit               func(*http.Request)
		code               api.Code
	}{
		{"garbage", b, "POST", api.PathOrders, `{{{`, nil, api.CodeBadRequest},
		{"wrong type", b, "POST", api.PathOrders, strings.Replace(goodOrder, `"quantity": 1`, `"quantity": "1"`, 1), nil, api.CodeBadRequest},
		{"an amount", b, "POST", api.PathOrders, strings.Replace(goodOrder, `{"items"`, `{"amount": 1, "items"`, 1), nil, api.CodeBadRequest},
		{"negative quantity", b, "POST", api.PathOrders, strings.Replace(goodOrder, `"quantity": 1`, `"quantity": -1`, 1), nil, api.CodeBadRequest},
		{"a trade type", b, "POST", api.PathOrders, strings.Replace(goodOrder, `{"items"`, `{"trade_type": "JSAPI", "items"`, 1), nil, api.CodeBadRequest},
		{"another way to pay", b, "POST", api.OrderPayPath(mine.ID), payBy("APP"), nil, api.CodeBadRequest},
		{"no way to pay", b, "POST", api.OrderPayPath(mine.ID), `{}`, nil, api.CodeBadRequest},
		{"an amount for a price", b, "POST", api.PathOrders, strings.NewReplacer(`"quantity": 1`, `"quantity": 1, "amount": 1`, "edge-", "fen0-").Replace(goodOrder), nil, api.CodeBadRequest},
		{"no amount", b, "POST", api.PathOrders, strings.NewReplacer(`"test"`, `"tip"`, "edge-", "fen0-").Replace(goodOrder), nil, api.CodeBadRequest},
		{"guest inside WeChat", guest, "POST", api.OrderPayPath(guests.ID), payBy(api.TradeJSAPI), nil, api.CodeUnauthenticated},
		{"guest reads another's", guest, "GET", api.OrderPath(mine.ID), ``, nil, api.CodeNotFound},
		{"guest pays another's", guest, "POST", api.OrderPayPath(mine.ID), payBy(api.TradeNative), nil, api.CodeNotFound},
		{"guest closes another's", guest, "POST", api.OrderClosePath(mine.ID), `{}`, nil, api.CodeNotFound},
		{"unknown product", b, "POST", api.PathOrders, strings.Replace(strings.Replace(goodOrder, `"test"`, `"gold"`, 1), "edge-", "gold-", 1), nil, api.CodeProductGone},
		{"same key, other basket", b, "POST", api.PathOrders, strings.Replace(goodOrder, `"quantity": 1`, `"quantity": 2`, 1), nil, api.CodeConflict},
		{"oversize", b, "POST", api.PathOrders, `"` + strings.Repeat("x", 5<<20) + `"`, nil, api.CodeBodyTooLarge},
		{"content type", b, "POST", api.PathOrders, goodOrder, text, api.CodeContentType},
		{"foreign origin", b, "POST", api.PathOrders, goodOrder, foreign, api.CodeForbiddenOrigin},
		{"foreign guest", anonymous, "POST", api.PathSession, ``, foreign, api.CodeForbiddenOrigin},
		{"foreign sign-out", b, "DELETE", api.PathSession, ``, foreign, api.CodeForbiddenOrigin},
		{"no session", anonymous, "POST", api.PathOrders, goodOrder, nil, api.CodeUnauthenticated},
		{"no session", anonymous, "GET", api.PathSession, ``, nil, api.CodeUnauthenticated},
		{"no session", anonymous, "GET", api.OrderPath(mine.ID), ``, nil, api.CodeUnauthenticated},
		{"someone else's", stranger, "GET", api.OrderPath(mine.ID), ``, nil, api.CodeNotFound},
		{"someone else's", stranger, "POST", api.OrderPayPath(mine.ID), payBy(api.TradeNative), nil, api.CodeNotFound},
		{"open redirect", b, "POST", api.PathAuthorize, `{"return_to": "//evil.example"}`, nil, api.CodeBadRequest},
		{"foreign state", anonymous, "POST", api.PathToken, `{"code": "x", "state": "x"}`, nil, api.CodeStateInvalid},
		{"unknown path", b, "GET", "/api/nothing", ``, nil, api.CodeNotFound},
		{"method", b, "PUT", api.PathOrders, goodOrder, nil, api.CodeMethodNotAllowed},
	} {
		t.Run(test.name+" "+test.method+" "+test.path, func(t *testing.T) {
			status, header, answer := test.who.call(test.method, test.path, test.body, test.edit)
			var e api.Error
			if err := json.Unmarshal(answer, &e); err != nil || e.Code != test.code || status != test.code.Status() || e.RequestID == "" {
				t.Errorf("got %d %s, want %d %s", status, answer, test.code.Status(), test.code)
			}
			if header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control %q", header.Get("Cache-Control"))
			}
		})
	}
	for _, body := range []string{"", "garbage", "<xml>", "<xml></xml>", `<!DOCTYPE x><xml/>`, strings.Repeat("x", 5<<20)} {
		status, _, answer := anonymous.call("POST", api.PathNotifyPay, body, func(r *http.Request) { r.Header.Set("Content-Type", "text/xml") })
		want := "<![CDATA[FAIL]]>"
		if !onV2() && !strings.HasPrefix(body, "<") {
			want = `{"code":"FAIL"`
			if status < 400 { // for WeChat 200 is an acknowledgement, whatever the body is
				t.Errorf("notification %.20q was answered with status %d", body, status)
			}
		}
		if !bytes.Contains(answer, []byte(want)) {
			t.Errorf("notification %.20q was answered %s, want %s", body, answer, want)
		}
	}
	if after := orders(t) + payments(t); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

// Many concurrent requests with one client_key give one order and one QR code, because a second
// code would invalidate the first. Another buyer is used than in the journeys, because of the rate
// limit.
func TestOneOrderForOneKey(t *testing.T) {
	for tradeType, b := range map[api.TradeType]buyer{api.TradeJSAPI: newBuyer(t, 2), api.TradeNative: newGuest(t), api.TradeMWEB: newGuest(t)} {
		t.Run(string(tradeType), func(t *testing.T) {
			body := strings.Replace(goodOrder, "edge-", "tap0-", 1)
			got, busy := make([]api.Checkout, 20), make([]bool, 20)
			var group sync.WaitGroup
			for i := range got {
				group.Go(func() {
					var o api.Order
					b.ok("POST", api.PathOrders, body, &o)
					status, _, answer := b.call("POST", api.OrderPayPath(o.ID), payBy(tradeType), nil)
					var e api.Error
					if status == http.StatusConflict && json.Unmarshal(answer, &e) == nil && e.Code == api.CodeBusy {
						busy[i] = true // another tap calls WeChat; the page retries after a second
						return
					}
					if err := json.Unmarshal(answer, &got[i]); err != nil || status != http.StatusOK {
						t.Errorf("%d %s", status, answer)
					}
				})
			}
			group.Wait()
			var again api.Checkout
			b.order(body, tradeType, &again)
			for i := range got {
				if busy[i] {
					got[i] = again
				}
			}
			for _, c := range got {
				if c.Order.ID != got[0].Order.ID || c.CodeURL != got[0].CodeURL || c.MWebURL != got[0].MWebURL {
					t.Fatalf("two orders for one key: %+v, %+v", got[0], c)
				}
				if (c.Pay != nil) != (tradeType == api.TradeJSAPI) || (c.CodeURL != "") != (tradeType == api.TradeNative) || (c.MWebURL != "") != (tradeType == api.TradeMWEB) {
					t.Fatalf("checkout %+v", c)
				}
			}
		})
	}
}

// An order cancelled in its first minutes is closed by the timer, at WeChat and here.
func TestCancelledOrderCannotBePaid(t *testing.T) {
	b := newGuest(t)
	var c api.Checkout
	b.order(strings.Replace(goodOrder, "edge-", "old0-", 1), api.TradeNative, &c)
	var o api.Order
	if b.ok("POST", api.OrderClosePath(c.Order.ID), `{}`, &o); o.Status != api.StatusClosing || len(o.Timeline) != 2 {
		t.Errorf("the order, cancelled: %+v", o)
	}
	status, _, answer := b.call("POST", api.OrderPayPath(c.Order.ID), `{"trade_types": ["NATIVE"], "renew": true}`, nil)
	if status != http.StatusConflict {
		t.Errorf("paying it: %d %s", status, answer)
	}
}

// One order is paid twice, by two trade types. The second payment is refunded automatically.
func TestSecondPaymentGetsARefund(t *testing.T) {
	b := newBuyer(t, 1)
	var code, inside api.Checkout
	b.order(strings.Replace(goodOrder, "edge-", "two0-", 1), api.TradeNative, &code)
	b.ok("POST", api.OrderPayPath(code.Order.ID), payBy(api.TradeJSAPI), &inside)
	if inside.Order.ID != code.Order.ID || inside.Pay == nil {
		t.Fatalf("%+v", inside)
	}
	for _, pay := range []func() (wechattest.Sheet, error){
		func() (wechattest.Sheet, error) { return world.sim.Scan(code.CodeURL) },
		func() (wechattest.Sheet, error) { return paytest.OpenSheet(world.sim, world.sim.PhoneURL, inside.Pay) },
	} {
		sheet, err := pay()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := world.sim.PaySheet(sheet.ID); err != nil {
			t.Fatal(err)
		}
	}
	checkLedger(t)
	var o api.Order
	if b.ok("GET", api.OrderPath(code.Order.ID), ``, &o); o.Status != api.StatusPaid || len(o.Refunds) != 1 || !o.Refunds[0].Duplicate || o.Refunded != 0 {
		t.Fatalf("%+v", o)
	}
	execSQL(t, `UPDATE refunds SET created_at = created_at - 120000, updated_at = updated_at - 120000 WHERE id = ?`, o.Refunds[0].ID)
	for range 3 {
		if err := world.shop.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b.ok("GET", api.OrderPath(o.ID), ``, &o); o.Refunds[0].Status == api.RefundSucceeded {
			break
		}
		time.Sleep(time.Second)
	}
	if refunds := world.sim.Ledger().Refunds; o.Refunds[0].Status != api.RefundSucceeded && o.Refunds[0].Status != api.RefundProcessing || o.Status != api.StatusPaid ||
		!slices.ContainsFunc(refunds, func(r wechattest.Refund) bool { return r.OutRefundNo == o.Refunds[0].ID && r.Fee == int64(o.Total) }) {
		t.Errorf("%+v; WeChat has %+v", o, refunds)
	}
}

// Anyone who scans the code can pay a guest's order.
func TestGuestPaysByCode(t *testing.T) {
	b := newGuest(t)
	var c api.Checkout
	b.order(`{"items": [{"product_id": "tip", "quantity": 1, "amount": 1234}], "client_key": "edge-code-00000000"}`, api.TradeNative, &c)
	takePhone(t, 1)
	sheet, err := world.sim.Scan(c.CodeURL)
	if err != nil || sheet.Amount != 1234 {
		t.Fatalf("scanning %s: %+v, %v", c.CodeURL, sheet, err)
	}
	if _, err := world.sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	var o api.Order
	for range 100 {
		if b.ok("GET", api.OrderPath(c.Order.ID), ``, &o); o.Status == api.StatusPaid {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	var steps []api.OrderStatus
	for _, step := range o.Timeline {
		steps = append(steps, step.Status)
	}
	if d := cmp.Diff([]api.OrderStatus{api.StatusOpen, api.StatusPaid}, steps); d != "" {
		t.Errorf("order %+v: %s", o, d)
	}
}
