package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
)

// routes are all calls, each with a valid body.
func routes(id string) []struct{ method, path, body string } {
	key := "0123456789abcdef"
	return []struct{ method, path, body string }{
		{"GET", api.PathConfig, ""},
		{"POST", api.PathAuthorize, `{"return_to":"/"}`},
		{"POST", api.PathToken, `{"code":"c","state":"s"}`},
		{"GET", api.PathSession, ""},
		{"POST", api.PathSession, `{}`},
		{"DELETE", api.PathSession, ""},
		{"GET", api.PathProducts, ""},
		{"POST", api.PathOrders, `{"items":[{"product_id":"tea","quantity":1}],"trade_type":"JSAPI","client_key":"` + key + `"}`},
		{"GET", api.PathOrders, ""},
		{"GET", api.OrderPath(id), ""},
		{"POST", api.OrderPayPath(id), `{}`},
		{"POST", api.OrderClosePath(id), `{}`},
		{"POST", api.PathNotifyPay, "<xml></xml>"},
		{"POST", api.PathNotifyRefund, "<xml></xml>"},
	}
}

// fromWeChat reports whether WeChat calls a path. Its messages have a signature instead of a
// session.
func fromWeChat(path string) bool { return strings.HasPrefix(path, "/api/notify/") }

// wantUnharmed runs bad calls and checks that they change nothing but the log.
func wantUnharmed(p *paytest.Person, do func()) {
	p.T.Helper()
	before, calls := storetest.Dump(p.T, p.DB), len(p.Sim.Messages(0))
	do()
	if storetest.Dump(p.T, p.DB) != before {
		p.T.Error("the database changed")
	}
	if len(p.Sim.Messages(0)) != calls {
		p.T.Error("WeChat was called")
	}
	p.Check()
}

func TestGarbageBodies(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	p.Token = paytest.AdminToken
	c := p.Order("tea", 1)
	huge := `{"code":"` + strings.Repeat("x", 70000) + `"}`
	for _, route := range routes(c.Order.ID) {
		if route.method != "POST" || fromWeChat(route.path) {
			continue
		}
		for name, bad := range map[string]struct {
			body, contentType string
			code              api.Code
		}{
			"empty":         {"", "application/json", api.CodeBadRequest},
			"garbage":       {"\x00\xff{", "application/json", api.CodeBadRequest},
			"null":          {"null", "application/json", api.CodeBadRequest},
			"an array":      {"[]", "application/json", api.CodeBadRequest},
			"unknown field": {`{"price":1}`, "application/json", api.CodeBadRequest},
			"more after":    {route.body + route.body, "application/json", api.CodeBadRequest},
			"oversize":      {huge, "application/json", api.CodeBodyTooLarge},
			"no type":       {route.body, "", api.CodeContentType},
			"a form":        {"code=c&state=s", "application/x-www-form-urlencoded", api.CodeContentType},
			"text":          {route.body, "text/plain", api.CodeContentType},
			"XML":           {"<xml></xml>", "text/xml", api.CodeContentType},
		} {
			if route.path == api.PathSession && name == "empty" {
				continue // it has no body
			}
			wantUnharmed(p, func() {
				r := p.Request(route.method, route.path, []byte(bad.body))
				r.Header.Set("Content-Type", bad.contentType)
				if a := p.Send(r); a.Err.Code != bad.code {
					t.Errorf("%s with %s: %d %s", route.path, name, a.Status, a.Body)
				}
			})
		}
	}
}

func TestWrongValues(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	key := `"client_key":"0123456789abcdef"`
	one := `"items":[{"product_id":"tea","quantity":1}]`
	for _, bad := range []struct {
		path, body string
		code       api.Code
	}{
		{api.PathAuthorize, `{}`, api.CodeBadRequest},
		{api.PathAuthorize, `{"return_to":"//evil.example"}`, api.CodeBadRequest},
		{api.PathAuthorize, `{"return_to":"https://evil.example/"}`, api.CodeBadRequest},
		{api.PathAuthorize, `{"return_to":"/api/session"}`, api.CodeBadRequest},
		{api.PathAuthorize, `{"return_to":"/","scope":"snsapi_login"}`, api.CodeBadRequest},
		{api.PathAuthorize, `{"return_to":1}`, api.CodeBadRequest},
		{api.PathToken, `{}`, api.CodeStateInvalid},
		{api.PathToken, `{"code":"c","state":"s"}`, api.CodeStateInvalid},
		{api.PathToken, `{"code":["c"],"state":"s"}`, api.CodeBadRequest},
		{api.PathOrders, `{}`, api.CodeBadRequest},
		{api.PathOrders, `{` + one + `}`, api.CodeBadRequest},
		{api.PathOrders, `{` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{` + one + `,"client_key":"short"}`, api.CodeBadRequest},
		{api.PathOrders, `{` + one + `,"client_key":"` + strings.Repeat("k", 65) + `"}`, api.CodeBadRequest},
		{api.PathOrders, `{` + one + `,"client_key":"0123456789abcde'"}`, api.CodeBadRequest},
		{api.PathOrders, `{` + one + `,` + key + `,"price":1}`, api.CodeBadRequest},
		{api.PathOrders, `{` + one + `,` + key + `,"openid":"someone"}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tea","quantity":1,"price":1}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tea","quantity":0}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tea","quantity":-1}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tea","quantity":100}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tea","quantity":1.5}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tea' OR 1=1 --","quantity":1}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"gold","quantity":1}],` + key + `}`, api.CodeProductGone},
		{api.PathOrders, `{"items":[{"product_id":"tea","quantity":1},{"product_id":"gold","quantity":1}],` + key + `}`, api.CodeProductGone},
		{api.PathOrders, `{` + one + `,` + key + `,"trade_type":"JSAPI"}`, api.CodeBadRequest},
		{api.PathOrders, `{` + one + `,` + key + `,"replaces":"` + c.Order.ID + `"}`, api.CodeBadRequest},
		{api.OrderPayPath(c.Order.ID), `{}`, api.CodeBadRequest},
		{api.OrderPayPath(c.Order.ID), `{"trade_types":[]}`, api.CodeBadRequest},
		{api.OrderPayPath(c.Order.ID), `{"trade_types":"JSAPI"}`, api.CodeBadRequest},
		{api.OrderPayPath(c.Order.ID), `{"trade_types":["APP"]}`, api.CodeBadRequest},
		{api.OrderPayPath(c.Order.ID), `{"trade_types":["jsapi"]}`, api.CodeBadRequest},
		{api.OrderPayPath(c.Order.ID), `{"trade_types":["JSAPI"],"amount":1}`, api.CodeBadRequest},
		{api.OrderPayPath(c.Order.ID), `{"trade_types":["JSAPI"],"openid":"someone"}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tea","quantity":1,"amount":6800}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tip","quantity":1}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tip","quantity":2,"amount":100}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tip","quantity":1,"amount":0}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tip","quantity":1,"amount":-1}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tip","quantity":1,"amount":0.5}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tip","quantity":1,"amount":"100"}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tip","quantity":1,"amount":500001}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tip","quantity":1,"amount":9223372036854775807}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tip","quantity":1,"amount":1e30}],` + key + `}`, api.CodeBadRequest},
		{api.PathOrders, `{"items":[{"product_id":"tip","quantity":1,"amount":1},{"product_id":"tip","quantity":1,"amount":1}],` + key + `}`, api.CodeBadRequest},
		{api.PathSession, `{"openid":"someone"}`, api.CodeBadRequest},
		{api.OrderClosePath(c.Order.ID), `{"force":true}`, api.CodeBadRequest},
		{api.OrderClosePath("unknown"), `{}`, api.CodeNotFound},
		{api.OrderClosePath("000000000000000000000000"), `{}`, api.CodeNotFound},
		{api.OrderPayPath("unknown"), `{}`, api.CodeNotFound},
		{api.OrderPayPath("000000000000000000000000"), `{}`, api.CodeNotFound},
	} {
		wantUnharmed(p, func() {
			if a := p.Send(p.Request("POST", bad.path, []byte(bad.body))); a.Err.Code != bad.code {
				t.Errorf("%s %s: %d %s, want %s", bad.path, bad.body, a.Status, a.Body, bad.code)
			}
		})
	}
	// The most expensive basket exceeds the limit of one order.
	storetest.Exec(t, s.DB, `UPDATE products SET price = 2000000 WHERE id = 'tea'`)
	wantUnharmed(p, func() { p.Fails(api.CodeBadRequest, "POST", api.PathOrders, paytest.Basket("tea", 99)) })
	// A catalogue with an impossible price.
	storetest.Exec(t, s.DB, `UPDATE products SET price = 4000000000000000000 WHERE id = 'tea'`)
	wantUnharmed(p, func() { p.Fails(api.CodeInternal, "POST", api.PathOrders, paytest.Basket("tea", 99)) })
}

func TestForeignOrigins(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	for _, route := range routes(c.Order.ID) {
		if route.method == "GET" || fromWeChat(route.path) {
			continue
		}
		for name, header := range map[string]http.Header{
			"another site":     {"Origin": {"https://evil.example"}},
			"null":             {"Origin": {"null"}},
			"empty":            {"Origin": {""}},
			"other scheme":     {"Origin": {"http://shop.example.com"}},
			"other port":       {"Origin": {paytest.ShopURL + ":8443"}},
			"longer host":      {"Origin": {paytest.ShopURL + ".evil.example"}},
			"two":              {"Origin": {paytest.ShopURL, "https://evil.example"}},
			"cross-site fetch": {"Sec-Fetch-Site": {"cross-site"}},
			"same-site fetch":  {"Sec-Fetch-Site": {"same-site"}},
		} {
			wantUnharmed(p, func() {
				r := p.Request(route.method, route.path, []byte(route.body))
				r.Header.Del("Origin")
				for k, v := range header {
					r.Header[k] = v
				}
				if a := p.Send(r); a.Err.Code != api.CodeForbiddenOrigin {
					t.Errorf("%s %s from %s: %d %s", route.method, route.path, name, a.Status, a.Body)
				}
			})
		}
		// A program, which sends neither header.
		r := p.Request(route.method, route.path, []byte(route.body))
		r.Header.Del("Origin")
		if a := p.Send(r); a.Err.Code == api.CodeForbiddenOrigin {
			t.Errorf("%s %s without Origin: %s", route.method, route.path, a.Body)
		}
	}
}

func TestWithoutSession(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	c := s.SignedIn(0).Order("tea", 1)
	for name, cookie := range map[string]string{"none": "", "garbage": "x", "long": strings.Repeat("A", 5000)} {
		p := s.NewPerson(1)
		if cookie != "" {
			p.Cookies["__Host-h5pay_session"] = cookie
		}
		for _, route := range routes(c.Order.ID) {
			if !strings.HasPrefix(route.path, api.PathOrders) && (route.path != api.PathSession || route.method != "GET") {
				continue
			}
			wantUnharmed(p, func() {
				if a := p.Send(p.Request(route.method, route.path, []byte(route.body))); a.Err.Code != api.CodeUnauthenticated {
					t.Errorf("%s %s with cookie %s: %d %s", route.method, route.path, name, a.Status, a.Body)
				}
			})
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	for _, path := range []string{
		"/", "/index.html", "/api", "/api/", "/api/nothing", "/api/orders/", "/api/orders//pay", "/api//orders", "/api/./orders",
		"/api/orders/x/y", "/api/orders/" + c.Order.ID + "/", "/api/orders/%2e%2e", "/API/orders", "/api/notify", "//", "/api/orders%2f" + c.Order.ID,
	} {
		for _, method := range []string{"GET", "POST"} {
			wantUnharmed(p, func() {
				if a := p.Send(p.Request(method, path, []byte("{}"))); a.Err.Code != api.CodeNotFound {
					t.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
				}
			})
		}
	}
	allow := map[string][]string{}
	for _, route := range routes(c.Order.ID) {
		allow[route.path] = append(allow[route.path], route.method)
	}
	for path, methods := range allow {
		for _, method := range []string{"GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "FOO"} {
			if strings.Contains(fmt.Sprint(methods), method) {
				continue
			}
			wantUnharmed(p, func() {
				a := p.Send(p.Request(method, path, nil))
				if a.Err.Code != api.CodeMethodNotAllowed {
					t.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
				}
				for _, m := range methods {
					if !strings.Contains(a.Header.Get("Allow"), m) {
						t.Errorf("%s %s: Allow %q", method, path, a.Header.Get("Allow"))
					}
				}
			})
		}
	}
}

func TestBadNotifications(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	no := s.OutTradeNo(c.Order.ID)
	for name, body := range map[string]string{
		"empty":      "",
		"garbage":    "\x00\xff<",
		"JSON":       `{"return_code":"SUCCESS"}`,
		"APIv3":      `{"id":"1","event_type":"TRANSACTION.SUCCESS","resource_type":"encrypt-resource","resource":{}}`,
		"empty xml":  "<xml></xml>",
		"unsigned":   "<xml><return_code>SUCCESS</return_code><result_code>SUCCESS</result_code><out_trade_no>" + no + "</out_trade_no><total_fee>6800</total_fee></xml>",
		"bad sign":   "<xml><return_code>SUCCESS</return_code><out_trade_no>" + no + "</out_trade_no><sign>" + strings.Repeat("0", 64) + "</sign></xml>",
		"FAIL":       "<xml><return_code>FAIL</return_code><return_msg>x</return_msg></xml>",
		"DOCTYPE":    `<!DOCTYPE xml [<!ENTITY x SYSTEM "http://tst.qq.com/xxe">]><xml><a>&x;</a></xml>`,
		"oversize":   "<xml><a>" + strings.Repeat("x", 70000) + "</a></xml>",
		"deep":       strings.Repeat("<xml>", 10000),
		"with fetch": "<xml></xml>",
	} {
		for _, path := range []string{api.PathNotifyPay, api.PathNotifyRefund} {
			p.Sim.Advance(time.Minute) // the log has a line a minute
			wantUnharmed(p, func() { badNotification(p, name, path, body) })
		}
	}
}

// badNotification sends a message that WeChat never sends.
func badNotification(p *paytest.Person, name, path, body string) {
	loud := p.ErrorLines()
	r := p.Request("POST", path, []byte(body))
	r.Header.Set("Content-Type", "text/xml")
	r.Header.Set("Origin", "https://evil.example") // has no meaning here
	a := p.Send(r)
	if strings.HasPrefix(body, "{") { // APIv3 takes a response with the status 200 as an acknowledgement
		if a.Status != http.StatusBadRequest || a.Header.Get("Content-Type") != "application/json" || a.Err.Code != "FAIL" {
			p.T.Errorf("%s to %s: %d %s", name, path, a.Status, a.Body)
		}
	} else if a.Status != http.StatusOK && (name != "oversize" || a.Status != http.StatusRequestEntityTooLarge) ||
		!strings.HasPrefix(a.Header.Get("Content-Type"), "text/xml") || !strings.Contains(string(a.Body), "<return_code><![CDATA[FAIL]]></return_code>") {
		p.T.Errorf("%s to %s: %d %s", name, path, a.Status, a.Body)
	}
	if p.ErrorLines() != loud+1 {
		p.T.Errorf("%s to %s: %d log lines of level ERROR", name, path, p.ErrorLines()-loud)
	}
}
