package campaign

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/job"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// replay replays one of the newest events.
func (c *Campaign) replay(n int) {
	// By its time: the response of a replay by ID has the payer, and no response may have an openid.
	rows, err := read[struct{ At int64 }](c.World, `SELECT created_at AS at FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?`, n)
	if err != nil || len(rows) == 0 {
		return
	}
	var replayed v1.Replayed
	if c.operate(http.MethodPost, "/v1/events/replay", "", v1.ReplayEvents{From: rows[0].At, To: rows[0].At + 1}, &replayed) {
		c.countMany("event replayed", replayed.Events)
	}
}

// closeProduct closes the open orders of a product as after a wrong price. It stops selling, closes
// the orders in several calls and resumes selling. The other orders expire.
func (c *Campaign) closeProduct() {
	sell := func(on bool) {
		var state v1.Selling
		if c.operate(http.MethodPut, "/v1/selling", "", v1.PutSelling{Selling: &on}, &state) && state.Selling != on {
			c.Note(Wrong, "", "selling was set to %t but is %+v", on, state)
		}
	}
	sell(false)
	if p := c.checkouts[0]; p.orderID() != "" {
		req := p.request()
		req.ClientKey = "after-the-" + p.key
		if _, ok := p.mustCall(http.MethodPost, api.PathOrders, req, &api.Order{}, api.CodeNotSelling); ok {
			c.Note(Wrong, "", "an order was accepted although selling is off")
		}
	}
	req := v1.CloseOrders{ProductID: products[0]}
	for {
		var res v1.OrdersClosed
		if !c.operate(http.MethodPost, "/v1/orders/close", "", req, &res) {
			break
		}
		c.closed += res.Orders
		if req.Cursor = res.Next; req.Cursor == "" {
			break
		}
	}
	sell(true)
	rows, err := read[struct{ N int }](c.World, `SELECT COUNT(*) AS n FROM orders WHERE status = 'open'
		AND EXISTS (SELECT 1 FROM json_each(items) WHERE json_extract(value, '$.product_id') = ?)`, products[0])
	if err != nil || rows[0].N != 0 {
		c.Note(Wrong, "", "the operator closed all open orders of a product, but some are open: %v, %v", rows, err)
	}
}

// eraseBuyers lets a month pass, after which events have no payer, and then erases all buyers.
// Orders and payments stay unchanged.
func (c *Campaign) eraseBuyers(ctx context.Context) error {
	type books struct{ Orders, Total, Refunded, Refunds, Amount, Events int64 }
	const sums = `SELECT COUNT(*) AS orders, CAST(COALESCE(SUM(total), 0) AS INTEGER) AS total, CAST(COALESCE(SUM(refunded), 0) AS INTEGER) AS refunded,
		(SELECT COUNT(*) FROM refunds) AS refunds, (SELECT CAST(COALESCE(SUM(amount), 0) AS INTEGER) FROM refunds) AS amount, (SELECT COUNT(*) FROM events) AS events FROM orders`
	before, err := read[books](c.World, sums)
	if err != nil {
		return err
	}
	c.WeChat.Advance(31 * 24 * time.Hour)
	const payers = `SELECT COUNT(*) AS n FROM events WHERE json_extract(data, '$.payment.payer') IS NOT NULL`
	for range 2 + len(c.checkouts)/100 { // 500 events each
		if complete, err := c.Tick(ctx, job.CheckBills); err != nil || !complete {
			return fmt.Errorf("the job %s failed after the last fault: complete response %t, %w", job.CheckBills, complete, err)
		}
	}
	if rows, err := read[struct{ N int }](c.World, payers); err != nil || rows[0].N != 0 {
		c.Note(Wrong, "", "events still have payers after a month: %v, %v", rows, err)
	}
	for _, b := range c.buyers {
		if b.guest() {
			continue
		}
		for more := true; more; {
			var done v1.PersonErased
			if !c.operate(http.MethodPost, "/v1/persons/erase", "", v1.ErasePerson{OpenID: b.user.OpenID}, &done) {
				break
			}
			more = done.More
		}
	}
	const left = `SELECT (SELECT COUNT(*) FROM orders WHERE owner NOT LIKE 'guest:%' AND owner NOT LIKE 'erased:%')
		+ (SELECT COUNT(*) FROM payments WHERE openid <> '' OR payer <> '' OR client_ip <> '') AS n`
	if rows, err := read[struct{ N int }](c.World, left); err != nil || rows[0].N != 0 {
		c.Note(Wrong, "", "all buyers are erased, but %v orders and payments name a buyer, %v", rows, err)
	}
	after, err := read[books](c.World, sums)
	if err != nil {
		return err
	}
	if after[0] != before[0] {
		c.Note(Wrong, "", "the totals were %+v before the erasure and are %+v after it", before[0], after[0])
	}
	return nil
}

// checkOperator checks that the operator's calls return the stored state.
func (c *Campaign) checkOperator() {
	var health api.Health
	if _, ok := c.operator.mustCall(http.MethodGet, api.PathHealth, nil, &health); !ok || !health.OK {
		c.Note(Wrong, "", "the health check fails without a cause: %+v", health)
	}
	var counters v1.Counters
	if !c.operate(http.MethodGet, "/v1/counters", "", nil, &counters) {
		return
	}
	all, err := read[paytest.Order](c.World, paytest.EveryOrder)
	if err != nil {
		c.Note(Wrong, "", "%v", err)
	}
	payments, err := read[paytest.Payment](c.World, paytest.EveryPayment)
	if err != nil {
		c.Note(Wrong, "", "%v", err)
	}
	refunds, err := read[paytest.Refund](c.World, paytest.EveryRefund)
	if err != nil {
		c.Note(Wrong, "", "%v", err)
	}
	if len(all) > store.MaxOrdersCounted {
		return // of which the counters leave some out
	}
	want := map[string]int64{}
	for _, o := range all {
		want["orders."+string(o.Status)]++
		if order.WasPaid(o.Status) && (strings.Contains(o.Steps, string(api.StatusClosing)) || strings.Contains(o.Steps, string(api.StatusClosed))) {
			want["orders.paid_late"]++
		}
	}
	for _, p := range payments {
		if p.Status == api.PaymentPaid {
			want["settled"]++
		}
		if p.Duplicate == 1 {
			want["payments.duplicate"]++
		}
	}
	for _, r := range refunds {
		want["refunds."+string(r.Status)]++
	}
	got := map[string]int64{}
	for name, n := range counters.Counters {
		if strings.HasPrefix(name, "settled.") {
			name = "settled"
		}
		got[name] += n
	}
	for name, n := range want {
		if got[name] != n {
			c.Note(Wrong, "", "counter %s is %d, want %d", name, got[name], n)
		}
	}
}
