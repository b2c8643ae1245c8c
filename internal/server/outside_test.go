package server_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
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

// holds fails the test when a secret is in an answer or in the log.
func (p *person) holds(secret string, a answer) {
	p.t.Helper()
	if strings.Contains(string(a.body), secret) {
		p.t.Errorf("%s is in %s", secret, a.body)
	}
	if strings.Contains(p.log.String(), secret) {
		p.t.Errorf("%s is in the log", secret)
	}
}

// scan points the phone of the i-th user at a QR code and pays.
func (s *shop) scan(i int, codeURL string) error {
	s.t.Helper()
	if err := s.sim.SetUser(s.sim.Users()[i].OpenID); err != nil {
		s.t.Fatal(err)
	}
	sheet, err := s.sim.Scan(codeURL)
	if err != nil {
		return err
	}
	_, err = s.sim.PaySheet(sheet.ID)
	return err
}

// h5 navigates a phone's browser to a mweb_url, from the shop's page. The
// answer is WeChat's page, and the payment sheet that it opens.
func (p *person) h5(mwebURL string) (page string, sheet wechattest.Sheet, err error) {
	p.t.Helper()
	if err := p.sim.SetUser(p.user.OpenID); err != nil {
		p.t.Fatal(err)
	}
	was := p.sim.Place().Environment
	if err := p.sim.SetEnvironment(wechattest.Chrome); err != nil {
		p.t.Fatal(err)
	}
	defer p.sim.SetEnvironment(was)
	u, err := url.Parse(mwebURL)
	if err != nil {
		p.t.Fatal(err)
	}
	r := p.request("GET", u.RequestURI(), nil)
	r.Header = http.Header{"Referer": {shopURL + "/"}, "User-Agent": {p.sim.Place().UserAgent}}
	page = record(p.sim.Handler(), r)
	id := regexp.MustCompile(`data-id="([^"]+)"`).FindStringSubmatch(page)
	if id == nil {
		return page, sheet, errors.New("WeChat's page opens no payment sheet")
	}
	sheet, err = p.sim.Sheet(id[1])
	return page, sheet, err
}

// openSheet opens the payment sheet with whatever a checkout has to pay with.
func (p *person) openSheet(c api.Checkout) (sheet wechattest.Sheet, err error) {
	p.t.Helper()
	switch {
	case c.Pay != nil:
		return p.sheet(c.Pay)
	case c.CodeURL != "":
		return p.sim.Scan(c.CodeURL)
	case c.MWebURL != "":
		_, sheet, err = p.h5(c.MWebURL)
		return sheet, err
	}
	return sheet, errors.New("nothing to pay with")
}

// endsIn tells whether what pays an order, which was just got, works for d.
func (s *shop) endsIn(c api.Checkout, d time.Duration) bool {
	left := time.UnixMilli(c.PayUntil).Sub(s.now())
	return left <= d && left > d-10*time.Second
}

func TestPaymentByCode(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	var c api.Checkout
	p.checkout(native("tea", 2), &c)
	if c.Order.Status != api.StatusPending || c.Order.TradeType != api.TradeNative || !strings.HasPrefix(c.CodeURL, "weixin://") ||
		c.Pay != nil || c.MWebURL != "" || !s.endsIn(c, order.PrepayLifetime) {
		t.Errorf("checkout %+v", c)
	}
	// Somebody else's phone may scan it.
	if err := s.scan(2, c.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.deliver()
	o := p.get(c.Order.ID)
	if o.Status != api.StatusPaid || o.PaymentNo != s.sim.Ledger().Trades[0].TransactionID {
		t.Errorf("order %+v", o)
	}
	s.wantPath(o.ID, api.StatusPending, api.StatusPaid)
	known := s.sim.Ledger().Orders[0]
	if known.OpenID != "" || known.ClientIP != p.ip || known.TotalFee != 13600 {
		t.Errorf("WeChat was told %+v", known)
	}
	p.fails(api.CodeOrderPaid, "POST", api.OrderPayPath(o.ID), struct{}{})
	if s.loud() != 0 {
		t.Errorf("loud log:\n%s", s.log)
	}
}

func TestPaymentInABrowser(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(1)
	var c api.Checkout
	p.checkout(mweb("tea", 1), &c)
	back := shopURL + "/result?order=" + c.Order.ID
	given, ok := strings.CutSuffix(c.MWebURL, "&redirect_url="+url.QueryEscape(back))
	if !ok || given != s.sim.Ledger().Orders[0].MwebURL || c.Pay != nil || c.CodeURL != "" || !s.endsIn(c, order.MWebLifetime) {
		t.Errorf("checkout %+v", c)
	}
	page, sheet, err := p.h5(c.MWebURL)
	if err != nil || !strings.Contains(page, "/result?order="+c.Order.ID) {
		t.Fatalf("WeChat's page does not lead back: %v\n%s", err, page)
	}
	if _, err := s.sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	s.deliver()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
	if known := s.sim.Ledger().Orders[0]; known.ClientIP != p.ip || known.OpenID != "" {
		t.Errorf("WeChat was told %+v", known)
	}
	told := s.sent("unifiedorder")
	if !strings.Contains(told, `{"h5_info":{"type":"Wap","wap_url":"`+shopURL+`","wap_name":"`+wechattest.DefaultShopName+`"}}`) {
		t.Errorf("WeChat was sent %s", told)
	}
}

// What WeChat gave is used while it lives: asking again would void it.
func TestCodeIsKeptAndRenewed(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	req := native("tea", 1)
	var first, again api.Checkout
	p.checkout(req, &first)
	s.sim.Advance(order.PrepayLifetime - time.Minute)
	p.checkout(req, &again)
	if !cmp.Equal(again, first) {
		t.Errorf("the same order again: %+v, first %+v", again, first)
	}
	p.must("POST", api.OrderPayPath(first.Order.ID), api.PayRequest{}, &again)
	if !cmp.Equal(again, first) || s.calls("unifiedorder") != 1 {
		t.Errorf("pay: %+v, first %+v", again, first)
	}
	// Renewed by wish, and because it has ended.
	var renewed, later api.Checkout
	p.must("POST", api.OrderPayPath(first.Order.ID), api.PayRequest{Renew: true}, &renewed)
	if renewed.CodeURL == first.CodeURL || !s.endsIn(renewed, order.PrepayLifetime) {
		t.Errorf("renewed: %+v", renewed)
	}
	s.sim.Advance(order.PrepayLifetime)
	p.must("POST", api.OrderPayPath(first.Order.ID), api.PayRequest{}, &later)
	if later.CodeURL == renewed.CodeURL || s.calls("unifiedorder") != 3 {
		t.Errorf("after its end: %+v", later)
	}
	if err := s.scan(0, renewed.CodeURL); err == nil {
		t.Error("the code before still works")
	}
	if err := s.scan(0, later.CodeURL); err != nil {
		t.Error(err)
	}
	s.deliver()
	s.wantPath(first.Order.ID, api.StatusPending, api.StatusPending, api.StatusPending, api.StatusPaid)
}

func TestMWebURLIsRenewedWithinFiveMinutes(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	var first, again api.Checkout
	p.checkout(mweb("tea", 1), &first)
	s.sim.Advance(order.MWebLifetime - time.Minute)
	p.must("POST", api.OrderPayPath(first.Order.ID), struct{}{}, &again)
	if !cmp.Equal(again, first) {
		t.Errorf("again %+v, first %+v", again, first)
	}
	s.sim.Advance(time.Minute)
	p.must("POST", api.OrderPayPath(first.Order.ID), struct{}{}, &again)
	if again.MWebURL == first.MWebURL {
		t.Error("an old mweb_url was given out")
	}
	_, sheet, err := p.h5(again.MWebURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	s.deliver()
	s.wantPath(first.Order.ID, api.StatusPending, api.StatusPending, api.StatusPaid)
}

// The shop may be renamed or move between two calls for one order: WeChat is
// told what it was told first.
func TestRenewedOrderIsToldAsItWas(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	var c, again api.Checkout
	p.checkout(mweb("tea", 1), &c)
	s.handler = s.open(func(cfg *settings, _ *wechat.Config) { cfg.ShopName = "改名小铺" })
	p.ip = "198.51.100.7"
	p.must("POST", api.OrderPayPath(c.Order.ID), api.PayRequest{Renew: true}, &again)
	if again.MWebURL == c.MWebURL {
		t.Error("not renewed")
	}
}

// Of many taps at once one calls WeChat. The others are told to come again, and get its
// code then.
func TestManyAtOnceGetOneCode(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	path := api.OrderPayPath(p.place(native("tea", 1)).ID)
	codes := together(t, p, 40, func() *http.Request { return p.request("POST", path, []byte(`{}`)) })
	if s.calls("unifiedorder") != 1 || len(codes) != 1 {
		t.Fatalf("%d calls, codes %v", s.calls("unifiedorder"), codes)
	}
	var first api.Checkout
	for _, c := range codes {
		first = c
	}
	renew := encode(t, api.PayRequest{Renew: true})
	codes = together(t, p, 40, func() *http.Request { return p.request("POST", api.OrderPayPath(first.Order.ID), renew) })
	delete(codes, first.CodeURL)
	if len(codes) == 0 {
		t.Error("no code was renewed")
	}
	// Who came after a renewal was done has renewed again: the last code works.
	works := 0
	for code := range codes {
		if _, err := s.sim.Scan(code); err == nil {
			works++
		}
	}
	if works != 1 {
		t.Errorf("%d of %d codes work", works, len(codes))
	}
	var stored api.Checkout
	p.must("POST", api.OrderPayPath(first.Order.ID), struct{}{}, &stored)
	if err := s.scan(0, stored.CodeURL); err != nil {
		t.Errorf("the stored code: %v", err)
	}
}

// together sends n requests at once, repeats those that are answered with CodeBusy, as the
// page does, and returns what they got, by code_url.
func together(t *testing.T, p *person, n int, make func() *http.Request) map[string]api.Checkout {
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
				p.handler.ServeHTTP(w, r)
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
	p.check()
	return codes
}

// isBusy reports whether a caller has to come again, and checks that the answer says when.
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

// A request does not wait for another one that calls WeChat for the same order. It is
// told to come again, and changes nothing.
func TestNobodyWaitsForAnotherRequest(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	path := api.OrderPayPath(p.place(native("tea", 1)).ID)
	r := p.request("POST", path, []byte(`{}`))
	inCall, goOn := make(chan struct{}), make(chan struct{})
	plain := s.wire.handler
	s.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pay/unifiedorder" {
			close(inCall)
			<-goOn
		}
		plain.ServeHTTP(w, r)
	})
	first := httptest.NewRecorder()
	var wg sync.WaitGroup
	wg.Go(func() { p.handler.ServeHTTP(first, r) })
	<-inCall
	before := storetest.Dump(t, s.db)
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, p.request("POST", path, []byte(`{}`))) // would hang if it waited
	if !isBusy(t, w) {
		t.Errorf("%d %s, want busy", w.Code, w.Body)
	}
	if storetest.Dump(t, s.db) != before {
		t.Error("something changed")
	}
	close(goOn)
	wg.Wait()
	s.wire.handler = plain
	var c, again api.Checkout
	if err := json.Unmarshal(first.Body.Bytes(), &c); err != nil || c.CodeURL == "" {
		t.Errorf("%d %s", first.Code, first.Body)
	}
	if p.must("POST", path, api.PayRequest{}, &again); !cmp.Equal(again, c) {
		t.Errorf("%+v, want %+v", again, c)
	}
}

// The request that calls WeChat fails: the next one calls.
func TestCodeAfterACallThatFailed(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	s.fault(wechattest.FaultTimeoutAfter, "/pay/unifiedorder")
	req := native("tea", 1)
	p.cannotPay(api.CodeWeChatBusy, req)
	var c api.Checkout
	p.checkout(req, &c) // the claim was released
	if err := s.scan(0, c.CodeURL); err != nil {
		t.Error(err)
	}
	s.deliver()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

func TestPayerNamesTheAmount(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	req := native("tip", 1)
	for _, amount := range []fen.Fen{0, 500_001} {
		req.Items[0].Amount = amount
		p.unharmed(func() { p.fails(api.CodeBadRequest, "POST", api.PathOrders, req) })
	}
	req.Items[0].Amount = 12345
	var c, again api.Checkout
	p.checkout(req, &c)
	if c.Order.Total != 12345 || c.Order.Items[0].Price != 12345 || s.sim.Ledger().Orders[0].TotalFee != 12345 {
		t.Errorf("order %+v", c.Order)
	}
	// The amount is part of what was asked for; the bounds may change since.
	storetest.Exec(t, s.db, `UPDATE products SET min_price = 20000, max_price = 30000 WHERE id = 'tip'`)
	p.checkout(req, &again)
	if !cmp.Equal(again, c) {
		t.Errorf("the same again: %+v", again)
	}
	req.Items[0].Amount = 20000
	p.fails(api.CodeConflict, "POST", api.PathOrders, req)
	if err := s.scan(0, c.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.deliver()
	s.wantStatus(c.Order.ID, api.StatusPaid)
}
