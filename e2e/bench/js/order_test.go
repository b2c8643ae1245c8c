package js

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func twoTeas() api.CreateOrderRequest {
	return api.CreateOrderRequest{
		Items:     []api.OrderItem{{ProductID: "tea", Quantity: 1}, {ProductID: "bun", Quantity: 3}, {ProductID: "tea", Quantity: 1}},
		ClientKey: newKey(),
	}
}

func TestOrderIsTheSame(t *testing.T) {
	for _, signType := range signTypes {
		t.Run(string(signType), func(t *testing.T) {
			var made, placed, answers, orders, rows []map[string]any
			var headers []map[string]string
			var messages []string
			var logs [][]map[string]any
			req := twoTeas()
			for _, s := range newSides(t, signType) {
				o, b := s.place(req)
				made = append(made, generalOrder(t, b))
				open := s.orderRow(o.ID)
				if open["due_at"] != open["expires_at"].(int64)+order.ExpiryGrace.Milliseconds() || o.CreatedAt != open["created_at"] || s.paymentRow(o.ID) != nil {
					t.Errorf("%s: order %+v, %v", s.name, o, open)
				}
				placed = append(placed, generalRow(open))
				var c api.Checkout
				a := s.must(api.OrderPayPath(o.ID), inWeChat, &c)
				row := s.paymentRow(c.Order.ID)
				s.checkOrder(c, s.orderRow(o.ID), row)
				orders = append(orders, generalRow(s.orderRow(o.ID)))
				messages = append(messages, s.unifiedOrder(row))
				logs = append(logs, generic(s.logged(a), c.Order.ID, row["out_trade_no"].(string)))
				answers = append(answers, generalAnswer(t, a))
				rows = append(rows, generalRow(row))
				headers = append(headers, generalHeader(t, a))
			}
			for name, d := range map[string]string{
				"order":        cmp.Diff(made[0], made[1]),
				"placed":       cmp.Diff(placed[0], placed[1]),
				"answer":       cmp.Diff(answers[0], answers[1]),
				"header":       cmp.Diff(headers[0], headers[1]),
				"order's row":  cmp.Diff(orders[0], orders[1]),
				"row":          cmp.Diff(rows[0], rows[1]),
				"log":          cmp.Diff(logs[0], logs[1]),
				"unifiedorder": cmp.Diff(messages[0], messages[1]),
			} {
				if d != "" {
					t.Errorf("%s (-Go +JavaScript):\n%s", name, d)
				}
			}
		})
	}
}

// checkOrder checks the parts that generalAnswer and generalRow omit.
func (s *side) checkOrder(c api.Checkout, orderRow, row map[string]any) {
	s.t.Helper()
	for what, broken := range map[string]bool{
		"id":           !order.ValidID(c.Order.ID),
		"lifetime":     c.Order.ExpiresAt-c.Order.CreatedAt != order.Lifetime.Milliseconds(),
		"created_at":   orderRow["created_at"] != c.Order.CreatedAt,
		"expires_at":   row["expires_at"] != c.Order.ExpiresAt,
		"time_start":   row["created_at"].(int64) < c.Order.CreatedAt || row["due_at"] != row["created_at"].(int64)+time.Minute.Milliseconds(),
		"updated_at":   row["updated_at"].(int64) < row["created_at"].(int64),
		"prepay_at":    row["prepay_at"] != row["updated_at"],
		"pay_until":    c.PayUntil != row["prepay_at"].(int64)+order.PrepayLifetime.Milliseconds(),
		"prepay_id":    c.Pay.Package != "prepay_id="+row["prepay_id"].(string),
		"nonceStr":     !regexp.MustCompile(`^[0-9A-Za-z]{32}$`).MatchString(c.Pay.NonceStr),
		"out_trade_no": !regexp.MustCompile(`^20\d{6}[0-9A-V]{24}$`).MatchString(row["out_trade_no"].(string)),
	} {
		if broken {
			s.t.Errorf("%s: %s is wrong in %+v, %v", s.name, what, c, row)
		}
	}
}

// generalOrder removes the values of an order that differ in each run.
func generalOrder(t *testing.T, a answer) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "created_at", "expires_at"} {
		if _, ok := o[name]; ok {
			o[name] = "present"
		}
	}
	return o
}

// unifiedOrder returns the request that WeChat got for an order. Values that differ in each run are
// replaced.
func (s *side) unifiedOrder(row map[string]any) string {
	s.t.Helper()
	varies := regexp.MustCompile(`(<(nonce_str|sign|out_trade_no|time_start|time_expire)><!\[CDATA\[)[^\]]*`)
	for _, m := range world.sim.Messages(0) {
		if m.Kind == "unifiedorder" && strings.Contains(m.Request, row["out_trade_no"].(string)) {
			if m.Signed == nil || !m.Signed.OK {
				s.t.Errorf("%s: WeChat does not take the signature: %+v", s.name, m)
			}
			return m.Method + " " + m.URL + "\n" + varies.ReplaceAllString(m.Request, "$1")
		}
	}
	s.t.Errorf("%s: WeChat was sent nothing", s.name)
	return ""
}

// generalAnswer removes the values of a response that differ in each run.
func generalAnswer(t *testing.T, a answer) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatal(err)
	}
	if v["pay_until"] != nil {
		v["pay_until"] = "present"
	}
	for parent, names := range map[string][]string{
		"order": {"id", "created_at", "expires_at", "paid_at", "payment_no"},
		"pay":   {"timeStamp", "nonceStr", "package", "paySign"},
	} {
		if object, ok := v[parent].(map[string]any); ok {
			for _, name := range names {
				if _, ok := object[name]; ok {
					object[name] = "present"
				}
			}
		}
	}
	return v
}

func generalRow(row map[string]any) map[string]any {
	general := map[string]any{}
	for name, value := range row {
		switch name {
		case "id", "order_id", "out_trade_no", "paid_by", "created_at", "expires_at", "updated_at", "due_at", "prepay_id", "prepay_at", "transaction_id", "paid_at", "settled_at", "queried_at", "notified_at":
			if value != nil {
				value = "present"
			}
		}
		general[name] = value
	}
	return general
}

func generalHeader(t *testing.T, a answer) map[string]string {
	t.Helper()
	if !regexp.MustCompile(`^[0-9a-v]{16}$`).MatchString(a.id()) {
		t.Errorf("request id %q", a.id())
	}
	header := map[string]string{}
	for _, name := range []string{"Content-Type", "Cache-Control", "X-Content-Type-Options"} {
		header[name] = a.header.Get(name)
	}
	return header
}

// generic replaces values in log lines by their numbers.
func generic(lines []map[string]any, values ...string) []map[string]any {
	for _, line := range lines {
		for name, v := range line {
			for i, value := range values {
				if v == value {
					line[name] = i
				}
			}
		}
	}
	return lines
}

// A request that the Go signer rejects stores nothing here either.
func TestBadOrdersStoreNothing(t *testing.T) {
	s := newSides(t, wechat.SignHMAC)[1]
	before := s.dump()
	good := twoTeas()
	with := func(change func(*api.CreateOrderRequest)) api.CreateOrderRequest {
		r := twoTeas()
		change(&r)
		return r
	}
	for name, test := range map[string]struct {
		body   any
		change func(*http.Request)
		want   int
	}{
		"no JSON":         {[]byte("items"), nil, 400},
		"unknown name":    {[]byte(`{"total":1}`), nil, 400},
		"too long":        {[]byte(strings.Repeat(" ", 1<<17)), nil, 413},
		"no items":        {with(func(r *api.CreateOrderRequest) { r.Items = nil }), nil, 400},
		"none of it":      {with(func(r *api.CreateOrderRequest) { r.Items[0].Quantity = 0 }), nil, 400},
		"too many":        {with(func(r *api.CreateOrderRequest) { r.Items[0].Quantity = 99 }), nil, 400},
		"unknown product": {with(func(r *api.CreateOrderRequest) { r.Items[0].ProductID = "nothing" }), nil, 409},
		"a short key":     {with(func(r *api.CreateOrderRequest) { r.ClientKey = "short" }), nil, 400},
		"foreign Origin":  {good, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		"no cookie":       {good, func(r *http.Request) { r.Header.Del("Cookie") }, 401},
		"broken cookie":   {good, func(r *http.Request) { r.Header.Set("Cookie", r.Header.Get("Cookie")[:60]) }, 401},
	} {
		r := request("POST", api.PathOrders, test.body)
		r.AddCookie(s.cookie)
		if test.change != nil {
			test.change(r)
		}
		if a := s.send(r); a.status != test.want {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, test.want)
		}
	}
	if d := cmp.Diff(before, s.dump()); d != "" {
		t.Error(d)
	}
}

// A payment that WeChat does not accept stays created and has no pay parameters.
func TestOrderThatWeChatDoesNotTake(t *testing.T) {
	s := newSides(t, wechat.SignHMAC)[1]
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultBadReplySign, wechattest.FaultNoReplySign} {
		if err := world.sim.AddFault(wechattest.Fault{Kind: fault, Path: "/pay/unifiedorder"}); err != nil {
			t.Fatal(err)
		}
		req := twoTeas()
		o, _ := s.place(req)
		a := s.call("POST", api.OrderPayPath(o.ID), inWeChat)
		if row := s.paymentRow(o.ID); a.status < 400 || row["status"] != "created" || row["prepay_id"] != nil {
			t.Errorf("%s: %d %s, the payment is %v", fault, a.status, a.body, row)
		}
		if row := s.orderRow(o.ID); row["status"] != "open" {
			t.Errorf("%s: the order is %v", fault, row)
		}
	}
}

func TestConfigIsTheSame(t *testing.T) {
	var bodies []string
	var headers []map[string]string
	for _, s := range newSides(t, signTypes[0]) {
		a := s.send(request("GET", api.PathConfig, nil))
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", s.name, a.status, a.body)
		}
		bodies = append(bodies, strings.TrimSpace(string(a.body)))
		headers = append(headers, generalHeader(t, a))
	}
	if d := cmp.Diff(bodies[0], bodies[1]) + cmp.Diff(headers[0], headers[1]); d != "" {
		t.Errorf("-Go +JavaScript:\n%s", d)
	}
}
