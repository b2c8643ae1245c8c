package main

import (
	"slices"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat/wechattest"
)

// stored is an order as D1 stores it at the end.
type stored struct {
	ID          string
	Number      string
	Owner       string
	Key         string
	TradeType   api.TradeType `json:"trade_type"`
	Total       int64
	Body        string
	IP          string
	NotifyURL   string `json:"notify_url"`
	Created     int64
	Expires     int64
	Status      api.OrderStatus
	Transaction string
	Paid        int64
	Payer       string
	Settled     int64 // when the shop learned of the payment
	Refunded    int64
	Sent        int64  // when the shop was about to send it to WeChat first, 0 if it was never sent
	Queried     int64  // when WeChat was last queried about it
	Told        int64  // when a notification reported a payment of it
	Prepay      string // prepay_id
	Steps       string // its statuses in order
	Times       string // of the steps, Unix ms
}

const everyOrder = `SELECT id, out_trade_no AS number, owner, client_key AS "key", trade_type, total, body, client_ip AS ip, notify_url,
	created_at AS created, expires_at AS expires, status, COALESCE(transaction_id, '') AS "transaction", COALESCE(paid_at, 0) AS paid,
	COALESCE(payer, '') AS payer, COALESCE(settled_at, 0) AS settled, refunded, COALESCE(prepay_id, '') AS prepay,
	COALESCE(sent_at, 0) AS sent, COALESCE(queried_at, 0) AS queried, COALESCE(told_at, 0) AS told,
	COALESCE((SELECT group_concat(step, ' ') FROM (SELECT status AS step FROM order_steps WHERE order_id = orders.id ORDER BY rowid)), '') AS steps,
	COALESCE((SELECT group_concat(at, ' ') FROM (SELECT at FROM order_steps WHERE order_id = orders.id ORDER BY rowid)), '') AS times
	FROM orders ORDER BY rowid`

// compare checks that the shop's orders and WeChat's ledger agree after everything has ended.
func (c *campaign) compare() {
	all, err := read[stored](c.world, everyOrder)
	if err != nil {
		c.note(wrong, "", "%v", err)
		return
	}
	ledger := c.wechat.Ledger()
	trades := byNumber(ledger.Trades, func(t wechattest.Trade) string { return t.OutTradeNo })
	taken := byNumber(ledger.Orders, func(o wechattest.Order) string { return o.OutTradeNo })
	ours := byNumber(all, func(o stored) string { return o.Number })

	for _, o := range all {
		trade, paid := trades[o.Number]
		c.checkPaid(o, trade, paid)
		c.checkSteps(o)
		there, ok := taken[o.Number]
		if ok {
			c.checkAccepted(o, there)
		}
		c.checkSent(o, ok)
	}
	for _, t := range ledger.Trades {
		if _, ok := ours[t.OutTradeNo]; !ok {
			c.note(lost, t.OutTradeNo, "WeChat has %d fen for an order that is not stored", t.TotalFee)
		}
	}
	for _, o := range ledger.Orders {
		if _, ok := ours[o.OutTradeNo]; !ok {
			c.note(wrong, o.OutTradeNo, "WeChat accepted an order that is not stored")
		}
	}
	c.checkPurchases(c.checkFlood(all))
	refunds, err := read[storedRefund](c.world, everyRefund)
	if err != nil {
		c.note(wrong, "", "%v", err)
		return
	}
	c.checkRefunds(all, refunds, ledger)
	c.checkEvents(all, refunds)
}

// byNumber indexes things by out_trade_no.
func byNumber[T any](all []T, number func(T) string) map[string]T {
	m := make(map[string]T, len(all))
	for _, t := range all {
		m[number(t)] = t
	}
	return m
}

// checkPaid compares an order with WeChat's payment for it, if any.
func (c *campaign) checkPaid(o stored, trade wechattest.Trade, paid bool) {
	switch {
	case paid && !order.WasPaid(o.Status):
		c.note(lost, o.Number, "WeChat has %d fen, the order is %s (%s)", trade.TotalFee, o.Status, o.Steps)
	case !paid && order.WasPaid(o.Status):
		c.note(wrong, o.Number, "the order is %s (%s), WeChat has no money for it", o.Status, o.Steps)
	case !paid && (o.Transaction != "" || o.Paid != 0 || o.Payer != ""):
		c.note(wrong, o.Number, "the order is %s and has payment %q", o.Status, o.Transaction)
	case !paid && o.Status != api.StatusClosed:
		c.note(wrong, o.Number, "the order is not paid and can no longer be paid, but it is %s (%s)", o.Status, o.Steps)
	case paid && (o.Transaction != trade.TransactionID || o.Total != trade.TotalFee || o.Payer != trade.OpenID || o.Paid != trade.Paid.Unix()*1000):
		c.note(wrong, o.Number, "paid by %s: %d fen of %s at %d; WeChat says %s: %d fen of %s at %d", o.Transaction, o.Total, truncate(o.Payer), o.Paid,
			trade.TransactionID, trade.TotalFee, truncate(trade.OpenID), trade.Paid.Unix()*1000)
	case paid && o.TradeType == api.TradeJSAPI && o.Payer != o.Owner:
		c.note(wrong, o.Number, "%s paid a JSAPI order of %s", truncate(o.Payer), truncate(o.Owner))
	}
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

// checkSent checks that the shop noted an order as sent before WeChat received it, and that WeChat was
// not queried about an order that was never sent.
func (c *campaign) checkSent(o stored, accepted bool) {
	switch {
	case o.Sent != 0:
	case accepted:
		c.note(wrong, o.Number, "WeChat accepted an order that is not noted as sent (%s)", o.Steps)
	case o.Queried != 0 && o.Told == 0:
		c.note(wrong, o.Number, "WeChat was queried about an order that was never sent (%s)", o.Steps)
	case o.Status == api.StatusClosed:
		c.count("order closed that was never sent")
	}
}

// checkAccepted compares an order with the order that WeChat accepted.
func (c *campaign) checkAccepted(o stored, there wechattest.Order) {
	if there.TotalFee != o.Total || there.TradeType != string(o.TradeType) || there.Body != o.Body ||
		there.NotifyURL != o.NotifyURL || there.Expires.Unix() != o.Expires/1000 || o.TradeType == api.TradeJSAPI && there.OpenID != o.Owner {
		c.note(wrong, o.Number, "WeChat accepted the order with other values: %+v", there)
	}
	if ip := c.addressOf(o); there.ClientIP != ip {
		c.note(wrong, o.Number, "WeChat has the client address %s, the order came from %s", there.ClientIP, ip)
	}
	if o.IP != "" {
		c.note(wrong, o.Number, "the order is %s but still stores the address %s", o.Status, o.IP)
	}
	if o.Status == api.StatusClosed && there.State != wechattest.StateClosed {
		c.note(wrong, o.Number, "the order is closed, at WeChat it is %s", there.State)
	}
}

// addressOf returns the client address of the buyer who created an order.
func (c *campaign) addressOf(o stored) string {
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

// checkSteps checks an order's status changes against the table of transitions. An order may become
// paid only once, except after refunds. Times must not decrease, whichever machine's clock they
// came from.
func (c *campaign) checkSteps(o stored) {
	steps := strings.Fields(o.Steps)
	if len(steps) == 0 || steps[0] != string(api.StatusCreated) || steps[len(steps)-1] != string(o.Status) {
		c.note(wrong, o.Number, "the order is %s, but its steps are %q", o.Status, o.Steps)
		return
	}
	times := strings.Fields(o.Times)
	if len(times) != len(steps) {
		c.note(wrong, o.Number, "the order has the steps %q at the times %q", o.Steps, o.Times)
		return
	}
	payments := 0
	for i := 1; i < len(steps); i++ {
		if times[i] < times[i-1] { // 13 digits each
			c.note(wrong, o.Number, "the timeline goes back in time: %s at %s, then %s at %s", steps[i-1], times[i-1], steps[i], times[i])
		}
		was, is := api.OrderStatus(steps[i-1]), api.OrderStatus(steps[i])
		if !order.CanBecome(was, is) {
			c.note(wrong, o.Number, "the order went from %s to %s (%s)", was, is, o.Steps)
		}
		if is == api.StatusPaid && !order.WasPaid(was) {
			payments++
		}
	}
	if payments > 1 {
		c.note(doubled, o.Number, "the order became paid %d times (%s)", payments, o.Steps)
	}
}

// checkPurchases checks that every purchase became one order, despite double taps and lost
// responses, and that its ID is the one that the buyer received.
func (c *campaign) checkPurchases(all []stored) {
	orders := map[string][]stored{}
	for _, o := range all {
		orders[o.Key] = append(orders[o.Key], o)
	}
	for _, p := range c.checkouts {
		mine := orders[p.key]
		delete(orders, p.key)
		switch id := p.orderID(); {
		case len(mine) > 1:
			c.note(doubled, mine[0].Number, "client_key %s has %d orders", p.key, len(mine))
		case id != "" && !slices.ContainsFunc(mine, func(o stored) bool { return o.ID == id }):
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

// truncate shortens an openid for the report.
func truncate(openid string) string {
	if len(openid) < 8 {
		return openid
	}
	return openid[:4] + "…"
}
