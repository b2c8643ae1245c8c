package server_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/startpage"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// Every secret of the settings must be in paytest.Secrets.
func TestEverySecretIsChecked(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	v := reflect.ValueOf(paytest.DefaultSettings(s, nil).Config)
	for i := range v.NumField() {
		if secret, ok := v.Field(i).Interface().(wechat.Secret); ok && !slices.Contains(paytest.Secrets, string(secret)) {
			t.Errorf("%s is empty or missing in paytest.Secrets", v.Type().Field(i).Name)
		}
	}
}

// The start page has the catalogue as it is now, and an order at the prices of an older page is rejected.
func TestOrderAtAnOlderPriceIsRejected(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	var parts api.StartPage
	p.Must("GET", api.PathStartPage, nil, &parts)
	if !strings.Contains(parts[startpage.MarkZH], "68.00") || !strings.Contains(parts[startpage.MarkData], `"price":6800`) {
		t.Fatalf("the page gets %v", parts)
	}
	req := paytest.Basket("tea", 2)
	req.Total = 13600
	made := p.Place(req)
	if made.Total != 13600 {
		t.Errorf("the order has %d", made.Total)
	}

	storetest.Exec(t, s.DB, `UPDATE products SET price = 7000 WHERE id = 'tea'`)
	p.Must("GET", api.PathStartPage, nil, &parts)
	if !strings.Contains(parts[startpage.MarkZH], "70.00") || strings.Contains(parts[startpage.MarkZH], "68.00") {
		t.Errorf("after the change the page gets %v", parts)
	}
	// The repeated request is the order of the first one, with its prices.
	if again := p.Place(req); again.ID != made.ID || again.Total != 13600 {
		t.Errorf("repeated: order %s of %d, want %s", again.ID, again.Total, made.ID)
	}
	next := paytest.Basket("tea", 2)
	next.Total = 13600
	p.Fails(api.CodePriceChanged, "POST", api.PathOrders, next)
	next.Total = -1
	p.Fails(api.CodeBadRequest, "POST", api.PathOrders, next)
	next.Total = 14000
	if o := p.Place(next); o.Total != 14000 {
		t.Errorf("at the new price the order has %d", o.Total)
	}
}
