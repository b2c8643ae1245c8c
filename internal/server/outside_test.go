package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
}

// wantHidden fails the test if a response or the log has a secret.
func wantHidden(p *paytest.Person, secret string, a paytest.Answer) {
	p.T.Helper()
	if strings.Contains(string(a.Body), secret) {
		p.T.Errorf("%s is in %s", secret, a.Body)
	}
	if strings.Contains(p.Log.String(), secret) {
		p.T.Errorf("%s is in the log", secret)
	}
}

// endsIn reports whether payment parameters that were just made expire after d.
func endsIn(s *paytest.Shop, c api.Checkout, d time.Duration) bool {
	left := time.UnixMilli(c.PayUntil).Sub(s.Now())
	return left <= d && left > d-10*time.Second
}

func TestPaymentByCode(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	var c api.Checkout
	p.Checkout(paytest.BasketForCode("tea", 2), &c)
	if c.Order.Status != api.StatusOpen || c.Order.TradeType != api.TradeNative || !strings.HasPrefix(c.CodeURL, "weixin://") ||
		c.Pay != nil || c.MWebURL != "" || !endsIn(s, c, order.PrepayLifetime) {
		t.Errorf("checkout %+v", c)
	}
	// Another user's phone may scan it.
	if err := s.Scan(2, c.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	o := p.GetOrder(c.Order.ID)
	if o.Status != api.StatusPaid || o.PaymentNo != s.Sim.Ledger().Trades[0].TransactionID {
		t.Errorf("order %+v", o)
	}
	s.WantPath(o.ID, api.StatusPaid)
	known := s.Sim.Ledger().Orders[0]
	if known.OpenID != "" || known.ClientIP != p.IP || known.TotalFee != 13600 {
		t.Errorf("WeChat got %+v", known)
	}
	p.Fails(api.CodeOrderPaid, "POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}})
	if s.ErrorLines() != 0 {
		t.Errorf("the log has lines of level ERROR:\n%s", s.Log)
	}
}

func TestPaymentInABrowser(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(1)
	var c api.Checkout
	p.Checkout(paytest.BasketForH5("tea", 1), &c)
	back := paytest.ShopURL + "/result?order=" + c.Order.ID
	given, ok := strings.CutSuffix(c.MWebURL, "&redirect_url="+url.QueryEscape(back))
	if !ok || given != s.Sim.Ledger().Orders[0].MwebURL || c.Pay != nil || c.CodeURL != "" || !endsIn(s, c, order.MWebLifetime) {
		t.Errorf("checkout %+v", c)
	}
	page, sheet, err := p.OpenH5(c.MWebURL)
	if err != nil || !strings.Contains(page, "/result?order="+c.Order.ID) {
		t.Fatalf("WeChat's page does not lead back: %v\n%s", err, page)
	}
	if _, err := s.Sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusPaid)
	if known := s.Sim.Ledger().Orders[0]; known.ClientIP != p.IP || known.OpenID != "" {
		t.Errorf("WeChat got %+v", known)
	}
	told := s.LastSent("unifiedorder")
	if !strings.Contains(told, `{"h5_info":{"type":"Wap","wap_url":"`+paytest.ShopURL+`","wap_name":"`+wechattest.DefaultShopName+`"}}`) {
		t.Errorf("WeChat got %s", told)
	}
}

// A valid code_url is returned again, because another call would void it.
func TestCodeIsKeptAndRenewed(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	req := paytest.BasketForCode("tea", 1)
	var first, again api.Checkout
	p.Checkout(req, &first)
	s.Sim.Advance(order.PrepayLifetime - time.Minute)
	p.Checkout(req, &again)
	if !cmp.Equal(again, first) {
		t.Errorf("the same order again: %+v, first %+v", again, first)
	}
	p.Must("POST", api.OrderPayPath(first.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}, &again)
	if !cmp.Equal(again, first) || s.Calls("unifiedorder") != 1 {
		t.Errorf("pay: %+v, first %+v", again, first)
	}
	// Renewed on request, and after its expiry.
	var renewed, later api.Checkout
	p.Must("POST", api.OrderPayPath(first.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}, Renew: true}, &renewed)
	if renewed.CodeURL == first.CodeURL || !endsIn(s, renewed, order.PrepayLifetime) {
		t.Errorf("renewed: %+v", renewed)
	}
	s.Sim.Advance(order.PrepayLifetime)
	p.Must("POST", api.OrderPayPath(first.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}, &later)
	if later.CodeURL == renewed.CodeURL || s.Calls("unifiedorder") != 3 {
		t.Errorf("after its end: %+v", later)
	}
	if err := s.Scan(0, renewed.CodeURL); err == nil {
		t.Error("the code before still works")
	}
	if err := s.Scan(0, later.CodeURL); err != nil {
		t.Error(err)
	}
	s.Deliver()
	s.WantPath(first.Order.ID, api.StatusPaid)
}

func TestMWebURLIsRenewedWithinFiveMinutes(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	var first, again api.Checkout
	p.Checkout(paytest.BasketForH5("tea", 1), &first)
	s.Sim.Advance(order.MWebLifetime - time.Minute)
	p.Must("POST", api.OrderPayPath(first.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeMWEB}}, &again)
	if !cmp.Equal(again, first) {
		t.Errorf("again %+v, first %+v", again, first)
	}
	s.Sim.Advance(time.Minute)
	p.Must("POST", api.OrderPayPath(first.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeMWEB}}, &again)
	if again.MWebURL == first.MWebURL {
		t.Error("an old mweb_url was given out")
	}
	_, sheet, err := p.OpenH5(again.MWebURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	s.WantPath(first.Order.ID, api.StatusPaid)
}

// The shop's name or address may change between two calls for one payment. WeChat gets the
// parameters of the first call again.
func TestRenewedPaymentKeepsItsParameters(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	var c, again api.Checkout
	p.Checkout(paytest.BasketForH5("tea", 1), &c)
	s.Handler = s.Open(func(cfg *paytest.Settings, _ *wechat.Config) { cfg.ShopName = "改名小铺" })
	p.IP = "198.51.100.7"
	p.Must("POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}, Renew: true}, &again)
	if again.MWebURL == c.MWebURL {
		t.Error("not renewed")
	}
}

// One of many concurrent taps calls WeChat. The others get busy, retry and get the same code.
func TestManyAtOnceGetOneCode(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	path := api.OrderPayPath(p.Place(paytest.BasketForCode("tea", 1)).ID)
	codes := together(t, p, 40, func() *http.Request { return p.Request("POST", path, []byte(`{"trade_types":["NATIVE"]}`)) })
	if s.Calls("unifiedorder") != 1 || len(codes) != 1 {
		t.Fatalf("%d calls, codes %v", s.Calls("unifiedorder"), codes)
	}
	var first api.Checkout
	for _, c := range codes {
		first = c
	}
	renew := encode(t, api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}, Renew: true})
	codes = together(t, p, 40, func() *http.Request { return p.Request("POST", api.OrderPayPath(first.Order.ID), renew) })
	delete(codes, first.CodeURL)
	if len(codes) == 0 {
		t.Error("no code was renewed")
	}
	// A tap after a finished renewal renews again. The last code works.
	works := 0
	for code := range codes {
		if _, err := s.Sim.Scan(code); err == nil {
			works++
		}
	}
	if works != 1 {
		t.Errorf("%d of %d codes work", works, len(codes))
	}
	var stored api.Checkout
	p.Must("POST", api.OrderPayPath(first.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}, &stored)
	if err := s.Scan(0, stored.CodeURL); err != nil {
		t.Errorf("the stored code: %v", err)
	}
}

// together sends n concurrent requests and repeats those with CodeBusy, as the page does. It
// returns the responses by code_url.
func together(t *testing.T, p *paytest.Person, n int, make func() *http.Request) map[string]api.Checkout {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	codes := map[string]api.Checkout{}
	for range n {
		wg.Go(func() {
			var w *httptest.ResponseRecorder
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
				mu.Lock()
				r := make()
				mu.Unlock()
				w = httptest.NewRecorder()
				p.Handler.ServeHTTP(w, r)
				if !isBusy(t, w) || time.Now().After(deadline) {
					break
				}
			}
			var c api.Checkout
			if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || w.Code != http.StatusOK {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			mu.Lock()
			defer mu.Unlock()
			codes[c.CodeURL] = c
		})
	}
	wg.Wait()
	p.Check()
	return codes
}

// isBusy reports whether a response is busy, and checks its Retry-After.
func isBusy(t *testing.T, w *httptest.ResponseRecorder) bool {
	t.Helper()
	var e api.Error
	if w.Code == http.StatusOK || json.Unmarshal(w.Body.Bytes(), &e) != nil || e.Code != api.CodeBusy {
		return false
	}
	if w.Code != http.StatusConflict || w.Header().Get("Retry-After") != "1" {
		t.Errorf("busy: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	return true
}

// A request does not wait for another one that calls WeChat for the same order. It gets busy and
// changes nothing.
func TestNoRequestWaitsForAnother(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	path := api.OrderPayPath(p.Place(paytest.BasketForCode("tea", 1)).ID)
	r := p.Request("POST", path, []byte(`{"trade_types":["NATIVE"]}`))
	inCall, goOn := make(chan struct{}), make(chan struct{})
	plain := s.ToWeChat.Handler
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pay/unifiedorder" {
			close(inCall)
			<-goOn
		}
		plain.ServeHTTP(w, r)
	})
	first := httptest.NewRecorder()
	var wg sync.WaitGroup
	wg.Go(func() { p.Handler.ServeHTTP(first, r) })
	<-inCall
	before := storetest.Dump(t, s.DB)
	w := httptest.NewRecorder()
	p.Handler.ServeHTTP(w, p.Request("POST", path, []byte(`{"trade_types":["NATIVE"]}`))) // would hang if it waited
	if !isBusy(t, w) {
		t.Errorf("%d %s, want busy", w.Code, w.Body)
	}
	if storetest.Dump(t, s.DB) != before {
		t.Error("the database changed")
	}
	close(goOn)
	wg.Wait()
	s.ToWeChat.Handler = plain
	var c, again api.Checkout
	if err := json.Unmarshal(first.Body.Bytes(), &c); err != nil || c.CodeURL == "" {
		t.Errorf("%d %s", first.Code, first.Body)
	}
	if p.Must("POST", path, api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}, &again); !cmp.Equal(again, c) {
		t.Errorf("%+v, want %+v", again, c)
	}
}

// The request that calls WeChat fails, and the next one calls WeChat.
func TestCodeAfterACallThatFailed(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	s.Fault(wechattest.FaultTimeoutAfter, "/pay/unifiedorder")
	req := paytest.BasketForCode("tea", 1)
	p.CannotPay(api.CodeWeChatBusy, req)
	var c api.Checkout
	p.Checkout(req, &c) // the claim was released
	if err := s.Scan(0, c.CodeURL); err != nil {
		t.Error(err)
	}
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusPaid)
}

func TestPayerNamesTheAmount(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	req := paytest.BasketForCode("tip", 1)
	for _, amount := range []fen.Fen{0, 500_001} {
		req.Items[0].Amount = amount
		wantUnharmed(p, func() { p.Fails(api.CodeBadRequest, "POST", api.PathOrders, req) })
	}
	req.Items[0].Amount = 12345
	var c, again api.Checkout
	p.Checkout(req, &c)
	if c.Order.Total != 12345 || c.Order.Items[0].Price != 12345 || s.Sim.Ledger().Orders[0].TotalFee != 12345 {
		t.Errorf("order %+v", c.Order)
	}
	// A repeated request must have the same amount, even if the bounds have changed.
	storetest.Exec(t, s.DB, `UPDATE products SET min_price = 20000, max_price = 30000 WHERE id = 'tip'`)
	p.Checkout(req, &again)
	if !cmp.Equal(again, c) {
		t.Errorf("the same again: %+v", again)
	}
	req.Items[0].Amount = 20000
	p.Fails(api.CodeConflict, "POST", api.PathOrders, req)
	if err := s.Scan(0, c.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	s.WantStatus(c.Order.ID, api.StatusPaid)
}
