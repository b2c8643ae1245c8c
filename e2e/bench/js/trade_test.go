package js

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// Messages signed with the right key that WeChat would not send: what is wrong
// is for the order's row to find.
func TestTradesAreJudgedTheSame(t *testing.T) {
	for name, change := range map[string]map[string]string{
		"another transaction":      {"transaction_id": "4200009999202611230000000001"},
		"unknown order":            {"out_trade_no": "20261123000000000000000000000000"},
		"no order":                 {"out_trade_no": ""},
		"a fen less":               {"total_fee": "18369"},
		"no amount":                {"total_fee": ""},
		"an amount in yuan":        {"total_fee": "183.70"},
		"an amount with a space":   {"total_fee": " 18370"},
		"dollars":                  {"fee_type": "USD"},
		"yuan by default":          {"fee_type": ""},
		"another appid":            {"appid": "wx0000000000000000"},
		"another merchant":         {"mch_id": "1900000000"},
		"the 30th of February":     {"time_end": "20260230120000"},
		"no time":                  {"time_end": ""},
		"24 o'clock":               {"time_end": "20261123240000"},
		"no transaction":           {"transaction_id": ""},
		"a failed payment":         {"result_code": "FAIL"},
		"no result":                {"result_code": ""},
		"a reply to orderquery":    {"trade_state": "NOTPAY"},
		"what it was paid by":      {},
		"characters to be escaped": {"attach": "a&b<c>]]>\"'\n茶"},
	} {
		var answers []string
		for _, s := range newSides(t, wechat.SignHMAC) { // new ones log the first bad notification
			c, _ := s.order(twoTeas())
			s.pay(c.Pay)
			row := s.row(c.Order.ID)
			before := s.dump()
			a := s.send(request("POST", api.PathNotifyPay, notification(row, change)))
			if d := cmp.Diff(before, s.dump()); d != "" {
				t.Errorf("%s, %s: %s", s.name, name, d)
			}
			log := fmt.Sprint(generic(s.logged(a), c.Order.ID, row["out_trade_no"].(string), row["transaction_id"].(string)))
			answers = append(answers, fmt.Sprintf("%d %s\n%s", a.status, a.body, log))
		}
		if d := cmp.Diff(answers[0], answers[1]); d != "" {
			t.Errorf("%s (-Go +JavaScript):\n%s", name, d)
		}
	}
}

func TestOneTransactionDoesNotPayTwoOrders(t *testing.T) {
	for _, s := range newSides(t, wechat.SignMD5) {
		first, _ := s.order(twoTeas())
		s.pay(first.Pay)
		second, _ := s.order(twoTeas())
		row := s.row(second.Order.ID)
		row["transaction_id"] = s.row(first.Order.ID)["transaction_id"]
		a := s.send(request("POST", api.PathNotifyPay, notification(row, nil)))
		if !strings.Contains(string(a.body), "WeChat does not confirm the payment") {
			t.Errorf("%s: %s", s.name, a.body)
		}
		if status := s.row(second.Order.ID)["status"]; status != "pending" {
			t.Errorf("%s: the second order is %s", s.name, status)
		}
	}
}

func TestPaidOrderHasNothingToPay(t *testing.T) {
	for _, s := range newSides(t, wechat.SignHMAC) {
		req := twoTeas()
		c, _ := s.order(req)
		s.pay(c.Pay)
		again, a := s.order(req)
		if again.Pay != nil || again.Order.Status != api.StatusPaid || again.Order.ID != c.Order.ID ||
			again.Order.PaymentNo != s.row(c.Order.ID)["transaction_id"] || strings.Contains(string(a.body), `"pay"`) {
			t.Errorf("%s: %s", s.name, a.body)
		}
	}
}

// notification is a signed message that an order is paid, with some fields
// changed; those that are changed to nothing are left out.
func notification(row map[string]any, change map[string]string) []byte {
	values := map[string]string{
		"return_code": "SUCCESS", "result_code": "SUCCESS",
		"appid": wechattest.DefaultAppID, "mch_id": wechattest.DefaultMchID, "nonce_str": "5d2b6c2a8db53831f7eda20af46e531c",
		"openid": row["owner"].(string), "out_trade_no": row["out_trade_no"].(string), "total_fee": fmt.Sprint(row["total"]),
		"fee_type": "CNY", "trade_type": "JSAPI", "bank_type": "CMC", "transaction_id": row["transaction_id"].(string),
		"time_end": "20261123120000",
	}
	for name, value := range change {
		values[name] = value
	}
	var fields []wechat.Field
	for name, value := range values {
		if value != "" {
			fields = append(fields, wechat.Field{Name: name, Value: value})
		}
	}
	fields = append(fields, wechat.Field{Name: "sign", Value: wechat.Sign(fields, wechattest.DefaultAPIKey, wechat.SignMD5)})
	escape := strings.NewReplacer("&", "&amp;", "<", "&#60;", ">", "&#x3E;", `"`, "&quot;", "'", "&apos;")
	var b strings.Builder
	b.WriteString("<xml>\n")
	for _, f := range fields {
		fmt.Fprintf(&b, "  <%s>%s</%s >\n", f.Name, escape.Replace(f.Value), f.Name)
	}
	b.WriteString("</xml>\n")
	return []byte(b.String())
}
