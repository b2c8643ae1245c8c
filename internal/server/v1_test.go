package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"h5pay/internal/api"
	"h5pay/internal/openapi"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat"
)

// document compares calls with the OpenAPI document. All tests share it, because reading the
// document takes longer than most of them.
var document = sync.OnceValues(func() (validator.Validator, error) {
	raw, err := openapi.Document("../v1")
	if err != nil {
		return nil, err
	}
	doc, err := libopenapi.NewDocument(raw)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return v, nil
})

var documentUse sync.Mutex

// routeOf finds the route of a request.
var routeOf = sync.OnceValue(func() func(*http.Request) (v1.Route, bool) {
	mux, routes := http.NewServeMux(), map[string]v1.Route{}
	for _, route := range v1.Routes {
		pattern := route.Method + " " + route.Path
		mux.Handle(pattern, http.NotFoundHandler())
		routes[pattern] = route
	}
	return func(r *http.Request) (v1.Route, bool) {
		_, pattern := mux.Handler(r)
		route, ok := routes[pattern]
		return route, ok
	}
})

// backEnd is a merchant's back end with an API key.
type backEnd struct {
	*paytest.Shop
	key string
	ip  string
}

// root is the back end that has the root token.
func root(s *paytest.Shop) *backEnd { return &backEnd{s, paytest.AdminToken, "203.0.113.201"} }

// backEnd returns a back end with a new key.
func newBackEnd(s *paytest.Shop, scopes ...v1.Scope) *backEnd {
	s.T.Helper()
	var k v1.Key
	root(s).must("POST", "/v1/keys", v1.CreateKey{Name: "erp", Scopes: scopes}, &k)
	return &backEnd{s, k.Key, "203.0.113.202"}
}

// v1Answer is the response to a call.
type v1Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Err    v1.Error
}

// request prepares a call. A POST gets a new Idempotency-Key.
func (b *backEnd) request(method, path, body string) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, paytest.ShopURL+path, reader)
	r.RemoteAddr = b.ip + ":40000"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if method == "POST" {
		r.Header.Set("Idempotency-Key", newKey())
	}
	if b.key != "" {
		r.Header.Set("Authorization", "Bearer "+b.key)
	}
	return r
}

// send makes a call and compares its response with the OpenAPI document. A call that succeeds must
// agree with the document too.
func (b *backEnd) send(r *http.Request) v1Answer {
	b.T.Helper()
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	w := httptest.NewRecorder()
	b.Handler.ServeHTTP(w, r)
	b.Check()
	a := v1Answer{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
	v, err := document()
	if err != nil {
		b.T.Fatal(err)
	}
	documentUse.Lock()
	defer documentUse.Unlock()
	if ok, errs := v.ValidateHttpResponse(r, w.Result()); !ok {
		for _, err := range errs {
			b.T.Errorf("%s %s: %d %s\nthe document: %v", r.Method, r.URL.Path, a.Status, a.Body, err)
		}
	}
	if a.Status < 400 {
		r.Body = io.NopCloser(bytes.NewReader(sent))
		if ok, errs := v.ValidateHttpRequest(r); !ok {
			b.T.Errorf("%s %s %s: succeeds, and the document rejects it: %v", r.Method, r.URL.Path, sent, errs)
		}
		return a
	}
	d := json.NewDecoder(bytes.NewReader(a.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(&a.Err); err != nil || a.Err.Code == "" || a.Err.Message == "" || a.Err.RequestID != a.Header.Get("X-Request-Id") || v1.Status(a.Err.Code) != a.Status {
		b.T.Errorf("%s %s: %d %s, %v", r.Method, r.URL.Path, a.Status, a.Body, err)
	}
	if route, ok := routeOf()(r); ok && !slices.Contains(route.Codes(), a.Err.Code) {
		b.T.Errorf("%s: %d %s, and the route lists the codes %v", route.Name, a.Status, a.Body, route.Errors)
	}
	for _, secret := range paytest.Secrets {
		if bytes.Contains(a.Body, []byte(secret)) {
			b.T.Errorf("%s %s: a secret in %s", r.Method, r.URL.Path, a.Body)
		}
	}
	return a
}

// call makes a call with a body, or without one if it is nil.
func (b *backEnd) call(method, path string, body any) v1Answer {
	b.T.Helper()
	return b.send(b.request(method, path, b.text(body)))
}

func (b *backEnd) text(body any) string {
	b.T.Helper()
	if body == nil {
		return ""
	}
	text, err := json.Marshal(body)
	if err != nil {
		b.T.Fatal(err)
	}
	return string(text)
}

// must makes a call that must succeed.
func (b *backEnd) must(method, path string, body, result any) {
	b.T.Helper()
	b.mustSend(b.request(method, path, b.text(body)), result)
}

func (b *backEnd) mustSend(r *http.Request, result any) {
	b.T.Helper()
	a := b.send(r)
	if a.Status >= 400 {
		b.T.Fatalf("%s %s: %d %s\n%s", r.Method, r.URL, a.Status, a.Body, b.Log)
	}
	if err := json.Unmarshal(a.Body, result); err != nil {
		b.T.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
}

// fails makes a call that must be rejected with a code and a field, and must change nothing.
func (b *backEnd) fails(code api.Code, field, method, path string, body any) v1Answer {
	b.T.Helper()
	text, ok := body.(string)
	if !ok {
		text = b.text(body)
	}
	return b.rejected(code, field, b.request(method, path, text))
}

func (b *backEnd) rejected(code api.Code, field string, r *http.Request) (a v1Answer) {
	b.T.Helper()
	changesNothing(b.Shop, func() { a = b.send(r) })
	if a.Err.Code != code || a.Err.Field != field {
		b.T.Errorf("%s %s: %d %s, want %s of %q", r.Method, r.URL, a.Status, a.Body, code, field)
	}
	return a
}

// changesNothing fails the test if do changes the database or calls WeChat.
func changesNothing(s *paytest.Shop, do func()) {
	s.T.Helper()
	before, calls := storetest.Dump(s.T, s.DB), len(s.Sim.Messages(0))
	do()
	if storetest.Dump(s.T, s.DB) != before {
		s.T.Error("the database changed")
	}
	if len(s.Sim.Messages(0)) != calls {
		s.T.Error("WeChat was called")
	}
}

// v1Sample returns a call of a route. It is well-formed, whether it succeeds or not.
func v1Sample(route v1.Route) (path, body string) {
	path = strings.NewReplacer("{id}", "tea", "{date}", "2026-11-20").Replace(route.Path)
	switch route.Name {
	case "createOrder":
		body = `{"amount":1,"description":"茶"}`
	case "closeOrders":
		body = `{"product_id":"tea"}`
	case "deleteOrders":
		body = `{"ids":["tea"]}`
	case "exportPerson", "erasePerson":
		body = `{"openid":"o1"}`
	case "createRefund":
		body = `{}`
	case "createRefundRequest":
		body = `{"amount":1}`
	case "createPhoto":
		body = `{"data":"/9j/4AAQSkZJRg=="}`
	case "putSelling":
		body = `{"selling":true}`
	case "replayEvents":
		body = `{"from":1}`
	case "createKey":
		body = `{"name":"erp","scopes":["admin"]}` // a key gives no scope that it lacks
	case "changeStock":
		body = `{"set":5}`
	case "putProduct":
		body = `{"name":"茶","price":6800}`
	}
	return path, body
}

// Every call needs a valid key with the scope that its route names.
func TestEveryV1CallNeedsItsScope(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	byScope := map[v1.Scope]*backEnd{}
	for _, scope := range (v1.Scope("")).Enum() {
		byScope[scope.(v1.Scope)] = newBackEnd(s, scope.(v1.Scope))
	}
	nobody := root(s)
	nobody.key = ""
	for _, route := range v1.Routes {
		path, body := v1Sample(route)
		if a := nobody.rejected(api.CodeUnauthenticated, "", nobody.request(route.Method, path, body)); a.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %v", route.Name, a.Header)
		}
		for scope, b := range byScope {
			a := b.send(b.request(route.Method, path, body))
			if forbidden := a.Err.Code == v1.CodeScopeMissing; forbidden != (scope != route.Scope) {
				t.Errorf("%s with the scope %s: %d %s", route.Name, scope, a.Status, a.Body)
			}
		}
		if a := root(s).send(root(s).request(route.Method, path, body)); a.Status == 401 || a.Status == 403 {
			t.Errorf("%s with the root token: %d %s", route.Name, a.Status, a.Body)
		}
	}
}

// Every route has a handler.
func TestEveryV1RouteIsServed(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	if got, want := s.Signer.V1Handlers(), routeNames(); !slices.Equal(got, want) {
		t.Errorf("handlers of %v, routes %v", got, want)
	}
}

func routeNames() (names []string) {
	for _, route := range v1.Routes {
		names = append(names, route.Name)
	}
	slices.Sort(names)
	return names
}

// A body that is wrong for every route is rejected before the call has any effect.
func TestV1BadBodies(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := root(s)
	for _, route := range v1.Routes {
		path, body := v1Sample(route)
		for query, field := range map[string]string{"?limitt=1": "limitt"} {
			if a := b.send(b.request(route.Method, path+query, body)); a.Err.Code != api.CodeBadRequest {
				t.Errorf("%s with %s: %d %s, want field %s", route.Name, query, a.Status, a.Body, field)
			}
		}
		if route.Body == nil {
			if route.Method != "GET" {
				b.fails(api.CodeBadRequest, "amout", route.Method, path, `{"amout":1}`)
			}
			continue
		}
		for bad, code := range map[string]api.Code{
			"":     api.CodeContentType,
			"[]":   api.CodeBadRequest,
			"{}x":  api.CodeBadRequest,
			"null": api.CodeBadRequest,
			`{"` + strings.Repeat("x", max(70_000, route.MaxBody)): api.CodeBodyTooLarge,
			`{"a":1,"a":2}`:                      api.CodeBadRequest,
			"{\"name\":\"\xff\"}":                api.CodeBadRequest,
			strings.Repeat(`{"a":`, 20) + "null": api.CodeBadRequest,
		} {
			b.fails(code, "", route.Method, path, bad)
		}
		b.fails(api.CodeBadRequest, "amout", route.Method, path, `{"amout":1}`)
		if route.Creates {
			for _, value := range []string{"", "a b", strings.Repeat("x", 65), "订单"} {
				r := b.request(route.Method, path, body)
				r.Header.Set("Idempotency-Key", value)
				b.rejected(api.CodeBadRequest, "Idempotency-Key", r)
			}
			r := b.request(route.Method, path, body)
			r.Header.Add("Idempotency-Key", "second")
			b.rejected(api.CodeBadRequest, "Idempotency-Key", r)
		}
	}
}

// An unknown path or method gets an error like the others.
func TestV1UnknownPaths(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.Operator()
	for _, path := range []string{"/v1", "/v1/", "/v1/order", "/v1/keys/a/b", "/v1/keys/"} {
		if a := p.Send(p.Request("GET", path, nil)); a.Err.Code != api.CodeNotFound {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	if a := p.Send(p.Request("PUT", "/v1/keys", nil)); a.Err.Code != api.CodeMethodNotAllowed || a.Header.Get("Allow") != "GET, POST" {
		t.Errorf("%d %s %s", a.Status, a.Body, a.Header.Get("Allow"))
	}
	if a := p.Send(p.Request("POST", "/v1/products/tea", nil)); a.Err.Code != api.CodeMethodNotAllowed || a.Header.Get("Allow") != "GET, PUT, DELETE" {
		t.Errorf("%d %s %s", a.Status, a.Body, a.Header.Get("Allow"))
	}
}

// Another site's page cannot make a browser call the API.
func TestV1RejectsForeignOrigins(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := root(s)
	r := b.request("POST", "/v1/keys", `{"name":"erp","scopes":["read"]}`)
	r.Header.Set("Origin", "https://evil.example")
	b.rejected(api.CodeForbiddenOrigin, "", r)
}

// Without a root token existing keys still work.
func TestV1WithoutARootToken(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead)
	s.Handler = s.Open(func(cfg *paytest.Settings, _ *wechat.Config) { cfg.AdminToken = "" })
	b.must("GET", "/v1/products", nil, &v1.Products{})
	root := root(s)
	for _, token := range []string{"", paytest.AdminToken, " "} {
		root.key = token
		root.fails(api.CodeUnauthenticated, "", "GET", "/v1/products", nil)
	}
}
