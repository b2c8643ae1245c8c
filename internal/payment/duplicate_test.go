package payment_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// double reports the trades that a test sets, and accepts every refund.
type double struct {
	refunds
	trades  map[string]wechat.Trade // by out_trade_no; others are not known
	queried []string
}

func (w *double) QueryOrder(_ context.Context, no string) (wechat.Trade, error) {
	w.queried = append(w.queried, no)
	if trade, ok := w.trades[no]; ok {
		return trade, nil
	}
	return wechat.Trade{}, &wechat.Error{Kind: wechat.Developer, Code: wechat.CodeOrderNotExist}
}

// The timer sends the refund of a second payment as it sends every refund, and the order
// stays paid.
func TestSecondPaymentIsRefundedByTheTimer(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	first, second := s.twoPayments(t)
	for _, p := range []order.Payment{first, second} {
		if err := s.settle(t.Context(), tradeOf(p), payment.SourceNotify); err != nil {
			t.Fatal(err)
		}
	}
	second = s.stored(t, second.OutTradeNo)
	w := &double{}
	w.refund = func(r wechat.RefundRequest) (wechat.Refund, error) {
		report := refundOf(second, r.OutRefundNo, wechat.RefundProcessing)
		report.Amount = r.Amount
		return report, nil
	}
	w.query = func(no string) (wechat.Refund, error) {
		report := refundOf(second, no, wechat.RefundSuccess)
		report.Amount = second.Total
		return report, nil
	}
	s.wechat.merchant = w
	s.at = s.Now()
	for range 4 {
		s.at = s.at.Add(2 * time.Minute)
		if err := s.Signer.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Check(t, s.DB)
	want := wechat.RefundRequest{
		OutTradeNo: second.OutTradeNo, OutRefundNo: order.DuplicateRefundID(second.OutTradeNo), Total: second.Total, Amount: second.Total,
		Reason: "重复支付，全额退款", NotifyURL: "https://shop.example.com" + api.PathNotifyRefund,
	}
	if len(w.submitted) != 1 || w.submitted[0] != want {
		t.Errorf("sent %+v, want %+v", w.submitted, want)
	}
	if got := s.stored(t, second.OutTradeNo); !got.Duplicate || got.Refunded != got.Total {
		t.Errorf("%+v", got)
	}
	if o := s.order(t, first); o.Status != api.StatusPaid || o.PaidBy != first.OutTradeNo || o.Refunded != 0 {
		t.Errorf("%+v", o)
	}
	if !strings.Contains(s.Log.String(), "an order was paid twice") {
		t.Error("nothing in the log")
	}
	// An operator who refunds the order refunds the first payment.
	if r, err := s.Signer.RefundForBackEnd(t.Context(), payment.BackEndRefund{OrderID: first.OrderID, IdempotencyKey: "1", Fingerprint: "f", Amount: 1}); err != nil || r.OutTradeNo != first.OutTradeNo {
		t.Errorf("%+v, %v", r, err)
	}
}

// A restored database lacks both payments. WeChat has refunded one of them as the duplicate. It
// does not pay the order, in whatever order they are queried.
func TestRestoredDatabaseFindsTheDuplicate(t *testing.T) {
	t.Parallel()
	for name, listed := range map[string]bool{"with a list of refunds": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			first, second := s.twoPayments(t)
			back := tradeOf(second)
			report := refundOf(order.Payment{OutTradeNo: second.OutTradeNo, TransactionID: back.TransactionID, Total: second.Total},
				order.DuplicateRefundID(second.OutTradeNo), wechat.RefundSuccess)
			report.Amount = second.Total
			back.State = wechat.StateRefund
			w := &double{trades: map[string]wechat.Trade{first.OutTradeNo: tradeOf(first), second.OutTradeNo: back}}
			w.query = func(no string) (wechat.Refund, error) {
				if no != report.OutRefundNo {
					return wechat.Refund{}, &wechat.Error{Kind: wechat.Developer, Code: wechat.CodeRefundNotExist}
				}
				return report, nil
			}
			if listed {
				w.all = []wechat.Refund{report}
			}
			s.wechat.merchant = w
			if _, _, err := s.Signer.Sync(t.Context(), second, payment.SourceCron); err != nil {
				t.Fatal(err)
			}
			storetest.Check(t, s.DB)
			if o := s.order(t, first); o.Status != api.StatusPaid || o.PaidBy != first.OutTradeNo || o.Refunded != 0 {
				t.Errorf("%+v", o)
			}
			if got := s.stored(t, second.OutTradeNo); !got.Duplicate || got.Refunded != got.Total {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A payment that an operator refunded pays the order if no other payment does.
func TestRefundedPaymentPaysTheOrderAlone(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	first, second := s.twoPayments(t)
	back := tradeOf(second)
	back.State = wechat.StateRefund
	report := refundOf(order.Payment{OutTradeNo: second.OutTradeNo, TransactionID: back.TransactionID, Total: second.Total}, "5030000000000000000000000000001", wechat.RefundSuccess)
	report.Amount = second.Total
	w := &double{trades: map[string]wechat.Trade{second.OutTradeNo: back}}
	w.all = []wechat.Refund{report}
	s.wechat.merchant = w
	if _, _, err := s.Signer.Sync(t.Context(), second, payment.SourceCron); err != nil {
		t.Fatal(err)
	}
	storetest.Check(t, s.DB)
	if o := s.order(t, first); o.Status != api.StatusRefunded || o.PaidBy != second.OutTradeNo {
		t.Errorf("%+v", o)
	}
}
