package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// verdicts returns the verdicts of all findings.
func (j *judge) verdicts() (all []verdict) {
	for _, f := range j.findings {
		all = append(all, f.verdict)
	}
	return all
}

// Differences between the shop and WeChat are found.
func TestDifferingOrdersAreFound(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)
	trade := wechattest.Trade{TransactionID: "4200", OutTradeNo: "N", OpenID: "o1", TotalFee: 100, Paid: at}
	paid := stored{Number: "N", Status: api.StatusPaid, Transaction: "4200", Total: 100, Payer: "o1", Paid: at.UnixMilli()}
	closed := stored{Number: "N", Status: api.StatusClosed, Total: 100}
	with := func(o stored, change func(*stored)) stored { change(&o); return o }
	for name, test := range map[string]struct {
		order stored
		paid  bool
		want  []verdict
	}{
		"paid on both sides":       {paid, true, nil},
		"closed, not paid":         {closed, false, nil},
		"paid there only":          {closed, true, []verdict{lost}},
		"paid here only":           {paid, false, []verdict{wrong}},
		"left open":                {with(closed, func(o *stored) { o.Status = api.StatusPending }), false, []verdict{wrong}},
		"another transaction":      {with(paid, func(o *stored) { o.Transaction = "4201" }), true, []verdict{wrong}},
		"another amount":           {with(paid, func(o *stored) { o.Total = 101 }), true, []verdict{wrong}},
		"another payer":            {with(paid, func(o *stored) { o.Payer = "o2" }), true, []verdict{wrong}},
		"another time":             {with(paid, func(o *stored) { o.Paid += 1000 }), true, []verdict{wrong}},
		"no payer":                 {with(paid, func(o *stored) { o.Payer = "" }), true, []verdict{wrong}},
		"no time":                  {with(paid, func(o *stored) { o.Paid = 0 }), true, []verdict{wrong}},
		"paid inside WeChat":       {with(paid, func(o *stored) { o.TradeType, o.Owner = api.TradeJSAPI, "o1" }), true, nil},
		"another's, inside WeChat": {with(paid, func(o *stored) { o.TradeType, o.Owner = api.TradeJSAPI, "o2" }), true, []verdict{wrong}},
		"a payment of an unpaid":   {with(closed, func(o *stored) { o.Transaction = "4200" }), false, []verdict{wrong}},
	} {
		c := &campaign{world: &world{}}
		c.checkPaid(test.order, trade, test.paid)
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestImpossibleStepsAreFound(t *testing.T) {
	for steps, want := range map[string][]verdict{
		"created pending paid":                     nil,
		"created pending closed paid":              nil,
		"created pending paid refunding paid":      nil,
		"created pending paid pending paid":        {wrong, doubled},
		"created pending paid closed":              {wrong},
		"created pending closed pending":           {wrong},
		"pending paid":                             {wrong},
		"created pending paid closed paid":         {wrong, doubled},
		"created pending paid refunding paid paid": {wrong},
	} {
		c := &campaign{world: &world{}}
		all := strings.Fields(steps)
		last := api.OrderStatus(all[len(all)-1])
		c.checkSteps(stored{Number: "N", Status: last, Steps: steps, Times: strings.Repeat("1767225600000 ", len(all))})
		if d := cmp.Diff(want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", steps, d)
		}
	}
}

// Steps of two machines with different clocks are found if they show it.
func TestStepsBackInTimeAreFound(t *testing.T) {
	for times, want := range map[string][]verdict{
		"1767225600822 1767225600828 1767225600828": nil,
		"1767225600828 1767225600822 1767225600829": {wrong},
		"1767225600828 1767225600827 1767225600826": {wrong, wrong},
		"1767225600828 1767225600829":               {wrong}, // one is missing
	} {
		c := &campaign{world: &world{}}
		c.checkSteps(stored{Number: "N", Status: api.StatusPaid, Steps: "created pending paid", Times: times})
		if d := cmp.Diff(want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", times, d)
		}
	}
}

// An event may lack only what WeChat had not reported when it was created.
func TestEventsMayLackUnreportedValues(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)
	o := stored{ID: "a", Status: api.StatusPaid, TradeType: api.TradeNative, Transaction: "4200", Total: 100, Payer: "o1", Paid: at.UnixMilli(), Settled: at.Add(time.Hour).UnixMilli()}
	full := webhook.Order{ID: "a", Status: "paid", TradeType: "NATIVE", Total: 100, TransactionID: "4200", Payer: "o1", PaidAt: at.UnixMilli()}
	inside := func(o stored) stored { o.TradeType = api.TradeJSAPI; return o }
	without := func(change func(*webhook.Order)) webhook.Order { e := full; change(&e); return e }
	noTime, noPayer := without(func(e *webhook.Order) { e.PaidAt = 0 }), without(func(e *webhook.Order) { e.Payer = "" })
	before, late := at.Add(time.Minute), at.Add(2*time.Hour)
	for name, test := range map[string]struct {
		order    stored
		event    webhook.Order
		refunded time.Time
		want     bool
	}{
		"all of it":                      {o, full, time.Time{}, true},
		"no time, nothing went back":     {o, noTime, time.Time{}, false},
		"no time, refunded before":       {o, noTime, before, true},
		"no time, went back after":       {o, noTime, late, false},
		"no payer, refunded before":      {o, noPayer, before, true},
		"no payer, went back after":      {o, noPayer, late, false},
		"another time, refunded before":  {o, without(func(e *webhook.Order) { e.PaidAt++ }), before, false},
		"another payer, refunded before": {o, without(func(e *webhook.Order) { e.Payer = "o2" }), before, false},
		"no payer, inside WeChat":        {inside(o), without(func(e *webhook.Order) { e.Payer, e.TradeType = "", "JSAPI" }), before, false},
		"no time, inside WeChat":         {inside(o), without(func(e *webhook.Order) { e.PaidAt, e.TradeType = 0, "JSAPI" }), before, true},
	} {
		if got := test.order.agrees(test.event, test.refunded); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestWrongPurchasesAreFound(t *testing.T) {
	buyer := &buyer{user: wechattest.User{OpenID: "o1"}}
	mine := stored{ID: "a", Number: "N", Owner: "o1", Key: "k", Total: 100}
	for name, test := range map[string]struct {
		all        []stored
		knownOrder string // the order ID that the buyer received
		want       []verdict
	}{
		"one order":                   {[]stored{mine}, "a", nil},
		"no ID received":              {[]stored{mine}, "", nil},
		"never stored":                {nil, "", nil},
		"received, not stored":        {nil, "a", []verdict{lost}},
		"two orders":                  {[]stored{mine, mine}, "a", []verdict{doubled}},
		"another ID received":         {[]stored{mine}, "b", []verdict{lost}},
		"for another price":           {[]stored{{ID: "a", Owner: "o1", Key: "k", Total: 99}}, "a", []verdict{wrong}},
		"an order without a purchase": {[]stored{mine, {ID: "b", Owner: "o1", Key: "l"}}, "a", []verdict{wrong}},
		"of another buyer":            {[]stored{{ID: "a", Owner: "o2", Key: "k", Total: 100}}, "a", []verdict{wrong}},
	} {
		w := &world{}
		buyer.world = w
		c := &campaign{world: w, checkouts: []*checkout{{buyer: buyer, purchase: purchase{key: "k"}, total: 100, id: test.knownOrder}}}
		c.checkPurchases(test.all)
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestSecretsAreFound(t *testing.T) {
	var j judge
	j.secret("the key", "abc123")
	j.checkSecrets("a text", []byte("nothing"))
	j.checkSecrets("a text", []byte("see abc123 here"))
	if d := cmp.Diff([]verdict{wrong}, j.verdicts()); d != "" {
		t.Error(d)
	}
}

func TestCallsHaveNames(t *testing.T) {
	for body, want := range map[string]string{
		`{"sql":"\n\t\tUPDATE orders SET status = ?, updated_at = ? WHERE id = ?","params":["paid",1,"x"]}`: "UPDATE orders to paid",
		`{"sql":"UPDATE orders SET queried_at = ? WHERE id = ?","params":[1,"x"]}`:                          "UPDATE orders",
		`{"sql":"INSERT INTO orders (id) VALUES (?)","params":["x"]}`:                                       "INSERT orders",
		`{"sql":"SELECT id,\n out_trade_no FROM orders WHERE id = ?","params":["x"]}`:                       "SELECT orders",
		`{"sql":"DELETE FROM used_states WHERE state IN (SELECT 1)","params":[]}`:                           "DELETE used_states",
		`[{"sql":"SELECT 1"}]`: "statements in a batch",
		`{"sql":"PRAGMA x"}`:   "another statement",
	} {
		if got := nameStatement(nil, []byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestDifferingRefundsAreFound(t *testing.T) {
	order := stored{Number: "N", Status: api.StatusPaid, Total: 100}
	ours := storedRefund{ID: "R", Number: "N", Amount: 40, Status: api.RefundSucceeded, RefundID: "50"}
	there := wechattest.Refund{OutTradeNo: "N", OutRefundNo: "R", RefundID: "50", Fee: 40, Status: wechattest.RefundSuccess, Source: "API"}
	with := func(o stored, status api.OrderStatus, refunded int64) stored {
		o.Status, o.Refunded = status, refunded
		return o
	}
	change := func(r storedRefund, change func(*storedRefund)) []storedRefund { change(&r); return []storedRefund{r} }
	byHand := there
	byHand.Source = "VENDOR_PLATFORM"
	for name, test := range map[string]struct {
		order  stored
		ours   []storedRefund
		theirs []wechattest.Refund
		want   []verdict
	}{
		"none":                {order, nil, nil, nil},
		"a part is back":      {with(order, api.StatusPaid, 40), []storedRefund{ours}, []wechattest.Refund{there}, nil},
		"not stored":          {order, nil, []wechattest.Refund{there}, []verdict{lost}},
		"by hand, not stored": {order, nil, []wechattest.Refund{byHand}, []verdict{lost}},
		"WeChat knows none":   {with(order, api.StatusPaid, 40), []storedRefund{ours}, nil, []verdict{wrong}},
		"failed, and WeChat has it": {order, change(ours, func(r *storedRefund) { r.Status = api.RefundFailed }),
			[]wechattest.Refund{there}, []verdict{wrong}},
		"another amount": {with(order, api.StatusPaid, 41), change(ours, func(r *storedRefund) { r.Amount = 41 }),
			[]wechattest.Refund{there}, []verdict{wrong}},
		"not added up":   {order, []storedRefund{ours}, []wechattest.Refund{there}, []verdict{wrong}},
		"called all":     {with(order, api.StatusRefunded, 40), []storedRefund{ours}, []wechattest.Refund{there}, []verdict{wrong}},
		"left refunding": {with(order, api.StatusRefunding, 40), []storedRefund{ours}, []wechattest.Refund{there}, []verdict{wrong}},
	} {
		c := &campaign{world: &world{}}
		c.checkRefunds([]stored{test.order}, test.ours, wechattest.Ledger{Refunds: test.theirs})
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestDifferingEventsAreFound(t *testing.T) {
	paid := stored{ID: "a", Number: "N", Status: api.StatusPaid, Transaction: "4200", Total: 100, Prepay: "wx"}
	closed := stored{ID: "a", Number: "N", Status: api.StatusClosed, Total: 100, Prepay: "wx"}
	unpayable := stored{ID: "a", Number: "N", Status: api.StatusClosed, Total: 100}
	refund := storedRefund{ID: "R", Number: "N", Amount: 40, Status: api.RefundSucceeded}
	about := webhook.Data{Order: webhook.Order{ID: "a", OutTradeNo: "N", Status: "paid", Total: 100, TransactionID: "4200"}}
	back := webhook.Data{Order: about.Order, Refund: &webhook.Refund{ID: "R", Amount: 40}}
	for name, test := range map[string]struct {
		order   stored
		refunds []storedRefund
		events  []webhook.Event
		want    []verdict
	}{
		"paid":              {paid, nil, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}}, nil},
		"closed":            {closed, nil, []webhook.Event{{ID: "1", Type: webhook.OrderClosed, Data: about}}, nil},
		"closed, then paid": {paid, nil, []webhook.Event{{ID: "1", Type: webhook.OrderClosed, Data: about}, {ID: "2", Type: webhook.OrderPaid, Data: about}}, nil},
		"paid, no event":    {paid, nil, nil, []verdict{lost}},
		"paid, two events": {paid, nil, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}, {ID: "2", Type: webhook.OrderPaid, Data: about}},
			[]verdict{doubled}},
		"another payment":              {stored{ID: "a", Number: "N", Status: api.StatusPaid, Transaction: "4201", Total: 100}, nil, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}}, []verdict{wrong}},
		"not paid, order.paid":         {closed, nil, []webhook.Event{{ID: "1", Type: webhook.OrderClosed, Data: about}, {ID: "2", Type: webhook.OrderPaid, Data: about}}, []verdict{wrong}},
		"closed, no event":             {closed, nil, nil, []verdict{wrong}},
		"not payable":                  {unpayable, nil, nil, nil},
		"not payable, order.closed":    {unpayable, nil, []webhook.Event{{ID: "1", Type: webhook.OrderClosed, Data: about}}, []verdict{wrong}},
		"back":                         {paid, []storedRefund{refund}, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}, {ID: "2", Type: webhook.OrderRefunded, Data: back}}, nil},
		"refunded, no event":           {paid, []storedRefund{refund}, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}}, []verdict{lost}},
		"not refunded, order.refunded": {paid, nil, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}, {ID: "2", Type: webhook.OrderRefunded, Data: back}}, []verdict{wrong}},
		"an order without a purchase": {stored{ID: "b", Number: "M", Status: api.StatusClosed, Prepay: "wx"}, nil,
			[]webhook.Event{{ID: "1", Type: webhook.OrderClosed, Data: webhook.Data{Order: webhook.Order{OutTradeNo: "M"}}}, {ID: "2", Type: webhook.OrderPaid, Data: about}}, []verdict{wrong}},
	} {
		w := &world{backend: &backend{events: map[string]webhook.Event{}}}
		for _, e := range test.events {
			w.backend.events[e.ID] = e
		}
		c := &campaign{world: w}
		c.checkEvents([]stored{test.order}, test.refunds)
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
