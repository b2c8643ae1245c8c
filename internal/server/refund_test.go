package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestFullRefund(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	buyer, op := s.SignedIn(0), s.Operator()
	o := buyer.PaidOrder("tea", 1)
	r := op.Refund(o.ID, paytest.RefundRequest(o.Total))
	if r.Status != api.RefundProcessing || r.Amount != o.Total || r.Reason != "少了一包" || len(r.ID) != 32 {
		t.Errorf("%+v", r)
	}
	s.WantStatus(o.ID, api.StatusRefunding)
	s.Sim.Advance(10 * time.Second) // the notification arrives
	s.Check()
	s.WantPath(o.ID, api.StatusPaid, api.StatusRefunding, api.StatusRefunded)
	seen := buyer.GetOrder(o.ID)
	if seen.Status != api.StatusRefunded || seen.Refunded != o.Total || len(seen.Refunds) != 1 ||
		seen.Refunds[0].ID != r.ID || seen.Refunds[0].Status != api.RefundSucceeded || seen.Refunds[0].EndedAt == 0 {
		t.Errorf("%+v", seen)
	}
	// Nothing is left.
	op.Fails(api.CodeRefundTooMuch, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(1))
	if n := s.Sim.Ledger().Notifications; len(n) != 2 || n[1].State != wechattest.NotifyAcknowledged {
		t.Errorf("%+v", n)
	}
}

func TestPartialRefunds(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	for i, step := range []struct {
		amount fen.Fen
		want   api.OrderStatus
	}{{1000, api.StatusPaid}, {800, api.StatusPaid}, {5000, api.StatusRefunded}} {
		s.Sim.Advance(2 * time.Minute)
		op.Refund(o.ID, paytest.RefundRequest(step.amount))
		s.WantStatus(o.ID, api.StatusRefunding)
		s.Sim.Advance(10 * time.Second)
		s.Check()
		s.WantStatus(o.ID, step.want)
		if got := op.SyncedOrder(o.ID); len(got.Refunds) != i+1 {
			t.Errorf("%+v", got)
		}
		if step.want == api.StatusPaid {
			op.Fails(api.CodeRefundTooMuch, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(o.Total))
		}
	}
	if got := op.SyncedOrder(o.ID); got.Refunded != o.Total {
		t.Errorf("%+v", got)
	}
}

func TestRefundOfWhatWasNeverPaid(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	c := s.SignedIn(0).Order("tea", 1)
	wantUnharmed(op, func() {
		op.Fails(api.CodeOrderNotPaid, "POST", paytest.RefundPath(c.Order.ID), paytest.RefundRequest(1))
		op.Fails(api.CodeNotFound, "POST", paytest.RefundPath("000000000000000000000000"), paytest.RefundRequest(1))
		op.Fails(api.CodeNotFound, "POST", paytest.RefundPath("x"), paytest.RefundRequest(1))
	})
}

func TestRefundKeyMakesItOneRefund(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 2)
	req := paytest.RefundRequest(500)
	first := op.Refund(o.ID, req)
	if again := op.Refund(o.ID, req); again.ID != first.ID {
		t.Errorf("two refunds: %+v, %+v", first, again)
	}
	other := req
	other.Amount++
	op.Fails(v1.CodeIdempotency, "POST", paytest.RefundPath(o.ID), other)
	for _, reason := range []string{"another reason", ""} {
		other = req
		other.Reason = reason
		op.Fails(v1.CodeIdempotency, "POST", paytest.RefundPath(o.ID), other)
	}
	s.WantRefunds(o.ID, "processing 500")
	// Another order may use it too.
	another := s.SignedIn(1).PaidOrder("tea", 1)
	op.Refund(another.ID, req)
}

// Concurrent refunds succeed only as long as they do not exceed the payment.
func TestConcurrentRefundsNeverExceedThePayment(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]int{"one key": 1, "different keys": 20} {
		t.Run(name, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			op := s.Operator()
			o := s.SignedIn(0).PaidOrder("tea", 1) // 6800
			var requests []paytest.RefundCall
			for range keys {
				requests = append(requests, paytest.RefundRequest(1500))
			}
			var wg sync.WaitGroup
			var mu sync.Mutex
			codes := map[api.Code]int{}
			for i := range 20 {
				body, err := json.Marshal(requests[i%keys])
				if err != nil {
					t.Fatal(err)
				}
				r := op.Request("POST", paytest.RefundPath(o.ID), body)
				r.Header.Set("Idempotency-Key", requests[i%keys].Key)
				wg.Go(func() {
					a := op.Send(r)
					mu.Lock()
					defer mu.Unlock()
					codes[a.Err.Code]++
				})
			}
			wg.Wait()
			s.Check()
			want := map[api.Code]int{"": 20}
			stored := 1
			if keys > 1 {
				want = map[api.Code]int{"": 4, api.CodeRefundTooMuch: 16}
				stored = 4
			}
			if d := cmp.Diff(want, codes); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if n := strings.Count(s.RefundsOf(o.ID), "1500"); n != stored {
				t.Errorf("%d refunds are stored, want %d", n, stored)
			}
			// WeChat accepts one per minute. The timer sends the others.
			for range 12 {
				s.Sim.Advance(time.Minute)
				s.Reconcile()
			}
			if n := len(s.Sim.Ledger().Refunds); n != stored {
				t.Errorf("WeChat made %d refunds, want %d", n, stored)
			}
			if got := op.SyncedOrder(o.ID); got.Refunded != fen.Fen(1500*stored) || got.Status != v1.OrderPaid {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestRefundSurvivesWeChatsFailures(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultTimeoutBefore,
		wechattest.FaultTimeoutAfter, wechattest.FaultBadReplySign, wechattest.FaultNoReplySign} {
		for _, retry := range []string{"operator", "timer"} {
			t.Run(fault+" then "+retry, func(t *testing.T) {
				s := paytest.NewShop(t, nil)
				op := s.Operator()
				o := s.SignedIn(0).PaidOrder("tea", 1)
				s.Fault(fault, "/secapi/pay/refund")
				req := paytest.RefundRequest(o.Total)
				first := op.Refund(o.ID, req)
				if first.Status != api.RefundCreated {
					t.Errorf("%+v", first)
				}
				if want := map[string]string{wechattest.FaultSystemError: "SYSTEM_ERROR"}[fault]; first.Failure != want || first.Advice != "" {
					t.Errorf("failure %q, want %q", first.Failure, want)
				}
				s.WantStatus(o.ID, api.StatusRefunding)
				// The notification is not needed.
				s.Fault(wechattest.FaultNotifyLost, "")
				s.Sim.Advance(time.Minute)
				if retry == "operator" {
					if again := op.Refund(o.ID, req); again.ID != first.ID || again.Status == api.RefundCreated {
						t.Errorf("%+v", again)
					}
				}
				for range 4 {
					s.Reconcile()
					s.Sim.Advance(time.Minute)
				}
				s.WantPath(o.ID, api.StatusPaid, api.StatusRefunding, api.StatusRefunded)
				s.WantRefunds(o.ID, "succeeded 6800")
				if refunds := s.Sim.Ledger().Refunds; len(refunds) != 1 || refunds[0].OutRefundNo != first.ID {
					t.Errorf("WeChat made %+v", refunds)
				}
			})
		}
	}
}

func TestRefundThatWeChatCloses(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]struct {
		refund string
		order  api.OrderStatus
	}{
		wechattest.FaultRefundClosed: {"closed 6800", api.StatusPaid},
		wechattest.FaultRefundChange: {"abnormal 6800", api.StatusRefunding},
	} {
		for _, lost := range []bool{false, true} {
			s := paytest.NewShop(t, nil)
			op := s.Operator()
			o := s.SignedIn(0).PaidOrder("tea", 1)
			s.Fault(fault, "")
			if lost {
				s.Fault(wechattest.FaultNotifyLost, "")
			}
			op.Refund(o.ID, paytest.RefundRequest(o.Total))
			s.Sim.Advance(2 * time.Minute)
			s.Reconcile()
			s.WantRefunds(o.ID, want.refund)
			s.WantStatus(o.ID, want.order)
			if want.order == api.StatusPaid {
				op.Refund(o.ID, paytest.RefundRequest(o.Total)) // the amount can be refunded again
			} else {
				if s.ErrorLines() == 0 {
					t.Error("the log lacks a line of level ERROR")
				}
				op.Fails(api.CodeRefundTooMuch, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(1))
			}
		}
	}
}

func TestSlowRefundIsQueriedLessOften(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	if err := s.Sim.AddFault(wechattest.Fault{Kind: wechattest.FaultRefundSlow, DelayMS: (50 * time.Hour).Milliseconds()}); err != nil {
		t.Fatal(err)
	}
	s.Fault(wechattest.FaultNotifyLost, "")
	op.Refund(o.ID, paytest.RefundRequest(o.Total))
	for range 50*12 + 7 {
		s.Sim.Advance(5 * time.Minute)
		s.Reconcile()
	}
	if n := s.Calls("refundquery"); n < 100 || n > 120 {
		t.Errorf("queried %d times in 50 hours", n)
	}
	s.WantStatus(o.ID, api.StatusRefunded)
}

// Two within a minute: WeChat accepts the second one later.
func TestRefundAMinuteAfterAnother(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	op.Refund(o.ID, paytest.RefundRequest(100))
	second := op.Refund(o.ID, paytest.RefundRequest(200))
	if second.Status != api.RefundCreated || second.Failure != "FREQUENCY_LIMITED" {
		t.Errorf("%+v", second)
	}
	for range 3 {
		s.Sim.Advance(time.Minute)
		s.Reconcile()
	}
	s.WantRefunds(o.ID, "succeeded 100, succeeded 200")
	s.WantStatus(o.ID, api.StatusPaid)
}

func TestRefundAfterAYear(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	s.Sim.Advance(365*24*time.Hour + time.Hour)
	op.Fails(api.CodeWeChatDeclined, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(1)) // WeChat declined the refund
	s.WantRefunds(o.ID, "failed 1 TRADE_OVERDUE")
	s.WantStatus(o.ID, api.StatusPaid)
	s.Sim.Advance(48 * time.Hour)
	wantUnharmed(op, func() { op.Fails(api.CodeWeChatDeclined, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(1)) })
	// A repeated key gets the same error, and the buyer does not see it.
	if seen := s.SignedIn(0).GetOrder(o.ID); len(seen.Refunds) != 0 || seen.Status != api.StatusPaid {
		t.Errorf("%+v", seen)
	}
}

func TestRefundWithoutACertificate(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	s.Handler = s.Open(func(_ *paytest.Settings, wx *wechat.Config) { wx.CertDoer = nil })
	wantUnharmed(op, func() { op.Fails(api.CodeMisconfigured, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(1)) })
}

// WeChat's gateway rejects a certificate that has run out: no refund is lost.
func TestRefundWithABadCertificate(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	right := s.ToWeChat.Handler
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "The SSL certificate error", http.StatusBadRequest)
	})
	if r := op.Refund(o.ID, paytest.RefundRequest(o.Total)); r.Status != api.RefundCreated || r.Failure != "FAIL" {
		t.Errorf("%+v", r)
	}
	if s.ErrorLines() == 0 {
		t.Error("the log lacks a line of level ERROR")
	}
	s.ToWeChat.Handler = right
	s.Sim.Advance(2 * time.Minute)
	s.Reconcile()
	s.Sim.Advance(time.Minute)
	s.WantStatus(o.ID, api.StatusRefunded)
}

// The signer may die, or its database may fail, between any two statements.
func TestRefundWhoseResponseWasNotStored(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	storetest.Exec(t, s.DB, `CREATE TRIGGER dead BEFORE UPDATE OF refund_id ON refunds BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	req := paytest.RefundRequest(o.Total)
	op.Fails(api.CodeInternal, "POST", paytest.RefundPath(o.ID), req)
	s.WantRefunds(o.ID, "created 6800")
	s.WantStatus(o.ID, api.StatusRefunding)
	s.Sim.Advance(time.Minute)
	s.WantRefunds(o.ID, "created 6800") // storing the notification failed too
	storetest.Exec(t, s.DB, `DROP TRIGGER dead`)
	s.Reconcile()
	s.Sim.Advance(time.Minute)
	s.Reconcile()
	s.WantStatus(o.ID, api.StatusRefunded)
	if n := len(s.Sim.Ledger().Refunds); n != 1 {
		t.Errorf("WeChat made %d refunds", n)
	}
	op.Refund(o.ID, req)
}

func TestBadRefundRequests(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	for _, body := range []string{
		`{"amount":-1}`,
		`{"amount":1.5}`,
		`{"amount":"1"}`,
		`{"amount":100000001}`,
		`{"amount":9223372036854775807}`,
		`{"amount":18446744073709551617}`,
		`{"amount":1e2}`,
		`{"amount":1,"reason":"` + strings.Repeat("茶", 27) + `"}`,
		`{"amount":1,"reason":"a\nb"}`,
		`{"amount":1,"order":"x"}`,
		`{"amount":1,"amount":2}`,
	} {
		wantUnharmed(op, func() {
			if a := op.Send(op.Request("POST", paytest.RefundPath(o.ID), []byte(body))); a.Err.Code != api.CodeBadRequest {
				t.Errorf("%s: %d %s", body, a.Status, a.Body)
			}
		})
	}
	// The largest amounts do not overflow the sum.
	for _, amount := range []fen.Fen{6801, 100000000} {
		wantUnharmed(op, func() {
			op.Fails(api.CodeRefundTooMuch, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(amount))
		})
	}
}
