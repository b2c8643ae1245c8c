package storetest

import (
	"context"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// LifeOptions are those of Life.
type LifeOptions struct {
	Guest bool // the order is that of a guest: all of those change one count
	// Before, if not nil, is called before each statement, for example to wait as for a network.
	Before func()
}

// LifeStatements is how many statements Life runs. All of them write.
const LifeStatements = 7

// Life runs the statements of a paid order, from its insertion to the delivery of its event. Orders
// with different n are different orders.
func Life(ctx context.Context, s *store.Store, n int64, o LifeOptions) error {
	const mchID = "1900000109"
	now := time.Date(2026, 11, 23, 3, 4, 5, 0, time.UTC)
	before := func() {
		if o.Before != nil {
			o.Before()
		}
	}
	id, no := fmt.Sprintf("%024x", n*2654435761%(1<<40)), fmt.Sprintf("%032x", n*2654435761%(1<<40))
	owner := fmt.Sprint("buyer-", n)
	if o.Guest {
		owner = fmt.Sprint("guest:", n)
	}
	before()
	_, err := s.Insert(ctx, order.Order{
		ID: id, Source: order.SourceShop, Owner: owner, ClientKey: "key", Fingerprint: "f", Shop: "https://shop.example.com", AppID: "wx", MchID: mchID,
		Lines: []order.Line{{ProductID: "tea", Name: "tea", Price: 100, Quantity: 1}}, Total: 100, Currency: order.Currency, Description: "tea", CreatedAt: now, ExpiresAt: now.Add(order.Lifetime),
	})
	if err != nil {
		return err
	}
	did := func(what string, ok bool, err error) error {
		if err == nil && !ok {
			err = fmt.Errorf("%s changed nothing", what)
		}
		return err
	}
	before()
	ok, err := s.InsertPayment(ctx, order.Payment{OutTradeNo: no, OrderID: id, AppID: "wx", MchID: mchID, APIVersion: "v3", TradeType: api.TradeNative, NotifyURL: "https://shop.example.com/api/notify/pay", CreatedAt: now}, time.Time{})
	if err := did("InsertPayment", ok, err); err != nil {
		return err
	}
	before()
	ok, err = s.SetPrepay(ctx, no, order.Prepay{ID: "wx", URL: "weixin://", SignType: "RSA"}, now)
	if err := did("SetPrepay", ok, err); err != nil {
		return err
	}
	before()
	_, ok, err = s.ClaimNotified(ctx, order.Notified{OutTradeNo: no, APIVersion: "v3", AppID: "wx", MchID: mchID, Total: 100, Currency: order.Currency}, nil, 3*time.Second, now)
	if err := did("ClaimNotified", ok, err); err != nil {
		return err
	}
	before()
	ok, err = s.Pay(ctx, no, order.Paid{TransactionID: "T" + no, PaidAt: now}, now)
	if err := did("Pay", ok, err); err != nil {
		return err
	}
	before()
	events, err := s.ClaimEvents(ctx, order.SettingsEndpoint, now, 1, 2)
	if err != nil {
		return err
	}
	for _, e := range events {
		before()
		if _, _, err := s.Deliver(ctx, e, now); err != nil {
			return err
		}
	}
	return nil
}
