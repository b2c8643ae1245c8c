package wechattest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// browserIP is the public address of the browser; it is that of httptest.NewRequest.
const browserIP = "192.0.2.1"

// mwebOrder is a good unifiedorder for a browser, without its sign.
func (w *world) mwebOrder(no string) []pair {
	fields := with(with(w.order(no), "trade_type", "MWEB"), "openid", "")
	return with(with(fields, "spbill_create_ip", browserIP), "scene_info", `{"h5_info":{"type":"Wap","wap_url":"`+shopOrigin+`","wap_name":"山岚小铺"}}`)
}

func (w *world) mwebURL(no string) string {
	w.t.Helper()
	got := w.pay(pathUnifiedOrder, w.mwebOrder(no))
	u := valueOf(got, "mweb_url")
	if !strings.Contains(u, pathCheckMWEB+"?prepay_id="+valueOf(got, "prepay_id")+"&package=") || valueOf(got, "code_url") != "" {
		w.t.Fatalf("%v", got)
	}
	return u
}

// browse opens a URL as a browser does, from the shop's page.
func (w *world) browse(u string, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest("GET", u, nil)
	r.Header.Set("Referer", shopOrigin+"/")
	r.Header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return rec
}

// newest is the newest payment sheet.
func (w *world) newest() Sheet {
	w.t.Helper()
	all := w.Sheets()
	if len(all) == 0 {
		w.t.Fatal("no sheet")
	}
	return all[len(all)-1]
}

func TestABrowserPays(t *testing.T) {
	w := newWorld(t)
	u := w.mwebURL("mweb001")
	if got := w.Ledger().Orders[0].MwebURL; got != u {
		t.Errorf("the ledger has %q", got)
	}
	back := shopOrigin + "/orders?id=1&x=2"
	rec := w.browse(u + "&redirect_url=" + url.QueryEscape(back))
	s := w.newest()
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), `data-id="`+s.ID+`"`) || !strings.Contains(rec.Body.String(), `data-back="https://shop.example/orders?id=1&amp;x=2"`) {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if s.State != SheetOpen || s.TradeType != "MWEB" || s.OpenID != w.User().OpenID {
		t.Errorf("%+v", s)
	}
	// A reload finds the same sheet.
	if w.browse(u); len(w.Sheets()) != 1 {
		t.Errorf("%d sheets", len(w.Sheets()))
	}
	waiting := make(chan string)
	go func() { waiting <- w.do("GET", pathMWEBSheet+"?id="+s.ID, "").Body.String() }()
	if got := w.do("POST", pathMWEBSheet+"?id="+s.ID+"&do=pay", "").Body.String(); !strings.Contains(got, `"state":"paid"`) {
		t.Error(got)
	}
	if got := <-waiting; !strings.Contains(got, `"state":"paid"`) {
		t.Error(got)
	}
	w.Advance(0)
	if got := w.notified(w.shop.bodies()[0], signHMAC); valueOf(got, "trade_type") != "MWEB" || valueOf(got, "openid") != w.User().OpenID {
		t.Errorf("%v", got)
	}
	if page := w.browse(u).Body.String(); !strings.Contains(page, "该订单已支付") {
		t.Error(page)
	}
}

func TestABrowserCancelsAndPaysLater(t *testing.T) {
	w := newWorld(t)
	u := w.mwebURL("mweb002")
	if page := w.browse(u).Body.String(); !strings.Contains(page, `data-back=""`) {
		t.Errorf("without redirect_url the browser goes back: %s", page)
	}
	if got := w.do("POST", pathMWEBSheet+"?id="+w.newest().ID+"&do=cancel", "").Body.String(); !strings.Contains(got, `"state":"cancelled"`) {
		t.Error(got)
	}
	if rec := w.do("POST", pathMWEBSheet+"?id="+w.newest().ID+"&do=pay", ""); rec.Code != 409 {
		t.Errorf("%d", rec.Code)
	}
	w.browse(u)
	if s := w.newest(); len(w.Sheets()) != 2 || s.State != SheetOpen {
		t.Errorf("%+v", s)
	}
	// Sheets of the bridge are not this page's.
	if rec := w.do("POST", pathMWEBSheet+"?id="+w.sheet("mweb003").ID+"&do=pay", ""); rec.Code != 404 {
		t.Errorf("%d", rec.Code)
	}
	r := httptest.NewRequest("POST", pathMWEBSheet+"?do=pay", nil)
	r.Header.Set("Origin", "https://evil.example")
	rec := httptest.NewRecorder()
	if w.h.ServeHTTP(rec, r); rec.Code != 403 {
		t.Errorf("%d", rec.Code)
	}
}

// docs/wechat.md 14.2, 14.4.
func TestH5PageDeclines(t *testing.T) {
	w := newWorld(t)
	u := w.mwebURL("mweb004")
	redirect := func(s string) string { return "&redirect_url=" + s }
	for _, tt := range []struct {
		name, url string
		header    []string
		want      string
	}{
		{"no Referer", u, []string{"Referer", ""}, mwebNoReferer},
		{"another host", u, []string{"Referer", "https://www.shop.example/"}, mwebDomain},
		{"another case", u, []string{"Referer", "https://Shop.example/"}, mwebDomain},
		{"a host behind it", u, []string{"Referer", "https://shop.example.evil/"}, mwebDomain},
		{"inside WeChat", u, []string{"User-Agent", androidAgent}, mwebInside},
		{"on the desk's phone", u, []string{"Sec-Fetch-Dest", "iframe"}, mwebInside},
		{"another prepay_id", strings.Replace(u, "prepay_id=wx", "prepay_id=wy", 1), nil, mwebNoReferer},
		{"another package", u + "0", nil, mwebNoReferer},
		{"something added", u + "&x=1", nil, "系统繁忙,请稍后再试"},
		{"redirect_url as it is", u + redirect(shopOrigin+"/?a=1"), nil, "系统繁忙,请稍后再试"},
		{"redirect_url cut in two", u + redirect("https%3A%2F%2Fshop.example%2F%3Fa=1&b=2"), nil, "系统繁忙,请稍后再试"},
		{"redirect_url elsewhere", u + redirect(url.QueryEscape("https://evil.example/")), nil, mwebDomain},
		{"redirect_url as a script", u + redirect("javascript%3Aalert(1)"), nil, mwebDomain},
		{"another network", u, []string{"remote", "198.51.100.9:1"}, mwebNetwork},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", tt.url, nil)
			r.Header.Set("Referer", shopOrigin+"/cart")
			if len(tt.header) > 0 && tt.header[0] == "remote" {
				r.RemoteAddr = tt.header[1]
			} else if len(tt.header) > 0 {
				r.Header.Set(tt.header[0], tt.header[1])
			}
			rec := httptest.NewRecorder()
			w.h.ServeHTTP(rec, r)
			if m := w.last(); !strings.Contains(rec.Body.String(), tt.want) || m.Response != tt.want || m.Note == "" {
				t.Errorf("%s, want %s (%s)", m.Response, tt.want, m.Note)
			}
		})
	}
	if len(w.Sheets()) != 0 {
		t.Fatalf("%v", w.Sheets())
	}
	w.browse(u)
	if err := w.SetUser(w.Users()[1].OpenID); err != nil {
		t.Fatal(err)
	}
	if page := w.browse(u).Body.String(); !strings.Contains(page, "系统繁忙") {
		t.Errorf("another person: %s", page)
	}
	w.Advance(mwebLife + time.Second)
	if page := w.browse(u).Body.String(); !strings.Contains(page, mwebTooOld) {
		t.Errorf("too old: %s", page)
	}
}

// A browser on this machine has no public address to compare.
func TestConfiguredH5Domain(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.H5Domains = []string{"m.shop.example"}; c.Environment = IOS })
	u := w.mwebURL("mweb005")
	if page := w.browse(u).Body.String(); !strings.Contains(page, mwebDomain) {
		t.Error(page)
	}
	r := httptest.NewRequest("GET", u, nil)
	r.Header.Set("Referer", "https://m.shop.example/")
	r.RemoteAddr = "127.0.0.1:1"
	rec := httptest.NewRecorder()
	if w.h.ServeHTTP(rec, r); len(w.Sheets()) != 1 {
		t.Errorf("%s", rec.Body)
	}
	if page := w.browse(u+"&x=1", "Referer", "https://m.shop.example/").Body.String(); !strings.Contains(page, "签名验证失败") {
		t.Error(page)
	}
	if _, err := New(Config{H5Domains: []string{"https://a"}}); err == nil || !strings.Contains(err.Error(), "H5Domains") {
		t.Error(err)
	}
}

// The return may happen before anything is paid.
func TestABrowserGoesBackEarly(t *testing.T) {
	w := newWorld(t)
	if err := w.AddFault(Fault{Kind: FaultReturnEarly}); err != nil {
		t.Fatal(err)
	}
	if page := w.browse(w.mwebURL("mweb006")).Body.String(); !strings.Contains(page, `data-early="true"`) {
		t.Error(page)
	}
	if s, err := w.PaySheet(w.newest().ID); err != nil || s.State != SheetPaid {
		t.Errorf("%+v %v", s, err)
	}
	if rec := w.do(http.MethodPut, pathMWEBSheet, ""); rec.Code != 404 && rec.Code != 405 {
		t.Errorf("%d", rec.Code)
	}
}
