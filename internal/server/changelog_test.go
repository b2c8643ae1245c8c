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
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

var changeLine = regexp.MustCompile(`msg="order (?:created|pending|closing|closed|failed|paid|paid late)".* order=(\S+) out_trade_no=(\S+) from=(\S+) to=(\S+) source=(\S+)`)

// loggedChanges checks that every change of an order that the database saw has left
// one line in the log, and every line was a change.
func loggedChanges(s *paytest.Shop) (lines [][]string) {
	s.T.Helper()
	var got, want []string
	for line := range strings.Lines(s.Log.String()) {
		if m := changeLine.FindStringSubmatch(line); m != nil {
			lines = append(lines, m[1:])
			got = append(got, m[1]+" "+m[4])
		}
	}
	rows, err := s.DB.Query(`SELECT id, 'created' FROM orders UNION ALL
		SELECT order_id, became FROM history WHERE was NOT IN ('refunding', 'refunded') AND became NOT IN ('refunding', 'refunded')`)
	if err != nil {
		s.T.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, became string
		if err := rows.Scan(&id, &became); err != nil {
			s.T.Fatal(err)
		}
		want = append(want, id+" "+became)
	}
	if err := rows.Err(); err != nil {
		s.T.Fatal(err)
	}
	sort.Strings(got)
	sort.Strings(want)
	if diff := cmp.Diff(want, got); diff != "" {
		s.T.Errorf("changes in the log (-database +log):\n%s", diff)
	}
	return lines
}

// Where an order came from and who told of it can be read from the log alone.
func TestEveryChangeIsInTheLog(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)

	notified := p.Order("tea", 1)
	p.Pay(notified.Pay)
	s.Deliver()
	polled := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(polled.Pay)
	s.Deliver()
	s.Sim.Advance(paytest.QueryPause)
	p.GetOrder(polled.Order.ID)
	given := p.Order("tea", 1)
	p.Must("POST", api.OrderClosePath(given.Order.ID), api.CloseRequest{}, &api.Order{})
	p.Pay(given.Pay) // too fast for the close
	s.Deliver()
	s.Sim.Advance(6 * time.Minute)
	s.Reconcile()
	expired := p.Order("tea", 1)
	s.Sim.Advance(order.Lifetime + order.ExpiryGrace + time.Minute)
	s.Reconcile()

	stories := map[string]string{}
	for _, m := range loggedChanges(s) {
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
