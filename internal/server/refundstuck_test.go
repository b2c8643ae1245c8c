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
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// refundAccounts returns the refund_account of every refund that was sent, "-" for the
// default.
func refundAccounts(s *paytest.Shop) (sent []string) {
	for _, m := range s.Sim.Messages(0) {
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

// The unsettled takings do not suffice: the refund is sent again from the available balance, with
// the same out_refund_no.
func TestRefundTakesTheAvailableBalance(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	s.Fault(wechattest.FaultUnsettledShort, "")
	r := op.Refund(o.ID, paytest.RefundRequest(o.Total))
	if r.Status != api.RefundProcessing || !r.FromBalance || r.Failure != "" || r.Advice != "" {
		t.Errorf("%+v", r)
	}
	if got := fmt.Sprint(refundAccounts(s)); got != "[- RECHARGE_FUNDS]" {
		t.Errorf("sent from %s", got)
	}
	s.Sim.Advance(time.Minute)
	s.Check()
	s.WantStatus(o.ID, api.StatusRefunded)
	if refunds := s.Sim.Ledger().Refunds; len(refunds) != 1 || refunds[0].OutRefundNo != r.ID || refunds[0].Account != "REFUND_SOURCE_RECHARGE_FUNDS" {
		t.Errorf("WeChat made %+v", refunds)
	}
}

// The call with the available balance is lost. The stored call is repeated.
func TestBalanceIsStoredBeforeItIsSent(t *testing.T) {
	t.Parallel()
	for _, reaches := range []bool{false, true} {
		t.Run(fmt.Sprint("reaches WeChat: ", reaches), func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			op := s.Operator()
			o := s.SignedIn(0).PaidOrder("tea", 1)
			s.Fault(wechattest.FaultUnsettledShort, "")
			right, calls := s.ToWeChat.Handler, 0
			s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
			s.Fault(wechattest.FaultNotifyLost, "")
			r := op.Refund(o.ID, paytest.RefundRequest(o.Total))
			if r.Status != api.RefundCreated || !r.FromBalance {
				t.Errorf("%+v", r)
			}
			for range 3 {
				s.Sim.Advance(time.Minute)
				s.Reconcile()
			}
			s.WantStatus(o.ID, api.StatusRefunded)
			want := "[- RECHARGE_FUNDS]"
			if reaches {
				want = "[- RECHARGE_FUNDS RECHARGE_FUNDS]"
			}
			if got := fmt.Sprint(refundAccounts(s)); got != want {
				t.Errorf("WeChat got %s, want %s", got, want)
			}
			if refunds := s.Sim.Ledger().Refunds; len(refunds) != 1 || refunds[0].OutRefundNo != r.ID {
				t.Errorf("WeChat made %+v", refunds)
			}
		})
	}
}

// The merchant has no money. The refund waits for the operator, who sees the cause and the remedy,
// and it is rarely sent again.
func TestRefundWithoutMoneyWaitsForTheOperator(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	s.Fault(wechattest.FaultNotEnough, "")
	req := paytest.RefundRequest(o.Total)
	r := op.Refund(o.ID, req)
	if r.Status != api.RefundCreated || r.Failure != "NOT_ENOUGH" || !strings.Contains(r.FailureText, "基本账户余额不足") ||
		!strings.Contains(r.Advice, "pay in") || !r.FromBalance {
		t.Errorf("%+v", r)
	}
	wantRefunds := func(want string) {
		t.Helper()
		if wrong, _ := s.Health(); !strings.Contains(wrong["refunds"], want) || want == "" && wrong["refunds"] != "" {
			t.Errorf("refunds are wrong: %q, want %q", wrong["refunds"], want)
		}
	}
	wantRefunds("1 refund is declined by WeChat until the operator acts")
	for range 3 * 24 * 6 {
		s.Sim.Advance(10 * time.Minute)
		s.Reconcile()
	}
	if n := len(refundAccounts(s)); n < 16 || n > 60 { // from either source in turn
		t.Errorf("sent %d times in three days", n)
	}
	if own := s.SignedIn(0).GetOrder(o.ID); len(own.Refunds) != 1 || own.Refunds[0] != (api.Refund{ID: r.ID, Amount: r.Amount, Reason: r.Reason, Status: r.Status, CreatedAt: r.CreatedAt}) {
		t.Errorf("the buyer gets %+v", own.Refunds)
	}
	// The timer and the operator do not send a refund within seconds of each other.
	for sent := len(refundAccounts(s)); len(refundAccounts(s)) == sent; s.Reconcile() {
		s.Sim.Advance(10 * time.Minute)
	}
	s.Sim.Advance(time.Minute)
	s.Sim.PayIn()
	if again := op.Refund(o.ID, req); again.ID != r.ID || again.Status != api.RefundProcessing || again.Advice != "" {
		t.Errorf("%+v", again)
	}
	s.Sim.Advance(time.Minute)
	s.WantStatus(o.ID, api.StatusRefunded)
	if n := len(s.Sim.Ledger().Refunds); n != 1 {
		t.Errorf("WeChat made %d refunds", n)
	}
	wantRefunds("")
}

// With REFUND_FROM_BALANCE=manual the operator decides, in a repeated call or in the
// first.
func TestOperatorChoosesTheBalance(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.ManualBalance = true })
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	s.Fault(wechattest.FaultUnsettledShort, "")
	req := paytest.RefundRequest(o.Total)
	r := op.Refund(o.ID, req)
	if r.Status != api.RefundCreated || r.FromBalance || !strings.Contains(r.Advice, "from_balance") {
		t.Errorf("%+v", r)
	}
	for range 10 {
		s.Sim.Advance(time.Minute)
		s.Reconcile()
	}
	if got := strings.Join(refundAccounts(s), ""); strings.Trim(got, "-") != "" {
		t.Errorf("sent from %s", got)
	}
	s.Sim.Advance(15 * time.Second) // the timer has just sent it
	req.FromBalance = true
	if again := op.Refund(o.ID, req); again.ID != r.ID || again.Status != api.RefundProcessing || !again.FromBalance {
		t.Errorf("%+v", again)
	}
	other := s.SignedIn(1).PaidOrder("tea", 1)
	direct := paytest.RefundRequest(other.Total)
	direct.FromBalance = true
	if r := op.Refund(other.ID, direct); !r.FromBalance || refundAccounts(s)[len(refundAccounts(s))-1] != "RECHARGE_FUNDS" {
		t.Errorf("%+v", r)
	}
}

// WeChat declines every call because the key is wrong. No call is repeated every minute, and all of
// them continue when the key is correct.
func TestDeclinedCallsAreRetriedLessOften(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, op := s.SignedIn(0), s.Operator()
	paid := p.PaidOrder("tea", 1)
	open := p.Order("tea", 1)
	right, calls := s.ToWeChat.Handler, map[string]int{}
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/orderquery") { // so that there is something to close
			right.ServeHTTP(w, r)
			return
		}
		calls[r.URL.Path]++
		io.WriteString(w, "<xml><retcode>1</retcode><retmsg>param mch_id invalid</retmsg></xml>")
	})
	if r := op.Refund(paid.ID, paytest.RefundRequest(paid.Total)); r.Status != api.RefundCreated || r.Failure != "FAIL" ||
		!strings.Contains(r.FailureText, "param mch_id invalid") || !strings.Contains(r.Advice, "merchant number") {
		t.Errorf("%+v", r)
	}
	const days = 5
	for range days * 24 * 6 {
		s.Sim.Advance(10 * time.Minute)
		s.Reconcile()
		if err := s.Signer.CheckBills(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for path, most := range map[string]int{"/secapi/pay/refund": 30, "/pay/closeorder": 60, "/pay/downloadbill": 90} {
		if n := calls[path]; n < 5 || n > most {
			t.Errorf("%s: %d calls in %d days, want at most %d", path, n, days, most)
		}
	}
	s.ToWeChat.Handler = right
	for range 26 * 6 {
		s.Sim.Advance(10 * time.Minute)
		s.Reconcile()
		if err := s.Signer.CheckBills(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.WantStatus(paid.ID, api.StatusRefunded)
	s.WantStatus(open.Order.ID, api.StatusClosed)
}

// A refund that neither source of money could pay is paid from new takings, without the operator.
func TestRefundIsPaidByNewTakings(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	o := s.SignedIn(0).PaidOrder("tea", 1)
	s.Fault(wechattest.FaultNotEnough, "")
	r := s.Operator().Refund(o.ID, paytest.RefundRequest(o.Total))
	if r.Status != api.RefundCreated || !r.FromBalance {
		t.Errorf("%+v", r)
	}
	right := s.ToWeChat.Handler
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/secapi/pay/refund" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			if !strings.Contains(string(body), "RECHARGE_FUNDS") {
				s.Sim.PayIn() // there are new takings, and the balance is still empty
			}
		}
		right.ServeHTTP(w, r)
	})
	for range 12 {
		s.Sim.Advance(time.Hour)
		s.Reconcile()
	}
	s.WantStatus(o.ID, api.StatusRefunded)
	if sent := refundAccounts(s); sent[len(sent)-1] != "-" {
		t.Errorf("WeChat got %v", sent)
	}
}

// The advice about a refund that waits for the operator names what a back end can send, and
// it helps.
func TestAdviceOfARefundByAPI(t *testing.T) {
	t.Parallel()
	for manual, want := range map[bool]string{
		false: "pay in at the merchant platform, then repeat the call that made the refund, with its Idempotency-Key",
		true:  "repeat the call that made the refund, with its Idempotency-Key and from_balance: true, to use the available balance",
	} {
		s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.ManualBalance = manual })
		b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)
		o := b.createOrder(tea(100))
		b.payOrder(0, o.ID)
		s.Fault(map[bool]string{false: wechattest.FaultNotEnough, true: wechattest.FaultUnsettledShort}[manual], "")
		r := b.request("POST", "/v1/orders/"+o.ID+"/refunds", `{}`)
		r.Header.Set("Idempotency-Key", "all")
		var made, again v1.Refund
		b.mustSend(r, &made)
		if made.Advice != want {
			t.Errorf("manual %t: %q, want %q", manual, made.Advice, want)
		}
		s.Sim.Advance(time.Minute)
		if !manual {
			s.Sim.PayIn()
		}
		r = b.request("POST", "/v1/orders/"+o.ID+"/refunds", `{"from_balance":true}`)
		r.Header.Set("Idempotency-Key", "all")
		b.mustSend(r, &again)
		if again.ID != made.ID || again.Status != api.RefundProcessing || again.Advice != "" {
			t.Errorf("manual %t: %+v", manual, again)
		}
	}
}
