package payment_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// refunds accepts refunds, and reports them as a test says.
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

// refundOf returns WeChat's report of a refund of 600 fen of a payment.
func refundOf(p order.Payment, no string, state wechat.RefundState) wechat.Refund {
	return wechat.Refund{
		OutTradeNo: p.OutTradeNo, OutRefundNo: no, TransactionID: p.TransactionID, RefundID: "50000" + no,
		Total: p.Total, Amount: 600, State: state, RefundedAt: p.CreatedAt.Add(time.Hour),
	}
}

// A refund that was made at the merchant platform is recorded only if it agrees with the payment and
// the refunds do not exceed it.
func TestRecordedRefundAgreesWithThePayment(t *testing.T) {
	t.Parallel()
	const no = "5030000000000000000000000000001"
	for name, c := range map[string]struct {
		change func(*wechat.Refund)
		want   payment.Mismatch
	}{
		"it agrees":     {func(*wechat.Refund) {}, ""},
		"order":         {func(r *wechat.Refund) { r.OutTradeNo = strings.Repeat("9", 32) }, "it is about another order"},
		"transaction":   {func(r *wechat.Refund) { r.TransactionID += "X" }, "transaction differs"},
		"total":         {func(r *wechat.Refund) { r.Total++ }, "the order's amount differs"},
		"more than all": {func(r *wechat.Refund) { r.Amount = r.Total + 1 }, "more than was paid has gone back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			o := s.paid(t)
			report := refundOf(o, no, wechat.RefundSuccess)
			c.change(&report)
			s.wechat.merchant = &refunds{all: []wechat.Refund{report}}
			before := storetest.Dump(t, s.DB)
			err := s.Signer.SyncRefunds(t.Context(), o, payment.SourceCron)
			var mismatch payment.Mismatch
			if errors.As(err, &mismatch); mismatch != c.want || c.want == "" && err != nil {
				t.Fatalf("%v, want %q", err, c.want)
			}
			storetest.Check(t, s.DB)
			if c.want != "" {
				if storetest.Dump(t, s.DB) != before {
					t.Error("something changed")
				}
				return
			}
			if stored, err := s.store.ByID(t.Context(), o.OrderID); err != nil || stored.Refunded != 600 || stored.Status != api.StatusPaid {
				t.Errorf("%+v, %v", stored, err)
			}
		})
	}
}

// WeChat accepted a refund, and the response was lost. Then it declines the repeated call. The refund
// does not fail, also if the query about it has no response.
func TestDeclinedRefundThatWasAccepted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		found  wechat.RefundState
		err    *wechat.Error    // of the query
		status api.RefundStatus // of the refund
		fails  bool
	}{
		"accepted":             {found: wechat.RefundProcessing, status: api.RefundProcessing},
		"declined":             {err: &wechat.Error{Kind: wechat.Developer, Code: wechat.CodeRefundNotExist}, status: api.RefundFailed, fails: true},
		"no response":          {err: &wechat.Error{Kind: wechat.Retry}, status: api.RefundCreated},
		"no verified response": {err: &wechat.Error{Kind: wechat.Untrusted}, status: api.RefundCreated},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			o := s.paid(t)
			s.wechat.merchant = &refunds{
				refund: func(wechat.RefundRequest) (wechat.Refund, error) {
					return wechat.Refund{}, &wechat.Error{Kind: wechat.Developer, Code: "PARAM_ERROR", Message: "declined"}
				},
				query: func(no string) (wechat.Refund, error) {
					if c.err != nil {
						return wechat.Refund{}, c.err
					}
					return refundOf(o, no, c.found), nil
				},
			}
			_, err := s.Signer.RefundForBackEnd(t.Context(), payment.BackEndRefund{OrderID: o.OrderID, IdempotencyKey: rand.Text(), Fingerprint: "f", Amount: 600})
			var e *api.Error
			if declined := errors.As(err, &e) && e.Code == api.CodeWeChatDeclined; declined != c.fails || err != nil && !declined {
				t.Errorf("the call: %v", err)
			}
			all, err := s.store.Refunds(t.Context(), o.OrderID)
			if err != nil || len(all) != 1 || all[0].Status != c.status {
				t.Errorf("%+v, %v, want one that is %s", all, err, c.status)
			}
			storetest.Check(t, s.DB)
		})
	}
}

// One of several concurrent callers submits a refund. Nobody submits it again before ResendWindow
// has passed.
func TestRefundIsSubmittedByOneCaller(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.paid(t)
	w := &refunds{refund: func(wechat.RefundRequest) (wechat.Refund, error) {
		return wechat.Refund{}, &wechat.Error{Kind: wechat.Retry} // no response
	}}
	s.wechat.merchant = w
	now := s.Now()
	s.at = now
	r, err := s.Signer.RefundForBackEnd(t.Context(), payment.BackEndRefund{OrderID: o.OrderID, IdempotencyKey: rand.Text(), Fingerprint: "f", Amount: 600})
	if err != nil || r.Status != api.RefundCreated || len(w.submitted) != 1 {
		t.Fatalf("%+v, %v, %d calls", r, err, len(w.submitted))
	}
	for _, c := range []struct {
		after time.Duration
		calls int
	}{{0, 1}, {payment.ResendWindow - time.Millisecond, 1}, {payment.ResendWindow, 2}} {
		s.at = now.Add(c.after)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := s.Signer.ContinueRefund(context.Background(), r, payment.SourceCron); err != nil {
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

// The log has the line "created" also if the reading after the change fails. PostgreSQL commits each
// statement by itself.
func TestCreatedIsLoggedIfTheReadingFails(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	paid := s.paid(t)
	o, err := s.Signer.PlaceBasket(t.Context(), payment.BasketRequest{Owner: s.buyer, CreateOrderRequest: paytest.Basket("tea", 1).CreateOrderRequest})
	if err != nil {
		t.Fatal(err)
	}
	plain := s.DB
	failing := ""
	s.DB = sql.OpenDB(&beforeInsert{db: plain, do: func() {}, fail: func(query string) error {
		if failing != "" && strings.HasPrefix(query, failing) {
			return errors.New("the connection was lost")
		}
		return nil
	}})
	s.Reopen(s.settings)
	failing = "SELECT orders.id"
	_, payErr := s.Signer.PayOwn(t.Context(), o.ID, s.buyer, payment.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}, OpenID: s.buyer, ClientIP: "203.0.113.7"})
	_, refundErr := s.Signer.RefundForBackEnd(t.Context(), payment.BackEndRefund{OrderID: paid.OrderID, KeyID: "key", IdempotencyKey: "one", Fingerprint: "f", Reason: "r"})
	failing = ""
	s.DB = plain
	if payErr == nil || refundErr == nil {
		t.Fatal("no reading failed: ", payErr, refundErr)
	}
	for what, query := range map[string]string{
		"payment created": `SELECT 'out_trade_no=' || out_trade_no || ' ' FROM payments WHERE order_id = '` + o.ID + `'`,
		"refund created":  `SELECT 'refund=' || id || ' amount=' || amount || ' total=' || amount FROM refunds`,
	} {
		var stored string
		if err := plain.QueryRow(query).Scan(&stored); err != nil {
			t.Fatal(what, err)
		}
		var found bool
		for _, line := range s.Log.Lines(what) {
			found = found || strings.Contains(line, stored)
		}
		if !found {
			t.Errorf("no line %q with %s:\n%s", what, stored, strings.Join(s.Log.Lines(what), "\n"))
		}
	}
}
