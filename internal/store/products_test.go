package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

func TestProductsInOrderAndOnlyForSale(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	storetest.Exec(t, db, `UPDATE products SET for_sale = 0 WHERE id = 'cake'`)
	storetest.Exec(t, db, `UPDATE products SET position = 1 WHERE id = 'bun'`)
	products, err := s.Products(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range products {
		ids = append(ids, p.ID)
		if p.Name == "" || p.Price < 1 || p.Image != "/web/products/"+p.ID+".svg" || p.Named() != (p.ID == "tip") {
			t.Errorf("%+v", p)
		}
	}
	if d := cmp.Diff([]string{"bun", "tea", "coffee", "juice", "tip", "test"}, ids); d != "" {
		t.Error(d)
	}
}
