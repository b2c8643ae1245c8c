package campaign

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
func (j *Judge) verdicts() (all []paytest.Verdict) {
	for _, f := range j.findings {
		all = append(all, f.Verdict)
	}
	return all
}

// An event may lack only what WeChat had not reported when it was created.
func TestEventsMayLackUnreportedValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)
	o := paytest.Order{ID: "a", Status: api.StatusPaid, PaidBy: "N", Total: 100}
	p := paytest.Payment{Number: "N", Order: "a", TradeType: api.TradeNative, Transaction: "4200", Total: 100, Payer: "o1", Paid: at.UnixMilli(), Settled: at.Add(time.Hour).UnixMilli()}
	full := webhook.Payment{OutTradeNo: "N", TradeType: "NATIVE", TransactionID: "4200", Payer: "o1", PaidAt: at.UnixMilli()}
	inside := func(p paytest.Payment) paytest.Payment { p.TradeType = api.TradeJSAPI; return p }
	without := func(change func(*webhook.Payment)) webhook.Payment { e := full; change(&e); return e }
	noTime, noPayer := without(func(e *webhook.Payment) { e.PaidAt = 0 }), without(func(e *webhook.Payment) { e.Payer = "" })
	before, late := at.Add(time.Minute), at.Add(2*time.Hour)
	for name, test := range map[string]struct {
		payment  paytest.Payment
		event    webhook.Payment
		refunded time.Time
		want     bool
	}{
		"all of it":                      {p, full, time.Time{}, true},
		"no time, nothing went back":     {p, noTime, time.Time{}, false},
		"no time, refunded before":       {p, noTime, before, true},
		"no time, went back after":       {p, noTime, late, false},
		"no payer, refunded before":      {p, noPayer, before, true},
		"no payer, went back after":      {p, noPayer, late, false},
		"another time, refunded before":  {p, without(func(e *webhook.Payment) { e.PaidAt++ }), before, false},
		"another payer, refunded before": {p, without(func(e *webhook.Payment) { e.Payer = "o2" }), before, false},
		"no payer, inside WeChat":        {inside(p), without(func(e *webhook.Payment) { e.Payer, e.TradeType = "", "JSAPI" }), before, false},
		"no time, inside WeChat":         {inside(p), without(func(e *webhook.Payment) { e.PaidAt, e.TradeType = 0, "JSAPI" }), before, true},
	} {
		if got := agrees(o, test.payment, webhook.Data{Order: webhook.Order{ID: "a", Total: 100}, Payment: &test.event}, test.refunded); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestWrongPurchasesAreFound(t *testing.T) {
	t.Parallel()
	buyer := &buyer{user: wechattest.User{OpenID: "o1"}}
	mine := paytest.Order{ID: "a", Owner: "o1", Key: "k", Total: 100}
	for name, test := range map[string]struct {
		all        []paytest.Order
		knownOrder string // the order ID that the buyer received
		want       []paytest.Verdict
	}{
		"one order":                   {[]paytest.Order{mine}, "a", nil},
		"no ID received":              {[]paytest.Order{mine}, "", nil},
		"never stored":                {nil, "", nil},
		"received, not stored":        {nil, "a", []paytest.Verdict{Lost}},
		"two orders":                  {[]paytest.Order{mine, mine}, "a", []paytest.Verdict{Doubled}},
		"another ID received":         {[]paytest.Order{mine}, "b", []paytest.Verdict{Lost}},
		"for another price":           {[]paytest.Order{{ID: "a", Owner: "o1", Key: "k", Total: 99}}, "a", []paytest.Verdict{Wrong}},
		"an order without a purchase": {[]paytest.Order{mine, {ID: "b", Owner: "o1", Key: "l"}}, "a", []paytest.Verdict{Wrong}},
		"of another buyer":            {[]paytest.Order{{ID: "a", Owner: "o2", Key: "k", Total: 100}}, "a", []paytest.Verdict{Wrong}},
	} {
		w := &World{}
		buyer.World = w
		c := &Campaign{World: w, checkouts: []*checkout{{buyer: buyer, purchase: purchase{key: "k"}, total: 100, id: test.knownOrder}}}
		c.checkPurchases(test.all)
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	var j Judge
	j.Secret("the key", "abc123")
	j.CheckSecrets("a text", []byte("nothing"))
	j.CheckSecrets("a text", []byte("see abc123 here"))
	if d := cmp.Diff([]paytest.Verdict{Wrong}, j.verdicts()); d != "" {
		t.Error(d)
	}
}

func TestDifferingEventsAreFound(t *testing.T) {
	t.Parallel()
	paid := paytest.Order{ID: "a", Status: api.StatusPaid, PaidBy: "N", Total: 100}
	closed := paytest.Order{ID: "a", Status: api.StatusClosed, Total: 100}
	payment := paytest.Payment{Number: "N", Order: "a", Status: api.PaymentPaid, Transaction: "4200", Total: 100, Prepay: "wx"}
	again := paytest.Payment{Number: "M", Order: "a", Status: api.PaymentPaid, Transaction: "4201", Total: 100, Duplicate: 1, Prepay: "wy"}
	payable := paytest.Payment{Number: "N", Order: "a", Status: api.PaymentClosed, Total: 100, Prepay: "wx"}
	unpayable := paytest.Payment{Number: "N", Order: "a", Status: api.PaymentClosed, Total: 100}
	refund := paytest.Refund{ID: "R", Order: "a", Number: "N", Amount: 40, Status: api.RefundSucceeded}
	back := paytest.Refund{ID: "DUPM", Order: "a", Number: "M", Amount: 100, Status: api.RefundSucceeded}
	first, second := &webhook.Payment{OutTradeNo: "N", TransactionID: "4200"}, &webhook.Payment{OutTradeNo: "M", TransactionID: "4201"}
	about := func(id string, t webhook.Type, p *webhook.Payment, r *webhook.Refund) webhook.Event {
		return webhook.Event{ID: id, Type: t, Data: webhook.Data{Order: webhook.Order{ID: "a", Status: "paid", Total: 100}, Payment: p, Refund: r}}
	}
	isPaid, isClosed := about("1", webhook.OrderPaid, first, nil), about("2", webhook.OrderClosed, nil, nil)
	isPaidAgain := about("3", webhook.OrderPaid, first, nil)
	isBack := about("4", webhook.OrderRefunded, first, &webhook.Refund{ID: "R", Amount: 40})
	isDuplicate := about("5", webhook.PaymentDuplicate, second, &webhook.Refund{ID: "DUPM", Amount: 100})
	for name, test := range map[string]struct {
		order    paytest.Order
		payments []paytest.Payment
		refunds  []paytest.Refund
		events   []webhook.Event
		want     []paytest.Verdict
	}{
		"paid":                         {paid, []paytest.Payment{payment}, nil, []webhook.Event{isPaid}, nil},
		"closed":                       {closed, []paytest.Payment{payable}, nil, []webhook.Event{isClosed}, nil},
		"closed, then paid":            {paid, []paytest.Payment{payment}, nil, []webhook.Event{isPaid, isClosed}, nil},
		"paid, no event":               {paid, []paytest.Payment{payment}, nil, nil, []paytest.Verdict{Lost}},
		"paid, two events":             {paid, []paytest.Payment{payment}, nil, []webhook.Event{isPaid, isPaidAgain}, []paytest.Verdict{Doubled}},
		"another payment":              {paid, []paytest.Payment{payment}, nil, []webhook.Event{about("1", webhook.OrderPaid, second, nil)}, []paytest.Verdict{Wrong}},
		"no payment":                   {paid, []paytest.Payment{payment}, nil, []webhook.Event{about("1", webhook.OrderPaid, nil, nil)}, []paytest.Verdict{Wrong}},
		"not paid, order.paid":         {closed, []paytest.Payment{payable}, nil, []webhook.Event{isClosed, isPaid}, []paytest.Verdict{Wrong}},
		"closed, no event":             {closed, []paytest.Payment{payable}, nil, nil, []paytest.Verdict{Wrong}},
		"not payable":                  {closed, []paytest.Payment{unpayable}, nil, nil, nil},
		"not payable, order.closed":    {closed, []paytest.Payment{unpayable}, nil, []webhook.Event{isClosed}, []paytest.Verdict{Wrong}},
		"back":                         {paid, []paytest.Payment{payment}, []paytest.Refund{refund}, []webhook.Event{isPaid, isBack}, nil},
		"refunded, no event":           {paid, []paytest.Payment{payment}, []paytest.Refund{refund}, []webhook.Event{isPaid}, []paytest.Verdict{Lost}},
		"not refunded, order.refunded": {paid, []paytest.Payment{payment}, nil, []webhook.Event{isPaid, isBack}, []paytest.Verdict{Wrong}},
		"paid twice":                   {paid, []paytest.Payment{payment, again}, []paytest.Refund{back}, []webhook.Event{isPaid, isDuplicate}, nil},
		"paid twice, no event":         {paid, []paytest.Payment{payment, again}, []paytest.Refund{back}, []webhook.Event{isPaid}, []paytest.Verdict{Lost}},
		"paid twice, two events": {paid, []paytest.Payment{payment, again}, []paytest.Refund{back},
			[]webhook.Event{isPaid, isDuplicate, about("6", webhook.PaymentDuplicate, second, nil)}, []paytest.Verdict{Doubled}},
		"paid twice, no refund": {paid, []paytest.Payment{payment, again}, []paytest.Refund{back},
			[]webhook.Event{isPaid, about("5", webhook.PaymentDuplicate, second, nil)}, []paytest.Verdict{Wrong}},
		"paid twice, order.refunded": {paid, []paytest.Payment{payment, again}, []paytest.Refund{back},
			[]webhook.Event{isPaid, isDuplicate, about("6", webhook.OrderRefunded, second, &webhook.Refund{ID: "DUPM", Amount: 100})}, []paytest.Verdict{Wrong}},
		"paid once, payment.duplicate": {paid, []paytest.Payment{payment}, nil, []webhook.Event{isPaid, isDuplicate}, []paytest.Verdict{Wrong}},
		"the event of another order": {paytest.Order{ID: "b", Status: api.StatusPaid, PaidBy: "X"}, []paytest.Payment{{Number: "X", Order: "b", Status: api.PaymentPaid}}, nil,
			[]webhook.Event{{ID: "7", Type: webhook.OrderPaid, Data: webhook.Data{Order: webhook.Order{ID: "b", Status: "paid"}, Payment: &webhook.Payment{OutTradeNo: "X"}}}, isPaid}, []paytest.Verdict{Wrong}},
	} {
		w := &World{Backend: &Backend{events: map[string]webhook.Event{}}}
		for _, e := range test.events {
			w.Backend.events[e.ID] = e
		}
		c := &Campaign{World: w}
		c.checkEvents([]paytest.Order{test.order}, test.payments, test.refunds)
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
