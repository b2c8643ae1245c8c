package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"h5pay/wechat"
)

// upstream simulates the part of WeChat that the flows need, with a fixed delay. It is not the
// simulator, whose ledger and log would dominate the measurement.
type upstream struct {
	*httptest.Server
	account account
	delay   atomic.Int64 // ns

	mu     sync.Mutex
	orders map[string]placed // all accepted orders, by out_trade_no
	placed []placed          // accepted since the last takePlaced
}

// placed is an order for which a notification can be sent.
type placed struct {
	number     int
	outTradeNo string
	total      string // fen
}

// account is the merchant's account.
type account struct {
	appID, mchID string
	key          wechat.Secret
	signType     wechat.SignType
	v3           *v3Account
}

func startUpstream(a account) *upstream {
	u := &upstream{account: a, orders: map[string]placed{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sns/oauth2/access_token", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"access_token":"bench","expires_in":7200,"refresh_token":"bench","openid":%q,"scope":"snsapi_base"}`, openid)
	})
	mux.HandleFunc("POST /pay/unifiedorder", u.unifiedOrder)
	mux.HandleFunc("POST /pay/orderquery", u.orderQuery)
	mux.HandleFunc("POST /v3/pay/transactions/jsapi", u.v3(u.v3Order))
	mux.HandleFunc("GET /v3/pay/transactions/out-trade-no/{no}", u.v3(u.v3Query))
	u.Server = httptest.NewServer(mux)
	return u
}

// openid is the openid of the only buyer.
const openid = "oBenchmark0000000000000000001"

// request reads a signed call after the delay. It responds to an invalid one itself.
func (u *upstream) request(w http.ResponseWriter, r *http.Request) (values map[string]string, ok bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	time.Sleep(time.Duration(u.delay.Load()))
	fields := flat(body)
	signed := wechat.Sign(fields, u.account.key, u.account.signType)
	values = make(map[string]string, len(fields))
	for _, f := range fields {
		values[f.Name] = f.Value
	}
	if err != nil || values["sign"] != signed {
		http.Error(w, "wrong sign", http.StatusBadRequest)
		return nil, false
	}
	return values, true
}

func (u *upstream) unifiedOrder(w http.ResponseWriter, r *http.Request) {
	values, ok := u.request(w, r)
	if !ok {
		return
	}
	o := u.place(values["out_trade_no"], values["total_fee"])
	w.Write(u.sign([]wechat.Field{
		{Name: "return_code", Value: "SUCCESS"}, {Name: "return_msg", Value: "OK"}, {Name: "result_code", Value: "SUCCESS"},
		{Name: "appid", Value: u.account.appID}, {Name: "mch_id", Value: u.account.mchID},
		{Name: "nonce_str", Value: "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"}, {Name: "trade_type", Value: "JSAPI"},
		{Name: "prepay_id", Value: prepayID(o)},
	}))
}

// place accepts an order.
func (u *upstream) place(outTradeNo, total string) placed {
	u.mu.Lock()
	defer u.mu.Unlock()
	o := placed{len(u.orders) + 1, outTradeNo, total}
	u.orders[o.outTradeNo] = o
	u.placed = append(u.placed, o)
	return o
}

func prepayID(o placed) string { return fmt.Sprintf("wx2026112312000000%018d00", o.number) }

func transactionID(o placed) string { return fmt.Sprintf("4200001%021d", o.number) }

// orderQuery reports every order as paid, because a Worker queries WeChat after a notification.
func (u *upstream) orderQuery(w http.ResponseWriter, r *http.Request) {
	values, ok := u.request(w, r)
	if !ok {
		return
	}
	u.mu.Lock()
	o, ok := u.orders[values["out_trade_no"]]
	u.mu.Unlock()
	if !ok {
		http.Error(w, "no such order", http.StatusNotFound)
		return
	}
	w.Write(u.sign(append(u.payment(o), wechat.Field{Name: "trade_state", Value: "SUCCESS"})))
}

// takePlaced returns the orders placed since the last call.
func (u *upstream) takePlaced() []placed {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.placed
	u.placed = nil
	return taken
}

// notification returns WeChat's notification of a paid order.
func (u *upstream) notification(o placed) []byte { return u.sign(u.payment(o)) }

// payment returns WeChat's fields of a paid order.
func (u *upstream) payment(o placed) []wechat.Field {
	return []wechat.Field{
		{Name: "return_code", Value: "SUCCESS"}, {Name: "result_code", Value: "SUCCESS"},
		{Name: "appid", Value: u.account.appID}, {Name: "mch_id", Value: u.account.mchID},
		{Name: "bank_type", Value: "CMC"}, {Name: "cash_fee", Value: o.total}, {Name: "fee_type", Value: "CNY"},
		{Name: "is_subscribe", Value: "N"}, {Name: "nonce_str", Value: "5d2b6c2a8db53831f7eda20af46e531c"},
		{Name: "openid", Value: openid}, {Name: "out_trade_no", Value: o.outTradeNo},
		{Name: "time_end", Value: "20261123120000"}, {Name: "total_fee", Value: o.total},
		{Name: "trade_type", Value: "JSAPI"}, {Name: "transaction_id", Value: transactionID(o)},
	}
}

func (u *upstream) sign(fields []wechat.Field) []byte {
	fields = append(fields, wechat.Field{Name: "sign", Value: wechat.Sign(fields, u.account.key, u.account.signType)})
	var b strings.Builder
	b.WriteString("<xml>")
	for _, f := range fields {
		fmt.Fprintf(&b, "<%s><![CDATA[%s]]></%s>", f.Name, f.Value, f.Name)
	}
	b.WriteString("</xml>")
	return []byte(b.String())
}

// flat parses a flat message.
func flat(body []byte) []wechat.Field {
	var message struct {
		Fields []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	}
	if xml.Unmarshal(body, &message) != nil {
		return nil
	}
	fields := make([]wechat.Field, len(message.Fields))
	for i, f := range message.Fields {
		fields[i] = wechat.Field{Name: f.XMLName.Local, Value: f.Value}
	}
	return fields
}
