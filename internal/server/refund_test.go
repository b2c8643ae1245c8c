package server_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// operator is whoever holds the token.
func (s *shop) operator() *person {
	return &person{shop: s, cookies: map[string]string{}, ip: "203.0.113.200", token: adminToken}
}

func refundPath(id string) string { return api.PathAdminOrders + "/" + id + "/refund" }

// refundOf asks for some money back, under a new key.
func refundOf(amount fen.Fen) api.RefundRequest {
	return api.RefundRequest{RefundKey: rand.Text(), Amount: amount, Reason: "少了一包"}
}

// paidOrder returns an order that was paid a while ago.
func (p *person) paidOrder(product string, quantity int) api.Order {
	p.t.Helper()
	c := p.order(product, quantity)
	p.pay(c.Pay)
	p.deliver()
	p.sim.Advance(queryPause) // WeChat is queried if the notification was lost
	return p.get(c.Order.ID)
}

// refund pays back and must succeed.
func (p *person) refund(id string, req api.RefundRequest) api.Refund {
	p.t.Helper()
	var r api.Refund
	p.must("POST", refundPath(id), req, &r)
	return r
}

// look reads an order as the operator.
func (p *person) look(id string) api.AdminOrder {
	p.t.Helper()
	var o api.AdminOrder
	p.must("GET", api.PathAdminOrders+"/"+id, nil, &o)
	return o
}

// refundsOf returns the statuses of the refunds of an order as they are stored.
func (s *shop) refundsOf(id string) string {
	s.t.Helper()
	var all string
	if err := s.db.QueryRow(`SELECT COALESCE(group_concat(status || ' ' || amount || COALESCE(' ' || failure, ''), ', ' ORDER BY rowid), '')
		FROM refunds WHERE order_id = ?`, id).Scan(&all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *shop) wantRefunds(id, want string) {
	s.t.Helper()
	if got := s.refundsOf(id); got != want {
		s.t.Errorf("refunds %q, want %q\n%s", got, want, s.log)
	}
}

func TestFullRefund(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	buyer, op := s.signedIn(0), s.operator()
	o := buyer.paidOrder("tea", 1)
	r := op.refund(o.ID, refundOf(o.Total))
	if r.Status != api.RefundProcessing || r.Amount != o.Total || r.Reason != "少了一包" || len(r.ID) != 32 {
		t.Errorf("%+v", r)
	}
	s.wantStatus(o.ID, api.StatusRefunding)
	s.sim.Advance(10 * time.Second) // the notification comes
	s.check()
	s.wantPath(o.ID, api.StatusPending, api.StatusPaid, api.StatusRefunding, api.StatusRefunded)
	seen := buyer.get(o.ID)
	if seen.Status != api.StatusRefunded || seen.Refunded != o.Total || len(seen.Refunds) != 1 ||
		seen.Refunds[0].ID != r.ID || seen.Refunds[0].Status != api.RefundSucceeded || seen.Refunds[0].EndedAt == 0 {
		t.Errorf("%+v", seen)
	}
	// Nothing is left.
	op.fails(api.CodeRefundTooMuch, "POST", refundPath(o.ID), refundOf(1))
	if n := s.sim.Ledger().Notifications; len(n) != 2 || n[1].State != wechattest.NotifyAcknowledged {
		t.Errorf("%+v", n)
	}
}

func TestPartialRefunds(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	for i, step := range []struct {
		amount fen.Fen
		want   api.OrderStatus
	}{{1000, api.StatusPaid}, {800, api.StatusPaid}, {5000, api.StatusRefunded}} {
		s.sim.Advance(2 * time.Minute)
		op.refund(o.ID, refundOf(step.amount))
		s.wantStatus(o.ID, api.StatusRefunding)
		s.sim.Advance(10 * time.Second)
		s.check()
		s.wantStatus(o.ID, step.want)
		if got := op.look(o.ID); len(got.Refunds) != i+1 {
			t.Errorf("%+v", got)
		}
		if step.want == api.StatusPaid {
			op.fails(api.CodeRefundTooMuch, "POST", refundPath(o.ID), refundOf(o.Total))
		}
	}
	if got := op.look(o.ID); got.Refunded != o.Total {
		t.Errorf("%+v", got)
	}
}

func TestRefundOfWhatWasNeverPaid(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	c := s.signedIn(0).order("tea", 1)
	op.unharmed(func() {
		op.fails(api.CodeOrderNotPaid, "POST", refundPath(c.Order.ID), refundOf(1))
		op.fails(api.CodeNotFound, "POST", refundPath("000000000000000000000000"), refundOf(1))
		op.fails(api.CodeNotFound, "POST", refundPath("x"), refundOf(1))
	})
}

func TestRefundKeyMakesItOneRefund(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 2)
	req := refundOf(500)
	first := op.refund(o.ID, req)
	if again := op.refund(o.ID, req); again.ID != first.ID {
		t.Errorf("two refunds: %+v, %+v", first, again)
	}
	other := req
	other.Amount++
	op.fails(api.CodeConflict, "POST", refundPath(o.ID), other)
	for _, reason := range []string{"another reason", ""} {
		other = req
		other.Reason = reason
		op.fails(api.CodeConflict, "POST", refundPath(o.ID), other)
	}
	s.wantRefunds(o.ID, "processing 500")
	// Another order may use it too.
	another := s.signedIn(1).paidOrder("tea", 1)
	op.refund(another.ID, req)
}

// Of refunds at once, those succeed for which there is room.
func TestConcurrentRefundsNeverExceedThePayment(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]int{"one key": 1, "different keys": 20} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, nil)
			op := s.operator()
			o := s.signedIn(0).paidOrder("tea", 1) // 6800
			var bodies [][]byte
			for range keys {
				b, err := json.Marshal(refundOf(1500))
				if err != nil {
					t.Fatal(err)
				}
				bodies = append(bodies, b)
			}
			var wg sync.WaitGroup
			var mu sync.Mutex
			codes := map[api.Code]int{}
			for i := range 20 {
				r := op.request("POST", refundPath(o.ID), bodies[i%keys])
				wg.Go(func() {
					a := op.send(r)
					mu.Lock()
					defer mu.Unlock()
					codes[a.err.Code]++
				})
			}
			wg.Wait()
			s.check()
			want := map[api.Code]int{"": 20}
			stored := 1
			if keys > 1 {
				want = map[api.Code]int{"": 4, api.CodeRefundTooMuch: 16}
				stored = 4
			}
			if d := cmp.Diff(want, codes); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if n := strings.Count(s.refundsOf(o.ID), "1500"); n != stored {
				t.Errorf("%d refunds are stored, want %d", n, stored)
			}
			// WeChat takes one a minute; the timer sees to the others.
			for range 12 {
				s.sim.Advance(time.Minute)
				s.reconcile()
			}
			if n := len(s.sim.Ledger().Refunds); n != stored {
				t.Errorf("WeChat made %d refunds, want %d", n, stored)
			}
			if got := op.look(o.ID); got.Refunded != fen.Fen(1500*stored) || got.Status != api.StatusPaid {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestRefundSurvivesWeChatsTroubles(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultTimeoutBefore,
		wechattest.FaultTimeoutAfter, wechattest.FaultBadReplySign, wechattest.FaultNoReplySign} {
		for _, retry := range []string{"operator", "timer"} {
			t.Run(fault+" then "+retry, func(t *testing.T) {
				s := newShop(t, nil)
				op := s.operator()
				o := s.signedIn(0).paidOrder("tea", 1)
				s.fault(fault, "/secapi/pay/refund")
				req := refundOf(o.Total)
				first := op.refund(o.ID, req)
				if first.Status != api.RefundCreated {
					t.Errorf("%+v", first)
				}
				if want := map[string]string{wechattest.FaultSystemError: "SYSTEM_ERROR"}[fault]; first.Failure != want || first.Advice != "" {
					t.Errorf("failure %q, want %q", first.Failure, want)
				}
				s.wantStatus(o.ID, api.StatusRefunding)
				// Nobody waits for the notification.
				s.fault(wechattest.FaultNotifyLost, "")
				s.sim.Advance(time.Minute)
				if retry == "operator" {
					if again := op.refund(o.ID, req); again.ID != first.ID || again.Status == api.RefundCreated {
						t.Errorf("%+v", again)
					}
				}
				for range 4 {
					s.reconcile()
					s.sim.Advance(time.Minute)
				}
				s.wantPath(o.ID, api.StatusPending, api.StatusPaid, api.StatusRefunding, api.StatusRefunded)
				s.wantRefunds(o.ID, "succeeded 6800")
				if refunds := s.sim.Ledger().Refunds; len(refunds) != 1 || refunds[0].OutRefundNo != first.ID {
					t.Errorf("WeChat made %+v", refunds)
				}
			})
		}
	}
}

func TestRefundThatComesToNothing(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]struct {
		refund string
		order  api.OrderStatus
	}{
		wechattest.FaultRefundClosed: {"closed 6800", api.StatusPaid},
		wechattest.FaultRefundChange: {"abnormal 6800", api.StatusRefunding},
	} {
		for _, lost := range []bool{false, true} {
			s := newShop(t, nil)
			op := s.operator()
			o := s.signedIn(0).paidOrder("tea", 1)
			s.fault(fault, "")
			if lost {
				s.fault(wechattest.FaultNotifyLost, "")
			}
			op.refund(o.ID, refundOf(o.Total))
			s.sim.Advance(2 * time.Minute)
			s.reconcile()
			s.wantRefunds(o.ID, want.refund)
			s.wantStatus(o.ID, want.order)
			if want.order == api.StatusPaid {
				op.refund(o.ID, refundOf(o.Total)) // the room is free again
			} else {
				if s.loud() == 0 {
					t.Error("nothing loud in the log")
				}
				op.fails(api.CodeRefundTooMuch, "POST", refundPath(o.ID), refundOf(1))
			}
		}
	}
}

func TestSlowRefundIsAskedAboutLessAndLess(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	if err := s.sim.AddFault(wechattest.Fault{Kind: wechattest.FaultRefundSlow, DelayMS: (50 * time.Hour).Milliseconds()}); err != nil {
		t.Fatal(err)
	}
	s.fault(wechattest.FaultNotifyLost, "")
	op.refund(o.ID, refundOf(o.Total))
	for range 50*12 + 7 {
		s.sim.Advance(5 * time.Minute)
		s.reconcile()
	}
	if n := s.calls("refundquery"); n < 100 || n > 120 {
		t.Errorf("asked %d times in 50 hours", n)
	}
	s.wantStatus(o.ID, api.StatusRefunded)
}

// Two within a minute: WeChat takes the second one later.
func TestRefundAMinuteAfterAnother(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	op.refund(o.ID, refundOf(100))
	second := op.refund(o.ID, refundOf(200))
	if second.Status != api.RefundCreated || second.Failure != "FREQUENCY_LIMITED" {
		t.Errorf("%+v", second)
	}
	for range 3 {
		s.sim.Advance(time.Minute)
		s.reconcile()
	}
	s.wantRefunds(o.ID, "succeeded 100, succeeded 200")
	s.wantStatus(o.ID, api.StatusPaid)
}

func TestRefundAfterAYear(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	s.sim.Advance(365*24*time.Hour + time.Hour)
	op.fails(api.CodeWeChatDeclined, "POST", refundPath(o.ID), refundOf(1)) // WeChat's word
	s.wantRefunds(o.ID, "failed 1 TRADE_OVERDUE")
	s.wantStatus(o.ID, api.StatusPaid)
	s.sim.Advance(48 * time.Hour)
	op.unharmed(func() { op.fails(api.CodeWeChatDeclined, "POST", refundPath(o.ID), refundOf(1)) })
	// The same key is the same rejection, and the buyer sees none of it.
	if seen := s.signedIn(0).get(o.ID); len(seen.Refunds) != 0 || seen.Status != api.StatusPaid {
		t.Errorf("%+v", seen)
	}
}

func TestRefundWithoutACertificate(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	s.handler = s.open(func(_ *settings, wx *wechat.Config) { wx.CertDoer = nil })
	op.unharmed(func() { op.fails(api.CodeMisconfigured, "POST", refundPath(o.ID), refundOf(1)) })
}

// WeChat's gateway rejects a certificate that has run out: no refund is lost.
func TestRefundWithABadCertificate(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	right := s.wire.handler
	s.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "The SSL certificate error", http.StatusBadRequest)
	})
	if r := op.refund(o.ID, refundOf(o.Total)); r.Status != api.RefundCreated || r.Failure != "FAIL" {
		t.Errorf("%+v", r)
	}
	if s.loud() == 0 {
		t.Error("nothing loud in the log")
	}
	s.wire.handler = right
	s.sim.Advance(2 * time.Minute)
	s.reconcile()
	s.sim.Advance(time.Minute)
	s.wantStatus(o.ID, api.StatusRefunded)
}

// The signer may die, or lose its database, between any two statements.
func TestRefundWhoseAnswerWasNotStored(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	storetest.Exec(t, s.db, `CREATE TRIGGER dead BEFORE UPDATE OF refund_id ON refunds BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	req := refundOf(o.Total)
	op.fails(api.CodeInternal, "POST", refundPath(o.ID), req)
	s.wantRefunds(o.ID, "created 6800")
	s.wantStatus(o.ID, api.StatusRefunding)
	s.sim.Advance(time.Minute)
	s.wantRefunds(o.ID, "created 6800") // the notification could not be stored either
	storetest.Exec(t, s.db, `DROP TRIGGER dead`)
	s.reconcile()
	s.sim.Advance(time.Minute)
	s.reconcile()
	s.wantStatus(o.ID, api.StatusRefunded)
	if n := len(s.sim.Ledger().Refunds); n != 1 {
		t.Errorf("WeChat made %d refunds", n)
	}
	op.refund(o.ID, req)
}
