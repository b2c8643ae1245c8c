package paytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// Person calls the shop from one browser, with a WeChat account or with the operator's token.
type Person struct {
	*Shop
	calls
	User    wechattest.User
	IsGuest bool // known by a cookie, and not signed in
	Cookies map[string]string
	IP      string
	Token   string // the operator's; empty for others
}

// NewPerson returns the i-th user of WeChat with an empty browser.
func (s *Shop) NewPerson(i int) *Person {
	p := &Person{Shop: s, User: s.Sim.Users()[i], Cookies: map[string]string{}, IP: fmt.Sprintf("203.0.113.%d", i+1)}
	p.calls = calls{s.T, p.Must}
	return p
}

// SignedIn returns the i-th user after a silent sign-in.
func (s *Shop) SignedIn(i int) *Person {
	s.T.Helper()
	p := s.NewPerson(i)
	code, state := p.Authorize("/", "")
	p.Must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &api.TokenResponse{})
	return p
}

// NewGuest returns a guest in a browser outside WeChat. The i-th user of WeChat pays the guest's orders.
func (s *Shop) NewGuest(i int) *Person {
	s.T.Helper()
	p := s.NewPerson(i)
	var who api.Session
	p.Must("POST", api.PathSession, nil, &who)
	if who.User != (api.User{Guest: true}) {
		s.T.Errorf("a guest is shown as %+v", who.User)
	}
	p.IsGuest = true
	return p
}

// Answer is the response to a call.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Err    api.Error
}

// Call makes a call as the shop's page does, and then calls Check.
func (p *Person) Call(method, path string, body any) Answer {
	p.T.Helper()
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			p.T.Fatal(err)
		}
	}
	r := p.Request(method, path, b)
	setIdempotencyKey(r, body)
	a := p.Send(r)
	p.Check()
	return a
}

// Request returns the request of a call that the shop's page makes.
func (p *Person) Request(method, path string, body []byte) *http.Request {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.RemoteAddr = p.IP + ":40000"
	if method != "GET" {
		r.Header.Set("Origin", ShopURL)
		r.Header.Set("Content-Type", "application/json")
	}
	if p.Token != "" {
		r.Header.Del("Origin") // the operator uses a program
		r.Header.Set("Authorization", "Bearer "+p.Token)
		setIdempotencyKey(r, nil)
	}
	for name, value := range p.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// Send makes a request, keeps its cookies and checks the response.
func (p *Person) Send(r *http.Request) Answer {
	p.T.Helper()
	w := httptest.NewRecorder()
	p.Handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(p.Cookies, c.Name)
		} else {
			p.Cookies[c.Name] = c.Value
		}
	}
	return p.CheckResponse(r, w)
}

// CheckResponse returns a response of the shop. It checks its header and its form, and that it has no
// secret and, except to the operator, no openid.
func (s *Shop) CheckResponse(r *http.Request, w *httptest.ResponseRecorder) Answer {
	s.T.Helper()
	a := Answer{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
	if id := a.Header.Get("X-Request-Id"); id == "" || a.Header.Get("Cache-Control") != "no-store" ||
		!strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'none'") || a.Header.Get("Strict-Transport-Security") == "" {
		s.T.Errorf("%s %s: header %v", r.Method, r.URL, a.Header)
	}
	if strings.HasPrefix(r.URL.Path, "/api/notify/") && strings.HasPrefix(string(a.Body), `{"code":"FAIL"`) {
		if err := json.Unmarshal(a.Body, &a.Err); err != nil || a.Status < 400 || a.Err.Message == "" {
			s.T.Errorf("%s %s: %d %s", r.Method, r.URL, a.Status, a.Body)
		}
	} else if a.Status >= 400 && (r.URL.Path != api.PathHealth || a.Status == http.StatusTooManyRequests) && strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(a.Body, &a.Err); err != nil || v1.Status(a.Err.Code) != a.Status || a.Err.Message == "" || a.Err.RequestID != a.Header.Get("X-Request-Id") {
			s.T.Errorf("%s %s: %d %s", r.Method, r.URL, a.Status, a.Body)
		}
	}
	for _, key := range Secrets {
		if bytes.Contains(a.Body, []byte(key)) {
			s.T.Errorf("%s %s: a secret in %s", r.Method, r.URL, a.Body)
		}
	}
	for _, user := range s.Sim.Users() { // the operator may see payers
		if !strings.HasPrefix(r.URL.Path, "/v1/") && bytes.Contains(a.Body, []byte(user.OpenID)) {
			s.T.Errorf("%s %s: an openid in %s", r.Method, r.URL, a.Body)
		}
	}
	return a
}

// Must makes a call that must succeed, and decodes the response into result.
func (p *Person) Must(method, path string, body, result any) {
	p.T.Helper()
	a := p.Call(method, path, body)
	if a.Status != http.StatusOK && a.Status != http.StatusCreated {
		p.T.Fatalf("%s %s: %d %s\n%s", method, path, a.Status, a.Body, p.Log)
	}
	if err := json.Unmarshal(a.Body, result); err != nil {
		p.T.Fatalf("%s %s: %v", method, path, err)
	}
}

// Fails makes a call that must be rejected with a code.
func (p *Person) Fails(code api.Code, method, path string, body any) {
	p.T.Helper()
	if a := p.Call(method, path, body); a.Err.Code != code {
		p.T.Errorf("%s %s: %d %s, want %s", method, path, a.Status, a.Body, code)
	}
}

// Authorize begins a sign-in, follows WeChat's redirect, and returns its parameters.
func (p *Person) Authorize(returnTo string, scope api.Scope) (code, state string) {
	p.T.Helper()
	var begun api.AuthorizeResponse
	p.Must("POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: returnTo, Scope: scope}, &begun)
	if err := p.Sim.SetUser(p.User.OpenID); err != nil {
		p.T.Fatal(err)
	}
	req, err := http.NewRequest("GET", begun.URL, nil)
	if err != nil {
		p.T.Fatal(err)
	}
	res, err := p.ToWeChat.Do(req)
	if err != nil {
		p.T.Fatal(err)
	}
	location := res.Header.Get("Location")
	if location == "" { // the consent page
		for _, c := range p.Sim.Consents() {
			if c.State == "open" {
				if c, err = p.Sim.Decide(c.ID, true); err != nil {
					p.T.Fatal(err)
				}
				location = c.Location
			}
		}
	}
	back, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, ShopURL+returnTo) {
		p.T.Fatalf("WeChat leads to %q, not back to %s: %v", location, returnTo, err)
	}
	return back.Query().Get("code"), back.Query().Get("state")
}
