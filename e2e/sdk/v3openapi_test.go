package sdk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"h5pay/internal/cst"
	"h5pay/wechat/wechattest"
)

// description is an OpenAPI description of APIv3. It was made from WeChat's pages
// and from other people's clients, not from the simulator.
type description struct {
	doc    *openapi3.T
	router routers.Router
}

func loadDescription(t *testing.T) description {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("testdata/openapi-v3.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return description{doc, router}
}

// headers reads the lines of a Message.
func headers(t *testing.T, lines string) http.Header {
	t.Helper()
	h, err := textproto.NewReader(bufio.NewReader(strings.NewReader(strings.ReplaceAll(lines, "\n", "\r\n") + "\r\n"))).ReadMIMEHeader()
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return http.Header(h)
}

// check returns the differences between a request with its response and the description, and the
// operation of the request.
func (d description) check(t *testing.T, m wechattest.Message) (operation string, request, response error) {
	t.Helper()
	u, err := url.Parse(m.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), m.Method, "https://api.mch.weixin.qq.com"+u.RequestURI(), strings.NewReader(m.Request))
	r.Header = headers(t, m.RequestHeader)
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		t.Fatalf("%s %s: %v", m.Method, u.Path, err)
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
	input := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	request = openapi3filter.ValidateRequest(t.Context(), input)
	body := m.Response
	if m.Kind == "v3_bill_file" && m.Status == http.StatusOK {
		body = "the log shows it unpacked"
	}
	response = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: m.Status, Header: headers(t, m.ResponseHeader), Body: io.NopCloser(strings.NewReader(body)), Options: options,
	})
	return route.Operation.OperationID, request, response
}

// plain checks the decrypted text of an encrypted part against a schema.
func (d description) plain(t *testing.T, schema, text string) error {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return d.doc.Components.Schemas[schema].Value.VisitJSON(v)
}

// The requests and responses of a journey match the description, and so do the
// callbacks.
func TestV3AgainstOpenAPI(t *testing.T) {
	t.Parallel()
	d := loadDescription(t)
	w := newV3World(t, wechattest.V3Certificates)
	client := w.official(t)
	w.journey(client)
	if err := w.AddFault(wechattest.Fault{Kind: wechattest.FaultCoupons}); err != nil {
		t.Fatal(err)
	}
	code, err := client.native("openapi-coupons")
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := w.Scan(code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := client.query("openapi-coupons"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.refund("openapi-coupons", "openapi-refund", 880); err != nil {
		t.Fatal(err)
	}
	w.Advance(w.Config().RefundTime)
	trade, _ := w.Trade(w.Ledger().Trades[0].TransactionID)
	yesterday := cst.In(w.Now()).AddDate(0, 0, -1).Format(time.DateOnly)
	for _, uri := range []string{
		"/v3/pay/transactions/id/" + trade.TransactionID + "?mchid=" + w.keys.MchID, "/v3/bill/fundflowbill?bill_date=" + yesterday,
		"/v3/bill/tradebill?tar_type=GZIP&bill_date=" + yesterday, "/v3/certificates",
	} {
		if _, err := client.client.Get(t.Context(), "https://api.mch.weixin.qq.com"+uri); err != nil {
			t.Fatal(err)
		}
	}
	order := map[string]any{
		"appid": wechattest.DefaultAppID, "mchid": w.keys.MchID, "description": "茶", "out_trade_no": "openapi-app", "notify_url": w.notifyURL,
		"amount": map[string]any{"total": 880},
	}
	h5 := maps.Clone(order)
	h5["out_trade_no"], h5["scene_info"] = "openapi-h5", map[string]any{"payer_client_ip": "203.0.113.7", "h5_info": map[string]any{"type": "Wap"}}
	for path, body := range map[string]any{"pay/transactions/app": order, "pay/transactions/h5": h5} {
		if _, err := client.client.Post(t.Context(), "https://api.mch.weixin.qq.com/v3/"+path, body); err != nil {
			t.Fatal(err)
		}
	}
	// The SDK names no key in its requests, and echo wants one.
	echo := http.Header{"Wechatpay-Serial": {w.keys.Certificates[0].Serial}}
	if _, err := client.client.Request(t.Context(), http.MethodPost, "https://api.mch.weixin.qq.com/v3/security/echo", echo, nil, map[string]any{"echo_message": "x"}, "application/json"); err != nil {
		t.Fatal(err)
	}
	seen, callbacks := map[string]bool{}, 0
	for _, m := range w.Messages(0) {
		switch {
		case strings.Contains(m.Note, "forged"):
		case m.Kind == "notify" || m.Kind == "refund_notify":
			callbacks++
			schema := map[string]string{"notify": "transaction", "refund_notify": "refund_resource"}[m.Kind]
			if err := d.plain(t, "notification", m.Request); err != nil {
				t.Errorf("%s: %v", m.Kind, err)
			}
			if err := d.plain(t, schema, m.Plain); err != nil {
				t.Errorf("%s: %v in %s", m.Kind, err, m.Plain)
			}
		case strings.HasPrefix(m.Kind, "v3_"):
			operation, request, response := d.check(t, m)
			seen[operation] = true
			if request != nil || response != nil {
				t.Errorf("%s %s:\nrequest: %v\nresponse: %v\n%s", m.Method, m.URL, request, response, m.Response)
			}
		}
	}
	for path, item := range d.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if !seen[operation.OperationID] {
				t.Errorf("%s %s was not called", method, path)
			}
		}
	}
	if callbacks < 4 {
		t.Errorf("%d callbacks were compared", callbacks)
	}
}

// The description and the simulator reject the same bodies.
func TestV3RejectsWhatOpenAPIRejects(t *testing.T) {
	t.Parallel()
	d := loadDescription(t)
	w := newV3World(t, wechattest.V3PublicKey)
	client := w.official(t)
	order := func(edit func(o, amount, scene map[string]any)) map[string]any {
		amount, scene := map[string]any{"total": 880, "currency": "CNY"}, map[string]any{"payer_client_ip": "203.0.113.7"}
		o := map[string]any{
			"appid": wechattest.DefaultAppID, "mchid": w.keys.MchID, "description": "茶", "out_trade_no": "openapi-1", "notify_url": w.notifyURL,
			"amount": amount, "scene_info": scene,
		}
		if edit != nil {
			edit(o, amount, scene)
		}
		return o
	}
	refund := func(edit func(o, amount map[string]any)) map[string]any {
		amount := map[string]any{"refund": 1, "total": 880, "currency": "CNY"}
		o := map[string]any{"out_trade_no": "openapi-1", "out_refund_no": "openapi-r", "amount": amount}
		if edit != nil {
			edit(o, amount)
		}
		return o
	}
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name, path string
		body       any
	}{
		{"good", "native", order(nil)},
		{"unknown field", "native", order(func(o, _, _ map[string]any) { o["total_fee"] = 1 })},
		{"unknown inside", "native", order(func(_, a, _ map[string]any) { a["fee"] = 1 })},
		{"no description", "native", order(func(o, _, _ map[string]any) { delete(o, "description") })},
		{"empty description", "native", order(func(o, _, _ map[string]any) { o["description"] = "" })},
		{"long description", "native", order(func(o, _, _ map[string]any) { o["description"] = long })},
		{"long attach", "native", order(func(o, _, _ map[string]any) { o["attach"] = long })},
		{"short number", "native", order(func(o, _, _ map[string]any) { o["out_trade_no"] = "12345" })},
		{"odd number", "native", order(func(o, _, _ map[string]any) { o["out_trade_no"] = "123456@" })},
		{"query in notify_url", "native", order(func(o, _, _ map[string]any) { o["notify_url"] = "https://shop.example/n?x" })},
		{"time_expire", "native", order(func(o, _, _ map[string]any) { o["time_expire"] = "20260301120000" })},
		{"yuan", "native", order(func(_, a, _ map[string]any) { a["total"] = 8.8 })},
		{"text amount", "native", order(func(_, a, _ map[string]any) { a["total"] = "880" })},
		{"nothing", "native", order(func(_, a, _ map[string]any) { a["total"] = 0 })},
		{"currency", "native", order(func(_, a, _ map[string]any) { a["currency"] = "USD" })},
		{"null", "native", order(func(o, _, _ map[string]any) { o["attach"] = nil })},
		{"limit_pay", "native", order(func(o, _, _ map[string]any) { o["limit_pay"] = []string{"cash"} })},
		{"no client ip", "native", order(func(_, _, s map[string]any) { s["device_id"] = "1"; delete(s, "payer_client_ip") })},
		{"goods without number", "native", order(func(o, _, _ map[string]any) {
			o["detail"] = map[string]any{"goods_detail": []any{map[string]any{"quantity": 1, "unit_price": 1}}}
		})},
		{"no goods", "native", order(func(o, _, _ map[string]any) { o["detail"] = map[string]any{"goods_detail": []any{}} })},
		{"no payer", "jsapi", order(nil)},
		{"no h5_info", "h5", order(nil)},
		{"h5_info of v2", "h5", order(func(_, _, s map[string]any) { s["h5_info"] = map[string]any{"type": "IOS"} })},
		{"good h5", "h5", order(func(o, _, s map[string]any) {
			s["h5_info"] = map[string]any{"type": "Wap"}
			o["out_trade_no"] = "openapi-h5"
		})},
		{"refund without amount", "refund", refund(func(o, _ map[string]any) { delete(o, "amount") })},
		{"refund without currency", "refund", refund(func(_, a map[string]any) { delete(a, "currency") })},
		{"refund with mchid", "refund", refund(func(o, _ map[string]any) { o["mchid"] = w.keys.MchID })},
		{"refund of nothing", "refund", refund(func(_, a map[string]any) { a["refund"] = 0 })},
		{"refund number", "refund", refund(func(o, _ map[string]any) { o["out_refund_no"] = "a b" })},
		{"funds_account", "refund", refund(func(o, _ map[string]any) { o["funds_account"] = "BANK" })},
		{"a body that is an array", "refund", []int{1}},
	} {
		path := "https://api.mch.weixin.qq.com/v3/pay/transactions/" + c.path
		if c.path == "refund" {
			path = "https://api.mch.weixin.qq.com/v3/refund/domestic/refunds"
		}
		_, err := client.client.Post(t.Context(), path, c.body)
		ms := w.Messages(0)
		last := ms[len(ms)-1]
		var answer struct {
			Code string `json:"code"`
		}
		if last.Response != "" {
			if err := json.NewDecoder(bytes.NewReader([]byte(last.Response))).Decode(&answer); err != nil {
				t.Fatal(err)
			}
		}
		_, request, response := d.check(t, last)
		if (request != nil) != (answer.Code == "PARAM_ERROR") {
			t.Errorf("%s: the simulator answered %s %s (%v), the description: %v", c.name, answer.Code, last.Response, err, request)
		}
		// The answer to a request that the description rejects is still one of WeChat's.
		if response != nil {
			t.Errorf("%s: %v", c.name, response)
		}
	}
}
