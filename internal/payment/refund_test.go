package payment

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// refunds is a WeChat that takes refunds and reports them as the test says.
type refunds struct {
	wechat.Merchant
	mu        sync.Mutex
	refund    func(wechat.RefundRequest) (wechat.Refund, error)
	query     func(no string) (wechat.Refund, error)
	all       []wechat.Refund
	submitted []wechat.RefundRequest
}

func (w *refunds) CanRefund() bool { return true }

func (w *refunds) Refund(_ context.Context, r wechat.RefundRequest) (wechat.Refund, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.submitted = append(w.submitted, r)
	return w.refund(r)
}

func (w *refunds) QueryRefund(_ context.Context, no string) (wechat.Refund, error) {
	return w.query(no)
}

func (w *refunds) QueryRefunds(context.Context, string) ([]wechat.Refund, error) { return w.all, nil }

// paid stores an order that is paid, and returns the payment.
func (l *ledger) paid(t *testing.T) order.Payment {
	t.Helper()
	p := l.pending(t)
	if err := l.settle(t.Context(), tradeOf(p), sourceNotify); err != nil {
		t.Fatal(err)
	}
	return l.stored(t, p.OutTradeNo)
}

// refundOf is WeChat's report of a refund of a payment.
func refundOf(p order.Payment, no string, state wechat.RefundState) wechat.Refund {
	return wechat.Refund{
		OutTradeNo: p.OutTradeNo, OutRefundNo: no, TransactionID: p.TransactionID, RefundID: "50000" + no,
		Total: p.Total, Amount: 600, State: state, RefundedAt: time.Now(),
	}
}

// A refund that was not made here is recorded only if it agrees with the payment, and no
// more goes back than was paid.
func TestRecordedRefundAgreesWithThePayment(t *testing.T) {
	t.Parallel()
	const no = "5030000000000000000000000000001"
	for name, c := range map[string]struct {
		bend func(*wechat.Refund)
		want Mismatch
	}{
		"it agrees":     {func(*wechat.Refund) {}, ""},
		"order":         {func(r *wechat.Refund) { r.OutTradeNo = strings.Repeat("9", 32) }, "it is about another order"},
		"transaction":   {func(r *wechat.Refund) { r.TransactionID += "X" }, "transaction differs"},
		"total":         {func(r *wechat.Refund) { r.Total++ }, "the order's amount differs"},
		"more than all": {func(r *wechat.Refund) { r.Amount = r.Total + 1 }, "more than was paid has gone back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			o := l.paid(t)
			report := refundOf(o, no, wechat.RefundSuccess)
			c.bend(&report)
			l.cfg.WeChat = fixed{&refunds{all: []wechat.Refund{report}}}
			before := storetest.Dump(t, l.db)
			err := l.syncRefunds(t.Context(), o, sourceCron)
			var mismatch Mismatch
			if errors.As(err, &mismatch); mismatch != c.want || c.want == "" && err != nil {
				t.Fatalf("%v, want %q", err, c.want)
			}
			storetest.Check(t, l.db)
			if c.want != "" {
				if storetest.Dump(t, l.db) != before {
					t.Error("something changed")
				}
				return
			}
			if stored, err := l.cfg.Store.ByID(t.Context(), o.OrderID); err != nil || stored.Refunded != 600 || stored.Status != api.StatusPaid {
				t.Errorf("%+v, %v", stored, err)
			}
		})
	}
}

// WeChat declines a refund that it took in a call that was lost. It is not failed.
func TestDeclinedRefundThatWasTaken(t *testing.T) {
	t.Parallel()
	for _, taken := range []bool{false, true} {
		l := newLedger(t)
		o := l.paid(t)
		w := &refunds{
			refund: func(wechat.RefundRequest) (wechat.Refund, error) {
				return wechat.Refund{}, &wechat.Error{Kind: wechat.Developer, Code: "PARAM_ERROR", Message: "declined"}
			},
			query: func(no string) (wechat.Refund, error) {
				if taken {
					return refundOf(o, no, wechat.RefundProcessing), nil
				}
				return wechat.Refund{}, &wechat.Error{Kind: wechat.Developer, Code: wechat.CodeRefundNotExist}
			},
		}
		l.cfg.WeChat = fixed{w}
		r, err := l.Refund(t.Context(), o.OrderID, api.RefundRequest{RefundKey: rand.Text(), Amount: 600})
		var e *api.Error
		switch {
		case taken && (err != nil || r.Status != api.RefundProcessing):
			t.Errorf("%+v, %v", r, err)
		case !taken && (!errors.As(err, &e) || e.Code != api.CodeWeChatDeclined):
			t.Errorf("%+v, %v", r, err)
		}
		storetest.Check(t, l.db)
	}
}

// Of many callers at once one submits a refund, and nobody again until resendWindow has
// passed.
func TestRefundIsSubmittedByOneCaller(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	o := l.paid(t)
	w := &refunds{refund: func(wechat.RefundRequest) (wechat.Refund, error) {
		return wechat.Refund{}, &wechat.Error{Kind: wechat.Retry} // no response
	}}
	l.cfg.WeChat = fixed{w}
	now := time.Now()
	l.now = func() time.Time { return now }
	r, err := l.Refund(t.Context(), o.OrderID, api.RefundRequest{RefundKey: rand.Text(), Amount: 600})
	if err != nil || r.Status != api.RefundCreated || len(w.submitted) != 1 {
		t.Fatalf("%+v, %v, %d calls", r, err, len(w.submitted))
	}
	for _, c := range []struct {
		after time.Duration
		calls int
	}{{0, 1}, {resendWindow - time.Millisecond, 1}, {resendWindow, 2}} {
		at := now.Add(c.after)
		l.now = func() time.Time { return at }
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := l.continueRefund(context.Background(), r, sourceCron); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(w.submitted) != c.calls {
			t.Errorf("%d calls after %v, want %d", len(w.submitted), c.after, c.calls)
		}
	}
	if w.submitted[0] != w.submitted[1] {
		t.Errorf("sent again as %+v, was %+v", w.submitted[1], w.submitted[0])
	}
}
