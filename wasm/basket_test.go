package main

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
)

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
	for i := range 2 * api.MaxOrderItems {
		c.add(strconv.Itoa(i), 1)
	}
	if len(c) != api.MaxOrderItems || !c.full() {
		t.Errorf("%d products", len(c))
	}
	for _, broken := range []string{"not JSON", "[]", "null", `{"tea": "1"}`, `{"tea": -1}`} {
		f.Remember(keyBasket, broken)
		if got := loadBasket(f); len(got) != 0 {
			t.Errorf("%s becomes %v", broken, got)
		}
	}
}

func TestOneKeyForOneBasket(t *testing.T) {
	f := newFake(t, "https://shop.example/")
	c := basket{"tea": 1}
	c.save(f)
	first := (draft{f, ""}).key()
	if len(first) < 16 || len(first) > 64 || (draft{f, ""}).key() != first {
		t.Errorf("keys %q, %q", first, (draft{f, ""}).key())
	}
	c.add("tea", 1)
	c.save(f)
	if (draft{f, ""}).key() == first {
		t.Error("another basket has the same key")
	}
	f.storage = nil // blocked
	if key := (draft{f, ""}).key(); len(key) < 16 {
		t.Errorf("without storage: %q", key)
	}
}

func TestClearDrafts(t *testing.T) {
	for _, test := range []struct {
		name       string
		about      string // ID of the order that ended
		status     api.OrderStatus
		sameKey    bool
		sameBasket bool
	}{
		{"paid", "o2", api.StatusPaid, false, false},
		{"closed", "o2", api.StatusClosed, false, true},
		{"an old one paid", "o1", api.StatusPaid, true, true},
		{"an old one closed", "o1", api.StatusClosed, true, true},
	} {
		f := newFake(t, "https://shop.example/")
		basket{"tea": 1}.save(f)
		key := (draft{f, ""}).key()
		f.Remember(keyOrder, "o2")
		clearDrafts(f, api.Order{ID: test.about, Status: test.status})
		if same := (draft{f, ""}).key() == key; same != test.sameKey {
			t.Errorf("%s: same key %t", test.name, same)
		}
		if same := len(loadBasket(f)) == 1; same != test.sameBasket {
			t.Errorf("%s: same basket %t", test.name, same)
		}
	}
}

func TestPlaceOrder(t *testing.T) {
	const place = "POST " + api.PathOrders
	items := []api.OrderItem{{ProductID: "tea", Quantity: 1}}
	made := pendingO1
	gone := func(status api.OrderStatus) api.Order {
		return api.Order{ID: "o0", Status: status, ExpiresAt: made.ExpiresAt}
	}
	old := api.Order{ID: "o0", Status: api.StatusOpen, ExpiresAt: lastCall.Milliseconds()}
	for _, test := range []struct {
		name    string
		answers []any
		id      string
		code    api.Code
		calls   int
		keys    int // different ones
	}{
		{"a new order", []any{made}, "o1", "", 1, 1},
		{"the last one is closed", []any{gone(api.StatusClosed), made}, "o1", "", 2, 2},
		{"the last one is closing", []any{gone(api.StatusClosing), made}, "o1", "", 2, 2},
		{"the last one is too old to be paid", []any{old, made}, "o1", "", 3, 2},
		{"the last one is paid", []any{paidO1}, "o1", "", 1, 1},
		{"the key was another basket's", []any{api.CodeConflict, made}, "o1", "", 2, 2},
		{"never payable", []any{gone(api.StatusClosed)}, "", api.CodeOrderNotPayable, 2, 2},
		{"offline", []any{errors.New("down")}, "", codeOffline, 1, 1},
		{"WeChat is busy", []any{api.CodeWeChatBusy}, "", api.CodeWeChatBusy, 1, 1},
		{"signed out", []any{api.CodeUnauthenticated}, "", api.CodeUnauthenticated, 1, 1},
		{"sold out", []any{api.CodeProductGone}, "", api.CodeProductGone, 1, 1},
		{"a portal answers", []any{response{Status: 200, Body: []byte("{}")}}, "", codeBadResponse, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/").on(place, test.answers...).on("POST /api/orders/o0/close", gone(api.StatusClosed))
			f.now = time.UnixMilli(1)
			id, err := (draft{f, ""}).place(t.Context(), items, 0)
			if id != test.id || code(err) != test.code || f.Recall(keyOrder) != test.id {
				t.Errorf("%q, %v; remembered %q", id, err, f.Recall(keyOrder))
			}
			keys := map[string]bool{}
			for _, c := range f.calls {
				if _, key, ok := strings.Cut(c, "client_key"); ok {
					keys[key] = true
				}
			}
			if len(f.calls) != test.calls || len(keys) != test.keys {
				t.Errorf("%d calls with %d keys, want %d with %d", len(f.calls), len(keys), test.calls, test.keys)
			}
			// A retry after a failure is the same order.
			if test.calls == 1 {
				f.calls = nil
				(draft{f, ""}).place(t.Context(), items, 0)
				if _, key, _ := strings.Cut(f.calls[0], "client_key"); !keys[key] {
					t.Error("the same basket became another order")
				}
			}
		})
	}
}
