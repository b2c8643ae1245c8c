package server_test

import (
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
)

func TestOperatorNeedsTheToken(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	buyer := s.SignedIn(0)
	o := buyer.PaidOrder("tea", 1)
	for _, route := range []struct{ method, path, body string }{
		{"GET", "/v1/orders", ""},
		{"GET", "/v1/orders/" + o.ID, ""},
		{"POST", paytest.RefundPath(o.ID), `{"amount":1}`},
		{"PUT", "/v1/selling", `{"selling":false}`},
		{"POST", "/v1/persons/erase", `{"owner_of":"` + o.ID + `"}`},
	} {
		for name, header := range map[string][]string{
			"none":       nil,
			"empty":      {""},
			"no token":   {"Bearer"},
			"blank":      {"Bearer "},
			"wrong":      {"Bearer " + strings.Repeat("x", len(paytest.AdminToken))},
			"beginning":  {"Bearer " + paytest.AdminToken[:len(paytest.AdminToken)-1]},
			"longer":     {"Bearer " + paytest.AdminToken + "x"},
			"other case": {"Bearer " + strings.ToUpper(paytest.AdminToken)},
			"basic":      {"Basic " + paytest.AdminToken},
			"bare":       {paytest.AdminToken},
			"twice":      {"Bearer " + paytest.AdminToken, "Bearer " + paytest.AdminToken},
		} {
			wantUnharmed(buyer, func() {
				r := buyer.Request(route.method, route.path, []byte(route.body))
				if header != nil {
					r.Header["Authorization"] = header
				}
				a := buyer.Send(r)
				if a.Err.Code != api.CodeUnauthenticated || a.Header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%s %s with %s: %d %s", route.method, route.path, name, a.Status, a.Body)
				}
			})
		}
	}
}
