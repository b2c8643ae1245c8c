package js

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// Requests that both refuse with the same code.
func TestBadRequestsAreRefusedTheSame(t *testing.T) {
	const item = `{"product_id":"tea","quantity":1}`
	order := func(items string) string {
		return `{"items":` + items + `,"trade_type":"JSAPI","client_key":"0123456789abcdef"}`
	}
	sides := newSides(t, wechat.SignHMAC)
	for name, body := range map[string]string{
		"empty":             ``,
		"no JSON":           `items`,
		"cut":               `{"items":[` + item,
		"a list":            `[]`,
		"null":              `null`,
		"two objects":       order(`[`+item+`]`) + `{}`,
		"not UTF-8":         "{\"items\":\"\xff\"}",
		"a BOM":             "\ufeff" + order(`[`+item+`]`),
		"unknown name":      strings.Replace(order(`[`+item+`]`), `{`, `{"total":1,`, 1),
		"unknown in item":   order(`[{"product_id":"tea","quantity":1,"price":1}]`),
		"__proto__":         strings.Replace(order(`[`+item+`]`), `{`, `{"__proto__":{},`, 1),
		"repeated name":     strings.Replace(order(`[`+item+`]`), `{`, `{"client_key":"fedcba9876543210",`, 1),
		"repeated in item":  order(`[{"product_id":"tea","quantity":1,"quantity":1}]`),
		"repeated, escaped": order(`[{"product_id":"tea","quantity":1,"quantit\u0079":1}]`),
		"deep":              order(strings.Repeat(`[`, 10) + strings.Repeat(`]`, 10)),
		"items null":        order(`null`),
		"no items":          order(`[]`),
		"a null item":       order(`[null]`),
		"no product":        order(`[{"quantity":1}]`),
		"bad product":       order(`[{"product_id":"a b","quantity":1}]`),
		"unknown product":   order(`[{"product_id":"nothing","quantity":1}]`),
		"no quantity":       order(`[{"product_id":"tea"}]`),
		"none":              order(`[{"product_id":"tea","quantity":0}]`),
		"less than none":    order(`[{"product_id":"tea","quantity":-1}]`),
		"half a tea":        order(`[{"product_id":"tea","quantity":0.5}]`),
		"a text":            order(`[{"product_id":"tea","quantity":"1"}]`),
		"too much":          order(`[{"product_id":"tea","quantity":100}]`),
		"far too much":      order(`[{"product_id":"tea","quantity":1e400}]`),
		"too much in all":   order(`[{"product_id":"tea","quantity":99},` + item + `]`),
		"too many":          order(`[` + manyItems(21) + `]`),
		"trade_type":        strings.Replace(order(`[`+item+`]`), "JSAPI", "NATIVE", 1),
		"short key":         strings.Replace(order(`[`+item+`]`), "0123456789abcdef", "0123456789abcde", 1),
		"bad key":           strings.Replace(order(`[`+item+`]`), "0123456789abcdef", "0123456789abcde.", 1),
		"too long":          order(`[`+item+`]`) + strings.Repeat(" ", 64<<10),
		"far too long":      strings.Repeat(" ", 1<<20),
	} {
		var answers []string
		for _, s := range sides {
			a := s.call("POST", api.PathOrders, []byte(body))
			answers = append(answers, fmt.Sprint(a.status, " ", a.code(), generalHeader(t, a), s.logged(a)))
		}
		if d := cmp.Diff(answers[0], answers[1]); d != "" || !strings.HasPrefix(answers[0], "4") {
			t.Errorf("%s: %s (-Go +JavaScript):\n%s", name, answers[0], d)
		}
	}
}

func manyItems(n int) string {
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf(`{"product_id":"p%d","quantity":1}`, i))
	}
	return strings.Join(items, ",")
}

// Good orders in requests that come from elsewhere, from nobody, or in another
// form.
func TestHeadersAreJudgedTheSame(t *testing.T) {
	for name, change := range map[string]struct {
		bend func(*http.Request)
		want int
	}{
		"as it is":          {func(r *http.Request) {}, 200},
		"no Origin":         {func(r *http.Request) { r.Header.Del("Origin") }, 200},
		"same site's fetch": {func(r *http.Request) { r.Header.Del("Origin"); r.Header.Set("Sec-Fetch-Site", "same-origin") }, 200},
		"another's fetch":   {func(r *http.Request) { r.Header.Del("Origin"); r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"foreign Origin":    {func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		"null Origin":       {func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		"charset":           {func(r *http.Request) { r.Header.Set("Content-Type", `Application/JSON; Charset="UTF-8"`) }, 200},
		"other charset":     {func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=gbk") }, 415},
		"a form":            {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		"no type":           {func(r *http.Request) { r.Header.Del("Content-Type") }, 415},
		"no cookie":         {func(r *http.Request) { r.Header.Del("Cookie") }, 401},
		"other cookies":     {func(r *http.Request) { r.Header.Set("Cookie", "a=b; "+r.Header.Get("Cookie")+"; c") }, 200},
		"broken cookie":     {func(r *http.Request) { r.Header.Set("Cookie", r.Header.Get("Cookie")[:60]) }, 401},
		"forged cookie":     {func(r *http.Request) { r.Header.Set("Cookie", forge(r.Header.Get("Cookie"))) }, 401},
		"forged, then good": {func(r *http.Request) {
			r.Header.Set("Cookie", forge(r.Header.Get("Cookie"))+"; "+r.Header.Get("Cookie"))
		}, 200},
		"without prefix": {func(r *http.Request) {
			r.Header.Set("Cookie", strings.TrimPrefix(r.Header.Get("Cookie"), "__Host-"))
		}, 401},
	} {
		var answers []string
		for _, s := range newSides(t, wechat.SignHMAC) { // new ones log the first call of another site
			r := request("POST", api.PathOrders, twoTeas())
			r.AddCookie(s.cookie)
			change.bend(r)
			a := s.send(r)
			logs := ""
			if a.status != http.StatusOK { // those of a success are compared elsewhere
				logs = fmt.Sprint(s.logged(a))
			}
			answers = append(answers, fmt.Sprint(a.status, " ", a.code(), logs))
		}
		if d := cmp.Diff(answers[0], answers[1]); d != "" || !strings.HasPrefix(answers[0], fmt.Sprint(change.want)) {
			t.Errorf("%s: %s, want %d (-Go +JavaScript):\n%s", name, answers[0], change.want, d)
		}
	}
}

// forge changes one character in the middle of a cookie.
func forge(cookie string) string {
	i := len(cookie) / 2
	c := byte('A')
	if cookie[i] == c {
		c = 'B'
	}
	return cookie[:i] + string(c) + cookie[i+1:]
}

func TestUnknownPath(t *testing.T) {
	for _, s := range newSides(t, wechat.SignHMAC) {
		for _, path := range []string{"/", "/api", "/api/nothing", "/api//orders", "/api/orders/", "/api/orders/a/b/c"} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				if a := s.call(method, path, nil); a.code() != api.CodeNotFound || a.status != http.StatusNotFound {
					t.Errorf("%s: %s %s: %d %s", s.name, method, path, a.status, a.body)
				}
			}
		}
	}
}

// What WeChat may do instead of taking an order.
func TestWeChatsTroublesAreTheSame(t *testing.T) {
	sides := newSides(t, wechat.SignHMAC)
	for _, fault := range []string{
		wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultBadReplySign, wechattest.FaultNoReplySign,
	} {
		var answers []string
		for _, s := range sides {
			if err := world.sim.AddFault(wechattest.Fault{Kind: fault, Path: "/pay/unifiedorder"}); err != nil {
				t.Fatal(err)
			}
			req := twoTeas()
			a := s.call("POST", api.PathOrders, req)
			var log []map[string]any
			for _, line := range s.logged(a) {
				delete(line, "order")
				delete(line, "out_trade_no")
				log = append(log, line)
			}
			answers = append(answers, fmt.Sprint(a.status, " ", a.code(), " ", log))
			// The same order again.
			if c, _ := s.order(req); c.Pay == nil {
				t.Errorf("%s, %s: %+v", s.name, fault, c)
			}
		}
		if d := cmp.Diff(answers[0], answers[1]); d != "" || !strings.HasPrefix(answers[0], "503") {
			t.Errorf("%s: %s (-Go +JavaScript):\n%s", fault, answers[0], d)
		}
	}
}

func TestClosedAtWeChat(t *testing.T) {
	for _, s := range newSides(t, wechat.SignHMAC) {
		c, _ := s.order(twoTeas())
		if err := world.sim.CloseOrder(s.outTradeNo(c.Order.ID)); err != nil {
			t.Fatal(err)
		}
		waitForWindow()
		a := s.call("GET", api.OrderPath(c.Order.ID), nil)
		if row := s.row(c.Order.ID); row["status"] != "closed" || !strings.Contains(string(a.body), `"status":"closed"`) {
			t.Errorf("%s: %s, %v", s.name, a.body, row)
		}
	}
}

// A call that WeChat never answers ends in time.
func TestSilentWeChat(t *testing.T) {
	s := newSides(t, wechat.SignHMAC)[1]
	s.do = toWorker(world.silent)
	begun := time.Now()
	a := s.call("POST", api.PathOrders, twoTeas())
	if took := time.Since(begun); a.code() != api.CodeWeChatBusy || took < 7*time.Second || took > 12*time.Second {
		t.Errorf("%d %s after %v", a.status, a.body, took)
	}
	if lines := s.logged(a); len(lines) != 2 || lines[1]["error"] != "unifiedorder: no answer: deadline exceeded" {
		t.Errorf("log %v", lines)
	}
}

func TestMissingSetting(t *testing.T) {
	s := newSides(t, wechat.SignHMAC)[1]
	s.do = toWorker(world.broken)
	for _, path := range []string{api.PathOrders, api.PathNotifyPay} {
		a := s.call("POST", path, twoTeas())
		if a.code() != api.CodeMisconfigured || a.status != http.StatusServiceUnavailable || strings.Contains(string(a.body), "WECHAT") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		lines := s.logged(a)
		if len(lines) != 1 || lines[0]["error"] != "setting WECHAT_API_KEY must be 32 letters or digits" {
			t.Errorf("%s: log %v", path, lines)
		}
	}
}
