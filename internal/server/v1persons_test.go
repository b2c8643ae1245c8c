package server_test

import (
	"slices"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

// A person's data is exported in parts, without the data of others, and erased.
func TestPersonsByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, other := s.SignedIn(0), s.SignedIn(1)
	var want []string
	for range 16 {
		want = append(want, p.Place(paytest.Basket("test", 1)).ID)
	}
	paid := p.PaidOrder("tea", 1)
	want = append(want, paid.ID)
	other.PaidOrder("tea", 1)
	b := newBackEnd(s, v1.ScopeAdmin)
	var first, second v1.PersonExport
	b.must("POST", "/v1/persons/export", v1.PersonQuery{OwnerOf: paid.ID}, &first)
	b.must("POST", "/v1/persons/export", v1.PersonQuery{OpenID: p.User.OpenID, Cursor: first.Next}, &second)
	var got []string
	for _, o := range slices.Concat(first.Orders, second.Orders) {
		got = append(got, o.Order.ID)
		if !o.IsOwner || o.IsPayer != (o.Order.ID == paid.ID) || o.Order.URL != "" {
			t.Errorf("%+v", o)
		}
	}
	if !slices.Equal(got, want) || second.Next != "" {
		t.Errorf("orders %v, want %v", got, want)
	}
	last := second.Orders[len(second.Orders)-1]
	if len(last.Events) != 1 || !strings.Contains(string(last.Events[0].Data), p.User.OpenID) || last.Order.Payments[0].Payer != p.User.OpenID {
		t.Errorf("%+v", last)
	}
	var erased v1.PersonErased
	for more := true; more; more = erased.More {
		erased = v1.PersonErased{}
		b.must("POST", "/v1/persons/erase", v1.ErasePerson{PayerOf: paid.ID, OpenID: ""}, &erased)
		if erased.Orders == 0 {
			t.Fatalf("%+v", erased)
		}
		if erased.More {
			b.must("POST", "/v1/persons/erase", v1.ErasePerson{OpenID: p.User.OpenID}, &erased)
		}
	}
	var left v1.PersonExport
	b.must("POST", "/v1/persons/export", v1.PersonQuery{OpenID: p.User.OpenID}, &left)
	if len(left.Orders) != 0 {
		t.Errorf("%d orders are left", len(left.Orders))
	}
	for _, path := range []string{"/v1/persons/export", "/v1/persons/erase"} {
		b.fails(api.CodeBadRequest, "openid", "POST", path, struct{}{})
		b.fails(api.CodeBadRequest, "openid", "POST", path, `{"openid":"o1","owner_of":"`+paid.ID+`"}`)
		b.fails(api.CodeBadRequest, "openid", "POST", path, `{"openid":"o 1"}`)
		b.fails(api.CodeNotFound, "", "POST", path, `{"owner_of":"000000000000000000000000"}`)
	}
	b.fails(api.CodeBadRequest, "cursor", "POST", "/v1/persons/export", v1.PersonQuery{OpenID: p.User.OpenID, Cursor: "x"})
	b.fails(api.CodeBadRequest, "cursor", "POST", "/v1/persons/erase", `{"openid":"o1","cursor":"x"}`)
}

// A person's export has no openid of another payer of the same order, whichever of the two
// payments is the duplicate.
func TestExportHidesOtherPayers(t *testing.T) {
	t.Parallel()
	for _, first := range []int{0, 1} {
		s := paytest.NewShop(t, nil)
		b, owner := newBackEnd(s, v1.ScopeAdmin), s.SignedIn(0)
		o, ways := threeWays(owner)
		pay := []func() error{
			func() error { owner.Pay(ways[api.TradeJSAPI].Pay); return nil },
			func() error { return s.Scan(1, ways[api.TradeNative].CodeURL) },
		}
		for _, n := range []int{first, 1 - first} {
			if err := pay[n](); err != nil {
				t.Fatal(err)
			}
		}
		s.Deliver()
		people := []string{owner.User.OpenID, s.SignedIn(1).User.OpenID}
		for i, person := range people {
			var export v1.PersonExport
			b.must("POST", "/v1/persons/export", v1.PersonQuery{OpenID: person}, &export)
			text := b.text(export)
			if len(export.Orders) != 1 || export.Orders[0].Order.ID != o.ID || !export.Orders[0].IsPayer || len(export.Orders[0].Events) != 2 {
				t.Fatalf("%d paid first, export of %d: %s", first, i, text)
			}
			// Once in a payment and once in the event of that payment.
			if strings.Count(text, person) != 2 || strings.Contains(text, people[1-i]) {
				t.Errorf("%d paid first: the export of %d has another payer, or lacks the person: %s", first, i, text)
			}
			for _, e := range export.Orders[0].Events {
				if !strings.Contains(string(e.Data), o.ID) || !strings.Contains(string(e.Data), "transaction_id") {
					t.Errorf("the event %s has lost its data: %s", e.Type, e.Data)
				}
			}
		}
	}
}

// The open orders of a product are closed in parts.
func TestCloseOrdersByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, b := s.SignedIn(0), newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	tea1, cake, tea2 := p.Place(paytest.Basket("tea", 1)), p.Place(paytest.Basket("cake", 1)), b.createOrder(v1.CreateOrder{Lines: []v1.CreateLine{{ProductID: "tea", Quantity: 1}}})
	var closed v1.OrdersClosed
	b.must("POST", "/v1/orders/close", v1.CloseOrders{ProductID: "tea"}, &closed)
	if closed.Orders != 2 || closed.Next != "" {
		t.Errorf("%+v", closed)
	}
	for id, want := range map[string]v1.OrderStatus{tea1.ID: v1.OrderClosed, cake.ID: v1.OrderOpen, tea2.ID: v1.OrderClosed} {
		if got := b.order(id).Status; got != want {
			t.Errorf("order %s is %s, want %s", id, got, want)
		}
	}
	for body, field := range map[string]string{
		`{}`: "product_id", `{"product_id":"a b"}`: "product_id", `{"before":-1}`: "before", `{"before":1,"cursor":"x"}`: "cursor", `{"all":true}`: "all",
	} {
		b.fails(api.CodeBadRequest, field, "POST", "/v1/orders/close", body)
	}
}
