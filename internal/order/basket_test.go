package order_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
)

func TestBasketMergesLines(t *testing.T) {
	b, err := order.NewBasket([]api.OrderItem{{ProductID: "tea", Quantity: 1}, {ProductID: "bun", Quantity: 2}, {ProductID: "tea", Quantity: 3}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(order.Basket{{ProductID: "tea", Quantity: 4}, {ProductID: "bun", Quantity: 2}}, b); d != "" {
		t.Error(d)
	}
}

func TestBasketLimits(t *testing.T) {
	many := func(n int) (items []api.OrderItem) {
		for i := range n {
			items = append(items, api.OrderItem{ProductID: fmt.Sprint("p", i), Quantity: 1})
		}
		return items
	}
	for name, c := range map[string]struct {
		items []api.OrderItem
		ok    bool
	}{
		"nothing":             {nil, false},
		"none of one":         {[]api.OrderItem{{ProductID: "tea", Quantity: 0}}, false},
		"minus one":           {[]api.OrderItem{{ProductID: "tea", Quantity: -1}}, false},
		"99":                  {[]api.OrderItem{{ProductID: "tea", Quantity: 99}}, true},
		"100":                 {[]api.OrderItem{{ProductID: "tea", Quantity: 100}}, false},
		"50 and 50":           {[]api.OrderItem{{ProductID: "tea", Quantity: 50}, {ProductID: "tea", Quantity: 50}}, false},
		"20 products":         {many(20), true},
		"21 products":         {many(21), false},
		"no id":               {[]api.OrderItem{{Quantity: 1}}, false},
		"id with a quote":     {[]api.OrderItem{{ProductID: "tea'--", Quantity: 1}}, false},
		"an amount":           {[]api.OrderItem{{ProductID: "tip", Quantity: 1, Amount: 1}}, true},
		"the largest amount":  {[]api.OrderItem{{ProductID: "tip", Quantity: 1, Amount: order.MaxTotal}}, true},
		"a larger amount":     {[]api.OrderItem{{ProductID: "tip", Quantity: 1, Amount: order.MaxTotal + 1}}, false},
		"a negative amount":   {[]api.OrderItem{{ProductID: "tip", Quantity: 1, Amount: -1}}, false},
		"an amount for 2":     {[]api.OrderItem{{ProductID: "tip", Quantity: 2, Amount: 100}}, false},
		"two amounts":         {[]api.OrderItem{{ProductID: "tip", Quantity: 1, Amount: 1}, {ProductID: "tip", Quantity: 1, Amount: 1}}, false},
		"an amount and none":  {[]api.OrderItem{{ProductID: "tip", Quantity: 1, Amount: 1}, {ProductID: "tip", Quantity: 1}}, false},
		"none and an amount":  {[]api.OrderItem{{ProductID: "tip", Quantity: 1}, {ProductID: "tip", Quantity: 1, Amount: 1}}, false},
		"amounts of products": {[]api.OrderItem{{ProductID: "tip", Quantity: 1, Amount: 1}, {ProductID: "gift", Quantity: 1, Amount: 1}}, true},
		"long id":             {[]api.OrderItem{{ProductID: strings.Repeat("a", 65), Quantity: 1}}, false},
	} {
		_, err := order.NewBasket(c.items)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, order.ErrBasket) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	base := order.Basket{{ProductID: "tea", Quantity: 1}, {ProductID: "bun", Quantity: 2}}
	want := base.Fingerprint()
	if got := (order.Basket{base[1], base[0]}).Fingerprint(); got != want {
		t.Error("the order of lines matters")
	}
	for name, other := range map[string]string{
		"quantity": order.Basket{{ProductID: "tea", Quantity: 2}, base[1]}.Fingerprint(),
		"product":  order.Basket{{ProductID: "juice", Quantity: 1}, base[1]}.Fingerprint(),
		"less":     order.Basket{base[0]}.Fingerprint(),
		"amount":   order.Basket{{ProductID: "tea", Quantity: 1, Amount: 1}, base[1]}.Fingerprint(),
	} {
		if other == want {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
}

func TestPrice(t *testing.T) {
	products := []order.Product{{ID: "tea", Name: "茶", Price: 6800}, {ID: "gold", Price: order.MaxTotal}, {ID: "broken", Price: 1 << 60}}
	lines, total, err := order.Basket{{ProductID: "tea", Quantity: 3}}.Price(products)
	if err != nil || total != 20400 {
		t.Errorf("total %d, %v", total, err)
	}
	if d := cmp.Diff([]order.Line{{ProductID: "tea", Name: "茶", Price: 6800, Quantity: 3}}, lines); d != "" {
		t.Error(d)
	}
	if _, total, err := (order.Basket{{ProductID: "gold", Quantity: 1}}).Price(products); err != nil || total != order.MaxTotal {
		t.Errorf("the largest total: %d, %v", total, err)
	}
	if _, _, err := (order.Basket{{ProductID: "gold", Quantity: 1}, {ProductID: "tea", Quantity: 1}}).Price(products); !errors.Is(err, order.ErrBasket) {
		t.Errorf("over the largest total: %v", err)
	}
	if _, _, err := (order.Basket{{ProductID: "gone", Quantity: 1}}).Price(products); !errors.Is(err, order.ErrUnavailable) {
		t.Errorf("unknown product: %v", err)
	}
	for _, quantity := range []int{99, 16} { // 16 of them are 1 << 64 fen, which is 0
		if _, total, err := (order.Basket{{ProductID: "broken", Quantity: quantity}}).Price(products); err == nil {
			t.Errorf("%d at an absurd price: total %d", quantity, total)
		}
	}
}

func TestPayerNamesTheAmountWithinBounds(t *testing.T) {
	products := []order.Product{{ID: "tip", Name: "随心付", Price: 2000, MinPrice: 100, MaxPrice: 500}, {ID: "tea", Name: "茶", Price: 6800}}
	for amount, ok := range map[fen.Fen]bool{0: false, 99: false, 100: true, 333: true, 500: true, 501: false} {
		lines, total, err := order.Basket{{ProductID: "tea", Quantity: 2}, {ProductID: "tip", Quantity: 1, Amount: amount}}.Price(products)
		if (err == nil) != ok || err != nil && !errors.Is(err, order.ErrBasket) {
			t.Errorf("%d fen: %v", amount, err)
		}
		if ok && (total != 13600+amount || lines[1].Price != amount || lines[1].Quantity != 1) {
			t.Errorf("%d fen: %+v, total %d", amount, lines, total)
		}
	}
	if _, _, err := (order.Basket{{ProductID: "tea", Quantity: 1, Amount: 6800}}).Price(products); !errors.Is(err, order.ErrBasket) {
		t.Errorf("an amount for what has a price: %v", err)
	}
}
