package server_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/fen"
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

// refundStep makes one random step about a refund.
func (p *purchase) refundStep(r *rand.Rand) {
	s := p.buyer.Shop
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	switch r.IntN(6) {
	case 0:
		s.Fault(pick(wechattest.FaultSystemError, wechattest.FaultTimeoutBefore, wechattest.FaultTimeoutAfter, wechattest.FaultBadGateway,
			wechattest.FaultBadReplySign, wechattest.FaultNoReplySign), pick("/secapi/pay/refund", "/pay/refundquery"))
	case 1:
		kind := pick(wechattest.FaultNotEnough, wechattest.FaultUnsettledShort, wechattest.FaultRefundClosed, wechattest.FaultRefundChange, wechattest.FaultRefundSlow)
		var delay int64
		if kind == wechattest.FaultRefundSlow {
			delay = 1 + r.Int64N(5*time.Hour.Milliseconds())
		}
		if err := s.Sim.AddFault(wechattest.Fault{Kind: kind, DelayMS: delay}); err != nil {
			s.T.Fatal(err)
		}
	case 2:
		// By hand at the merchant platform, without a notification.
		if no := p.anyPayment(r); no != "" {
			s.Sim.Refund(no, 1+r.Int64N(int64(p.last.Order.Total))) // an error means that WeChat declined it
			s.Check()
		}
	case 3:
		p.refundNotifications(r)
	default:
		p.requestRefunds(r)
	}
}

// requestRefunds requests refunds, sometimes several at once, and some of them twice.
func (p *purchase) requestRefunds(r *rand.Rand) {
	if p.id == "" {
		return
	}
	s, op := p.buyer.Shop, p.buyer.Operator()
	total := int64(p.last.Order.Total)
	var wg sync.WaitGroup
	for range 1 + r.IntN(2)*3 {
		amount := 1 + r.Int64N(total)
		if r.IntN(3) == 0 {
			amount = total
		}
		if p.refund.Key == "" || r.IntN(2) == 0 {
			p.refund = paytest.RefundRequest(fen.Fen(amount))
		}
		body, err := json.Marshal(p.refund)
		if err != nil {
			s.T.Fatal(err)
		}
		request := op.Request("POST", paytest.RefundPath(p.id), body)
		request.Header.Set("Idempotency-Key", p.refund.Key)
		wg.Go(func() {
			if a := op.Send(request); a.Err.Code == api.CodeInternal {
				s.T.Errorf("refund: %s\n%s", a.Body, s.Log)
			}
		})
	}
	wg.Wait()
	s.Check()
}

// refundNotifications sends genuine and forged refund notifications, and reads the order at the same time.
func (p *purchase) refundNotifications(r *rand.Rand) {
	if p.id == "" {
		return
	}
	s, op := p.buyer.Shop, p.buyer.Operator()
	var wg sync.WaitGroup
	no := p.anyPayment(r)
	for _, refund := range s.Sim.Ledger().Refunds {
		if refund.OutTradeNo != no {
			continue
		}
		for _, forge := range append(wechattest.RefundForgeries(), "", "") {
			if r.IntN(2) == 0 {
				continue
			}
			wg.Go(func() {
				attempt, err := s.Sim.NotifyRefund(refund.OutRefundNo, forge)
				lie := forge != "" && forge != wechattest.ForgeReplay && forge != wechattest.ForgeTooEarly // which may be true by now
				if err == nil && attempt.OK && lie {
					s.T.Errorf("a forged refund notification (%s) was acknowledged", forge)
				}
			})
		}
	}
	look := op.Request("GET", "/v1/orders/"+p.id+"?sync=true", nil)
	wg.Go(func() {
		if a := op.Send(look); a.Status != http.StatusOK {
			s.T.Errorf("look: %d %s", a.Status, a.Body)
		}
	})
	wg.Wait()
	s.Check()
}

// refundsEnd runs the timer until no refund is open, except those that wait for the operator, and
// every duplicate is refunded.
func refundsEnd(s *paytest.Shop) {
	s.T.Helper()
	s.Sim.PayIn()
	for range 60 {
		s.Sim.Advance(31 * time.Minute)
		for range 4 {
			s.Reconcile()
		}
		var open int
		if err := s.DB.QueryRow(`SELECT COUNT(*) FROM refunds WHERE status IN ('created', 'processing')`).Scan(&open); err != nil {
			s.T.Fatal(err)
		}
		if open == 0 && !refundDuplicates(s) {
			return
		}
	}
	s.T.Errorf("a refund does not end\n%s", s.Log)
}

// refundDuplicates refunds each duplicate whose refund WeChat has closed or declined, as the runbook
// says, and reports whether there was one.
func refundDuplicates(s *paytest.Shop) bool {
	s.T.Helper()
	payments, err := paytest.ReadRows[paytest.Payment](s.DB, paytest.EveryPayment)
	if err != nil {
		s.T.Fatal(err)
	}
	again := false
	for _, p := range payments {
		var abnormal bool
		if err := s.DB.QueryRow(`SELECT COUNT(*) > 0 FROM refunds WHERE out_trade_no = ? AND status = 'abnormal'`, p.Number).Scan(&abnormal); err != nil {
			s.T.Fatal(err)
		}
		if p.Duplicate == 0 || p.Refunded == p.Total || abnormal { // abnormal: the operator acts on the merchant platform
			continue
		}
		again = true
		req := paytest.RefundRequest(fen.Fen(p.Total - p.Refunded))
		req.OutTradeNo = p.Number
		s.Operator().Refund(p.Order, req)
	}
	return again
}

// billsAgree checks the bill of every day until it agrees, as an operator does.
func billsAgree(s *paytest.Shop, from time.Time) {
	s.T.Helper()
	op := s.Operator()
	for day := from; day.Before(s.Now().Add(-34 * time.Hour)); day = day.Add(24 * time.Hour) {
		date := cst.In(day).Format("2006-01-02")
		for tries := 0; ; tries++ {
			c := checkBill(op, date)
			if c.Status == "agrees" {
				break
			}
			if tries == 20 {
				s.T.Errorf("the bill of %s still differs: %+v\n%s", date, c, s.Log)
				break
			}
		}
	}
}
