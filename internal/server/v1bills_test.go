package server_test

import (
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

func TestBillsByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	var list v1.Bills
	b.must("GET", "/v1/bills", nil, &list)
	if len(list.Bills) != 0 {
		t.Errorf("%+v", list)
	}
	b.fails(api.CodeNotFound, "", "GET", "/v1/bills/2026-11-23", nil)
	s.SignedIn(0).PaidOrder("tea", 1)
	s.AdvanceTo(1, "11:00:00")
	var checked, got v1.Bill
	b.must("POST", "/v1/bills/2026-11-23/check", struct{}{}, &checked)
	if checked.Date != "2026-11-23" || checked.Status != v1.BillAgrees || checked.Payments != 1 || checked.CheckedAt == 0 {
		t.Errorf("%+v", checked)
	}
	b.must("GET", "/v1/bills/2026-11-23", nil, &got)
	b.must("GET", "/v1/bills", nil, &list)
	if got.Status != v1.BillAgrees || len(list.Bills) != 1 || list.Bills[0].Payments != 1 {
		t.Errorf("%+v, %+v", got, list)
	}
	for _, date := range []string{"2026-13-01", "today", "2026-11-24", "2026-08-01", "26-11-23"} {
		b.fails(api.CodeBadRequest, "date", "POST", "/v1/bills/"+date+"/check", struct{}{})
	}
	b.fails(api.CodeBadRequest, "date", "GET", "/v1/bills/yesterday", nil)
	b.fails(api.CodeBadRequest, "force", "POST", "/v1/bills/2026-11-23/check", `{"force":true}`)
}
