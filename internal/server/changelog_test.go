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

var (
	paymentLine = regexp.MustCompile(`msg="payment (?:created|pending|closed|failed|paid|paid late)".* order=(\S+) out_trade_no=(\S+) from=(\S+) to=(\S+) source=(\S+)`)
	orderLine   = regexp.MustCompile(`msg="order (?:open|closing|closed)".* order=(\S+) to=(\S+) source=(\S+)`)
)

// loggedChanges checks that the log has one line for each stored change of a payment, and no other
// lines of changes. Changes by triggers have no line. It returns the shortened lines of orders and
// payments, by order.
func loggedChanges(s *paytest.Shop) (stories map[string]string) {
	s.T.Helper()
	stories = map[string]string{}
	var got, want []string
	for line := range strings.Lines(s.Log.String()) {
		if m := orderLine.FindStringSubmatch(line); m != nil {
			stories[m[1]] += " [" + m[2] + ":" + m[3] + "]"
		}
		if m := paymentLine.FindStringSubmatch(line); m != nil {
			stories[m[1]] += " " + m[3] + ">" + m[4] + ":" + m[5]
			got = append(got, m[2]+" "+m[4])
		}
	}
	rows, err := s.DB.Query(`SELECT out_trade_no, 'created' FROM payments UNION ALL SELECT out_trade_no, became FROM payment_history WHERE became <> 'closing'`)
	if err != nil {
		s.T.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var no, became string
		if err := rows.Scan(&no, &became); err != nil {
			s.T.Fatal(err)
		}
		want = append(want, no+" "+became)
	}
	if err := rows.Err(); err != nil {
		s.T.Fatal(err)
	}
	sort.Strings(got)
	sort.Strings(want)
	if diff := cmp.Diff(want, got); diff != "" {
		s.T.Errorf("changes in the log (-database +log):\n%s", diff)
	}
	return stories
}

// The log alone shows the source of every change of an order.
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
	p.Pay(given.Pay) // too early to close
	s.Deliver()
	s.Sim.Advance(6 * time.Minute)
	s.Reconcile()
	expired := p.Order("tea", 1)
	s.Sim.Advance(order.Lifetime + order.ExpiryGrace + time.Minute)
	s.Reconcile()

	want := map[string]string{
		notified.Order.ID: ` [open:page] "">created:page created>pending:prepay pending>paid:notify`,
		polled.Order.ID:   ` [open:page] "">created:page created>pending:prepay pending>paid:poll`,
		given.Order.ID:    ` [open:page] "">created:page created>pending:prepay [closing:close] closing>paid:notify`,
		expired.Order.ID:  ` [open:page] "">created:page created>pending:prepay pending>closed:expiry`,
	}
	stories := loggedChanges(s)
	if diff := cmp.Diff(want, stories); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
