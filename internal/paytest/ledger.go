package paytest

import (
	"database/sql"
	"encoding/json"
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
	Order string // out_trade_no, if it is about an order
	Text  string
}

// Order is an order as the shop stores it.
type Order struct {
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

// EveryOrder selects all orders. Its columns are the fields of Order.
const EveryOrder = `SELECT id, out_trade_no AS number, owner, client_key AS "key", trade_type, total, body, client_ip AS ip, notify_url,
	created_at AS created, expires_at AS expires, status, COALESCE(transaction_id, '') AS "transaction", COALESCE(paid_at, 0) AS paid,
	COALESCE(payer, '') AS payer, COALESCE(settled_at, 0) AS settled, refunded, COALESCE(prepay_id, '') AS prepay,
	COALESCE(sent_at, 0) AS sent, COALESCE(queried_at, 0) AS queried, COALESCE(told_at, 0) AS told,
	COALESCE((SELECT group_concat(step, ' ') FROM (SELECT status AS step FROM order_steps WHERE order_id = orders.id ORDER BY rowid)), '') AS steps,
	COALESCE((SELECT group_concat(at, ' ') FROM (SELECT at FROM order_steps WHERE order_id = orders.id ORDER BY rowid)), '') AS times
	FROM orders ORDER BY rowid`

// Refund is a refund as the shop stores it.
type Refund struct {
	ID       string
	Number   string // out_trade_no of its order
	Amount   int64
	Status   api.RefundStatus
	RefundID string `json:"refund_id"`
}

// EveryRefund selects all refunds. Its columns are the fields of Refund.
const EveryRefund = `SELECT refunds.id, out_trade_no AS number, amount, refunds.status, COALESCE(refund_id, '') AS refund_id
	FROM refunds JOIN orders ON orders.id = order_id ORDER BY refunds.rowid`

// ReadRows runs a query and decodes its rows by the names of the columns.
func ReadRows[Row any](db *sql.DB, query string) ([]Row, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all []Row
	for rows.Next() {
		values := make([]any, len(columns))
		into := map[string]*any{}
		for i, name := range columns {
			into[name] = &values[i]
		}
		pointers := make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			return nil, err
		}
		text, err := json.Marshal(into)
		if err != nil {
			return nil, err
		}
		var row Row
		if err := json.Unmarshal(text, &row); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// CompareOrders compares all orders with WeChat's ledger. It is for the end, when every order is
// paid or closed and all bills were compared.
func CompareOrders(all []Order, ledger wechattest.Ledger) []Finding {
	c := &comparison{}
	trades := byNumber(ledger.Trades, func(t wechattest.Trade) string { return t.OutTradeNo })
	taken := byNumber(ledger.Orders, func(o wechattest.Order) string { return o.OutTradeNo })
	ours := byNumber(all, func(o Order) string { return o.Number })
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
			c.note(Lost, t.OutTradeNo, "WeChat has %d fen for an order that is not stored", t.TotalFee)
		}
	}
	for _, o := range ledger.Orders {
		if _, ok := ours[o.OutTradeNo]; !ok {
			c.note(Wrong, o.OutTradeNo, "WeChat accepted an order that is not stored")
		}
	}
	return c.findings
}

// CompareRefunds compares all refunds with WeChat's ledger, and with the status of the orders.
func CompareRefunds(all []Order, refunds []Refund, ledger wechattest.Ledger) []Finding {
	c := &comparison{}
	c.checkRefunds(all, refunds, ledger)
	return c.findings
}

// comparison collects findings.
type comparison struct{ findings []Finding }

func (c *comparison) note(v Verdict, number, format string, args ...any) {
	c.findings = append(c.findings, Finding{v, number, fmt.Sprintf(format, args...)})
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
func (c *comparison) checkPaid(o Order, trade wechattest.Trade, paid bool) {
	switch {
	case paid && !order.WasPaid(o.Status):
		c.note(Lost, o.Number, "WeChat has %d fen, the order is %s (%s)", trade.TotalFee, o.Status, o.Steps)
	case !paid && order.WasPaid(o.Status):
		c.note(Wrong, o.Number, "the order is %s (%s), WeChat has no money for it", o.Status, o.Steps)
	case !paid && (o.Transaction != "" || o.Paid != 0 || o.Payer != ""):
		c.note(Wrong, o.Number, "the order is %s and has payment %q", o.Status, o.Transaction)
	case !paid && o.Status != api.StatusClosed:
		c.note(Wrong, o.Number, "the order is not paid and can no longer be paid, but it is %s (%s)", o.Status, o.Steps)
	case paid && (o.Transaction != trade.TransactionID || o.Total != trade.TotalFee || o.Payer != trade.OpenID || o.Paid != trade.Paid.Unix()*1000):
		c.note(Wrong, o.Number, "paid by %s: %d fen of %s at %d; WeChat says %s: %d fen of %s at %d", o.Transaction, o.Total, Truncate(o.Payer), o.Paid,
			trade.TransactionID, trade.TotalFee, Truncate(trade.OpenID), trade.Paid.Unix()*1000)
	case paid && o.TradeType == api.TradeJSAPI && o.Payer != o.Owner:
		c.note(Wrong, o.Number, "%s paid a JSAPI order of %s", Truncate(o.Payer), Truncate(o.Owner))
	}
}

// checkAccepted compares an order with the order that WeChat accepted.
func (c *comparison) checkAccepted(o Order, there wechattest.Order) {
	if there.TotalFee != o.Total || there.TradeType != string(o.TradeType) || there.Body != o.Body ||
		there.NotifyURL != o.NotifyURL || there.Expires.Unix() != o.Expires/1000 || o.TradeType == api.TradeJSAPI && there.OpenID != o.Owner {
		c.note(Wrong, o.Number, "WeChat accepted the order with other values: %+v", there)
	}
	if o.IP != "" {
		c.note(Wrong, o.Number, "the order is %s but still stores the address %s", o.Status, o.IP)
	}
	if o.Status == api.StatusClosed && there.State != wechattest.StateClosed {
		c.note(Wrong, o.Number, "the order is closed, at WeChat it is %s", there.State)
	}
}

// checkSent checks that the shop noted an order as sent before WeChat received it, and that WeChat was
// not queried about an order that was never sent.
func (c *comparison) checkSent(o Order, accepted bool) {
	switch {
	case o.Sent != 0:
	case accepted:
		c.note(Wrong, o.Number, "WeChat accepted an order that is not noted as sent (%s)", o.Steps)
	case o.Queried != 0 && o.Told == 0:
		c.note(Wrong, o.Number, "WeChat was queried about an order that was never sent (%s)", o.Steps)
	}
}

// checkSteps checks an order's status changes against the table of transitions. An order may become
// paid only once, except after refunds. Times must not decrease, whichever machine's clock they
// came from.
func (c *comparison) checkSteps(o Order) {
	steps := strings.Fields(o.Steps)
	if len(steps) == 0 || steps[0] != string(api.StatusCreated) || steps[len(steps)-1] != string(o.Status) {
		c.note(Wrong, o.Number, "the order is %s, but its steps are %q", o.Status, o.Steps)
		return
	}
	times := strings.Fields(o.Times)
	if len(times) != len(steps) {
		c.note(Wrong, o.Number, "the order has the steps %q at the times %q", o.Steps, o.Times)
		return
	}
	payments := 0
	for i := 1; i < len(steps); i++ {
		if times[i] < times[i-1] { // 13 digits each
			c.note(Wrong, o.Number, "the timeline goes back in time: %s at %s, then %s at %s", steps[i-1], times[i-1], steps[i], times[i])
		}
		was, is := api.OrderStatus(steps[i-1]), api.OrderStatus(steps[i])
		if !order.CanBecome(was, is) {
			c.note(Wrong, o.Number, "the order went from %s to %s (%s)", was, is, o.Steps)
		}
		if is == api.StatusPaid && !order.WasPaid(was) {
			payments++
		}
	}
	if payments > 1 {
		c.note(Doubled, o.Number, "the order became paid %d times (%s)", payments, o.Steps)
	}
}

// checkRefunds compares the shop's refunds with WeChat's, and with the status of the orders.
func (c *comparison) checkRefunds(all []Order, refunds []Refund, ledger wechattest.Ledger) {
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
	for _, o := range all {
		if !order.WasPaid(o.Status) {
			continue
		}
		want := api.StatusPaid
		switch {
		case open[o.Number]:
			want = api.StatusRefunding // until an operator acts on the merchant platform
		case back[o.Number] == o.Total:
			want = api.StatusRefunded
		}
		if o.Refunded != back[o.Number] || o.Refunded > o.Total || o.Status != want {
			c.note(Wrong, o.Number, "the order is %s with %d of %d fen refunded; want %s and %d by its refunds", o.Status, o.Refunded, o.Total, want, back[o.Number])
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
