package server

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// The account of the benchmarks.
const (
	benchAppID  = "wx5a1e0f7c3b2d4968"
	benchMchID  = "1900000109"
	benchKey    = "APIKEYapikeyAPIKEYapikeyAPIKEY02"
	benchOpenID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
)

// benchShop is a signer whose WeChat accepts every order at once. It measures the signer
// and SQLite, which does not wait for a disk.
type benchShop struct {
	*Server
	store  *store.Store
	wechat *instant
}

func bench(b *testing.B, version wechat.Version) *benchShop {
	b.Helper()
	return benchOn(b, version, storetest.Open(b), nil)
}

// benchOn is bench on a database. hook, if not nil, gets the events.
func benchOn(b *testing.B, version wechat.Version, db *sql.DB, hook *outbox.Webhook) *benchShop {
	b.Helper()
	there := &instant{db: db, queries: map[string]benchMessage{}}
	cfg := wechat.Config{AppID: benchAppID, AppSecret: "SECRETsecretSECRETsecretSECRET01", MchID: benchMchID, Doer: there}
	if version == wechat.V2 {
		cfg.APIKey = benchKey
	} else {
		there.v3 = newBenchWeChat(b)
		cfg.V3 = there.v3.config(b)
		there.order = there.v3.sign(`{"prepay_id":"wx201410272009395522657a690389285100"}`)
	}
	client, err := wechat.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	l := &benchShop{store: store.New(db), wechat: there}
	l.store.Bounds = store.Bounds{Buyer: 1e9, Guest: 1e9, NetworkGuests: 1e9, Guests: 1e9} // one buyer makes all orders
	rules, err := payment.New(payment.Config{
		ShopName: "店", ShopURL: "https://shop.example.com", AppID: benchAppID, MchID: benchMchID,
		Store: l.store, WeChat: client, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	events, err := outbox.New(outbox.Config{
		Store: l.store, EndpointDoer: there, SessionKey: testKey, Log: slog.New(slog.DiscardHandler),
		Webhook: hook,
	})
	if err != nil {
		b.Fatal(err)
	}
	l.Server, err = New(Config{
		Payment: rules, Outbox: events, Store: l.store, WeChat: client, SessionKey: testKey, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// bothVersions runs a benchmark with each version of WeChat's API.
func bothVersions(b *testing.B, run func(b *testing.B, l *benchShop)) {
	for _, version := range []wechat.Version{wechat.V2, wechat.V3} {
		b.Run(string(version), func(b *testing.B) { run(b, bench(b, version)) })
	}
}

// pending makes an order of 13600 fen and returns its payment, which WeChat has accepted.
func (l *benchShop) pending(b *testing.B) order.Payment {
	b.Helper()
	o, err := l.payment.PlaceBasket(b.Context(), payment.BasketRequest{
		CreateOrderRequest: api.CreateOrderRequest{Items: []api.OrderItem{{ProductID: "tea", Quantity: 2}}, ClientKey: rand.Text()},
		Owner:              benchOpenID, Network: "203.0.113.7",
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := l.payment.Pay(b.Context(), o, payment.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}, OpenID: benchOpenID, ClientIP: "203.0.113.7"}); err != nil {
		b.Fatal(err)
	}
	if o, err = l.store.ByID(b.Context(), o.ID); err != nil {
		b.Fatal(err)
	}
	if l.wechat.v3 != nil {
		l.wechat.queries[o.Payment.OutTradeNo] = l.wechat.v3.sign(paidJSON(o.Payment))
	}
	return o.Payment
}

func (l *benchShop) status(b *testing.B, p order.Payment) api.OrderStatus {
	b.Helper()
	o, err := l.store.ByID(b.Context(), p.OrderID)
	if err != nil {
		b.Fatal(err)
	}
	return o.Status
}

// instant accepts every payment and reports every payment as paid. Each code is that of another buyer.
// Its responses of APIv3 are signed before the measurement.
type instant struct {
	db      *sql.DB
	v3      *benchWeChat // nil for APIv2
	order   benchMessage
	queries map[string]benchMessage // by out_trade_no
}

func (i *instant) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/sns/oauth2/access_token" {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(
			`{"access_token":"TOKENtokenTOKENtoken","expires_in":7200,"refresh_token":"REFRESHrefresh","openid":"oU` + r.URL.Query().Get("code") + `","scope":"snsapi_base"}`))}, nil
	}
	if i.v3 != nil {
		m := i.order
		if no, query := strings.CutPrefix(r.URL.Path, "/v3/pay/transactions/out-trade-no/"); query {
			m = i.queries[no]
		}
		return &http.Response{StatusCode: http.StatusOK, Header: m.header, Body: io.NopCloser(strings.NewReader(m.body))}, nil
	}
	body := signedXML([]wechat.Field{
		{Name: "return_code", Value: "SUCCESS"}, {Name: "return_msg", Value: "OK"}, {Name: "appid", Value: benchAppID},
		{Name: "mch_id", Value: benchMchID}, {Name: "nonce_str", Value: "n"}, {Name: "result_code", Value: "SUCCESS"},
		{Name: "trade_type", Value: "JSAPI"}, {Name: "prepay_id", Value: "wx201410272009395522657a690389285100"},
	})
	if r.URL.Path == "/pay/orderquery" {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_, no, _ := strings.Cut(string(sent), "<out_trade_no><![CDATA[")
		no, _, _ = strings.Cut(no, "]]>")
		o := order.Payment{OutTradeNo: no}
		if err := i.db.QueryRow(`SELECT total, openid FROM payments WHERE out_trade_no = ?`, no).Scan(&o.Total, &o.OpenID); err != nil {
			return nil, err
		}
		body = signedXML(append(paidFields(o), wechat.Field{Name: "trade_state", Value: "SUCCESS"}))
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// notification returns WeChat's message that o is paid.
func (l *benchShop) notification(b *testing.B, o order.Payment) benchMessage {
	b.Helper()
	if l.wechat.v3 == nil {
		return benchMessage{body: string(signedXML(paidFields(o)))}
	}
	return l.wechat.v3.notification(b, o)
}

// paidFields returns WeChat's fields of o when it is paid.
func paidFields(o order.Payment) []wechat.Field {
	return []wechat.Field{
		{Name: "return_code", Value: "SUCCESS"}, {Name: "result_code", Value: "SUCCESS"}, {Name: "appid", Value: benchAppID},
		{Name: "mch_id", Value: benchMchID}, {Name: "nonce_str", Value: "5d2b6c2a8db53831f7eda20af46e531c"},
		{Name: "device_info", Value: "WEB"}, {Name: "openid", Value: o.OpenID}, {Name: "is_subscribe", Value: "N"},
		{Name: "trade_type", Value: "JSAPI"}, {Name: "bank_type", Value: "OTHERS"}, {Name: "fee_type", Value: "CNY"},
		{Name: "total_fee", Value: strconv.FormatInt(int64(o.Total), 10)}, {Name: "cash_fee", Value: strconv.FormatInt(int64(o.Total), 10)},
		{Name: "transaction_id", Value: "42000" + o.OutTradeNo[8:]}, {Name: "out_trade_no", Value: o.OutTradeNo}, {Name: "time_end", Value: "20261123110015"},
	}
}

func signedXML(fields []wechat.Field) []byte {
	var b bytes.Buffer
	b.WriteString("<xml>")
	for _, f := range append(fields, wechat.Field{Name: "sign", Value: wechat.Sign(fields, benchKey, wechat.SignHMAC)}) {
		b.WriteString("<" + f.Name + "><![CDATA[" + f.Value + "]]></" + f.Name + ">\n")
	}
	b.WriteString("</xml>")
	return b.Bytes()
}

// notify sends a notification, which must be acknowledged.
func notify(b *testing.B, h http.Handler, m benchMessage) {
	r := httptest.NewRequest("POST", api.PathNotifyPay, strings.NewReader(m.body))
	if m.header != nil {
		r.Header = m.header
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	_, _, acknowledged := wechat.Acknowledgement(wechat.V2, true, "OK")
	if w.Code != http.StatusNoContent && !bytes.Equal(w.Body.Bytes(), acknowledged) {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
}

// A payment: read the notification, verify it, query WeChat, find the payment and settle it. In
// APIv2 the test itself adds the reading and signing of one message.
func BenchmarkNotify(b *testing.B) {
	bothVersions(b, func(b *testing.B, l *benchShop) {
		h := l.Handler()
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			m := l.notification(b, l.pending(b))
			b.StartTimer()
			notify(b, h, m)
		}
	})
}

// A repeated notification: no query, one read, no write.
func BenchmarkNotifyAgain(b *testing.B) {
	bothVersions(b, func(b *testing.B, l *benchShop) {
		h := l.Handler()
		o := l.pending(b)
		m := l.notification(b, o)
		notify(b, h, m)
		b.ReportAllocs()
		for b.Loop() {
			notify(b, h, m)
		}
		if status := l.status(b, o); status != api.StatusPaid {
			b.Fatal(status)
		}
	})
}

// An order and its payment: read the calls, price the basket, store, call unifiedorder, sign
// for the page.
func BenchmarkCreateOrder(b *testing.B) {
	bothVersions(b, func(b *testing.B, l *benchShop) {
		h := l.Handler()
		cookie := benchCookie(b, l.session)
		b.ReportAllocs()
		for b.Loop() {
			body, err := json.Marshal(api.CreateOrderRequest{
				Items: []api.OrderItem{{ProductID: "tea", Quantity: 2}}, ClientKey: rand.Text(),
			})
			if err != nil {
				b.Fatal(err)
			}
			var o api.Order
			post(b, h, cookie, api.PathOrders, body, &o)
			var c api.Checkout
			if post(b, h, cookie, api.OrderPayPath(o.ID), []byte(`{"trade_types":["JSAPI"]}`), &c); c.Pay == nil {
				b.Fatalf("order %+v has no payment parameters", c)
			}
		}
	})
}

// post makes a call of the shop's page.
func post(b *testing.B, h http.Handler, cookie *http.Cookie, path string, body []byte, result any) {
	b.Helper()
	r := httptest.NewRequest("POST", path, bytes.NewReader(body))
	r.Header.Set("Origin", "https://shop.example.com")
	r.Header.Set("Content-Type", "application/json")
	r.AddCookie(cookie)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), result); err != nil || w.Code != http.StatusOK {
		b.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
}

// One poll of the result page without a query at WeChat.
func BenchmarkGetOrder(b *testing.B) {
	l := bench(b, wechat.V2)
	h := l.Handler()
	o := l.pending(b)
	notify(b, h, l.notification(b, o))
	cookie := benchCookie(b, l.session)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", api.OrderPath(o.OrderID), nil)
		r.AddCookie(cookie)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

// benchCookie returns the cookie of the benchmarks' buyer.
func benchCookie(b *testing.B, s sealer) *http.Cookie {
	b.Helper()
	value, err := s.seal(session{OpenID: benchOpenID, Nickname: "林小满"}, time.Now().Add(time.Hour))
	if err != nil {
		b.Fatal(err)
	}
	return s.cookie(value, 3600)
}

func BenchmarkSealCookie(b *testing.B) {
	now := time.Now()
	s := testSealer(b, sessionCookie, benchAppID, testKey, &now)
	who := session{OpenID: benchOpenID, Nickname: "林小满", AvatarURL: "https://thirdwx.qlogo.cn/mmopen/vi_32/abcdef/132"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.seal(who, now.Add(sessionLife)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenCookie(b *testing.B) {
	now := time.Now()
	s := testSealer(b, sessionCookie, benchAppID, testKey, &now)
	value := benchCookie(b, s).Value
	b.ReportAllocs()
	for b.Loop() {
		var who session
		if err := s.open(value, &who); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	for _, items := range []int{1, api.MaxOrderItems} {
		b.Run(strconv.Itoa(items)+" items", func(b *testing.B) {
			req := api.CreateOrderRequest{ClientKey: "0123456789abcdef0123"}
			for i := range items {
				req.Items = append(req.Items, api.OrderItem{ProductID: "product-" + strconv.Itoa(i), Quantity: 1 + i})
			}
			body, err := json.Marshal(req)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var got api.CreateOrderRequest
				if err := decodeJSON(body, &got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
