package server_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/wechat/wechattest"
)

// purchase is an order as its buyer's page knows it.
type purchase struct {
	buyer *person
	req   api.CreateOrderRequest
	id    string
	pay   *api.PayParams
}

// A campaign is a random story of buyers, their taps and WeChat's faults. After
// every step everything that must hold is checked; in the end the shop must
// know of every fen that WeChat has.
func TestCampaign(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			s := newShop(t, nil)
			buyers := []*person{s.signedIn(0), s.signedIn(1), s.signedIn(2)}
			var all []*purchase
			for range 60 {
				p := &purchase{buyer: buyers[r.IntN(len(buyers))], req: basket([]string{"tea", "bun", "test"}[r.IntN(3)], 1+r.IntN(3))}
				if len(all) == 0 || r.IntN(6) == 0 {
					all = append(all, p)
				} else {
					p = all[r.IntN(len(all))]
				}
				p.step(r)
			}
			s.sim.ClearFaults()
			s.sim.Advance(order.Lifetime + order.ExpiryGrace + 25*time.Hour)
			for _, p := range all {
				if p.id != "" {
					// The buyer's session has ended; the owner signs in again.
					p.buyer = s.signedIn(p.index())
					p.buyer.get(p.id)
				}
			}
			s.check()
			for _, trade := range s.sim.Ledger().Trades {
				var status, transaction string
				if err := s.db.QueryRow(`SELECT status, COALESCE(transaction_id, '') FROM orders WHERE out_trade_no = ?`, trade.OutTradeNo).Scan(&status, &transaction); err != nil {
					t.Fatal(err)
				}
				if status != string(api.StatusPaid) || transaction != trade.TransactionID {
					t.Errorf("WeChat has transaction %s, the order is %s by %q", trade.TransactionID, status, transaction)
				}
			}
		})
	}
}

func (p *purchase) index() int {
	for i, user := range p.buyer.sim.Users() {
		if user.OpenID == p.buyer.user.OpenID {
			return i
		}
	}
	return -1
}

// step does one random thing.
func (p *purchase) step(r *rand.Rand) {
	s := p.buyer.shop
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	switch r.IntN(10) {
	case 0, 1:
		p.checkout("POST", api.PathOrders, p.req)
	case 2:
		if p.id != "" {
			p.checkout("POST", api.OrderPayPath(p.id), struct{}{})
		}
	case 3, 4:
		p.tapPay(r.IntN(4) > 0)
	case 5:
		if p.id != "" {
			p.buyer.get(p.id)
		}
	case 6:
		s.sim.Advance(time.Duration(r.Int64N(int64([]time.Duration{5 * time.Second, 10 * time.Minute, 3 * time.Hour}[r.IntN(3)]))))
		s.check()
	case 7:
		s.fault(pick(wechattest.FaultSystemError, wechattest.FaultTimeoutBefore, wechattest.FaultTimeoutAfter, wechattest.FaultBadGateway,
			wechattest.FaultBadReplySign, wechattest.FaultNoReplySign), pick("/pay/unifiedorder", "/pay/orderquery"))
	case 8:
		s.fault(pick(wechattest.FaultNotifyLost, wechattest.FaultNotifyDropped, wechattest.FaultNotifyDoubled,
			wechattest.FaultNotifyReordered, wechattest.FaultNotifyMD5, wechattest.FaultPaidAsCancel), "")
	case 9:
		p.news(r)
	}
}

// checkout asks for pay parameters. Any typed answer is right but internal.
func (p *purchase) checkout(method, path string, body any) {
	p.buyer.t.Helper()
	a := p.buyer.call(method, path, body)
	var c api.Checkout
	switch {
	case a.err.Code == api.CodeInternal:
		p.buyer.t.Errorf("%s: %s\n%s", path, a.body, p.buyer.log)
	case a.status == http.StatusOK:
		if err := json.Unmarshal(a.body, &c); err != nil {
			p.buyer.t.Fatal(err)
		}
		p.id, p.pay = c.Order.ID, c.Pay
	}
}

// tapPay pays or cancels with the parameters the page has, however old.
func (p *purchase) tapPay(pay bool) {
	if p.pay == nil {
		return
	}
	sheet, err := p.buyer.sheet(p.pay)
	if err != nil {
		return // too old, or paid
	}
	if pay {
		_, err = p.buyer.sim.PaySheet(sheet.ID)
	} else {
		_, err = p.buyer.sim.CancelSheet(sheet.ID)
	}
	if err != nil {
		p.buyer.t.Fatal(err)
	}
	p.buyer.check()
}

// news brings notifications, true and forged, and polls at the same time.
func (p *purchase) news(r *rand.Rand) {
	if p.id == "" {
		return
	}
	s := p.buyer.shop
	no := s.outTradeNo(p.id)
	var wg sync.WaitGroup
	for _, forge := range append(wechattest.Forges(), "", "") {
		if r.IntN(2) == 0 {
			continue
		}
		wg.Go(func() {
			attempt, err := s.sim.Notify(no, forge)
			if err == nil && attempt.OK && forge != "" && forge != wechattest.ForgeReplay {
				s.t.Errorf("a forged notification (%s) was acknowledged", forge)
			}
			if err == nil && !attempt.OK && (forge == "" || forge == wechattest.ForgeReplay) && !strings.Contains(attempt.Reason, "FAIL") {
				s.t.Errorf("a true notification (%q) was not acknowledged: %+v", forge, attempt)
			}
		})
	}
	for range 3 {
		poll := p.buyer.request("GET", api.OrderPath(p.id), nil)
		wg.Go(func() { p.buyer.send(poll) })
	}
	wg.Wait()
	s.check()
}
