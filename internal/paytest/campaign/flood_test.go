package campaign

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
)

// In every plan the strangers exceed their limits. The limits allow all planned orders of the
// buyers.
func TestOnlyStrangersReachTheBounds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		p := NewPlan(Options{Seed: seed, Orders: 300, AtOnce: 4, API: "v2"})
		b := BoundsOf(p)
		sent, full := map[string]int{}, 0
		guests := map[int]int{}
		for _, v := range p.Rounds[0].visits {
			if len(v.steps) == 0 {
				continue
			}
			switch s := v.steps[0]; s.do {
			case doFlood:
				sent[strangers[s.flood.stranger]] += s.flood.orders
			case doFill, doDrain:
				full++
			case doOrder, doDouble, doCreate:
				if v.order >= 0 && p.Orders[v.order].person >= people {
					guests[p.Orders[v.order].person]++
				}
			}
		}
		for ip, n := range sent {
			if n <= b.NetworkGuests {
				t.Errorf("seed %d: %s sends %d orders, the bound is %d", seed, ip, n, b.NetworkGuests)
			}
		}
		for _, n := range guests {
			if n >= b.Guest || b.Guest >= b.NetworkGuests || 2*b.NetworkGuests+n > b.Guests {
				t.Errorf("seed %d: a guest orders %d times, the bounds are %+v", seed, n, b)
			}
		}
		if full != 2 {
			t.Errorf("seed %d: the first round has %d visits that fill and drain the database", seed, full)
		}
	}
}

func TestWrongFloodsAreFound(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 2, 59, 0, 0, time.UTC)
	one := paytest.Order{ID: "a", Owner: "guest:1", Key: "k1", Status: api.StatusClosed, Created: at.UnixMilli()}
	with := func(change func(*paytest.Order)) paytest.Order { o := one; change(&o); return o }
	second := with(func(o *paytest.Order) { o.ID, o.Key = "b", "k2" })
	nextHour := with(func(o *paytest.Order) { o.ID, o.Key, o.Created = "b", "k2", at.Add(2*time.Minute).UnixMilli() })
	for name, test := range map[string]struct {
		all  []paytest.Order
		want []paytest.Verdict
	}{
		"as it should be": {[]paytest.Order{one}, nil},
		"not stored":      {nil, []paytest.Verdict{Lost}},
		"two orders":      {[]paytest.Order{with(func(o *paytest.Order) { o.ID = "c"; o.Created -= 3_600_000 }), one}, []paytest.Verdict{Doubled}},
		"paid":            {[]paytest.Order{with(func(o *paytest.Order) { o.Status = api.StatusPaid })}, []paytest.Verdict{Wrong}},
		"a buyer's":       {[]paytest.Order{with(func(o *paytest.Order) { o.Owner = "o1" })}, []paytest.Verdict{Wrong}},
		"over the bound":  {[]paytest.Order{one, second}, []paytest.Verdict{Wrong}},
		"an hour later":   {[]paytest.Order{one, nextHour}, nil},
	} {
		s := &stranger{buyer: &buyer{ip: strangers[0]}}
		c := &Campaign{World: &World{Bounds: store.Bounds{NetworkGuests: 1}, floods: &flooding{
			keys: map[string]*stranger{"k1": s, "k2": s}, confirmed: map[string]string{"k1": "a"},
		}}}
		buyers := paytest.Order{ID: "x", Key: "a buyer's"}
		if rest := c.checkFlood(append(test.all, buyers)); len(rest) != 1 || rest[0].ID != "x" {
			t.Errorf("%s: the orders of others are %+v", name, rest)
		}
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A rejection with shop_full is allowed only if the database may have been full during the call.
func TestShopFullNeedsAFullDatabase(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, during, after bool
		want                  []paytest.Verdict
	}{
		"room all along":      {false, false, false, []paytest.Verdict{Wrong}},
		"full all along":      {true, true, true, nil},
		"it became full":      {false, true, true, nil},
		"it was full between": {false, true, false, nil},
		"room was made":       {true, false, false, nil},
	} {
		w := &World{}
		w.fullness.set(test.before)
		seen := w.fullness.state()
		w.fullness.set(test.during)
		w.fullness.set(test.after)
		w.fullness.check(w, seen)
		if d := cmp.Diff(test.want, w.verdicts()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestDelayedPaymentEventsAreFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		waiting, sent, closed int
		want                  []paytest.Verdict
	}{
		{3, 40, 8, nil},
		{3, 40, 28, nil},
		{3, 40, 29, []paytest.Verdict{Wrong}},
		{1, 40, 40, []paytest.Verdict{Wrong}},
		{0, 40, 40, nil},
	} {
		c := &Campaign{World: &World{}}
		c.checkMoneyFirst(test.waiting, test.sent, test.closed)
		if d := cmp.Diff(test.want, c.verdicts()); d != "" {
			t.Errorf("%+v (-want +got):\n%s", test, d)
		}
	}
}
