package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// accounts returns the refund_account of every refund that was sent, "-" for the
// default.
func (s *shop) accounts() (sent []string) {
	for _, m := range s.sim.Messages(0) {
		if m.Kind == "refund" {
			_, account, ok := strings.Cut(m.Request, "<refund_account><![CDATA[")
			if account, _, _ = strings.Cut(account, "]]>"); !ok {
				account = "-"
			}
			sent = append(sent, strings.TrimPrefix(account, "REFUND_SOURCE_"))
		}
	}
	return sent
}

// Unsettled takings do not suffice: the refund takes the available balance, under the
// same number.
func TestRefundTakesTheAvailableBalance(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	s.fault(wechattest.FaultUnsettledShort, "")
	r := op.refund(o.ID, refundOf(o.Total))
	if r.Status != api.RefundProcessing || !r.FromBalance || r.Failure != "" || r.Cure != "" {
		t.Errorf("%+v", r)
	}
	if got := fmt.Sprint(s.accounts()); got != "[- RECHARGE_FUNDS]" {
		t.Errorf("sent from %s", got)
	}
	s.sim.Advance(time.Minute)
	s.check()
	s.wantStatus(o.ID, api.StatusRefunded)
	if refunds := s.sim.Ledger().Refunds; len(refunds) != 1 || refunds[0].OutRefundNo != r.ID || refunds[0].Account != "REFUND_SOURCE_RECHARGE_FUNDS" {
		t.Errorf("WeChat made %+v", refunds)
	}
}

// The call with the available balance is lost. It is repeated as it was stored before
// it was sent.
func TestBalanceIsStoredBeforeItIsSent(t *testing.T) {
	t.Parallel()
	for _, reaches := range []bool{false, true} {
		t.Run(fmt.Sprint("reaches WeChat: ", reaches), func(t *testing.T) {
			s := newShop(t, nil)
			op := s.operator()
			o := s.signedIn(0).paidOrder("tea", 1)
			s.fault(wechattest.FaultUnsettledShort, "")
			right, calls := s.wire.handler, 0
			s.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/secapi/pay/refund" {
					if calls++; calls == 2 {
						if reaches {
							right.ServeHTTP(httptest.NewRecorder(), r)
						}
						w.WriteHeader(http.StatusGatewayTimeout)
						return
					}
				}
				right.ServeHTTP(w, r)
			})
			s.fault(wechattest.FaultNotifyLost, "")
			r := op.refund(o.ID, refundOf(o.Total))
			if r.Status != api.RefundCreated || !r.FromBalance {
				t.Errorf("%+v", r)
			}
			for range 3 {
				s.sim.Advance(time.Minute)
				s.reconcile()
			}
			s.wantStatus(o.ID, api.StatusRefunded)
			want := "[- RECHARGE_FUNDS]"
			if reaches {
				want = "[- RECHARGE_FUNDS RECHARGE_FUNDS]"
			}
			if got := fmt.Sprint(s.accounts()); got != want {
				t.Errorf("WeChat got %s, want %s", got, want)
			}
			if refunds := s.sim.Ledger().Refunds; len(refunds) != 1 || refunds[0].OutRefundNo != r.ID {
				t.Errorf("WeChat made %+v", refunds)
			}
		})
	}
}

// The merchant has no money at all: the refund waits for the operator, who sees why
// and what to do, and it is sent seldom.
func TestRefundWithoutMoneyWaitsForTheOperator(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	s.fault(wechattest.FaultNotEnough, "")
	req := refundOf(o.Total)
	r := op.refund(o.ID, req)
	if r.Status != api.RefundCreated || r.Failure != "NOT_ENOUGH" || !strings.Contains(r.FailureText, "基本账户余额不足") ||
		!strings.Contains(r.Cure, "pay in") || !r.FromBalance {
		t.Errorf("%+v", r)
	}
	wantRefunds := func(want string) {
		t.Helper()
		if wrong, _ := s.health(); !strings.Contains(wrong["refunds"], want) || want == "" && wrong["refunds"] != "" {
			t.Errorf("refunds are wrong: %q, want %q", wrong["refunds"], want)
		}
	}
	wantRefunds("1 refund is declined by WeChat until the operator acts")
	for range 3 * 24 * 6 {
		s.sim.Advance(10 * time.Minute)
		s.reconcile()
	}
	if n := len(s.accounts()); n < 16 || n > 60 { // from either source in turn
		t.Errorf("sent %d times in three days", n)
	}
	if own := s.signedIn(0).get(o.ID); len(own.Refunds) != 1 || own.Refunds[0] != (api.Refund{ID: r.ID, Amount: r.Amount, Reason: r.Reason, Status: r.Status, CreatedAt: r.CreatedAt}) {
		t.Errorf("the buyer sees %+v", own.Refunds)
	}
	// The timer and the operator do not send a refund within seconds of each other.
	for sent := len(s.accounts()); len(s.accounts()) == sent; s.reconcile() {
		s.sim.Advance(10 * time.Minute)
	}
	s.sim.Advance(time.Minute)
	s.sim.PayIn()
	if again := op.refund(o.ID, req); again.ID != r.ID || again.Status != api.RefundProcessing || again.Cure != "" {
		t.Errorf("%+v", again)
	}
	s.sim.Advance(time.Minute)
	s.wantStatus(o.ID, api.StatusRefunded)
	if n := len(s.sim.Ledger().Refunds); n != 1 {
		t.Errorf("WeChat made %d refunds", n)
	}
	wantRefunds("")
}

// With REFUND_FROM_BALANCE=manual the operator decides, in a repeated call or in the
// first.
func TestOperatorChoosesTheBalance(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(cfg *settings, _ *wechat.Config) { cfg.ManualBalance = true })
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	s.fault(wechattest.FaultUnsettledShort, "")
	req := refundOf(o.Total)
	r := op.refund(o.ID, req)
	if r.Status != api.RefundCreated || r.FromBalance || !strings.Contains(r.Cure, "from_balance") {
		t.Errorf("%+v", r)
	}
	for range 10 {
		s.sim.Advance(time.Minute)
		s.reconcile()
	}
	if got := strings.Join(s.accounts(), ""); strings.Trim(got, "-") != "" {
		t.Errorf("sent from %s", got)
	}
	s.sim.Advance(15 * time.Second) // the timer has just sent it
	req.FromBalance = true
	if again := op.refund(o.ID, req); again.ID != r.ID || again.Status != api.RefundProcessing || !again.FromBalance {
		t.Errorf("%+v", again)
	}
	other := s.signedIn(1).paidOrder("tea", 1)
	direct := refundOf(other.Total)
	direct.FromBalance = true
	if r := op.refund(other.ID, direct); !r.FromBalance || s.accounts()[len(s.accounts())-1] != "RECHARGE_FUNDS" {
		t.Errorf("%+v", r)
	}
}

// WeChat declines every call: the key is wrong. Nothing is called every minute, and
// all of it goes on by itself once the key is right.
func TestWhatCannotSucceedIsTriedLessAndLess(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p, op := s.signedIn(0), s.operator()
	paid := p.paidOrder("tea", 1)
	open := p.order("tea", 1)
	right, calls := s.wire.handler, map[string]int{}
	s.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/orderquery") { // so that there is something to close
			right.ServeHTTP(w, r)
			return
		}
		calls[r.URL.Path]++
		io.WriteString(w, "<xml><retcode>1</retcode><retmsg>param mch_id invalid</retmsg></xml>")
	})
	if r := op.refund(paid.ID, refundOf(paid.Total)); r.Status != api.RefundCreated || r.Failure != "FAIL" ||
		!strings.Contains(r.FailureText, "param mch_id invalid") || !strings.Contains(r.Cure, "merchant number") {
		t.Errorf("%+v", r)
	}
	const days = 5
	for range days * 24 * 6 {
		s.sim.Advance(10 * time.Minute)
		s.reconcile()
		if err := s.signer.CheckBills(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for path, most := range map[string]int{"/secapi/pay/refund": 30, "/pay/closeorder": 60, "/pay/downloadbill": 90} {
		if n := calls[path]; n < 5 || n > most {
			t.Errorf("%s: %d calls in %d days, want at most %d", path, n, days, most)
		}
	}
	s.wire.handler = right
	for range 26 * 6 {
		s.sim.Advance(10 * time.Minute)
		s.reconcile()
		if err := s.signer.CheckBills(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.wantStatus(paid.ID, api.StatusRefunded)
	s.wantStatus(open.Order.ID, api.StatusClosed)
}

// A refund that neither source could pay is paid by new takings, without the operator.
func TestRefundIsPaidByNewTakings(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	o := s.signedIn(0).paidOrder("tea", 1)
	s.fault(wechattest.FaultNotEnough, "")
	r := s.operator().refund(o.ID, refundOf(o.Total))
	if r.Status != api.RefundCreated || !r.FromBalance {
		t.Errorf("%+v", r)
	}
	right := s.wire.handler
	s.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/secapi/pay/refund" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			if !strings.Contains(string(body), "RECHARGE_FUNDS") {
				s.sim.PayIn() // takings have come; the balance is as empty as before
			}
		}
		right.ServeHTTP(w, r)
	})
	for range 12 {
		s.sim.Advance(time.Hour)
		s.reconcile()
	}
	s.wantStatus(o.ID, api.StatusRefunded)
	if sent := s.accounts(); sent[len(sent)-1] != "-" {
		t.Errorf("WeChat got %v", sent)
	}
}
