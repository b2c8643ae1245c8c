package paytest

import (
	"fmt"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat/wechattest"
)

// Verdict is the kind of a finding.
type Verdict string

// The verdicts.
const (
	Lost    Verdict = "lost"    // WeChat received the money, but the shop does not know
	Doubled Verdict = "doubled" // one purchase became two orders, payments or events
	Wrong   Verdict = "wrong"   // any other broken guarantee
)

// Finding is one broken guarantee.
type Finding struct {
	Verdict
	Order string // out_trade_no, or the id of an order
	Text  string
}

// Order is an order as the shop stores it.
type Order struct {
	ID        string
	Source    string
	Reference string
	Owner     string
	Key       string // client_key
	Total     int64
	Created   int64
	Expires   int64
	Status    api.OrderStatus
	PaidBy    string `json:"paid_by"` // out_trade_no of the payment that pays it
	Refunded  int64
	Steps     string // its statuses in order
	Times     string // of the steps, Unix ms
}

// EveryOrder selects all orders. Its columns are the fields of Order.
const EveryOrder = `SELECT id, source, COALESCE(reference, '') AS reference, COALESCE(owner, '') AS owner, COALESCE(client_key, '') AS key, total,
	created_at AS created, expires_at AS expires, status, COALESCE(paid_by, '') AS paid_by, refunded,
	COALESCE((SELECT group_concat(step, ' ') FROM (SELECT status AS step FROM order_steps WHERE order_id = orders.id ORDER BY n)), '') AS steps,
	COALESCE((SELECT group_concat('' || at, ' ') FROM (SELECT at FROM order_steps WHERE order_id = orders.id ORDER BY n)), '') AS times
	FROM orders ORDER BY orders.created_at, orders.id`

// Payment is a payment as the shop stores it.
type Payment struct {
	Number      string        // out_trade_no
	Order       string        // id of its order
	TradeType   api.TradeType `json:"trade_type"`
	OpenID      string        // JSAPI: who is to pay
	Total       int64
	Body        string
	IP          string
	NotifyURL   string `json:"notify_url"`
	Created     int64
	Expires     int64
	Status      api.PaymentStatus
	Transaction string
	Paid        int64
	Payer       string
	Settled     int64 // when the shop learned of the payment
	Duplicate   int64 // 1: another payment pays the order
	Refunded    int64
	Queried     int64  // when WeChat was last queried about it
	Notified    int64  // when a notification reported it as paid
	Prepay      string // prepay_id
}

// EveryPayment selects all payments. Its columns are the fields of Payment.
const EveryPayment = `SELECT out_trade_no AS number, order_id AS "order", trade_type, openid, total, body, client_ip AS ip, notify_url,
	created_at AS created, expires_at AS expires, status, COALESCE(transaction_id, '') AS "transaction", COALESCE(paid_at, 0) AS paid,
	COALESCE(payer, '') AS payer, COALESCE(settled_at, 0) AS settled, duplicate, refunded, COALESCE(prepay_id, '') AS prepay,
	COALESCE(queried_at, 0) AS queried, COALESCE(notified_at, 0) AS notified
	FROM payments ORDER BY payments.created_at, payments.out_trade_no`

// Refund is a refund as the shop stores it.
type Refund struct {
	ID       string
	Order    string // id of its order
	Number   string // out_trade_no of its payment
	Amount   int64
	Status   api.RefundStatus
	RefundID string `json:"refund_id"`
}

// EveryRefund selects all refunds. Its columns are the fields of Refund.
const EveryRefund = `SELECT id, order_id AS "order", out_trade_no AS number, amount, status, COALESCE(refund_id, '') AS refund_id
	FROM refunds ORDER BY refunds.created_at, refunds.id`

// CompareOrders compares all orders and their payments with WeChat's ledger. It is for the end, when
// every order is paid or closed and all bills were compared.
func CompareOrders(all []Order, payments []Payment, ledger wechattest.Ledger) []Finding {
	c := &comparison{}
	trades := byNumber(ledger.Trades, func(t wechattest.Trade) string { return t.OutTradeNo })
	taken := byNumber(ledger.Orders, func(o wechattest.Order) string { return o.OutTradeNo })
	ours := byNumber(payments, func(p Payment) string { return p.Number })
	of := map[string][]Payment{}
	for _, p := range payments {
		of[p.Order] = append(of[p.Order], p)
		trade, paid := trades[p.Number]
		c.checkPaid(p, trade, paid)
		if there, ok := taken[p.Number]; ok {
			c.checkAccepted(p, there)
		}
	}
	for _, o := range all {
		c.checkOrder(o, of[o.ID])
		c.checkSteps(o)
	}
	for _, t := range ledger.Trades {
		if _, ok := ours[t.OutTradeNo]; !ok {
			c.note(Lost, t.OutTradeNo, "WeChat has %d fen for a payment that is not stored", t.TotalFee)
		}
	}
	for _, o := range ledger.Orders {
		if _, ok := ours[o.OutTradeNo]; !ok {
			c.note(Wrong, o.OutTradeNo, "WeChat accepted a payment that is not stored")
		}
	}
	return c.findings
}

// CompareRefunds compares all refunds with WeChat's ledger, and with the orders and payments.
func CompareRefunds(all []Order, payments []Payment, refunds []Refund, ledger wechattest.Ledger) []Finding {
	c := &comparison{}
	c.checkRefunds(all, payments, refunds, ledger)
	return c.findings
}

// comparison collects findings.
type comparison struct{ findings []Finding }

func (c *comparison) note(v Verdict, number, format string, args ...any) {
	c.findings = append(c.findings, Finding{v, number, fmt.Sprintf(format, args...)})
}

// byNumber indexes a list by out_trade_no.
func byNumber[T any](all []T, number func(T) string) map[string]T {
	m := make(map[string]T, len(all))
	for _, t := range all {
		m[number(t)] = t
	}
	return m
}

// checkPaid compares a payment with WeChat's trade for it, if any.
func (c *comparison) checkPaid(p Payment, trade wechattest.Trade, paid bool) {
	here := p.Status == api.PaymentPaid
	switch {
	case paid && !here:
		c.note(Lost, p.Number, "WeChat has %d fen, the payment is %s", trade.TotalFee, p.Status)
	case !paid && here:
		c.note(Wrong, p.Number, "the payment is %s, WeChat has no money for it", p.Status)
	case !paid && (p.Transaction != "" || p.Paid != 0 || p.Payer != ""):
		c.note(Wrong, p.Number, "the payment is %s and has transaction %q", p.Status, p.Transaction)
	case !paid && p.Status != api.PaymentClosed && p.Status != api.PaymentFailed:
		c.note(Wrong, p.Number, "the payment can no longer be paid, but it is %s", p.Status)
	case paid && (p.Transaction != trade.TransactionID || p.Total != trade.TotalFee || p.Payer != trade.OpenID || p.Paid != trade.Paid.Unix()*1000):
		c.note(Wrong, p.Number, "paid by %s: %d fen of %s at %d; WeChat says %s: %d fen of %s at %d", p.Transaction, p.Total, Truncate(p.Payer), p.Paid,
			trade.TransactionID, trade.TotalFee, Truncate(trade.OpenID), trade.Paid.Unix()*1000)
	case paid && p.TradeType == api.TradeJSAPI && p.Payer != p.OpenID:
		c.note(Wrong, p.Number, "%s paid a JSAPI payment of %s", Truncate(p.Payer), Truncate(p.OpenID))
	}
}

// checkAccepted compares a payment with the order that WeChat accepted.
func (c *comparison) checkAccepted(p Payment, there wechattest.Order) {
	if there.TotalFee != p.Total || there.TradeType != string(p.TradeType) || there.Body != p.Body ||
		there.NotifyURL != p.NotifyURL || there.Expires.Unix() != p.Expires/1000 || p.TradeType == api.TradeJSAPI && there.OpenID != p.OpenID {
		c.note(Wrong, p.Number, "WeChat accepted the payment with other values: %+v", there)
	}
	if p.IP != "" {
		c.note(Wrong, p.Number, "the payment is %s but still stores the address %s", p.Status, p.IP)
	}
	if p.Status == api.PaymentClosed && there.State != wechattest.StateClosed {
		c.note(Wrong, p.Number, "the payment is closed, at WeChat it is %s", there.State)
	}
}

// checkOrder compares an order with its payments: one that is paid pays it, and all others that are
// paid are duplicates.
func (c *comparison) checkOrder(o Order, payments []Payment) {
	paid, by := 0, 0
	for _, p := range payments {
		if p.Status == api.PaymentPaid && p.Duplicate == 0 {
			paid++
		}
		if p.Number == o.PaidBy && p.Status == api.PaymentPaid && p.Duplicate == 0 {
			by++
		}
		if p.Total != o.Total {
			c.note(Wrong, p.Number, "a payment of %d fen for order %s of %d fen", p.Total, o.ID, o.Total)
		}
	}
	switch {
	case paid > 1:
		c.note(Doubled, o.ID, "%d payments pay the order and are no duplicates", paid)
	case paid == 1 && !order.WasPaid(o.Status):
		c.note(Lost, o.ID, "a payment of the order is paid, the order is %s (%s)", o.Status, o.Steps)
	case order.WasPaid(o.Status) && by != 1:
		c.note(Wrong, o.ID, "the order is %s (%s) by payment %q, which is not so", o.Status, o.Steps, o.PaidBy)
	case paid == 0 && o.Status != api.StatusClosed:
		c.note(Wrong, o.ID, "the order is not paid and can no longer be paid, but it is %s (%s)", o.Status, o.Steps)
	}
}

// checkSteps checks an order's status changes against the table of transitions. An order may become
// paid only once, except after refunds. Times must not decrease, whichever machine's clock wrote
// them.
func (c *comparison) checkSteps(o Order) {
	steps := strings.Fields(o.Steps)
	if len(steps) == 0 || steps[0] != string(api.StatusOpen) || steps[len(steps)-1] != string(o.Status) {
		c.note(Wrong, o.ID, "the order is %s, but its steps are %q", o.Status, o.Steps)
		return
	}
	times := strings.Fields(o.Times)
	if len(times) != len(steps) {
		c.note(Wrong, o.ID, "the order has the steps %q at the times %q", o.Steps, o.Times)
		return
	}
	payments := 0
	for i := 1; i < len(steps); i++ {
		if times[i] < times[i-1] { // 13 digits each
			c.note(Wrong, o.ID, "the timeline goes back in time: %s at %s, then %s at %s", steps[i-1], times[i-1], steps[i], times[i])
		}
		was, is := api.OrderStatus(steps[i-1]), api.OrderStatus(steps[i])
		if !order.CanBecome(was, is) {
			c.note(Wrong, o.ID, "the order went from %s to %s (%s)", was, is, o.Steps)
		}
		if is == api.StatusPaid && !order.WasPaid(was) {
			payments++
		}
	}
	if payments > 1 {
		c.note(Doubled, o.ID, "the order became paid %d times (%s)", payments, o.Steps)
	}
}

// checkRefunds compares the shop's refunds with WeChat's, and with the orders and payments.
func (c *comparison) checkRefunds(all []Order, payments []Payment, refunds []Refund, ledger wechattest.Ledger) {
	theirs := map[string]wechattest.Refund{}
	for _, r := range ledger.Refunds {
		theirs[r.OutRefundNo] = r
	}
	back, open := map[string]int64{}, map[string]bool{}
	ours := map[string]bool{}
	for _, r := range refunds {
		ours[r.ID] = true
		there, ok := theirs[r.ID]
		switch {
		case !ok && r.Status != api.RefundFailed:
			c.note(Wrong, r.Number, "refund %s is %s, but WeChat does not have it", r.ID, r.Status)
		case ok && (r.Amount != there.Fee || r.RefundID != there.RefundID || r.Number != there.OutTradeNo || r.Status != refundStatus[there.Status]):
			c.note(Wrong, r.Number, "refund %s is %s: %d fen by %s; WeChat says %s: %d fen by %s", r.ID, r.Status, r.Amount, r.RefundID,
				there.Status, there.Fee, there.RefundID)
		}
		switch r.Status {
		case api.RefundSucceeded:
			back[r.Number] += r.Amount
		case api.RefundCreated, api.RefundProcessing, api.RefundAbnormal:
			open[r.Number] = true
		}
	}
	for _, r := range ledger.Refunds {
		if !ours[r.OutRefundNo] {
			c.note(Lost, r.OutTradeNo, "WeChat refunded %d fen by %s, which is not stored", r.Fee, r.OutRefundNo)
		}
	}
	for _, p := range payments {
		switch {
		case p.Refunded != back[p.Number] || p.Refunded > p.Total:
			c.note(Wrong, p.Number, "the payment has %d of %d fen refunded; want %d by its refunds", p.Refunded, p.Total, back[p.Number])
		case p.Duplicate == 1 && p.Refunded != p.Total && !open[p.Number]:
			c.note(Lost, p.Number, "the order was paid twice, and %d of %d fen went back", p.Refunded, p.Total)
		}
	}
	for _, o := range all {
		if !order.WasPaid(o.Status) {
			continue
		}
		want := api.StatusPaid
		switch {
		case open[o.PaidBy]:
			want = api.StatusRefunding // until an operator acts on the merchant platform
		case back[o.PaidBy] == o.Total:
			want = api.StatusRefunded
		}
		if o.Refunded != back[o.PaidBy] || o.Refunded > o.Total || o.Status != want {
			c.note(Wrong, o.ID, "the order is %s with %d of %d fen refunded; want %s and %d by its refunds", o.Status, o.Refunded, o.Total, want, back[o.PaidBy])
		}
	}
}

// refundStatus is the shop's status for a status of WeChat's.
var refundStatus = map[string]api.RefundStatus{
	wechattest.RefundProcessing: api.RefundProcessing,
	wechattest.RefundSuccess:    api.RefundSucceeded,
	wechattest.RefundClosed:     api.RefundClosed,
	wechattest.RefundChange:     api.RefundAbnormal,
}

// Truncate shortens an openid for the report.
func Truncate(openid string) string {
	if len(openid) < 8 {
		return openid
	}
	return openid[:4] + "…"
}
