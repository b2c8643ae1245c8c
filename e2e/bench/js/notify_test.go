package js

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestPaymentIsTheSame(t *testing.T) {
	for _, signType := range signTypes {
		t.Run(string(signType), func(t *testing.T) {
			var bodies []string
			var headers []map[string]string
			var orders, rows []map[string]any
			var logs [][]map[string]any
			for _, s := range newSides(t, signType) {
				c, _ := s.order(twoTeas())
				a := s.pay(c.Pay)
				row := s.paymentRow(c.Order.ID)
				s.checkPaid(row)
				bodies = append(bodies, string(a.body))
				headers = append(headers, generalHeader(t, a))
				orders = append(orders, generalRow(s.orderRow(c.Order.ID)))
				rows = append(rows, generalRow(row))
				logs = append(logs, generic(s.logged(a), c.Order.ID, row["out_trade_no"].(string), row["transaction_id"].(string)))
			}
			for name, d := range map[string]string{
				"answer": cmp.Diff(bodies[0], bodies[1]),
				"header": cmp.Diff(headers[0], headers[1]),
				"order":  cmp.Diff(orders[0], orders[1], cmp.FilterPath(isKey, cmp.Ignore())),
				"row":    cmp.Diff(rows[0], rows[1]),
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

// checkPaid compares a stored payment with WeChat's books.
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
			s.t.Errorf("%s (-WeChat +payment):\n%s", s.name, d)
		}
		return
	}
	s.t.Errorf("%s: WeChat has no trade for %v", s.name, row)
}

func TestRepeatedNotificationsPayOnce(t *testing.T) {
	s := newSides(t, wechat.SignHMAC)[1]
	c, _ := s.order(twoTeas())
	if err := world.sim.AddFault(wechattest.Fault{Kind: wechattest.FaultNotifyDoubled}); err != nil {
		t.Fatal(err)
	}
	s.pay(c.Pay)
	before := s.dump()
	for _, forge := range []string{"", wechattest.ForgeReplay} {
		attempt, err := world.sim.Notify(s.outTradeNo(c.Order.ID), forge)
		if err != nil || !attempt.OK {
			t.Errorf("%q: %+v, %v", forge, attempt, err)
		}
	}
	if d := cmp.Diff(before, s.dump()); d != "" {
		t.Error(d)
	}
	s.checkPaid(s.paymentRow(c.Order.ID))
}

// A forged notification, or one that only the API key signs, settles nothing. The payment after it
// is settled.
func TestForgedNotificationsPayNothing(t *testing.T) {
	for _, forge := range wechattest.Forgeries() {
		if forge == wechattest.ForgeReplay || forge == wechattest.ForgeOtherTrade {
			continue // they are about an order that is paid
		}
		t.Run(forge, func(t *testing.T) {
			s := newSides(t, wechat.SignHMAC)[1]
			c, _ := s.order(twoTeas())
			s.getsNotifications()
			attempt, err := world.sim.Notify(s.outTradeNo(c.Order.ID), forge)
			if err != nil || attempt.OK {
				t.Errorf("%+v, %v", attempt, err)
			}
			if row := s.paymentRow(c.Order.ID); row["status"] != "pending" || row["transaction_id"] != nil {
				t.Errorf("the payment is %v", row)
			}
			if forge == wechattest.ForgeLeakedKey {
				time.Sleep(time.Second) // until the payment may be queried about again
			}
			s.pay(c.Pay)
			s.checkPaid(s.paymentRow(c.Order.ID))
		})
	}
}

// dump returns all stored rows, to detect changes.
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
		all = append(all, s.orderRow(id), s.paymentRow(id))
	}
	return all
}
