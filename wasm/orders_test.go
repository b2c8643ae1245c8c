package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/wasm/ui"
)

const getOrders = "GET " + api.PathOrders

func TestOrdersPage(t *testing.T) {
	paidOrder := api.Order{ID: "o2", Status: api.StatusPaid, Total: 100, Refunded: 40, CreatedAt: 1795434865000,
		Items: []api.OrderLine{{Name: "茶", Quantity: 2}, {Name: "包", Quantity: 1}}}
	for _, test := range []struct {
		name   string
		ua     string
		orders any
		who    api.Session
		canPay []string
	}{
		{"some", wechatUA, api.OrderList{Orders: []api.Order{paidOrder, pendingO1}}, me,
			[]string{`data-order="o2"`, "茶", "×3", "2026-11-23 19:54:25", "0.40", textPaid.ZH, `data-status="open"`, `href="/order?order=o1"`, "oUpF…Mg3I"}},
		{"none", wechatUA, api.OrderList{}, me, []string{textNoOrders.ZH, `href="/"`}},
		{"named", wechatUA, api.OrderList{}, api.Session{User: api.User{OpenID: "o…1", Nickname: "林小满", AvatarURL: "https://thirdwx.qlogo.cn/1"}},
			[]string{"林小满", `src="https://thirdwx.qlogo.cn/1"`}},
		{"an avatar from elsewhere", wechatUA, api.OrderList{}, api.Session{User: api.User{OpenID: "o…1", AvatarURL: "http://x/1"}}, []string{`class="face"`}},
		{"a guest", desktopUA, api.OrderList{Orders: []api.Order{pendingO1}}, guest, []string{textGuest.ZH}},
		{"a browser that never ordered", desktopUA, api.CodeUnauthenticated, guest, []string{textNoOrders.ZH}},
		{"offline", wechatUA, errors.New("down"), me, []string{`data-error="offline"`, textRetry.ZH, `href="/"`}},
	} {
		f := newFake(t, "https://shop.example/orders").on(getOrders, test.orders).on(getSession, test.who)
		f.ua = test.ua
		p := newOrdersPage(f)
		shows(t, p, `aria-busy`, "skeleton")
		mount(t, p)
		shows(t, p, test.canPay...)
		if got := htmlOf(t, p.Render()); strings.Contains(got, `src="http://`) {
			t.Errorf("%s: a picture without TLS", test.name)
		}
	}
}

func TestSignOut(t *testing.T) {
	f := newFake(t, "https://shop.example/orders").on(getOrders, api.OrderList{Orders: []api.Order{pendingO1}}).on(getSession, me).
		on("DELETE "+api.PathSession, response{Status: 204})
	// The basket, drafts of it and of entered amounts, and the page's other keys.
	basket{"tea": 2}.save(f)
	for _, d := range []draft{{f, ""}, {f, "tip"}, {f, "test"}} {
		for _, key := range []string{keyClientKey, keyOrder, keyEarlier, keyAmount} {
			d.remember(key, "o1")
		}
	}
	f.Remember(keyAttempts, "1")
	f.Set(keyPrefix+"some.later.setting", "x")
	f.Set(ui.KeyLang, "zh")
	f.Set("another program's", "x")
	p := newOrdersPage(f)
	client := mount(t, p)
	p.signOut(client.Context(), app.Event{})
	client.Consume()
	shows(t, p, textSignOutHint.ZH)
	if f.dialog != confirmDialogID || f.countCalls("DELETE") != 0 {
		t.Fatalf("dialog %q after %q", f.dialog, f.calls)
	}
	p.confirmation.do(client.Context())
	client.Consume()
	shows(t, p, textSignedOut.ZH, textSignIn.ZH)
	want := map[string]string{"kept " + ui.KeyLang: "zh", "kept another program's": "x"}
	if d := cmp.Diff(want, f.storage); d != "" || f.countCalls("DELETE") != 1 {
		t.Errorf("%q, storage (-want +got):\n%s", f.calls, d)
	}
}

func TestOrderPage(t *testing.T) {
	o := api.Order{ID: "o1", Status: api.StatusPaid, Total: 6800, Refunded: 1000, CreatedAt: 1795434865000, TradeType: api.TradeJSAPI,
		Items:    []api.OrderLine{{Name: "茶", Quantity: 1, Price: 6800}},
		Timeline: []api.Step{{Status: api.StatusOpen, At: 1795434865000}, {Status: api.StatusPaid, At: 1795434866000}},
		Refunds:  []api.Refund{{ID: "r1", Amount: 1000, Reason: "少了一件", Status: api.RefundSucceeded, CreatedAt: 1795434867000, EndedAt: 1795434868000}},
	}
	p := newOrderPage(newFake(t, "https://shop.example/order?order=o1").on(getO1, o))
	mount(t, p)
	shows(t, p, `data-status="paid"`, "68.00", "10.00", "少了一件", textRefundDone.ZH, "19:54:28", textStepOpen.ZH, "19:54:26")
	got := htmlOf(t, p.Render())
	if strings.Contains(got, `data-action="cancel"`) || strings.Contains(got, `href="/pay?`) {
		t.Error("a paid order can be paid or cancelled")
	}
	if strings.Index(got, "19:54:26") > strings.Index(got, textStepOpen.ZH) {
		t.Error("the last step is not the first")
	}
	for status := range statuses {
		if statuses[status] == (text{}) || steps[status] == (text{}) {
			t.Errorf("no text for %s", status)
		}
	}
	for _, status := range []api.RefundStatus{api.RefundCreated, api.RefundProcessing, api.RefundSucceeded, api.RefundClosed, api.RefundAbnormal, api.RefundFailed} {
		if refunds[status] == (text{}) {
			t.Errorf("no text for a refund that is %s", status)
		}
	}
	for _, address := range []string{"/order", "/order?order=", "/order?order=a/b"} {
		p := newOrderPage(newFake(t, "https://shop.example"+address))
		mount(t, p)
		shows(t, p, `data-error="no_order"`, `href="/"`)
	}
}

func TestCancelOrder(t *testing.T) {
	closing := pendingO1
	closing.Status = api.StatusClosing
	for _, test := range []struct {
		name   string
		close  any
		then   api.Order
		canPay string
	}{
		{"cancelled", closing, closing, `data-status="closing"`},
		{"paid after all", api.CodeOrderPaid, paidO1, `data-status="paid"`},
		{"WeChat is busy", api.CodeWeChatBusy, pendingO1, `data-error="wechat_unavailable"`},
	} {
		f := newFake(t, "https://shop.example/order?order=o1").on(getO1, pendingO1, test.then).on(closeO1, test.close)
		draft{f, ""}.remember(keyOrder, "o1")
		p := newOrderPage(f)
		client := mount(t, p)
		shows(t, p, `data-load="page"`, `href="/pay?order=o1"`)
		p.cancelOrder(client.Context(), app.Event{})
		client.Consume()
		if f.countCalls(closeO1) != 0 {
			t.Errorf("%s: no confirmation dialog", test.name)
		}
		p.confirmation.do(client.Context())
		client.Consume()
		shows(t, p, test.canPay)
		if ended := f.Recall(keyOrder) == ""; ended == payable(test.then.Status) {
			t.Errorf("%s: forgotten %t", test.name, ended)
		}
	}
	f := newFake(t, "https://shop.example/pay?order=o1").on(payO1, checkoutO1).on(closeO1, closing)
	p := newPayPage(f)
	client := mount(t, p)
	p.cancelOrder(client.Context(), app.Event{})
	p.confirmation.do(client.Context())
	client.Consume()
	if f.lastNavigation() != "/result?order=o1" {
		t.Errorf("cancelled on the pay page, navigated to %q", f.lastNavigation())
	}
}

func TestAmountPage(t *testing.T) {
	tip := api.Product{ID: "tip", Name: "随心付", Price: 100, Amount: &api.AmountBounds{Min: 100, Max: 50000}}
	list := api.ProductList{Products: []api.Product{catalogue.Products[0], tip}}
	f := newFake(t, "https://shop.example/amount?product=tip").on(getSession, me).on(getConfig, allTypesConfig).on(getProducts, list).
		on(postOrder, errors.New("down"), pendingO1).on(closeO1, pendingO1)
	p := newAmountPage(f)
	client := mount(t, p)
	shows(t, p, "随心付", "山岚小铺", "500.00", textPayNow.ZH)
	for _, test := range []struct {
		keys string
		fits bool
	}{{"0.99", false}, {"1", true}, {"500.01", false}, {"500", true}, {"12.34", true}} {
		p.amount = ""
		for _, key := range test.keys {
			f.key(string(key))
		}
		client.Consume()
		if p.fits() != test.fits {
			t.Errorf("%s fits: %t", test.keys, !test.fits)
		}
	}
	order := func() string {
		f.key("Enter")
		f.key("Enter") // twice
		client.Consume()
		return f.calls[len(f.calls)-1]
	}
	first := order()
	shows(t, p, `data-error="offline"`)
	p.err = nil
	second := order()
	if first != second || !strings.Contains(first, `"product_id":"tip","quantity":1,"amount":1234`) || f.lastNavigation() != "/pay?order=o1" {
		t.Errorf("navigated to %q after\n%s\n%s", f.lastNavigation(), first, second)
	}
	f.onReturn(fromHistory)
	f.key("Backspace")
	third := order()
	_, key, _ := strings.Cut(first, "client_key")
	if strings.Contains(third, key) || !strings.Contains(third, `"amount":1230`) || f.countCalls(closeO1) != 1 {
		t.Errorf("another amount: %s", third)
	}
	if f.countCalls(postOrder+" ") != 3 {
		t.Errorf("%d orders", f.countCalls(postOrder+" "))
	}
	for _, address := range []string{"/amount", "/amount?product=tea", "/amount?product=none", "/amount?product=%zz"} {
		f := newFake(t, "https://shop.example"+address).on(getSession, me).on(getConfig, allTypesConfig).on(getProducts, list)
		p := newAmountPage(f)
		mount(t, p)
		shows(t, p, `data-error="no_product"`, `href="/"`)
	}
}

// The order of a basket that has changed is closed before the next one is created.
func TestChangedBasketClosesItsOrder(t *testing.T) {
	items := []api.OrderItem{{ProductID: "tea", Quantity: 2}}
	for _, test := range []struct {
		name    string
		close   any
		id      string
		code    api.Code
		earlier string // the stored order to close, afterwards
		orders  int
	}{
		{"closed", api.Order{ID: "o1", Status: api.StatusClosed}, "o2", "", "", 1},
		{"closing", api.Order{ID: "o1", Status: api.StatusClosing}, "o2", "", "", 1},
		{"paid meanwhile", api.CodeOrderPaid, "o1", "", "", 0},
		{"another user's order", api.CodeNotFound, "o2", "", "", 1},
		{"offline", errors.New("down"), "", codeOffline, "o1", 0},
	} {
		f := newFake(t, "https://shop.example/").on(closeO1, test.close).on(postOrder, api.Order{ID: "o2", Status: api.StatusOpen})
		f.Remember(keyOrder, "o1")
		basket{"tea": 2}.save(f)
		id, err := (draft{f, ""}).place(t.Context(), items, 0)
		if id != test.id || code(err) != test.code || f.Recall(keyEarlier) != test.earlier || f.countCalls(postOrder+" ") != test.orders {
			t.Errorf("%s: %q, %v, %d orders, still to close: %q", test.name, id, err, f.countCalls(postOrder+" "), f.Recall(keyEarlier))
		}
	}
}
