package server_test

import (
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat/wechattest"
)

var changeLine = regexp.MustCompile(`msg="order (?:created|pending|closing|closed|failed|paid|paid late)".* order=(\S+) out_trade_no=(\S+) from=(\S+) to=(\S+) source=(\S+)`)

// logged checks that every change of an order that the database saw has left
// one line in the log, and every line was a change.
func (s *shop) logged() (lines [][]string) {
	s.t.Helper()
	var got, want []string
	for line := range strings.Lines(s.log.String()) {
		if m := changeLine.FindStringSubmatch(line); m != nil {
			lines = append(lines, m[1:])
			got = append(got, m[1]+" "+m[4])
		}
	}
	rows, err := s.db.Query(`SELECT id, 'created' FROM orders UNION ALL
		SELECT order_id, became FROM history WHERE was NOT IN ('refunding', 'refunded') AND became NOT IN ('refunding', 'refunded')`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, became string
		if err := rows.Scan(&id, &became); err != nil {
			s.t.Fatal(err)
		}
		want = append(want, id+" "+became)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	sort.Strings(got)
	sort.Strings(want)
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("changes in the log (-database +log):\n%s", diff)
	}
	return lines
}

// Where an order came from and who told of it can be read from the log alone.
func TestEveryChangeIsInTheLog(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)

	notified := p.order("tea", 1)
	p.pay(notified.Pay)
	s.deliver()
	polled := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(polled.Pay)
	s.deliver()
	s.sim.Advance(queryPause)
	p.get(polled.Order.ID)
	given := p.order("tea", 1)
	p.must("POST", api.OrderClosePath(given.Order.ID), api.CloseRequest{}, &api.Order{})
	p.pay(given.Pay) // too fast for the close
	s.deliver()
	s.sim.Advance(6 * time.Minute)
	s.reconcile()
	expired := p.order("tea", 1)
	s.sim.Advance(order.Lifetime + order.ExpiryGrace + time.Minute)
	s.reconcile()

	stories := map[string]string{}
	for _, m := range s.logged() {
		stories[m[0]] += " " + m[2] + ">" + m[3] + ":" + m[4]
	}
	want := map[string]string{
		notified.Order.ID: ` "">created:page created>pending:prepay pending>paid:notify`,
		polled.Order.ID:   ` "">created:page created>pending:prepay pending>paid:poll`,
		given.Order.ID:    ` "">created:page created>pending:prepay pending>closing:close closing>paid:notify`,
		expired.Order.ID:  ` "">created:page created>pending:prepay pending>closed:expiry`,
	}
	if diff := cmp.Diff(want, stories); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
