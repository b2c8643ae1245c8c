package campaign

import (
	"slices"

	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

// compare checks that the shop's orders and WeChat's ledger agree after everything has ended.
func (c *Campaign) compare() {
	all, err := read[paytest.Order](c.World, paytest.EveryOrder)
	if err != nil {
		c.Note(Wrong, "", "%v", err)
		return
	}
	payments, err := read[paytest.Payment](c.World, paytest.EveryPayment)
	if err != nil {
		c.Note(Wrong, "", "%v", err)
		return
	}
	ledger := c.WeChat.Ledger()
	c.add(paytest.CompareOrders(all, payments, ledger))
	c.checkAccepted(all, payments, ledger.Orders)
	c.checkPurchases(c.checkAPIOrders(c.checkFlood(all)))
	refunds, err := read[paytest.Refund](c.World, paytest.EveryRefund)
	if err != nil {
		c.Note(Wrong, "", "%v", err)
		return
	}
	c.add(paytest.CompareRefunds(all, payments, refunds, ledger))
	c.checkEvents(all, payments, refunds)
}

// checkAccepted checks that WeChat received the address of each order's buyer, and counts the orders
// without a payment and those that were paid twice.
func (c *Campaign) checkAccepted(all []paytest.Order, payments []paytest.Payment, accepted []wechattest.Order) {
	taken := map[string]wechattest.Order{}
	for _, o := range accepted {
		taken[o.OutTradeNo] = o
	}
	of := map[string][]paytest.Payment{}
	for _, p := range payments {
		of[p.Order] = append(of[p.Order], p)
	}
	for _, o := range all {
		for _, p := range of[o.ID] {
			if there, ok := taken[p.Number]; ok && there.ClientIP != c.addressOf(o) {
				c.Note(Wrong, p.Number, "WeChat has the client address %s, the payment came from %s", there.ClientIP, c.addressOf(o))
			}
			if p.Duplicate == 1 {
				c.duplicates++
			}
		}
		if of[o.ID] == nil {
			c.count("order closed without a payment")
		}
	}
}

// addressOf returns the client address of the buyer who created an order.
func (c *Campaign) addressOf(o paytest.Order) string {
	for _, p := range c.checkouts {
		if p.key == o.Key {
			return p.ip
		}
	}
	if by := c.integration.orders[o.Key]; by != nil {
		return by.payer.ip
	}
	if s := c.floods.by(o.Key); s != nil {
		return s.ip
	}
	return ""
}

// checkPurchases checks that every purchase became one order, despite double taps and lost
// responses, and that its ID is the one that the buyer received.
func (c *Campaign) checkPurchases(all []paytest.Order) {
	orders := map[string][]paytest.Order{}
	for _, o := range all {
		orders[o.Key] = append(orders[o.Key], o)
	}
	for _, p := range c.checkouts {
		mine := orders[p.key]
		delete(orders, p.key)
		switch id := p.orderID(); {
		case len(mine) > 1:
			c.Note(Doubled, mine[0].ID, "client_key %s has %d orders", p.key, len(mine))
		case id != "" && !slices.ContainsFunc(mine, func(o paytest.Order) bool { return o.ID == id }):
			c.Note(Lost, "", "a buyer received order %s, which is not stored", id)
		case len(mine) == 1 && mine[0].Total != int64(p.total):
			c.Note(Wrong, mine[0].ID, "the order costs %d fen, want %d from the catalogue", mine[0].Total, p.total)
		case len(mine) == 1 && !p.guest() && mine[0].Owner != p.user.OpenID:
			c.Note(Wrong, mine[0].ID, "the order belongs to another buyer")
		}
	}
	for key, left := range orders {
		c.Note(Wrong, left[0].ID, "an order without a purchase, client_key %s", key)
	}
}
