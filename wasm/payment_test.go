package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
)

func TestOutcomeOf(t *testing.T) {
	for msg, want := range map[string]outcome{
		"get_brand_wcpay_request:ok":                 payOK,
		"get_brand_wcpay_request:cancel":             payCancelled,
		"get_brand_wcpay_request:fail":               payFailed,
		"get_brand_wcpay_request:fail_invalid appid": payFailed,
		"GET_BRAND_WCPAY_REQUEST:OK":                 payOK,
		"get_brand_wcpay_request:":                   payUnknown,
		"get_brand_wcpay_request:maybe":              payUnknown,
		"system:access_denied":                       payUnknown,
		"system:function_not_exist":                  payUnknown,
		"":                                           payUnknown,
	} {
		if got := outcomeOf(msg); got != want {
			t.Errorf("%q: %d, want %d", msg, got, want)
		}
	}
}

func TestPay(t *testing.T) {
	params := api.Checkout{Pay: &api.PayParams{AppID: "wx"}}
	for _, test := range []struct {
		name   string
		answer any
		says   string
		bridge error
		want   outcome
		code   api.Code
		opened int
	}{
		{"paid", params, "get_brand_wcpay_request:ok", nil, payOK, "", 1},
		{"cancelled", params, "get_brand_wcpay_request:cancel", nil, payCancelled, "", 1},
		{"no bridge", params, "", errors.New("late"), payUnknown, codeBridge, 1},
		{"paid before", api.CodeOrderPaid, "", nil, payUnknown, api.CodeOrderPaid, 0},
		{"nothing to pay", api.Checkout{}, "", nil, payOK, "", 0},
		{"expired", api.CodeOrderNotPayable, "", nil, payUnknown, api.CodeOrderNotPayable, 0},
	} {
		f := newFake(t, "https://shop.example/pay?order=o1").on("POST /api/orders/o1/pay", test.answer)
		f.says, f.bridge = test.says, test.bridge
		got, err := pay(t.Context(), f, "o1")
		if got != test.want || (err != nil) != (test.code != "") || err != nil && code(err) != test.code || f.invoked != test.opened {
			t.Errorf("%s: %d, %v, sheet opened %d times", test.name, got, err, f.invoked)
		}
	}
}

func TestWatch(t *testing.T) {
	pending, paid := api.Order{ID: "o1", Status: api.StatusPending}, api.Order{ID: "o1", Status: api.StatusPaid}
	closed := api.Order{ID: "o1", Status: api.StatusClosed}
	for _, test := range []struct {
		name    string
		answers []any
		status  api.OrderStatus
		code    api.Code
		asked   int
		slept   time.Duration
	}{
		{"paid at once", []any{paid}, api.StatusPaid, "", 1, 0},
		{"paid after a while", []any{pending, pending, paid}, api.StatusPaid, "", 3, 2 * time.Second},
		{"closed", []any{pending, closed}, api.StatusClosed, "", 2, time.Second},
		{"never paid", []any{pending}, api.StatusPending, "", 11, 90 * time.Second},
		{"offline for a moment", []any{errors.New("down"), paid}, api.StatusPaid, "", 2, time.Second},
		{"offline", []any{errors.New("down")}, "", codeOffline, 11, 90 * time.Second},
		{"not theirs", []any{api.CodeNotFound}, "", api.CodeNotFound, 1, 0},
		{"signed out", []any{pending, api.CodeUnauthenticated}, "", api.CodeUnauthenticated, 2, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/result?order=o1").on("GET /api/orders/o1", test.answers...)
			o, err := watch(t.Context(), f, "o1", func(api.Order) {})
			if (err != nil) != (test.code != "") || err != nil && code(err) != test.code {
				t.Errorf("error %v, want %q", err, test.code)
			}
			if err == nil && o.Status != test.status {
				t.Errorf("status %s, want %s", o.Status, test.status)
			}
			if f.made("GET") != test.asked || f.slept != test.slept {
				t.Errorf("asked %d times over %v, want %d over %v", f.made("GET"), f.slept, test.asked, test.slept)
			}
		})
	}
}

func TestWatchEndsWithThePage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(t, "https://shop.example/result?order=o1").on("GET /api/orders/o1", api.Order{Status: api.StatusPending})
	_, err := watch(ctx, f, "o1", func(api.Order) { cancel() })
	if !errors.Is(err, context.Canceled) || f.made("GET") != 1 {
		t.Errorf("asked %d times, then %v", f.made("GET"), err)
	}
}

func TestBasket(t *testing.T) {
	catalogue := []api.Product{{ID: "tea", Price: 6800}, {ID: "bun", Price: 1590}}
	f := newFake(t, "https://shop.example/")
	c := loadBasket(f)
	c.add("bun", 1)
	c.add("tea", 1)
	c.add("tea", 1)
	c.add("gone", 3)
	c.add("bun", -1)
	c.add("bun", -1)
	c.save(f)
	want := []api.OrderItem{{ProductID: "tea", Quantity: 2}}
	if diff := cmp.Diff(want, loadBasket(f).items(catalogue)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if total, count := c.total(catalogue); total != 13600 || count != 2 {
		t.Errorf("%s for %d", total, count)
	}
	c.add("tea", 1000)
	if c["tea"] != api.MaxQuantity {
		t.Errorf("%d of one product", c["tea"])
	}
	f.Remember(keyBasket, "not JSON")
	if got := loadBasket(f); len(got) != 0 {
		t.Errorf("a broken memory gives %v", got)
	}
}

func TestOneKeyForOneBasket(t *testing.T) {
	f := newFake(t, "https://shop.example/")
	c := basket{"tea": 1}
	c.save(f)
	first := clientKey(f)
	if len(first) < 16 || len(first) > 64 || clientKey(f) != first {
		t.Errorf("keys %q, %q", first, clientKey(f))
	}
	c.add("tea", 1)
	c.save(f)
	second := clientKey(f)
	if second == first {
		t.Error("another basket has the same key")
	}
	f.Remember(keyOrder, "o2")
	emptyBasket(f, "o1")
	if clientKey(f) != second || len(loadBasket(f)) == 0 {
		t.Error("an old result emptied a new basket")
	}
	emptyBasket(f, "o2")
	if clientKey(f) == second || len(loadBasket(f)) != 0 {
		t.Error("a paid basket is still there")
	}
	f.storage = nil // blocked
	if key := clientKey(f); len(key) < 16 {
		t.Errorf("without storage: %q", key)
	}
}

func TestOrderParam(t *testing.T) {
	for query, want := range map[string]string{
		"order=abc123": "abc123", "": "", "order=": "", "order=a/b": "", "order=..%2Fsession": "", "order=a%00": "",
		"x=1&order=o-1_2": "o-1_2", "%zz": "",
	} {
		if got := orderParam(query); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}
