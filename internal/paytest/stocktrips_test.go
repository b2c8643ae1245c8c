package paytest_test

import (
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

// A product with a stock costs an order no round trip to D1, and one written row.
func TestStockCostsNoRoundTrip(t *testing.T) {
	t.Parallel()
	d1 := paytest.StartD1(t, "../..")
	s := paytest.NewShopAPIv2(t, wechattest.Config{})
	s.OpenOnD1(d1, nil)
	if _, err := d1.Exec(`UPDATE products SET stock = 5 WHERE id = 'bun'`); err != nil {
		t.Fatal(err)
	}
	p := s.SignedIn(0)
	cost := func(product string) (made, closed paytest.Cost) {
		d1.Take()
		o := p.Place(paytest.Basket(product, 2))
		made = d1.Take()
		if o = p.CloseOrder(o.ID); o.Status != api.StatusClosed {
			t.Errorf("the order is %s", o.Status)
		}
		return made, d1.Take()
	}
	cost("cake") // the first order of a shop writes other rows
	madePlain, closedPlain := cost("cake")
	made, closed := cost("bun")
	for name, c := range map[string][2]paytest.Cost{"ordering": {madePlain, made}, "closing": {closedPlain, closed}} {
		plain, stock := c[0], c[1]
		if stock.Trips != plain.Trips || stock.Written != plain.Written+1 || stock.Read > plain.Read+8 {
			t.Errorf("%s: %d round trips, %d rows read, %d written; without a stock %d, %d, %d", name, stock.Trips, stock.Read, stock.Written, plain.Trips, plain.Read, plain.Written)
		}
	}
	var left int
	if err := d1.QueryRow(`SELECT stock FROM products WHERE id = 'bun'`).Scan(&left); err != nil || left != 5 {
		t.Errorf("the stock is %d, %v", left, err)
	}
}
