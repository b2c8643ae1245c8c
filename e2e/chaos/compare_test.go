package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// verdicts returns the verdicts of all findings.
func (j *judge) verdicts() (all []paytest.Verdict) {
	for _, f := range j.findings {
		all = append(all, f.Verdict)
	}
	return all
}

// An event may lack only what WeChat had not reported when it was created.
func TestEventsMayLackUnreportedValues(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)
	o := paytest.Order{ID: "a", Status: api.StatusPaid, TradeType: api.TradeNative, Transaction: "4200", Total: 100, Payer: "o1", Paid: at.UnixMilli(), Settled: at.Add(time.Hour).UnixMilli()}
	full := webhook.Order{ID: "a", Status: "paid", TradeType: "NATIVE", Total: 100, TransactionID: "4200", Payer: "o1", PaidAt: at.UnixMilli()}
	inside := func(o paytest.Order) paytest.Order { o.TradeType = api.TradeJSAPI; return o }
	without := func(change func(*webhook.Order)) webhook.Order { e := full; change(&e); return e }
	noTime, noPayer := without(func(e *webhook.Order) { e.PaidAt = 0 }), without(func(e *webhook.Order) { e.Payer = "" })
	before, late := at.Add(time.Minute), at.Add(2*time.Hour)
	for name, test := range map[string]struct {
		order    paytest.Order
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
		if got := agrees(test.order, test.event, test.refunded); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestWrongPurchasesAreFound(t *testing.T) {
	buyer := &buyer{user: wechattest.User{OpenID: "o1"}}
	mine := paytest.Order{ID: "a", Number: "N", Owner: "o1", Key: "k", Total: 100}
	for name, test := range map[string]struct {
		all        []paytest.Order
		knownOrder string // the order ID that the buyer received
		want       []paytest.Verdict
	}{
		"one order":                   {[]paytest.Order{mine}, "a", nil},
		"no ID received":              {[]paytest.Order{mine}, "", nil},
		"never stored":                {nil, "", nil},
		"received, not stored":        {nil, "a", []paytest.Verdict{lost}},
		"two orders":                  {[]paytest.Order{mine, mine}, "a", []paytest.Verdict{doubled}},
		"another ID received":         {[]paytest.Order{mine}, "b", []paytest.Verdict{lost}},
		"for another price":           {[]paytest.Order{{ID: "a", Owner: "o1", Key: "k", Total: 99}}, "a", []paytest.Verdict{wrong}},
		"an order without a purchase": {[]paytest.Order{mine, {ID: "b", Owner: "o1", Key: "l"}}, "a", []paytest.Verdict{wrong}},
		"of another buyer":            {[]paytest.Order{{ID: "a", Owner: "o2", Key: "k", Total: 100}}, "a", []paytest.Verdict{wrong}},
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
	if d := cmp.Diff([]paytest.Verdict{wrong}, j.verdicts()); d != "" {
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

func TestDifferingEventsAreFound(t *testing.T) {
	paid := paytest.Order{ID: "a", Number: "N", Status: api.StatusPaid, Transaction: "4200", Total: 100, Prepay: "wx"}
	closed := paytest.Order{ID: "a", Number: "N", Status: api.StatusClosed, Total: 100, Prepay: "wx"}
	unpayable := paytest.Order{ID: "a", Number: "N", Status: api.StatusClosed, Total: 100}
	refund := paytest.Refund{ID: "R", Number: "N", Amount: 40, Status: api.RefundSucceeded}
	about := webhook.Data{Order: webhook.Order{ID: "a", OutTradeNo: "N", Status: "paid", Total: 100, TransactionID: "4200"}}
	back := webhook.Data{Order: about.Order, Refund: &webhook.Refund{ID: "R", Amount: 40}}
	for name, test := range map[string]struct {
		order   paytest.Order
		refunds []paytest.Refund
		events  []webhook.Event
		want    []paytest.Verdict
	}{
		"paid":              {paid, nil, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}}, nil},
		"closed":            {closed, nil, []webhook.Event{{ID: "1", Type: webhook.OrderClosed, Data: about}}, nil},
		"closed, then paid": {paid, nil, []webhook.Event{{ID: "1", Type: webhook.OrderClosed, Data: about}, {ID: "2", Type: webhook.OrderPaid, Data: about}}, nil},
		"paid, no event":    {paid, nil, nil, []paytest.Verdict{lost}},
		"paid, two events": {paid, nil, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}, {ID: "2", Type: webhook.OrderPaid, Data: about}},
			[]paytest.Verdict{doubled}},
		"another payment":              {paytest.Order{ID: "a", Number: "N", Status: api.StatusPaid, Transaction: "4201", Total: 100}, nil, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}}, []paytest.Verdict{wrong}},
		"not paid, order.paid":         {closed, nil, []webhook.Event{{ID: "1", Type: webhook.OrderClosed, Data: about}, {ID: "2", Type: webhook.OrderPaid, Data: about}}, []paytest.Verdict{wrong}},
		"closed, no event":             {closed, nil, nil, []paytest.Verdict{wrong}},
		"not payable":                  {unpayable, nil, nil, nil},
		"not payable, order.closed":    {unpayable, nil, []webhook.Event{{ID: "1", Type: webhook.OrderClosed, Data: about}}, []paytest.Verdict{wrong}},
		"back":                         {paid, []paytest.Refund{refund}, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}, {ID: "2", Type: webhook.OrderRefunded, Data: back}}, nil},
		"refunded, no event":           {paid, []paytest.Refund{refund}, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}}, []paytest.Verdict{lost}},
		"not refunded, order.refunded": {paid, nil, []webhook.Event{{ID: "1", Type: webhook.OrderPaid, Data: about}, {ID: "2", Type: webhook.OrderRefunded, Data: back}}, []paytest.Verdict{wrong}},
		"an order without a purchase": {paytest.Order{ID: "b", Number: "M", Status: api.StatusClosed, Prepay: "wx"}, nil,
			[]webhook.Event{{ID: "1", Type: webhook.OrderClosed, Data: webhook.Data{Order: webhook.Order{OutTradeNo: "M"}}}, {ID: "2", Type: webhook.OrderPaid, Data: about}}, []paytest.Verdict{wrong}},
	} {
		w := &world{backend: &backend{events: map[string]webhook.Event{}}}
		for _, e := range test.events {
			w.backend.events[e.ID] = e
		}
		c := &campaign{world: w}
		c.checkEvents([]paytest.Order{test.order}, test.refunds)
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
