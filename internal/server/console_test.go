package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat"
)

// console is a browser in which an operator uses the console.
type console struct {
	*paytest.Person
}

// signIn signs a new operator in, whose key has some scopes.
func signIn(s *paytest.Shop, scopes ...v1.Scope) (*console, *backEnd) {
	s.T.Helper()
	b := newBackEnd(s, scopes...)
	c := &console{s.NewPerson(0)}
	var who v1.Session
	c.Must("POST", v1.PathSession, v1.SignIn{Key: b.key}, &who)
	if len(who.Scopes) != len(scopes) || who.Name != "erp" || who.Shop == "" {
		s.T.Errorf("signed in as %+v", who)
	}
	return c, b
}

// call makes a call as the console does.
func (c *console) call(method, path, body string) paytest.Answer {
	c.T.Helper()
	r := c.Request(method, path, []byte(body))
	if body == "" {
		r.Header.Del("Content-Type")
	}
	if method != "GET" {
		r.Header.Set(v1.HeaderConsole, "1")
	}
	if method == "POST" {
		r.Header.Set("Idempotency-Key", newKey())
	}
	w := httptest.NewRecorder()
	c.Handler.ServeHTTP(w, r)
	for _, cookie := range w.Result().Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.Cookies, cookie.Name)
		} else {
			c.Cookies[cookie.Name] = cookie.Value
		}
	}
	return paytest.Answer{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
}

const putTea = `{"name":"茶","price":6800}`

// A session has the scopes of its key and no others.
func TestConsoleSessionHasTheScopesOfItsKey(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	reader, _ := signIn(s, v1.ScopeRead)
	seller, _ := signIn(s, v1.ScopeRead, v1.ScopeWrite)
	for _, test := range []struct {
		who                *console
		method, path, body string
		status             int
	}{
		{reader, "GET", "/v1/orders", "", 200},
		{reader, "PUT", "/v1/products/tea", putTea, 403},
		{reader, "GET", "/v1/keys", "", 403},
		{seller, "PUT", "/v1/products/tea", putTea, 200},
		{seller, "POST", "/v1/keys", `{"name":"x","scopes":["admin"]}`, 403},
	} {
		if a := test.who.call(test.method, test.path, test.body); a.Status != test.status {
			t.Errorf("%s %s: %d %s, want %d", test.method, test.path, a.Status, a.Body, test.status)
		}
	}
	for _, route := range v1.Routes {
		if route.Scope == v1.ScopeRead {
			continue
		}
		path, body := v1Sample(route)
		before := storetest.Dump(t, s.DB)
		if a := reader.call(route.Method, path, body); a.Status != 403 || !strings.Contains(string(a.Body), string(v1.CodeScopeMissing)) {
			t.Errorf("%s without its scope: %d %s", route.Name, a.Status, a.Body)
		}
		if storetest.Dump(t, s.DB) != before {
			t.Errorf("%s without its scope changed the database", route.Name)
		}
	}
}

func TestConsoleCookie(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead)
	c := s.NewPerson(0)
	a := c.Call("POST", v1.PathSession, v1.SignIn{Key: b.key})
	header := a.Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-h5pay_console=", "; Path=/;", "; Max-Age=43200", "; HttpOnly", "; Secure", "; SameSite=Strict"} {
		if !strings.Contains(header, want) {
			t.Errorf("%q lacks %q", header, want)
		}
	}
	secret := b.key[strings.LastIndex(b.key, "_")+1:]
	if strings.Contains(header+string(a.Body)+s.Log.String(), secret) {
		t.Error("the key is in the response or in the log")
	}
	// A cookie of the shop does not sign in at the console, nor the other way round.
	c.Cookies["__Host-h5pay_session"] = c.Cookies["__Host-h5pay_console"]
	c.Fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
	shopper := s.SignedIn(1)
	shopper.Cookies["__Host-h5pay_console"] = shopper.Cookies["__Host-h5pay_session"]
	shopper.Fails(api.CodeUnauthenticated, "GET", v1.PathSession, nil)
	s.AdvanceClock(12 * time.Hour)
	c.Fails(api.CodeUnauthenticated, "GET", v1.PathSession, nil)
}

// The cookie ends with its key.
func TestConsoleSessionEndsWithItsKey(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	c, b := signIn(s, v1.ScopeRead)
	root(s).must("DELETE", "/v1/keys/"+strings.Split(b.key, "_")[1], nil, &v1.Key{})
	c.Fails(api.CodeUnauthenticated, "GET", "/v1/orders", nil)
	c.Fails(api.CodeUnauthenticated, "GET", v1.PathSession, nil)
	c.Fails(api.CodeUnauthenticated, "POST", v1.PathSession, v1.SignIn{Key: b.key})

	var short v1.Key
	root(s).must("POST", "/v1/keys", v1.CreateKey{Name: "short", Scopes: []v1.Scope{v1.ScopeRead}, ExpiresIn: 60}, &short)
	a := c.Call("POST", v1.PathSession, v1.SignIn{Key: short.Key})
	if !strings.Contains(a.Header.Get("Set-Cookie"), "Max-Age=60;") && !strings.Contains(a.Header.Get("Set-Cookie"), "Max-Age=59;") {
		t.Errorf("the cookie outlives its key: %s", a.Header.Get("Set-Cookie"))
	}
	s.AdvanceClock(time.Minute)
	c.Fails(api.CodeUnauthenticated, "GET", "/v1/orders", nil)
}

// Signing out everywhere ends copies of the cookie too. Other keys stay signed in.
func TestConsoleSignOut(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	c, b := signIn(s, v1.ScopeRead)
	other, _ := signIn(s, v1.ScopeRead)
	second := &console{s.NewPerson(1)}
	second.Must("POST", v1.PathSession, v1.SignIn{Key: b.key}, &v1.Session{})
	if a := c.call("DELETE", v1.PathSession, ""); a.Status != http.StatusNoContent || c.Cookies["__Host-h5pay_console"] != "" {
		t.Errorf("%d %s, cookies %v", a.Status, a.Body, c.Cookies)
	}
	if a := second.call("GET", "/v1/orders", ""); a.Status != 200 {
		t.Errorf("signing out here ended the other browser: %d %s", a.Status, a.Body)
	}
	second.Fails(api.CodeForbiddenOrigin, "DELETE", v1.PathSession+"?everywhere=true", nil) // without the header
	third := &console{s.NewPerson(2)}
	third.Must("POST", v1.PathSession, v1.SignIn{Key: b.key}, &v1.Session{})
	if a := second.call("DELETE", v1.PathSession+"?everywhere=true", ""); a.Status != http.StatusNoContent {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	third.Fails(api.CodeUnauthenticated, "GET", "/v1/orders", nil)
	if last := root(s).audit().Entries[0]; last.Action != "signOutEverywhere" || last.Object != last.KeyID || last.KeyName != "erp" {
		t.Errorf("audited: %+v", last)
	}
	if a := other.call("GET", "/v1/orders", ""); a.Status != 200 {
		t.Errorf("another key: %d %s", a.Status, a.Body)
	}
	third.Must("POST", v1.PathSession, v1.SignIn{Key: b.key}, &v1.Session{}) // the key itself still works
}

// Another site's page cannot use the session, even if the browser sends the cookie.
func TestConsoleSessionRejectsForgedCalls(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	c, _ := signIn(s, v1.ScopeRead, v1.ScopeWrite)
	forged := func(change func(*http.Request)) {
		t.Helper()
		r := c.Request("PUT", "/v1/products/tea", []byte(putTea))
		r.Header.Set(v1.HeaderConsole, "1")
		change(r)
		changesNothing(s, func() {
			if a := c.Send(r); a.Err.Code != api.CodeForbiddenOrigin {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	forged(func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") })
	forged(func(r *http.Request) { r.Header.Del(v1.HeaderConsole) })
	forged(func(r *http.Request) { r.Header.Del(v1.HeaderConsole); r.Header.Del("Origin") })
	forged(func(r *http.Request) { r.Header.Del("Origin"); r.Header.Set("Sec-Fetch-Site", "cross-site") })
}

// The number of sign-in attempts is limited, so keys cannot be guessed.
func TestConsoleSignInIsLimited(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.AddressLimit = keyCounter{map[string]int{}} })
	valid := newBackEnd(s, v1.ScopeRead)
	wrong := valid.key[:len(valid.key)-1] + "a"
	if wrong == valid.key {
		wrong = valid.key[:len(valid.key)-1] + "b"
	}
	stranger := s.NewPerson(2)
	for i := 1; i <= 5; i++ {
		want := api.CodeUnauthenticated
		if i > 3 {
			want = api.CodeRateLimited
		}
		stranger.Fails(want, "POST", v1.PathSession, v1.SignIn{Key: wrong})
	}
}

func TestBadConsoleSignIns(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	c := s.NewPerson(0)
	for _, bad := range []string{"", "h5pay_", paytest.AdminToken, strings.Repeat("x", 5000)} {
		changesNothing(s, func() { c.Fails(api.CodeUnauthenticated, "POST", v1.PathSession, v1.SignIn{Key: bad}) })
	}
	c.Fails(api.CodeBadRequest, "POST", v1.PathSession, map[string]string{"kye": "x"})
	c.Fails(api.CodeBadRequest, "DELETE", v1.PathSession+"?everywhere=1", nil)
}

// A browser gets no whole openid by any call, and the back end gets it.
func TestConsoleShowsNoWholeOpenID(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	c, b := signIn(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund, v1.ScopeAdmin)
	paid := s.SignedIn(1).PaidOrder("tea", 1)
	refund := s.Operator().Refund(paid.ID, paytest.RefundRequest(100))
	openid := s.Sim.Users()[1].OpenID
	export := `{"payer_of":"` + paid.ID + `"}`
	for _, path := range []string{"/v1/events", "/v1/events/evt_paid_" + paid.ID, "/v1/orders/" + paid.ID} {
		if a := b.call("GET", path, nil); !strings.Contains(string(a.Body), openid) {
			t.Errorf("%s for the back end lacks the openid: %s", path, a.Body)
		}
	}
	if a := b.send(b.request("POST", "/v1/persons/export", export)); !strings.Contains(string(a.Body), openid) {
		t.Errorf("the export for the back end lacks the openid: %s", a.Body)
	}
	succeeded := map[string]bool{}
	for _, route := range v1.Routes {
		path, body := v1Sample(route)
		switch {
		case strings.HasPrefix(path, "/v1/orders/tea"):
			path = strings.Replace(path, "tea", paid.ID, 1)
		case strings.HasPrefix(path, "/v1/events/tea"):
			path = strings.Replace(path, "tea", "evt_paid_"+paid.ID, 1)
		case strings.HasPrefix(path, "/v1/refunds/"):
			path = "/v1/refunds/" + refund.ID
		case strings.HasPrefix(route.Path, "/v1/persons/"):
			body = export
		}
		a := c.call(route.Method, path, body)
		if succeeded[route.Name] = a.Status < 400; strings.Contains(string(a.Body), openid) {
			t.Errorf("%s: %d %s", route.Name, a.Status, a.Body)
		}
	}
	for _, name := range []string{"listOrders", "getOrder", "createRefund", "listEvents", "getEvent", "replayEvent", "exportPerson", "tableOrders", "tableRefunds", "listAudit", "listNotifications"} {
		if !succeeded[name] {
			t.Errorf("%s was rejected", name)
		}
	}
}
