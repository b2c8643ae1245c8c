package paytest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// verdicts returns the verdicts of all findings.
func (c *comparison) verdicts() (all []Verdict) {
	for _, f := range c.findings {
		all = append(all, f.Verdict)
	}
	return all
}

// Differences between the shop and WeChat are found.
func TestDifferingPaymentsAreFound(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)
	trade := wechattest.Trade{TransactionID: "4200", OutTradeNo: "N", OpenID: "o1", TotalFee: 100, Paid: at}
	paid := Payment{Number: "N", Status: api.PaymentPaid, Transaction: "4200", Total: 100, Payer: "o1", Paid: at.UnixMilli()}
	closed := Payment{Number: "N", Status: api.PaymentClosed, Total: 100}
	with := func(p Payment, change func(*Payment)) Payment { change(&p); return p }
	for name, test := range map[string]struct {
		payment Payment
		paid    bool
		want    []Verdict
	}{
		"paid on both sides":       {paid, true, nil},
		"closed, not paid":         {closed, false, nil},
		"declined, not paid":       {with(closed, func(p *Payment) { p.Status = api.PaymentFailed }), false, nil},
		"paid there only":          {closed, true, []Verdict{Lost}},
		"paid here only":           {paid, false, []Verdict{Wrong}},
		"left open":                {with(closed, func(p *Payment) { p.Status = api.PaymentPending }), false, []Verdict{Wrong}},
		"another transaction":      {with(paid, func(p *Payment) { p.Transaction = "4201" }), true, []Verdict{Wrong}},
		"another amount":           {with(paid, func(p *Payment) { p.Total = 101 }), true, []Verdict{Wrong}},
		"another payer":            {with(paid, func(p *Payment) { p.Payer = "o2" }), true, []Verdict{Wrong}},
		"another time":             {with(paid, func(p *Payment) { p.Paid += 1000 }), true, []Verdict{Wrong}},
		"no payer":                 {with(paid, func(p *Payment) { p.Payer = "" }), true, []Verdict{Wrong}},
		"no time":                  {with(paid, func(p *Payment) { p.Paid = 0 }), true, []Verdict{Wrong}},
		"paid inside WeChat":       {with(paid, func(p *Payment) { p.TradeType, p.OpenID = api.TradeJSAPI, "o1" }), true, nil},
		"another's, inside WeChat": {with(paid, func(p *Payment) { p.TradeType, p.OpenID = api.TradeJSAPI, "o2" }), true, []Verdict{Wrong}},
		"a trade of an unpaid":     {with(closed, func(p *Payment) { p.Transaction = "4200" }), false, []Verdict{Wrong}},
	} {
		c := &comparison{}
		c.checkPaid(test.payment, trade, test.paid)
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestOrdersThatDifferFromTheirPaymentsAreFound(t *testing.T) {
	t.Parallel()
	first := Payment{Number: "N", Status: api.PaymentPaid, Total: 100}
	unpaid, duplicate := Payment{Number: "M", Status: api.PaymentClosed, Total: 100}, Payment{Number: "M", Status: api.PaymentPaid, Total: 100, Duplicate: 1}
	second := duplicate
	second.Duplicate = 0
	paid, closed := Order{ID: "a", Status: api.StatusPaid, PaidBy: "N", Total: 100}, Order{ID: "a", Status: api.StatusClosed, Total: 100}
	for name, test := range map[string]struct {
		order    Order
		payments []Payment
		want     []Verdict
	}{
		"paid once":           {paid, []Payment{first, unpaid}, nil},
		"paid twice":          {paid, []Payment{first, duplicate}, nil},
		"closed":              {closed, []Payment{unpaid}, nil},
		"closed without any":  {closed, nil, nil},
		"two pay it":          {paid, []Payment{first, second}, []Verdict{Doubled}},
		"closed, and paid":    {closed, []Payment{first}, []Verdict{Lost}},
		"paid by nothing":     {paid, []Payment{unpaid}, []Verdict{Wrong}},
		"paid by a duplicate": {Order{ID: "a", Status: api.StatusPaid, PaidBy: "M", Total: 100}, []Payment{duplicate}, []Verdict{Wrong}},
		"left open":           {Order{ID: "a", Status: api.StatusOpen, Total: 100}, []Payment{unpaid}, []Verdict{Wrong}},
		"of another total":    {Order{ID: "a", Status: api.StatusClosed, Total: 99}, []Payment{unpaid}, []Verdict{Wrong}},
	} {
		c := &comparison{}
		c.checkOrder(test.order, test.payments)
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestImpossibleStepsAreFound(t *testing.T) {
	t.Parallel()
	for steps, want := range map[string][]Verdict{
		"open paid":                     nil,
		"open closing closed paid":      nil,
		"open paid refunding paid":      nil,
		"open paid open paid":           {Wrong, Doubled},
		"open paid closed":              {Wrong},
		"open closed open":              {Wrong},
		"closing paid":                  {Wrong},
		"open paid closed paid":         {Wrong, Doubled},
		"open paid refunding paid paid": {Wrong},
	} {
		c := &comparison{}
		all := strings.Fields(steps)
		last := api.OrderStatus(all[len(all)-1])
		c.checkSteps(Order{ID: "a", Status: last, Steps: steps, Times: strings.Repeat("1767225600000 ", len(all))})
		if d := cmp.Diff(want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", steps, d)
		}
	}
}

// Steps of two machines with different clocks are found if they show it.
func TestStepsBackInTimeAreFound(t *testing.T) {
	t.Parallel()
	for times, want := range map[string][]Verdict{
		"1767225600822 1767225600828 1767225600828": nil,
		"1767225600828 1767225600822 1767225600829": {Wrong},
		"1767225600828 1767225600827 1767225600826": {Wrong, Wrong},
		"1767225600828 1767225600829":               {Wrong}, // one is missing
	} {
		c := &comparison{}
		c.checkSteps(Order{ID: "a", Status: api.StatusPaid, Steps: "open closing paid", Times: times})
		if d := cmp.Diff(want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", times, d)
		}
	}
}

func TestDifferingRefundsAreFound(t *testing.T) {
	t.Parallel()
	order := Order{ID: "a", Status: api.StatusPaid, PaidBy: "N", Total: 100}
	ours := Refund{ID: "R", Number: "N", Amount: 40, Status: api.RefundSucceeded, RefundID: "50"}
	there := wechattest.Refund{OutTradeNo: "N", OutRefundNo: "R", RefundID: "50", Fee: 40, Status: wechattest.RefundSuccess, Source: "API"}
	with := func(o Order, status api.OrderStatus, refunded int64) Order {
		o.Status, o.Refunded = status, refunded
		return o
	}
	change := func(r Refund, change func(*Refund)) []Refund { change(&r); return []Refund{r} }
	byHand := there
	byHand.Source = "VENDOR_PLATFORM"
	for name, test := range map[string]struct {
		order  Order
		ours   []Refund
		theirs []wechattest.Refund
		want   []Verdict
	}{
		"none":                {order, nil, nil, nil},
		"a part is back":      {with(order, api.StatusPaid, 40), []Refund{ours}, []wechattest.Refund{there}, nil},
		"not stored":          {order, nil, []wechattest.Refund{there}, []Verdict{Lost}},
		"by hand, not stored": {order, nil, []wechattest.Refund{byHand}, []Verdict{Lost}},
		"WeChat knows none":   {with(order, api.StatusPaid, 40), []Refund{ours}, nil, []Verdict{Wrong}},
		"failed, and WeChat has it": {order, change(ours, func(r *Refund) { r.Status = api.RefundFailed }),
			[]wechattest.Refund{there}, []Verdict{Wrong}},
		"another amount": {with(order, api.StatusPaid, 41), change(ours, func(r *Refund) { r.Amount = 41 }),
			[]wechattest.Refund{there}, []Verdict{Wrong}},
		"not added up":   {order, []Refund{ours}, []wechattest.Refund{there}, []Verdict{Wrong, Wrong}},
		"called all":     {with(order, api.StatusRefunded, 40), []Refund{ours}, []wechattest.Refund{there}, []Verdict{Wrong}},
		"left refunding": {with(order, api.StatusRefunding, 40), []Refund{ours}, []wechattest.Refund{there}, []Verdict{Wrong}},
	} {
		c := &comparison{}
		p := Payment{Number: "N", Order: "a", Status: api.PaymentPaid, Total: 100, Refunded: test.order.Refunded}
		c.checkRefunds([]Order{test.order}, []Payment{p}, test.ours, wechattest.Ledger{Refunds: test.theirs})
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A second payment must be refunded, and the order does not count it.
func TestDuplicatesThatAreKeptAreFound(t *testing.T) {
	t.Parallel()
	o := Order{ID: "a", Status: api.StatusPaid, PaidBy: "N", Total: 100}
	first, second := Payment{Number: "N", Order: "a", Status: api.PaymentPaid, Total: 100}, Payment{Number: "M", Order: "a", Status: api.PaymentPaid, Total: 100, Duplicate: 1}
	back := Refund{ID: "DUPM", Order: "a", Number: "M", Amount: 100, Status: api.RefundSucceeded, RefundID: "50"}
	there := wechattest.Refund{OutTradeNo: "M", OutRefundNo: "DUPM", RefundID: "50", Fee: 100, Status: wechattest.RefundSuccess, Source: "API"}
	for name, test := range map[string]struct {
		refunded int64
		ours     []Refund
		theirs   []wechattest.Refund
		want     []Verdict
	}{
		"all of it is back": {100, []Refund{back}, []wechattest.Refund{there}, nil},
		"nothing is back":   {0, nil, nil, []Verdict{Lost}},
		"not added up":      {0, []Refund{back}, []wechattest.Refund{there}, []Verdict{Wrong}},
	} {
		c := &comparison{}
		second.Refunded = test.refunded
		c.checkRefunds([]Order{o}, []Payment{first, second}, test.ours, wechattest.Ledger{Refunds: test.theirs})
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
