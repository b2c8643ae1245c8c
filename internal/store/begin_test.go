package store_test

import (
	"errors"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// Begin stores the first payment of an order that can be paid, and returns every order.
func TestBeginStoresAFirstPayment(t *testing.T) {
	t.Parallel()
	const no = "20261123100000000000000000000001"
	for name, test := range map[string]struct {
		before func(t *testing.T, s *store.Store, o order.Order, key *store.Key, p *order.Payment)
		stored bool
		err    error
	}{
		"first": {stored: true},
		"of a stranger": {before: func(_ *testing.T, _ *store.Store, _ order.Order, key *store.Key, _ *order.Payment) {
			key.Owner = "mallory"
		}, err: store.ErrNotFound},
		"of no order":    {before: func(_ *testing.T, _ *store.Store, _ order.Order, key *store.Key, _ *order.Payment) { key.ID = "none" }, err: store.ErrNotFound},
		"other merchant": {before: func(_ *testing.T, _ *store.Store, _ order.Order, _ *store.Key, p *order.Payment) { p.MchID = "1" }},
		"no number":      {before: func(_ *testing.T, _ *store.Store, _ order.Order, _ *store.Key, p *order.Payment) { p.OutTradeNo = "" }},
		"too late": {before: func(_ *testing.T, _ *store.Store, o order.Order, _ *store.Key, p *order.Payment) {
			p.CreatedAt = o.ExpiresAt.Add(-time.Minute + time.Millisecond)
		}},
		"just in time": {before: func(_ *testing.T, _ *store.Store, o order.Order, _ *store.Key, p *order.Payment) {
			p.CreatedAt = o.ExpiresAt.Add(-time.Minute)
		}, stored: true},
		"an earlier clock": {before: func(_ *testing.T, _ *store.Store, o order.Order, _ *store.Key, p *order.Payment) {
			p.CreatedAt = o.CreatedAt.Add(-time.Millisecond)
		}},
		"not selling": {before: func(t *testing.T, s *store.Store, _ order.Order, _ *store.Key, _ *order.Payment) {
			if err := s.SetSelling(ctx, false, now); err != nil {
				t.Fatal(err)
			}
		}},
		"closed": {before: func(t *testing.T, s *store.Store, o order.Order, _ *store.Key, _ *order.Payment) {
			if _, changed, err := s.CloseWhole(ctx, o.ID, now); !changed || err != nil {
				t.Fatal(changed, err)
			}
		}},
		"another payment": {before: func(t *testing.T, s *store.Store, o order.Order, _ *store.Key, p *order.Payment) {
			other := *p
			other.OutTradeNo, other.OrderID, other.TradeType, other.OpenID = no[:31]+"2", o.ID, api.TradeNative, ""
			if stored, err := s.InsertPayment(ctx, other, now); !stored || err != nil {
				t.Fatal(stored, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := storetest.Open(t)
			s := store.New(db)
			o := insertBare(t, s, "alice", "key-1")
			key := store.Key{ID: o.ID, Owner: "alice"}
			p := order.Payment{OutTradeNo: no, AppID: o.AppID, MchID: o.MchID, APIVersion: "v3", TradeType: api.TradeJSAPI, OpenID: "alice",
				ClientIP: "203.0.113.7", NotifyURL: "https://shop.example.com/api/notify/pay", CreatedAt: o.CreatedAt}
			if test.before != nil {
				test.before(t, s, o, &key, &p)
			}
			begun, err := s.Begin(ctx, key, p, time.Time{}, time.Minute)
			got := begun.Order
			if !errors.Is(err, test.err) || err == nil && (got.ID != o.ID || begun.Selling != (name != "not selling")) {
				t.Errorf("order %q, selling %t, %v", got.ID, begun.Selling, err)
			}
			if b := begun.Stored; test.stored != (b.OutTradeNo == no) || test.stored && (b.OrderID != o.ID || b.Total != o.Total || b.Status != api.PaymentCreated) {
				t.Errorf("stored %+v", b)
			}
			if stored := got.Payment.OutTradeNo == no; stored != test.stored {
				t.Errorf("stored: %t", stored)
			}
			if test.stored && (got.Payment.OrderID != o.ID || got.Payment.Total != o.Total || got.Payment.Body != o.Description || !got.Payment.ExpiresAt.Equal(o.ExpiresAt)) {
				t.Errorf("%+v", got.Payment)
			}
			storetest.Check(t, db)
		})
	}
}

// An order that accepts some trade types gets no first payment of another one.
func TestBeginKeepsToTheTradeTypes(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	o, err := s.Insert(ctx, order.Order{ID: "o", Token: "token", Source: order.SourceAPI, KeyID: "k", ClientKey: "c", Fingerprint: "f", Shop: "https://shop.example.com",
		AppID: "wx", MchID: "1900000109", Total: 1, Currency: order.Currency, Description: "tea", TradeTypes: []api.TradeType{api.TradeNative}, CreatedAt: now, ExpiresAt: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	p := order.Payment{OutTradeNo: "20261123100000000000000000000003", AppID: "wx", MchID: o.MchID, APIVersion: "v3", TradeType: api.TradeMWEB, ClientIP: "203.0.113.7",
		NotifyURL: "https://shop.example.com/api/notify/pay", CreatedAt: now}
	for _, trade := range []api.TradeType{api.TradeMWEB, api.TradeNative} {
		p.TradeType = trade
		got, err := s.Begin(ctx, store.Key{Token: "token"}, p, now.Add(time.Second), time.Minute)
		if stored := got.Order.Payment.OutTradeNo != ""; err != nil || stored != (trade == api.TradeNative) {
			t.Errorf("%s: stored %t, %v", trade, stored, err)
		}
	}
	if _, err := s.Begin(ctx, store.Key{Token: "other"}, p, now, time.Minute); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown token: %v", err)
	}
}
