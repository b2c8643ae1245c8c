package server_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

func TestProductsByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	no := false
	var put, got v1.Product
	b.must("PUT", "/v1/products/pu-er_9", v1.PutProduct{Name: "普洱", Detail: "生茶", Image: "/web/products/tea.svg", Price: 9900, Position: 5}, &put)
	want := v1.Product{ID: "pu-er_9", Name: "普洱", Detail: "生茶", Image: "/web/products/tea.svg", Price: 9900, Position: 5, ForSale: true}
	b.must("GET", "/v1/products/pu-er_9", nil, &got)
	if d := cmp.Diff(want, put) + cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// The shop sells it at this price, first of all.
	var shown api.ProductList
	buyer := s.SignedIn(0)
	buyer.Must("GET", api.PathProducts, nil, &shown)
	if shown.Products[0].ID != "pu-er_9" || shown.Products[0].Price != 9900 {
		t.Errorf("the shop shows %+v", shown.Products[0])
	}
	o := buyer.Place(paytest.Basket("pu-er_9", 2))
	if o.Total != 19800 {
		t.Errorf("an order of two costs %s", o.Total)
	}
	// A repeated call stores the same again. A product that is not for sale is listed here alone.
	put, got = v1.Product{}, v1.Product{}
	b.must("PUT", "/v1/products/pu-er_9", v1.PutProduct{Name: "随心付", Price: 100, MinAmount: 1, MaxAmount: 500, ForSale: &no}, &put)
	want = v1.Product{ID: "pu-er_9", Name: "随心付", Price: 100, MinAmount: 1, MaxAmount: 500}
	if d := cmp.Diff(want, put); d != "" {
		t.Error(d)
	}
	var list v1.Products
	b.must("GET", "/v1/products", nil, &list)
	if list.Products[0] != want || len(list.Products) != 8 {
		t.Errorf("%+v", list)
	}
	buyer.Fails(api.CodeProductGone, "POST", api.PathOrders, paytest.Basket("pu-er_9", 1))
	b.must("DELETE", "/v1/products/pu-er_9", nil, &got)
	if got != want {
		t.Errorf("%+v", got)
	}
	b.fails(api.CodeNotFound, "", "GET", "/v1/products/pu-er_9", nil)
	b.fails(api.CodeNotFound, "", "DELETE", "/v1/products/pu-er_9", nil)
	// The order keeps its line.
	if o = buyer.GetOrder(o.ID); len(o.Items) != 1 || o.Items[0].Name != "普洱" || o.Total != 19800 {
		t.Errorf("%+v", o)
	}
}

func TestBadProducts(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := root(s)
	for body, field := range map[string]string{
		`{"price":1}`: "name",
		`{"name":"` + strings.Repeat("茶", 81) + `","price":1}`: "name",
		`{"name":"茶"}`:                                                       "price",
		`{"name":"茶","price":0}`:                                             "price",
		`{"name":"茶","price":-1}`:                                            "price",
		`{"name":"茶","price":1.5}`:                                           "price",
		`{"name":"茶","price":"1"}`:                                           "price",
		`{"name":"茶","price":100000001}`:                                     "price",
		`{"name":"茶","price":1,"image":"https://x.example/a.svg"}`:           "image",
		`{"name":"茶","price":1,"image":"//x.example/a.svg"}`:                 "image",
		`{"name":"茶","price":1,"image":"/\\x.example/a.svg"}`:                "image",
		`{"name":"茶\u001b[1m","price":1}`:                                    "name",
		`{"name":"茶","price":1,"detail":"` + strings.Repeat("茶", 201) + `"}`: "detail",
		`{"name":"茶","price":1,"min_amount":1}`:                              "max_amount",
		`{"name":"茶","price":1,"max_amount":1}`:                              "max_amount",
		`{"name":"茶","price":1,"min_amount":2,"max_amount":1}`:               "max_amount",
		`{"name":"茶","price":3,"min_amount":1,"max_amount":2}`:               "price",
		`{"name":"茶","price":1,"position":1000001}`:                          "position",
		`{"name":"茶","price":1,"for_sale":1}`:                                "for_sale",
		`{"id":"tea","name":"茶","price":1}`:                                  "id",
	} {
		b.fails(api.CodeBadRequest, field, "PUT", "/v1/products/tea", body)
	}
	for _, id := range []string{strings.Repeat("x", 65), "a.b", "%E8%8C%B6"} {
		b.fails(api.CodeBadRequest, "id", "PUT", "/v1/products/"+id, `{"name":"茶","price":1}`)
	}
}

// The number of products is bounded.
func TestCatalogueIsBounded(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := root(s)
	if _, err := s.DB.Exec(`WITH RECURSIVE n(i) AS (SELECT 8 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
		INSERT INTO products (id, name, price) SELECT 'p' || i, 'p', 1 FROM n`); err != nil {
		t.Fatal(err)
	}
	b.fails(v1.CodeFull, "", "PUT", "/v1/products/one-more", v1.PutProduct{Name: "x", Price: 1})
	b.must("PUT", "/v1/products/tea", v1.PutProduct{Name: "x", Price: 1}, &v1.Product{})
}
