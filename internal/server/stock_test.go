package server_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
)

// leftOf returns how many pieces of a product the page may order, -1 if there is no bound.
func leftOf(p *paytest.Person, id string) int {
	p.T.Helper()
	var list api.ProductList
	p.Must("GET", api.PathProducts, nil, &list)
	for _, one := range list.Products {
		if one.ID == id {
			if one.Left == nil {
				return -1
			}
			return *one.Left
		}
	}
	p.T.Fatalf("the page does not list %s", id)
	return 0
}

// stockOf returns the stock that the console shows.
func (b *backEnd) stockOf(id string) *int64 {
	b.T.Helper()
	var p v1.Product
	b.must("GET", "/v1/products/"+id, nil, &p)
	return p.Stock
}

func (b *backEnd) wantStock(id string, want int64) {
	b.T.Helper()
	if got := b.stockOf(id); got == nil || *got != want {
		b.T.Errorf("the stock of %s is %v, want %d", id, got, want)
	}
}

func (b *backEnd) setStock(id string, n int64) {
	b.T.Helper()
	var p v1.Product
	b.must("POST", "/v1/products/"+id+"/stock", v1.ChangeStock{Set: &n}, &p)
	if p.Stock == nil || *p.Stock != n {
		b.T.Fatalf("%+v", p)
	}
}

// The page sells what is in stock, and no more. A rejected order names the line, stores nothing and
// calls nobody.
func TestPageSellsWhatIsInStock(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	p := s.SignedIn(0)
	if left := leftOf(p, "tea"); left != -1 {
		t.Errorf("%d pieces are left without a stock", left)
	}
	b.setStock("tea", 500)
	if left := leftOf(p, "tea"); left != -1 {
		t.Errorf("the page learns that %d pieces are left", left)
	}
	b.setStock("tea", 3)
	req := paytest.Basket("tea", 2)
	first := p.Place(req)
	b.wantStock("tea", 1)
	if left := leftOf(p, "tea"); left != 1 {
		t.Errorf("%d pieces are left", left)
	}
	// The response was lost: the repeated request is the same order, and takes nothing.
	if again := p.Place(req); again.ID != first.ID {
		t.Errorf("order %s, want %s", again.ID, first.ID)
	}
	b.wantStock("tea", 1)

	short := paytest.Basket("bun", 1)
	short.Items = append(short.Items, api.OrderItem{ProductID: "tea", Quantity: 2})
	before, calls := storetest.Dump(t, s.DB), len(s.Sim.Messages(0))
	a := p.Call("POST", api.PathOrders, short)
	if a.Status != 409 || a.Err.Code != api.CodeOutOfStock || a.Err.Field != "items[1].quantity" || a.Err.Message != "items[1].quantity: 1 of product tea are left" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if d := cmp.Diff(before, storetest.Dump(t, s.DB)); d != "" || len(s.Sim.Messages(0)) != calls {
		t.Errorf("a rejected order changed the database or called WeChat:\n%s", d)
	}
	// A cancelled order gives its pieces back.
	p.CloseOrder(first.ID)
	b.wantStock("tea", 3)
	// The repeated request of an order that was stored is that order, also when nothing is left.
	last := paytest.Basket("tea", 3)
	o := p.Place(last)
	if left := leftOf(p, "tea"); left != 0 {
		t.Errorf("%d pieces are left", left)
	}
	if again := p.Place(last); again.ID != o.ID {
		t.Errorf("order %s, want %s", again.ID, o.ID)
	}
	b.wantStock("tea", 0)
	s.Check()
}

// Orders of a back end take the same stock. Each line is named by itself.
func TestBackEndSellsWhatIsInStock(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	b.setStock("tea", 3)
	lines := func(n ...int) string {
		var all []v1.CreateLine
		for _, quantity := range n {
			all = append(all, v1.CreateLine{ProductID: "tea", Quantity: quantity})
		}
		text, err := json.Marshal(map[string]any{"lines": append([]v1.CreateLine{{Name: "包装", Price: 1, Quantity: 9}}, all...)})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	b.fails(api.CodeOutOfStock, "lines[1].quantity", "POST", "/v1/orders", lines(2, 2))
	b.wantStock("tea", 3)
	var o v1.Order
	b.must("POST", "/v1/orders", json.RawMessage(lines(2, 1)), &o)
	b.wantStock("tea", 0)
	b.fails(api.CodeOutOfStock, "lines[1].quantity", "POST", "/v1/orders", lines(1))
	b.must("POST", "/v1/orders/"+o.ID+"/close", nil, &o)
	b.wantStock("tea", 3)
}

// Money goes first: a payment that WeChat took after the end of its order is accepted, and the
// console shows that more was sold than there was.
func TestLatePaymentIsOversold(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	b.setStock("tea", 1)
	late := s.SignedIn(0)
	c := late.Order("tea", 1)
	sheet, err := late.OpenPaySheet(c.Pay)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Exec(t, s.DB, `UPDATE orders SET status = 'closing', due_at = NULL WHERE id = ?`, c.Order.ID)
	storetest.Exec(t, s.DB, `UPDATE payments SET status = 'closed', due_at = NULL, client_ip = '' WHERE order_id = ?`, c.Order.ID)
	s.WantStatus(c.Order.ID, api.StatusClosed)
	b.wantStock("tea", 1)
	other := s.SignedIn(1)
	other.PaidOrder("tea", 1)
	b.wantStock("tea", 0)
	if err := s.Sim.SetUser(late.User.OpenID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	s.Sim.Advance(time.Minute)
	s.Deliver()
	s.WantStatus(c.Order.ID, api.StatusPaid)
	b.wantStock("tea", -1)
	if left := leftOf(other, "tea"); left != 0 {
		t.Errorf("the page may order %d", left)
	}
}

func TestStockByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	const path = "/v1/products/tea/stock"
	b.fails(v1.CodeNoStock, "add", "POST", path, v1.ChangeStock{Add: 1})
	b.setStock("tea", 5)
	var p v1.Product
	b.must("POST", path, v1.ChangeStock{Add: -2}, &p)
	b.wantStock("tea", 3)
	b.fails(v1.CodeNoStock, "add", "POST", path, v1.ChangeStock{Add: -4})
	// A repeated request changes nothing, and another body under its key is rejected.
	for range 2 {
		r := b.request("POST", path, `{"add":4}`)
		r.Header.Set("Idempotency-Key", "delivery-1")
		if a := b.send(r); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	b.wantStock("tea", 7)
	r := b.request("POST", path, `{"add":5}`)
	r.Header.Set("Idempotency-Key", "delivery-1")
	b.rejected(v1.CodeIdempotency, "Idempotency-Key", r)
	// A product that is stored again keeps its stock.
	b.must("PUT", "/v1/products/tea", v1.PutProduct{Name: "茶", Price: 6800}, &p)
	if p.Stock == nil || *p.Stock != 7 {
		t.Errorf("%+v", p)
	}
	p = v1.Product{}
	b.must("POST", path, v1.ChangeStock{Unlimited: true}, &p)
	if p.Stock != nil || b.stockOf("tea") != nil {
		t.Errorf("%+v", p)
	}
	for body, field := range map[string]string{
		`{}`: "add", `{"add":0}`: "add", `{"add":1,"set":1}`: "add", `{"set":1,"unlimited":true}`: "add", `{"set":-1}`: "set", `{"set":1000001}`: "set",
		`{"add":-1000001}`: "add", `{"add":1.5}`: "add", `{"stock":1}`: "stock",
	} {
		b.fails(api.CodeBadRequest, field, "POST", path, body)
	}
	b.fails(api.CodeNotFound, "", "POST", "/v1/products/gold/stock", v1.ChangeStock{Add: 1})
	// The audit list has the stock before and after.
	audit := newBackEnd(s, v1.ScopeRead, v1.ScopeAdmin).audit()
	for _, e := range audit.Entries {
		if e.Action == "changeStock" {
			if e.Object != "tea" || len(e.Before) == 0 {
				t.Errorf("%+v", e)
			}
			return
		}
	}
	t.Errorf("no change of the stock in %+v", audit.Entries)
}
