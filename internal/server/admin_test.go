package server_test

import (
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/fen"
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

func TestBadRefundRequests(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	for _, body := range []string{
		`{"amount":-1}`,
		`{"amount":1.5}`,
		`{"amount":"1"}`,
		`{"amount":100000001}`,
		`{"amount":9223372036854775807}`,
		`{"amount":18446744073709551617}`,
		`{"amount":1e2}`,
		`{"amount":1,"reason":"` + strings.Repeat("茶", 27) + `"}`,
		`{"amount":1,"reason":"a\nb"}`,
		`{"amount":1,"order":"x"}`,
		`{"amount":1,"amount":2}`,
	} {
		wantUnharmed(op, func() {
			if a := op.Send(op.Request("POST", paytest.RefundPath(o.ID), []byte(body))); a.Err.Code != api.CodeBadRequest {
				t.Errorf("%s: %d %s", body, a.Status, a.Body)
			}
		})
	}
	// The largest amounts do not overflow the sum.
	for _, amount := range []fen.Fen{6801, 100000000} {
		wantUnharmed(op, func() {
			op.Fails(api.CodeRefundTooMuch, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(amount))
		})
	}
}
