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
func TestDifferingOrdersAreFound(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)
	trade := wechattest.Trade{TransactionID: "4200", OutTradeNo: "N", OpenID: "o1", TotalFee: 100, Paid: at}
	paid := Order{Number: "N", Status: api.StatusPaid, Transaction: "4200", Total: 100, Payer: "o1", Paid: at.UnixMilli()}
	closed := Order{Number: "N", Status: api.StatusClosed, Total: 100}
	with := func(o Order, change func(*Order)) Order { change(&o); return o }
	for name, test := range map[string]struct {
		order Order
		paid  bool
		want  []Verdict
	}{
		"paid on both sides":       {paid, true, nil},
		"closed, not paid":         {closed, false, nil},
		"paid there only":          {closed, true, []Verdict{Lost}},
		"paid here only":           {paid, false, []Verdict{Wrong}},
		"left open":                {with(closed, func(o *Order) { o.Status = api.StatusPending }), false, []Verdict{Wrong}},
		"another transaction":      {with(paid, func(o *Order) { o.Transaction = "4201" }), true, []Verdict{Wrong}},
		"another amount":           {with(paid, func(o *Order) { o.Total = 101 }), true, []Verdict{Wrong}},
		"another payer":            {with(paid, func(o *Order) { o.Payer = "o2" }), true, []Verdict{Wrong}},
		"another time":             {with(paid, func(o *Order) { o.Paid += 1000 }), true, []Verdict{Wrong}},
		"no payer":                 {with(paid, func(o *Order) { o.Payer = "" }), true, []Verdict{Wrong}},
		"no time":                  {with(paid, func(o *Order) { o.Paid = 0 }), true, []Verdict{Wrong}},
		"paid inside WeChat":       {with(paid, func(o *Order) { o.TradeType, o.Owner = api.TradeJSAPI, "o1" }), true, nil},
		"another's, inside WeChat": {with(paid, func(o *Order) { o.TradeType, o.Owner = api.TradeJSAPI, "o2" }), true, []Verdict{Wrong}},
		"a payment of an unpaid":   {with(closed, func(o *Order) { o.Transaction = "4200" }), false, []Verdict{Wrong}},
	} {
		c := &comparison{}
		c.checkPaid(test.order, trade, test.paid)
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestImpossibleStepsAreFound(t *testing.T) {
	t.Parallel()
	for steps, want := range map[string][]Verdict{
		"created pending paid":                     nil,
		"created pending closed paid":              nil,
		"created pending paid refunding paid":      nil,
		"created pending paid pending paid":        {Wrong, Doubled},
		"created pending paid closed":              {Wrong},
		"created pending closed pending":           {Wrong},
		"pending paid":                             {Wrong},
		"created pending paid closed paid":         {Wrong, Doubled},
		"created pending paid refunding paid paid": {Wrong},
	} {
		c := &comparison{}
		all := strings.Fields(steps)
		last := api.OrderStatus(all[len(all)-1])
		c.checkSteps(Order{Number: "N", Status: last, Steps: steps, Times: strings.Repeat("1767225600000 ", len(all))})
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
		c.checkSteps(Order{Number: "N", Status: api.StatusPaid, Steps: "created pending paid", Times: times})
		if d := cmp.Diff(want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", times, d)
		}
	}
}

func TestDifferingRefundsAreFound(t *testing.T) {
	t.Parallel()
	order := Order{Number: "N", Status: api.StatusPaid, Total: 100}
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
		"not added up":   {order, []Refund{ours}, []wechattest.Refund{there}, []Verdict{Wrong}},
		"called all":     {with(order, api.StatusRefunded, 40), []Refund{ours}, []wechattest.Refund{there}, []Verdict{Wrong}},
		"left refunding": {with(order, api.StatusRefunding, 40), []Refund{ours}, []wechattest.Refund{there}, []Verdict{Wrong}},
	} {
		c := &comparison{}
		c.checkRefunds([]Order{test.order}, test.ours, wechattest.Ledger{Refunds: test.theirs})
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
