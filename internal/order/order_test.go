package order_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

var now = time.Date(2026, 11, 23, 3, 4, 5, 678e6, time.UTC)

func TestBody(t *testing.T) {
	for _, c := range []struct {
		shop  string
		lines []order.Line
		want  string
	}{
		{"山岚小铺", []order.Line{{Name: "乌龙茶", Quantity: 1}}, "山岚小铺 - 乌龙茶"},
		{"山岚小铺", []order.Line{{Name: "乌龙茶", Quantity: 2}}, "山岚小铺 - 乌龙茶 等2件"},
		{"山岚小铺", []order.Line{{Name: "乌龙茶", Quantity: 1}, {Name: "咖啡", Quantity: 2}}, "山岚小铺 - 乌龙茶 等3件"},
		{"店", []order.Line{{Name: "茶🍵\r\n\u0000杯\xff", Quantity: 1}}, "店 - 茶杯"},
	} {
		if got := order.Body(c.shop, c.lines); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestBodyFitsWeChat(t *testing.T) {
	for n := range 80 {
		for _, quantity := range []int{1, 99} {
			got := order.Body("店"+strings.Repeat("a", n%3), []order.Line{{Name: strings.Repeat("茶", n), Quantity: quantity}})
			if len(got) > 127 || !utf8.ValidString(got) || strings.HasSuffix(got, "件") != (quantity > 1) {
				t.Errorf("%d bytes: %q", len(got), got)
			}
		}
	}
}

func TestLifetimes(t *testing.T) {
	o := order.Order{CreatedAt: now, ExpiresAt: now.Add(order.Lifetime)}
	p := order.Payment{CreatedAt: now, ExpiresAt: o.ExpiresAt}
	if p.PrepayValid(now) {
		t.Error("valid without a prepay_id")
	}
	p.PrepayID, p.PrepayAt = "wx", now
	late := now.Add(order.Lifetime - time.Hour)
	for _, c := range []struct {
		prepay, at     time.Time
		valid, expired bool
	}{
		{now, now, true, false},
		{now, now.Add(order.PrepayLifetime - 1), true, false},
		{now, now.Add(order.PrepayLifetime), false, false},
		{late, now.Add(order.Lifetime - 1), true, false},
		{late, now.Add(order.Lifetime), false, true},
	} {
		p.PrepayAt = c.prepay
		if p.PrepayValid(c.at) != c.valid || o.Expired(c.at) != c.expired {
			t.Errorf("%s after creation, prepay at %s: valid %t, expired %t", c.at.Sub(now), c.prepay.Sub(now), p.PrepayValid(c.at), o.Expired(c.at))
		}
	}
}

func TestTakes(t *testing.T) {
	all, some := order.Order{}, order.Order{TradeTypes: []api.TradeType{api.TradeNative}}
	if !all.Takes(api.TradeJSAPI) || some.Takes(api.TradeJSAPI) || !some.Takes(api.TradeNative) {
		t.Error("an order accepts another trade type than its own")
	}
}

func TestPublicOrder(t *testing.T) {
	o := order.Order{
		ID: "id", Token: "token", Owner: "openid", Status: api.StatusPaid, PaidBy: "no",
		Lines: []order.Line{{ProductID: "tea", Name: "茶", Price: 6800, Quantity: 2}}, Total: 13600, Currency: "CNY",
		CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		Payment: order.Payment{OutTradeNo: "no", TradeType: api.TradeJSAPI, PaidAt: now.Add(time.Minute), TransactionID: "4200"},
	}
	want := api.Order{
		ID: "id", Status: api.StatusPaid, TradeType: api.TradeJSAPI,
		Items: []api.OrderLine{{ProductID: "tea", Name: "茶", Price: 6800, Quantity: 2}}, Total: 13600, Currency: "CNY",
		CreatedAt: now.UnixMilli(), ExpiresAt: now.UnixMilli() + 3600e3, PaidAt: now.UnixMilli() + 60e3, PaymentNo: "4200",
	}
	if d := cmp.Diff(want, o.Public()); d != "" {
		t.Error(d)
	}
	o.Payment.PaidAt = time.Time{}
	if got := o.Public(); got.PaidAt != 0 || !got.PaidAtUnknown {
		t.Errorf("paid at %d without a time", got.PaidAt)
	}
	o.Status, o.PaidBy = api.StatusOpen, ""
	if got := o.Public(); got.PaymentNo != "" || got.PaidAtUnknown {
		t.Errorf("%+v of an order that is not paid", got)
	}
}

// An unpaid order is kept until WeChat can no longer report a payment of it, and until the last
// bill that may have it was compared.
func TestMinKeepUnpaidCoversLatePaymentsAndBills(t *testing.T) {
	const reports = 24*time.Hour + 4*time.Minute // WeChat repeats a notification for so long
	const bill = 34 * time.Hour                  // from the begin of a day until its bill
	if least := order.Lifetime + order.BillDays*24*time.Hour + bill; order.MinKeepUnpaid < least || order.MinKeepUnpaid < order.Lifetime+reports {
		t.Errorf("%s, want at least %s", order.MinKeepUnpaid, least)
	}
}
