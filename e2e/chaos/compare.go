package main

import (
	"slices"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

// compare checks that the shop's orders and WeChat's ledger agree after everything has ended.
func (c *campaign) compare() {
	all, err := read[paytest.Order](c.world, paytest.EveryOrder)
	if err != nil {
		c.note(wrong, "", "%v", err)
		return
	}
	ledger := c.wechat.Ledger()
	c.add(paytest.CompareOrders(all, ledger))
	c.checkAccepted(all, ledger.Orders)
	c.checkPurchases(c.checkFlood(all))
	refunds, err := read[paytest.Refund](c.world, paytest.EveryRefund)
	if err != nil {
		c.note(wrong, "", "%v", err)
		return
	}
	c.add(paytest.CompareRefunds(all, refunds, ledger))
	c.checkEvents(all, refunds)
}

// byHand returns when a payment was first refunded past the shop, the zero time if it was not.
// After that, orderquery guarantees neither payer nor time.
func byHand(refunds []wechattest.Refund) (first time.Time) {
	for _, r := range refunds {
		if r.Source != "API" && (first.IsZero() || r.Created.Before(first)) {
			first = r.Created
		}
	}
	return first
}

// checkAccepted checks that WeChat received the address of each order's buyer, and counts the orders
// that were never sent to WeChat.
func (c *campaign) checkAccepted(all []paytest.Order, accepted []wechattest.Order) {
	taken := map[string]wechattest.Order{}
	for _, o := range accepted {
		taken[o.OutTradeNo] = o
	}
	for _, o := range all {
		if there, ok := taken[o.Number]; ok && there.ClientIP != c.addressOf(o) {
			c.note(wrong, o.Number, "WeChat has the client address %s, the order came from %s", there.ClientIP, c.addressOf(o))
		}
		if o.Sent == 0 && o.Status == api.StatusClosed {
			c.count("order closed that was never sent")
		}
	}
}

// addressOf returns the client address of the buyer who created an order.
func (c *campaign) addressOf(o paytest.Order) string {
	for _, p := range c.checkouts {
		if p.key == o.Key {
			return p.ip
		}
	}
	if s := c.floods.by(o.Key); s != nil {
		return s.ip
	}
	return ""
}

// checkPurchases checks that every purchase became one order, despite double taps and lost
// responses, and that its ID is the one that the buyer received.
func (c *campaign) checkPurchases(all []paytest.Order) {
	orders := map[string][]paytest.Order{}
	for _, o := range all {
		orders[o.Key] = append(orders[o.Key], o)
	}
	for _, p := range c.checkouts {
		mine := orders[p.key]
		delete(orders, p.key)
		switch id := p.orderID(); {
		case len(mine) > 1:
			c.note(doubled, mine[0].Number, "client_key %s has %d orders", p.key, len(mine))
		case id != "" && !slices.ContainsFunc(mine, func(o paytest.Order) bool { return o.ID == id }):
			c.note(lost, "", "a buyer received order %s, which is not stored", id)
		case len(mine) == 1 && mine[0].Total != int64(p.total):
			c.note(wrong, mine[0].Number, "the order costs %d fen, want %d from the catalogue", mine[0].Total, p.total)
		case len(mine) == 1 && !p.guest() && mine[0].Owner != p.user.OpenID:
			c.note(wrong, mine[0].Number, "the order belongs to another buyer")
		}
	}
	for key, left := range orders {
		c.note(wrong, left[0].Number, "an order without a purchase, client_key %s", key)
	}
}
