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
	"h5pay/wechat/wechattest"
)

// payBack does one random thing about money that goes back.
func (p *purchase) payBack(r *rand.Rand) {
	s := p.buyer.shop
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	switch r.IntN(6) {
	case 0:
		s.fault(pick(wechattest.FaultSystemError, wechattest.FaultTimeoutBefore, wechattest.FaultTimeoutAfter, wechattest.FaultBadGateway,
			wechattest.FaultBadReplySign, wechattest.FaultNoReplySign), pick("/secapi/pay/refund", "/pay/refundquery"))
	case 1:
		kind := pick(wechattest.FaultNotEnough, wechattest.FaultUnsettledShort, wechattest.FaultRefundClosed, wechattest.FaultRefundChange, wechattest.FaultRefundSlow)
		var delay int64
		if kind == wechattest.FaultRefundSlow {
			delay = 1 + r.Int64N(5*time.Hour.Milliseconds())
		}
		if err := s.sim.AddFault(wechattest.Fault{Kind: kind, DelayMS: delay}); err != nil {
			s.t.Fatal(err)
		}
	case 2:
		// By hand on the merchant platform, which tells nobody.
		if p.id != "" {
			s.sim.Refund(s.outTradeNo(p.id), 1+r.Int64N(int64(p.last.Order.Total))) // an error is WeChat's no
			s.check()
		}
	case 3:
		p.refundNews(r)
	default:
		p.askBack(r)
	}
}

// askBack asks for refunds, several at once now and then, some of them twice.
func (p *purchase) askBack(r *rand.Rand) {
	if p.id == "" {
		return
	}
	s, op := p.buyer.shop, p.buyer.operator()
	total := int64(p.last.Order.Total)
	var wg sync.WaitGroup
	for range 1 + r.IntN(2)*3 {
		amount := 1 + r.Int64N(total)
		if r.IntN(3) == 0 {
			amount = total
		}
		if p.refund.RefundKey == "" || r.IntN(2) == 0 {
			p.refund = refundOf(fen.Fen(amount))
		}
		body, err := json.Marshal(p.refund)
		if err != nil {
			s.t.Fatal(err)
		}
		request := op.request("POST", refundPath(p.id), body)
		wg.Go(func() {
			if a := op.send(request); a.err.Code == api.CodeInternal {
				s.t.Errorf("refund: %s\n%s", a.body, s.log)
			}
		})
	}
	wg.Wait()
	s.check()
}

// refundNews brings refund notifications, true and forged, and looks at the same
// time.
func (p *purchase) refundNews(r *rand.Rand) {
	if p.id == "" {
		return
	}
	s, op := p.buyer.shop, p.buyer.operator()
	var wg sync.WaitGroup
	for _, refund := range s.sim.Ledger().Refunds {
		if refund.OutTradeNo != s.outTradeNo(p.id) {
			continue
		}
		for _, forge := range append(wechattest.RefundForgeries(), "", "") {
			if r.IntN(2) == 0 {
				continue
			}
			wg.Go(func() {
				attempt, err := s.sim.NotifyRefund(refund.OutRefundNo, forge)
				lie := forge != "" && forge != wechattest.ForgeReplay && forge != wechattest.ForgeTooEarly // which may be true by now
				if err == nil && attempt.OK && lie {
					s.t.Errorf("a forged refund notification (%s) was acknowledged", forge)
				}
			})
		}
	}
	look := op.request("GET", api.PathAdminOrders+"/"+p.id, nil)
	wg.Go(func() {
		if a := op.send(look); a.status != http.StatusOK {
			s.t.Errorf("look: %d %s", a.status, a.body)
		}
	})
	wg.Wait()
	s.check()
}

// refundsEnd goes on until no refund is under way that does not wait for the
// merchant's hand.
func (s *shop) refundsEnd() {
	s.t.Helper()
	s.sim.PayIn()
	for range 60 {
		s.sim.Advance(31 * time.Minute)
		for range 4 {
			s.reconcile()
		}
		var open int
		if err := s.db.QueryRow(`SELECT COUNT(*) FROM refunds WHERE status IN ('created', 'processing')`).Scan(&open); err != nil {
			s.t.Fatal(err)
		}
		if open == 0 {
			return
		}
	}
	s.t.Errorf("a refund is under way for ever\n%s", s.log)
}

// billsAgree compares every day's bill until nothing differs, as an operator would
// who tries again.
func (s *shop) billsAgree(from time.Time) {
	s.t.Helper()
	op := s.operator()
	for day := from; day.Before(s.now().Add(-34 * time.Hour)); day = day.Add(24 * time.Hour) {
		date := cst.In(day).Format("2006-01-02")
		for tries := 0; ; tries++ {
			c := op.checkBill(date)
			if c.Status == "agrees" {
				break
			}
			if tries == 20 {
				s.t.Errorf("the bill of %s differs for ever: %+v\n%s", date, c, s.log)
				break
			}
		}
	}
}
