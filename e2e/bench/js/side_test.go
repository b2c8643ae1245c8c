package js

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/server"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// side is one of the two signers.
type side struct {
	t    *testing.T
	name string
	do   func(*http.Request) (*http.Response, error)
	db   *sql.DB
	log  *paytest.Log

	cookie *http.Cookie // the buyer's session
}

// newSides returns the Go signer and the Worker, in this order. One buyer has signed in at the Go
// signer and uses the cookie at both.
func newSides(t *testing.T, signType wechat.SignType) []*side {
	t.Helper()
	goSide := &side{t: t, name: "Go", db: storetest.Open(t), log: &paytest.Log{}}
	client, err := wechat.New(wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret,
		MchID: wechattest.DefaultMchID, APIKey: wechattest.DefaultAPIKey, SignType: signType,
		OpenURL: world.sim.URL, APIURL: world.sim.URL, MchURL: world.sim.URL, Doer: noRedirects(),
	})
	if err != nil {
		t.Fatal(err)
	}
	st, log := store.New(goSide.db), slog.New(slog.NewJSONHandler(goSide.log, nil))
	pay, err := payment.New(payment.Config{
		ShopName: wechattest.DefaultShopName, ShopURL: shopURL,
		AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID, Simulated: true, Store: st, WeChat: client, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	events, err := outbox.New(outbox.Config{Store: st, Simulated: true, EndpointDoer: noRedirects(), SessionKey: sessionKey, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := server.New(server.Config{Payment: pay, Outbox: events, Store: st, WeChat: client, SessionKey: sessionKey, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	goSide.do = toHandler(signer.Handler())
	jsSide := &side{t: t, name: "JavaScript", do: toWorker(world.workers[signType]), db: world.d1, log: world.log}
	goSide.cookie = goSide.signIn(0)
	jsSide.cookie = goSide.cookie
	return []*side{goSide, jsSide}
}

// signIn signs the i-th user in silently.
func (s *side) signIn(i int) *http.Cookie {
	s.t.Helper()
	if err := world.sim.SetUser(world.sim.Users()[i].OpenID); err != nil {
		s.t.Fatal(err)
	}
	var begun api.AuthorizeResponse
	state := s.send(request("POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: "/"}))
	if err := json.Unmarshal(state.body, &begun); err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequest("GET", begun.URL, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	back, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		s.t.Fatal(err)
	}
	r = request("POST", api.PathToken, api.TokenRequest{Code: back.Query().Get("code"), State: back.Query().Get("state")})
	for _, c := range state.cookies() {
		r.AddCookie(c)
	}
	for _, c := range s.send(r).cookies() {
		if strings.HasSuffix(c.Name, "h5pay_session") {
			return c
		}
	}
	s.t.Fatal("no session")
	return nil
}

func (a answer) cookies() []*http.Cookie { return (&http.Response{Header: a.header}).Cookies() }

// request prepares a call of the shop's page.
func request(method, path string, body any) *http.Request {
	b, ok := body.([]byte)
	if !ok && body != nil {
		b, _ = json.Marshal(body) // of package api's types: cannot fail
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(b))
	if method != "GET" {
		r.Header.Set("Origin", shopURL)
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func (s *side) send(r *http.Request) answer {
	s.t.Helper()
	res, err := s.do(r)
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	a, err := read(res)
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	return a
}

// call makes a call of the buyer.
func (s *side) call(method, path string, body any) answer {
	s.t.Helper()
	r := request(method, path, body)
	r.AddCookie(s.cookie)
	return s.send(r)
}

// place makes an order.
func (s *side) place(req api.CreateOrderRequest) (o api.Order, a answer) {
	s.t.Helper()
	a = s.must(api.PathOrders, req, &o)
	return o, a
}

// inWeChat is the request to pay inside WeChat.
var inWeChat = api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}

// order makes an order and requests its payment parameters. It returns the second response.
func (s *side) order(req api.CreateOrderRequest) (c api.Checkout, a answer) {
	s.t.Helper()
	o, _ := s.place(req)
	a = s.must(api.OrderPayPath(o.ID), inWeChat, &c)
	return c, a
}

// must makes a call that has to succeed.
func (s *side) must(path string, body, result any) answer {
	s.t.Helper()
	a := s.call("POST", path, body)
	if err := json.Unmarshal(a.body, result); err != nil || a.status != http.StatusOK {
		s.t.Fatalf("%s: %s: %d %s %v\n%s", s.name, path, a.status, a.body, err, s.log)
	}
	return a
}

// pay opens the payment sheet as WeixinJSBridge does and pays. The notification
// has arrived when it returns.
func (s *side) pay(pay *api.PayParams) answer {
	s.t.Helper()
	sheet, err := paytest.OpenSheet(world.sim, shopURL, pay)
	if err != nil {
		s.t.Fatalf("%s: the phone opens no sheet: %v", s.name, err)
	}
	s.getsNotifications()
	if _, err := world.sim.PaySheet(sheet.ID); err != nil {
		s.t.Fatal(err)
	}
	world.sim.Advance(0)
	return world.mail.answer
}

// getsNotifications directs WeChat's notifications to this side.
func (s *side) getsNotifications() {
	world.mail.mu.Lock()
	defer world.mail.mu.Unlock()
	world.mail.to = s.do
}

// orderRow returns an order as it is stored, by column.
func (s *side) orderRow(id string) map[string]any {
	s.t.Helper()
	return s.row(`SELECT * FROM orders WHERE id = ?`, id)
}

// paymentRow returns the payment of an order as it is stored, by column.
func (s *side) paymentRow(id string) map[string]any {
	s.t.Helper()
	return s.row(`SELECT * FROM payments WHERE order_id = ?`, id)
}

// row returns the row that a query finds for the id of an order, nil if there is none.
func (s *side) row(query, id string) map[string]any {
	s.t.Helper()
	rows, err := s.db.Query(query, id)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		s.t.Fatal(err)
	}
	if !rows.Next() {
		return nil
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(any)
	}
	if err := rows.Scan(values...); err != nil {
		s.t.Fatal(err)
	}
	row := map[string]any{}
	for i, name := range columns {
		row[name] = *values[i].(*any)
	}
	return row
}

func (s *side) outTradeNo(id string) string { return s.paymentRow(id)["out_trade_no"].(string) }

// logged returns the log's lines of one request, without its time and ID.
func (s *side) logged(a answer) []map[string]any {
	s.t.Helper()
	s.flush()
	log := s.log.String()
	for _, secret := range secrets() {
		if strings.Contains(log, secret) {
			s.t.Errorf("%s logs %q", s.name, secret)
		}
	}
	var lines []map[string]any
	for text := range strings.Lines(log) {
		if !strings.Contains(text, a.id()) {
			continue
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			s.t.Fatalf("%s logs %q: %v", s.name, text, err)
		}
		if at, err := time.Parse(time.RFC3339, line["time"].(string)); err != nil || time.Since(at).Abs() > time.Minute {
			s.t.Errorf("%s logs the time %v", s.name, line["time"])
		}
		delete(line, "time")
		delete(line, "request_id")
		lines = append(lines, line)
	}
	return lines
}

// secrets are what no log may hold.
func secrets() []string {
	all := []string{wechattest.DefaultAppSecret, wechattest.DefaultAPIKey, sessionKey}
	for _, user := range world.sim.Users() {
		all = append(all, user.OpenID)
	}
	return all
}

// flush waits until all lines logged so far can be read. The Worker's lines are in order, so a new
// one is the last. Go's lines are available at once, and Go would log the bad notification once a
// minute.
func (s *side) flush() {
	s.t.Helper()
	if s.name == "Go" {
		return
	}
	last := s.send(request("POST", api.PathNotifyPay, nil))
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(s.log.String(), last.id()); {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not log a bad notification:\n%s", s.name, s.log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// noRedirects is the Go signer's client for WeChat.
func noRedirects() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
