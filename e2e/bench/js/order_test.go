package js

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat"
)

func twoTeas() api.CreateOrderRequest {
	return api.CreateOrderRequest{
		Items:     []api.OrderItem{{ProductID: "tea", Quantity: 1}, {ProductID: "bun", Quantity: 3}, {ProductID: "tea", Quantity: 1}},
		TradeType: api.TradeJSAPI, ClientKey: newKey(),
	}
}

func TestOrderIsTheSame(t *testing.T) {
	for _, signType := range signTypes {
		t.Run(string(signType), func(t *testing.T) {
			var answers, rows []map[string]any
			var headers []map[string]string
			var messages []string
			var logs [][]map[string]any
			req := twoTeas()
			for _, s := range newSides(t, signType) {
				c, a := s.order(req)
				row := s.row(c.Order.ID)
				s.checkOrder(c, row)
				messages = append(messages, s.unifiedOrder(row))
				logs = append(logs, generic(s.logged(a), c.Order.ID, row["out_trade_no"].(string)))
				answers = append(answers, generalAnswer(t, a))
				rows = append(rows, generalRow(row))
				headers = append(headers, generalHeader(t, a))
			}
			for name, d := range map[string]string{
				"answer":       cmp.Diff(answers[0], answers[1]),
				"header":       cmp.Diff(headers[0], headers[1]),
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

// checkOrder looks at what generalAnswer and generalRow leave out.
func (s *side) checkOrder(c api.Checkout, row map[string]any) {
	s.t.Helper()
	for what, broken := range map[string]bool{
		"id":           !order.ValidID(c.Order.ID),
		"lifetime":     c.Order.ExpiresAt-c.Order.CreatedAt != order.Lifetime.Milliseconds(),
		"created_at":   row["created_at"] != c.Order.CreatedAt,
		"expires_at":   row["expires_at"] != c.Order.ExpiresAt,
		"updated_at":   row["updated_at"].(int64) < c.Order.CreatedAt,
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

// unifiedOrder returns what WeChat was sent for an order, with the values that
// are never the same twice replaced.
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

// generalAnswer drops of an answer what is never the same twice.
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
		case "due_at":
			if row["queried_at"] == nil && value != nil {
				value = value.(int64) - row["created_at"].(int64)
			} else if value != nil {
				value = "present"
			}
		case "id", "out_trade_no", "created_at", "expires_at", "updated_at", "prepay_id", "prepay_at", "transaction_id", "paid_at", "settled_at", "queried_at", "told_at":
			if value != nil {
				value = "present"
			}
		}
		general[name] = value
	}
	return general
}

// waitForWindow waits until a look at an order asks WeChat again after unifiedorder.
func waitForWindow() { time.Sleep(3100 * time.Millisecond) }

func generalHeader(t *testing.T, a answer) map[string]string {
	t.Helper()
	if !regexp.MustCompile(`^[a-z2-7]{16}$`).MatchString(a.id()) {
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

func TestClientKeyMakesOneOrder(t *testing.T) {
	for _, s := range newSides(t, wechat.SignHMAC) {
		req := twoTeas()
		first, _ := s.order(req)
		req.Items = []api.OrderItem{{ProductID: "bun", Quantity: 3}, {ProductID: "tea", Quantity: 2}}
		again, a := s.order(req)
		if d := cmp.Diff(first.Order, again.Order); d != "" {
			t.Errorf("%s: %s", s.name, d)
		}
		if again.Pay.Package != first.Pay.Package || again.Pay.NonceStr == first.Pay.NonceStr {
			t.Errorf("%s: pay %+v, first %+v", s.name, again.Pay, first.Pay)
		}
		if lines := s.logged(a); len(lines) != 0 {
			t.Errorf("%s: log %v", s.name, lines)
		}
		var n int
		if err := s.db.QueryRow(`SELECT count(*) FROM orders WHERE client_key = ?`, req.ClientKey).Scan(&n); err != nil || n != 1 {
			t.Errorf("%s: %d orders, %v", s.name, n, err)
		}
		req.Items[0].Quantity = 4
		if a := s.call("POST", api.PathOrders, req); a.code() != api.CodeConflict {
			t.Errorf("%s: %d %s", s.name, a.status, a.body)
		}
	}
}

func TestOrderCanBeReadByItsOwner(t *testing.T) {
	sides := newSides(t, wechat.SignHMAC)
	stranger := sides[0].signIn(1)
	for _, s := range sides {
		c, _ := s.order(twoTeas())
		before := s.row(c.Order.ID)
		// WeChat is asked: nothing has changed there.
		waitForWindow()
		a := s.call("GET", api.OrderPath(c.Order.ID), nil)
		var o api.Order
		if err := json.Unmarshal(a.body, &o); err != nil {
			t.Fatal(err)
		}
		want := c.Order
		want.NotPaid = o.NotPaid // the yardstick does without it
		want.Timeline = []api.Step{{Status: api.StatusCreated, At: o.CreatedAt}, {Status: api.StatusPending, At: before["prepay_at"].(int64)}}
		if d := cmp.Diff(want, o); d != "" {
			t.Errorf("%s: %s", s.name, d)
		}
		after := s.row(c.Order.ID)
		if after["queried_at"] == nil {
			t.Errorf("%s did not ask WeChat", s.name)
		}
		// The order is young: the timer asks a minute later.
		before["queried_at"], before["due_at"] = after["queried_at"], after["queried_at"].(int64)+time.Minute.Milliseconds()
		if d := cmp.Diff(before, after); d != "" {
			t.Errorf("%s: %s", s.name, d)
		}
		s.cookie = stranger
		if a := s.call("GET", api.OrderPath(c.Order.ID), nil); a.code() != api.CodeNotFound {
			t.Errorf("%s shows it to a stranger: %d %s", s.name, a.status, a.body)
		}
	}
}
