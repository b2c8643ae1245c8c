package js

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestPaymentIsTheSame(t *testing.T) {
	for _, signType := range signTypes {
		t.Run(string(signType), func(t *testing.T) {
			var bodies []string
			var headers []map[string]string
			var rows []map[string]any
			var logs [][]map[string]any
			for _, s := range newSides(t, signType) {
				c, _ := s.order(twoTeas())
				a := s.pay(c.Pay)
				row := s.row(c.Order.ID)
				s.checkPaid(row)
				bodies = append(bodies, string(a.body))
				headers = append(headers, generalHeader(t, a))
				rows = append(rows, generalRow(row))
				logs = append(logs, generic(s.logged(a), c.Order.ID, row["out_trade_no"].(string), row["transaction_id"].(string)))
			}
			for name, d := range map[string]string{
				"answer": cmp.Diff(bodies[0], bodies[1]),
				"header": cmp.Diff(headers[0], headers[1]),
				"row":    cmp.Diff(rows[0], rows[1], cmp.FilterPath(isKey, cmp.Ignore())),
				"log":    cmp.Diff(logs[0], logs[1]),
			} {
				if d != "" {
					t.Errorf("%s (-Go +JavaScript):\n%s", name, d)
				}
			}
		})
	}
}

// isKey finds the client_key of a row: every call of twoTeas has its own.
func isKey(p cmp.Path) bool {
	step, ok := p.Last().(cmp.MapIndex)
	return ok && step.Key().String() == "client_key"
}

// checkPaid compares a stored order with WeChat's books.
func (s *side) checkPaid(row map[string]any) {
	s.t.Helper()
	for _, trade := range world.sim.Ledger().Trades {
		if trade.OutTradeNo != row["out_trade_no"] {
			continue
		}
		want := map[string]any{
			"status": "paid", "transaction_id": trade.TransactionID, "paid_at": trade.Paid.Unix() * 1000,
			"total": trade.TotalFee, "payer": trade.OpenID,
		}
		got := map[string]any{}
		for name := range want {
			got[name] = row[name]
		}
		if d := cmp.Diff(want, got); d != "" {
			s.t.Errorf("%s (-WeChat +order):\n%s", s.name, d)
		}
		return
	}
	s.t.Errorf("%s: WeChat has no trade for %v", s.name, row)
}

func TestRepeatedNotificationsPayOnce(t *testing.T) {
	for _, s := range newSides(t, wechat.SignHMAC) {
		c, _ := s.order(twoTeas())
		if err := world.sim.AddFault(wechattest.Fault{Kind: wechattest.FaultNotifyDoubled}); err != nil {
			t.Fatal(err)
		}
		s.pay(c.Pay)
		before := s.dump()
		for _, forge := range []string{"", wechattest.ForgeReplay} {
			attempt, err := world.sim.Notify(s.outTradeNo(c.Order.ID), forge)
			if err != nil || !attempt.OK {
				t.Errorf("%s, %q: %+v, %v", s.name, forge, attempt, err)
			}
			if lines := s.logged(world.mail.answer); len(lines) != 0 {
				t.Errorf("%s, %q: %v", s.name, forge, lines)
			}
		}
		if d := cmp.Diff(before, s.dump()); d != "" {
			t.Errorf("%s: %s", s.name, d)
		}
		s.checkPaid(s.row(c.Order.ID))
		paid := 0
		for line := range strings.Lines(s.log.String()) {
			if strings.Contains(line, c.Order.ID) && strings.Contains(line, `"order paid"`) {
				paid++
			}
		}
		if paid != 1 {
			t.Errorf("%s: paid %d times in the log", s.name, paid)
		}
	}
}

func TestForgedNotificationsChangeNothing(t *testing.T) {
	for _, forge := range wechattest.Forges() {
		if forge == wechattest.ForgeReplay || forge == wechattest.ForgeOtherTrade || forge == wechattest.ForgeLeakedKey {
			continue // of a genuine one, or it causes a query; see TestRepeatedNotificationsPayOnce and TestAPIKeyAlonePaysNothing
		}
		t.Run(forge, func(t *testing.T) {
			var bodies []string
			var logs [][]map[string]any
			for _, s := range newSides(t, wechat.SignHMAC) {
				c, _ := s.order(twoTeas())
				s.getsMail()
				before := s.dump()
				attempt, err := world.sim.Notify(s.outTradeNo(c.Order.ID), forge)
				if err != nil || attempt.OK || attempt.Status != http.StatusOK {
					t.Errorf("%s: %+v, %v", s.name, attempt, err)
				}
				if d := cmp.Diff(before, s.dump()); d != "" {
					t.Errorf("%s: %s", s.name, d)
				}
				forged := world.mail.answer
				bodies = append(bodies, string(forged.body))
				lines := s.logged(forged)
				if len(lines) != 1 || lines[0]["level"] != "ERROR" {
					t.Errorf("%s logs %v", s.name, lines)
				}
				for _, line := range lines {
					delete(line, "transaction_id") // the forger's own
				}
				logs = append(logs, generic(lines, c.Order.ID, s.outTradeNo(c.Order.ID)))
				// The real payment is not harmed.
				s.pay(c.Pay)
				s.checkPaid(s.row(c.Order.ID))
			}
			if d := cmp.Diff(bodies[0], bodies[1]); d != "" {
				t.Errorf("answer (-Go +JavaScript):\n%s", d)
			}
			if d := cmp.Diff(logs[0], logs[1]); d != "" {
				t.Errorf("log (-Go +JavaScript):\n%s", d)
			}
		})
	}
}

// A payment that only the API key speaks for pays nothing on either side, and both
// answer and log the same.
func TestAPIKeyAlonePaysNothing(t *testing.T) {
	var bodies []string
	var logs [][]map[string]any
	for _, s := range newSides(t, wechat.SignHMAC) {
		c, _ := s.order(twoTeas())
		s.getsMail()
		attempt, err := world.sim.Notify(s.outTradeNo(c.Order.ID), wechattest.ForgeLeakedKey)
		if err != nil || attempt.OK || attempt.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: %+v, %v", s.name, attempt, err)
		}
		if status := s.row(c.Order.ID)["status"]; status != "pending" {
			t.Errorf("%s: the order is %s", s.name, status)
		}
		bodies = append(bodies, string(world.mail.answer.body))
		logs = append(logs, generic(s.logged(world.mail.answer), c.Order.ID, s.outTradeNo(c.Order.ID)))
		time.Sleep(time.Second) // until the order may be queried about again
		s.pay(c.Pay)
		s.checkPaid(s.row(c.Order.ID))
	}
	if d := cmp.Diff(bodies[0], bodies[1]); d != "" {
		t.Errorf("answer (-Go +JavaScript):\n%s", d)
	}
	if d := cmp.Diff(logs[0], logs[1]); d != "" {
		t.Errorf("log (-Go +JavaScript):\n%s", d)
	}
}

// dump returns everything that is stored, to tell whether anything changed.
func (s *side) dump() []map[string]any {
	s.t.Helper()
	rows, err := s.db.Query(`SELECT id FROM orders ORDER BY id`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			s.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	var all []map[string]any
	for _, id := range ids {
		all = append(all, s.row(id))
	}
	return all
}

func TestLostNotificationIsFoundByPolling(t *testing.T) {
	var logs [][]map[string]any
	for _, s := range newSides(t, wechat.SignMD5) {
		c, _ := s.order(twoTeas())
		if err := world.sim.AddFault(wechattest.Fault{Kind: wechattest.FaultNotifyLost}); err != nil {
			t.Fatal(err)
		}
		s.pay(c.Pay)
		waitForWindow()
		a := s.call("GET", api.OrderPath(c.Order.ID), nil)
		row := s.row(c.Order.ID)
		s.checkPaid(row)
		logs = append(logs, generic(s.logged(a), c.Order.ID, row["out_trade_no"].(string), row["transaction_id"].(string)))
	}
	if d := cmp.Diff(logs[0], logs[1]); d != "" {
		t.Errorf("log (-Go +JavaScript):\n%s", d)
	}
}

// Messages that are not the simulator's: both read the same or refuse the same.
func TestMessagesAreReadTheSame(t *testing.T) {
	var many strings.Builder
	for i := range 257 {
		fmt.Fprintf(&many, "<a%d/>", i)
	}
	for name, body := range map[string]string{
		"empty":            "",
		"no XML":           "hello",
		"JSON":             `{"return_code":"SUCCESS"}`,
		"too long":         "<xml><a>" + strings.Repeat("x", 64<<10) + "</a></xml>",
		"repeated":         `<xml><a/><a/></xml>`,
		"too many fields":  "<xml>" + many.String() + "</xml>",
		"cut in a value":   `<xml><a>1`,
		"text after":       `<xml></xml>text`,
		"prefix":           `<xml><a:b>1</a:b></xml>`,
		"wrong end":        `<xml><a>1</b></xml>`,
		"doctype":          `<!DOCTYPE xml><xml/>`,
		"comment":          `<xml><a>1<!-- --></a></xml>`,
		"attribute":        `<xml><a b="c">1</a></xml>`,
		"nested":           `<xml><a><b>1</b></a></xml>`,
		"text outside":     `<xml>text</xml>`,
		"processing":       `<xml><?php ?></xml>`,
		"encoding":         `<?xml version="1.0" encoding="GBK"?><xml></xml>`,
		"not UTF-8":        "<xml><a>\xff</a></xml>",
		"control":          "<xml><a>\x01</a></xml>",
		"bad entity":       `<xml><a>&nbsp;</a></xml>`,
		"bad reference":    `<xml><a>&#0;</a></xml>`,
		"lone ampersand":   `<xml><a>a & b</a></xml>`,
		"end of CDATA":     `<xml><a>]]></a></xml>`,
		"cut":              `<xml><a>1</a>`,
		"cut in CDATA":     `<xml><a><![CDATA[1</a></xml>`,
		"twice":            `<xml></xml><xml></xml>`,
		"other root":       `<html></html>`,
		"return_code FAIL": `<xml><return_code>FAIL</return_code></xml>`,
		"unsigned":         `<?xml version="1.0" encoding="utf-8"?>` + "\r\n" + `<xml><return_code><![CDATA[SUC]]>CESS</return_code><e/><f>&lt;&#x26;&#10;</f></xml>` + "\n",
		"BOM":              "\xef\xbb\xbf<xml><return_code>SUCCESS</return_code></xml>",
	} {
		var answers []string
		for _, s := range newSides(t, wechat.SignHMAC) { // new ones log the first bad notification
			r := request("POST", api.PathNotifyPay, []byte(body))
			r.Header.Set("Content-Type", "text/xml")
			a := s.send(r)
			var reasons []string
			for _, line := range s.logged(a) {
				for _, key := range []string{"error", "reason"} {
					if v, ok := line[key].(string); ok {
						reasons = append(reasons, v)
					}
				}
			}
			answers = append(answers, strings.Join(append(reasons, a.header.Get("Content-Type"), string(a.body)), "\n"))
		}
		if d := cmp.Diff(answers[0], answers[1]); d != "" {
			t.Errorf("%s (-Go +JavaScript):\n%s", name, d)
		}
	}
}
