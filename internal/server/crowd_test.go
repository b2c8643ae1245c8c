package server_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// crowd is an order of a back end whose URL several people have.
type crowd struct {
	*paytest.Shop
	backEnd *backEnd
	id      string
}

func newCrowd(t *testing.T) crowd {
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	return crowd{s, b, b.createOrder(tea(100)).ID}
}

// pay requests something that pays the order, for a person.
func (c crowd) pay(trade api.TradeType, person int) (api.Checkout, error) {
	c.T.Helper()
	stored, err := store.New(c.DB).ByID(c.T.Context(), c.id)
	if err != nil {
		c.T.Fatal(err)
	}
	r := payment.PayRequest{TradeTypes: []api.TradeType{trade}, OpenID: c.SignedIn(person).User.OpenID, ClientIP: "203.0.113.9"}
	return c.Signer.Pay(c.T.Context(), stored, r)
}

// begin begins as many payments as can be paid at a time, the one of a trade type first.
func (c crowd) begin(oldest api.TradeType) {
	c.T.Helper()
	all := []api.TradeType{oldest}
	for _, trade := range []api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB} {
		if trade != oldest {
			all = append(all, trade)
		}
	}
	for i, trade := range append(all, api.TradeJSAPI) {
		if _, err := c.pay(trade, i/3); err != nil {
			c.T.Fatal(err)
		}
		c.Sim.Advance(time.Second)
	}
}

func (c crowd) want(what string, err error, code api.Code) {
	c.T.Helper()
	var e *api.Error
	if !errors.As(err, &e) || e.Code != code {
		c.T.Errorf("%s: %v, want %s", what, err, code)
	}
	c.Check()
}

// payAsPage is pay as the page does it: it repeats a request that is answered with CodeBusy.
func (c crowd) payAsPage(trade api.TradeType, person int) error {
	c.T.Helper()
	for range 12 {
		_, err := c.pay(trade, person)
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeBusy {
			return err
		}
		c.Sim.Advance(time.Second)
	}
	return errors.New("busy for ever")
}

// oldest returns the payment that was begun first.
func (c crowd) oldest() v1.Payment {
	c.T.Helper()
	payments := c.backEnd.order(c.id).Payments
	first := payments[0]
	for _, p := range payments {
		if p.CreatedAt < first.CreatedAt {
			first = p
		}
	}
	return first
}

// Strangers with the URL of an order begin as many payments as it may have at the same time. They
// block the buyer only while one of their payments can be paid.
func TestStrangersDoNotBlockAnOrder(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.begin(api.TradeJSAPI)
	c.want("all are new", c.payAsPage(api.TradeJSAPI, 2), api.CodeTooManyPayments)
	c.Sim.Advance(order.MWebLifetime) // the H5 payment cannot be paid any more, and is too new to be closed
	c.want("none can be closed", c.payAsPage(api.TradeJSAPI, 2), api.CodeTooManyPayments)
	if n := c.Calls("closeorder"); n != 0 {
		t.Errorf("%d calls to close", n)
	}
	c.Sim.Advance(order.MinCloseAge)
	if err := c.payAsPage(api.TradeJSAPI, 2); err != nil {
		t.Error(err)
	}
	if n := c.Calls("closeorder"); n != 1 {
		t.Errorf("%d calls to close, want 1", n)
	}
	for _, p := range c.backEnd.order(c.id).Payments {
		want := v1.PaymentPending
		if p.TradeType == api.TradeMWEB {
			want = v1.PaymentClosed
		}
		if p.Status != want {
			t.Errorf("%s is %s, want %s", p.TradeType, p.Status, want)
		}
	}
	c.want("four again", c.payAsPage(api.TradeMWEB, 0), api.CodeTooManyPayments)
	c.backEnd.payOrder(0, c.id)
	if got := c.backEnd.order(c.id); got.Status != v1.OrderPaid {
		t.Errorf("%+v", got)
	}
}

// The oldest payment was paid, and its notification was lost: the next buyer learns that.
func TestMakingRoomFindsAPaidPayment(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	paying, err := c.pay(api.TradeNative, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.begin(api.TradeNative)
	c.Fault("notify_lost", "")
	if err := c.Scan(2, paying.CodeURL); err != nil {
		t.Fatal(err)
	}
	c.Sim.Advance(order.PrepayLifetime)
	stored, err := store.New(c.DB).ByID(t.Context(), c.id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Signer.Pay(t.Context(), stored, payment.PayRequest{
		TradeTypes: []api.TradeType{api.TradeJSAPI}, OpenID: c.SignedIn(2).User.OpenID, ClientIP: "203.0.113.9", Renew: true,
	})
	c.want("it is paid", err, api.CodeOrderPaid)
	if got := c.backEnd.order(c.id); got.Status != v1.OrderPaid {
		t.Errorf("%+v", got)
	}
}

// A caller who repeats a request for a payment of a full order causes one query about each payment
// in three seconds, and one close. The timer closes a payment that the request could not close.
func TestMakingRoomQueriesWeChatOnce(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.begin(api.TradeMWEB)
	c.Sim.Advance(order.MinCloseAge)
	began, queries := c.Now(), c.Calls("orderquery")
	c.Fault(wechattest.FaultTimeoutBefore, "/pay/closeorder")
	_, err := c.pay(api.TradeJSAPI, 2)
	c.want("WeChat does not answer", err, api.CodeWeChatBusy)
	for range 10 {
		if _, err := c.pay(api.TradeJSAPI, 2); err == nil {
			t.Error("there is a fifth payment")
		}
	}
	windows := 1 + int(c.Now().Sub(began)/(3*time.Second))
	if n, closes := c.Calls("orderquery")-queries, c.Calls("closeorder"); n > order.MaxLive*windows || closes > windows {
		t.Errorf("%d queries and %d closes in %d windows", n, closes, windows)
	}
	if p := c.oldest(); p.Status != v1.PaymentClosing {
		t.Errorf("%+v", p)
	}
	c.Sim.Advance(2 * time.Minute)
	c.Reconcile()
	if p := c.oldest(); p.Status != v1.PaymentClosed {
		t.Errorf("%+v", p)
	}
	if err := c.payAsPage(api.TradeJSAPI, 2); err != nil {
		t.Error(err)
	}
	c.Check()
}

// The buyer of the payment that is to be closed comes back while it is being closed. The buyer
// gets nothing that pays it, before WeChat closes it or after.
func TestNobodyGetsAPaymentThatMakesRoom(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"orderquery", "closeorder"} {
		c := newCrowd(t)
		c.begin(api.TradeMWEB)
		c.Sim.Advance(order.MinCloseAge)
		toSim, met := c.ToWeChat.Handler, 0
		c.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/pay/"+call && met == 0 && c.oldest().Status == v1.PaymentClosing {
				met++
				got, err := c.pay(api.TradeMWEB, 0)
				if err == nil || got.MWebURL != "" {
					t.Errorf("before %s the buyer gets %q", call, got.MWebURL)
				}
			}
			toSim.ServeHTTP(w, r)
		})
		_, err := c.pay(api.TradeJSAPI, 2)
		c.want(call, err, api.CodeBusy)
		if p := c.oldest(); met != 1 || p.Status != v1.PaymentClosed {
			t.Errorf("%s: met %d, %+v", call, met, p)
		}
	}
}

// Two requests meet: one begins to close a payment, and the buyer's call for it is under way.
// The buyer gets nothing that pays it, and WeChat closes it.
func TestMakingRoomMeetsACallForThePayment(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.begin(api.TradeJSAPI)
	c.Sim.Advance(order.PrepayLifetime)
	toSim, met := c.ToWeChat.Handler, false
	c.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.URL.Path == "/pay/unifiedorder" && !met {
			met = true
			_, err := c.pay(api.TradeJSAPI, 2)
			c.want("another buyer", err, api.CodeBusy)
		}
		toSim.ServeHTTP(w, r)
	})
	got, err := c.pay(api.TradeJSAPI, 0)
	c.want("the buyer", err, api.CodeBusy)
	if p := c.oldest(); !met || got.Pay != nil || p.Status != v1.PaymentClosed {
		t.Errorf("met %t, %+v, %+v", met, got.Pay, p)
	}
	if _, err := c.pay(api.TradeJSAPI, 0); err != nil {
		t.Errorf("the buyer comes again: %v", err)
	}
	c.Check()
}

// WeChat does not know a payment whose call was lost. It is closed only when no call for it
// can still reach WeChat.
func TestMakingRoomWaitsForACallUnderWay(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.Fault(wechattest.FaultTimeoutBefore, wechattest.PathOrder)
	_, err := c.pay(api.TradeMWEB, 0)
	c.want("WeChat does not answer", err, api.CodeWeChatBusy)
	for i := range order.MaxLive - 1 {
		c.Sim.Advance(time.Second)
		if _, err := c.pay(api.TradeJSAPI, i); err != nil {
			t.Fatal(err)
		}
	}
	c.Sim.Advance(order.MinCloseAge)
	_, err = c.pay(api.TradeNative, 0)
	c.want("a call may be under way", err, api.CodeTooManyPayments)
	if p := c.oldest(); p.Status != v1.PaymentClosing {
		t.Errorf("%+v", p)
	}
	c.Sim.Advance(15 * time.Second)
	_, err = c.pay(api.TradeNative, 0)
	c.want("it is closed", err, api.CodeBusy)
	if p := c.oldest(); p.Status != v1.PaymentClosed {
		t.Errorf("%+v", p)
	}
}
