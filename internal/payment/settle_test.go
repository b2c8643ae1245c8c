package payment_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/payment"
	"h5pay/internal/reqlog"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

func TestSettleRejectsATradeThatDiffersFromThePayment(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*wechat.Trade){
		"unknown order":                          func(t *wechat.Trade) { t.OutTradeNo = "20261123000000000000000000000000" },
		"API version differs":                    func(t *wechat.Trade) { t.Version = wechat.V3 },
		"appid differs":                          func(t *wechat.Trade) { t.AppID = "wx0000000000000000" },
		"mch_id differs":                         func(t *wechat.Trade) { t.MchID = "1900000000" },
		"no mch_id: mch_id differs":              func(t *wechat.Trade) { t.MchID = "" },
		"a fen less: amount differs":             func(t *wechat.Trade) { t.TotalFee-- },
		"a fen more: amount differs":             func(t *wechat.Trade) { t.TotalFee++ },
		"no amount: amount differs":              func(t *wechat.Trade) { t.TotalFee = 0 },
		"currency differs":                       func(t *wechat.Trade) { t.Currency = "USD" },
		"no transaction":                         func(t *wechat.Trade) { t.TransactionID = "" },
		"no time: no transaction":                func(t *wechat.Trade) { t.PaidAt = time.Time{} },
		"unknown trade state":                    func(t *wechat.Trade) { t.State = "SOMETHING_NEW" },
		"refunded, but not ours: amount differs": func(t *wechat.Trade) { t.State = wechat.StateRefund; t.TotalFee = 1 },
		"closed, but not ours: mch_id differs":   func(t *wechat.Trade) { t.State = wechat.StateClosed; t.MchID = "1900000000" },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			o := s.pending(t)
			trade := tradeOf(o)
			change(&trade)
			before := storetest.Dump(t, s.DB)
			err := s.settle(context.Background(), trade, payment.SourceNotify)
			reason := name[strings.Index(name, ": ")+1:]
			var mismatch payment.Mismatch
			if !errors.As(err, &mismatch) || string(mismatch) != strings.TrimSpace(reason) {
				t.Errorf("settle: %v", err)
			}
			if storetest.Dump(t, s.DB) != before {
				t.Error("something changed")
			}
			if n := strings.Count(s.Log.String(), "level=ERROR"); n != 1 {
				t.Errorf("%d lines of level ERROR:\n%s", n, s.Log.String())
			}
			if strings.Contains(s.Log.String(), o.OpenID) {
				t.Error("the openid is in the log")
			}
		})
	}
}

func TestSettleByState(t *testing.T) {
	t.Parallel()
	for state, want := range map[wechat.TradeState]api.PaymentStatus{
		wechat.StateSuccess:    api.PaymentPaid,
		wechat.StateRefund:     api.PaymentPaid,
		wechat.StateClosed:     api.PaymentClosed,
		wechat.StateRevoked:    api.PaymentClosed,
		wechat.StateNotPay:     api.PaymentPending,
		wechat.StateUserPaying: api.PaymentPending,
		wechat.StateAccept:     api.PaymentPending,
		wechat.StatePayError:   api.PaymentPending,
	} {
		s := newShop(t)
		o := s.pending(t)
		trade := tradeOf(o)
		trade.State = state
		for range 2 {
			if err := s.settle(context.Background(), trade, payment.SourcePoll); err != nil {
				t.Errorf("%s: %v", state, err)
			}
		}
		if got := s.status(t, o); got != want {
			t.Errorf("%s: %s, want %s", state, got, want)
		}
	}
}

func TestPaidPaymentStaysPaid(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.pending(t)
	if err := s.settle(context.Background(), tradeOf(o), payment.SourceNotify); err != nil {
		t.Fatal(err)
	}
	before := storetest.Dump(t, s.DB)
	for _, state := range []wechat.TradeState{wechat.StateClosed, wechat.StateNotPay, wechat.StateRefund, wechat.StateSuccess} {
		trade := tradeOf(o)
		trade.State = state
		if err := s.settle(context.Background(), trade, payment.SourcePoll); err != nil {
			t.Errorf("%s: %v", state, err)
		}
	}
	second := tradeOf(o)
	second.TransactionID += "X"
	if err := s.settle(context.Background(), second, payment.SourceNotify); err != payment.Mismatch("the order is paid by another transaction") {
		t.Errorf("a second transaction: %v", err)
	}
	if storetest.Dump(t, s.DB) != before {
		t.Error("a paid payment was changed")
	}
}

func TestOneTransactionIsNotTwoPayments(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	a, b := s.pending(t), s.pending(t)
	if err := s.settle(context.Background(), tradeOf(a), payment.SourceNotify); err != nil {
		t.Fatal(err)
	}
	trade := tradeOf(b)
	trade.TransactionID = tradeOf(a).TransactionID
	if err := s.settle(context.Background(), trade, payment.SourceNotify); err != payment.Mismatch("the transaction belongs to another order") {
		t.Errorf("settle: %v", err)
	}
	if got := s.status(t, b); got != api.PaymentPending {
		t.Errorf("the other payment is %s", got)
	}
}

func TestLatePaymentCounts(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.pending(t)
	if ok, err := s.store.Close(context.Background(), o.OutTradeNo, s.Now()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := s.settle(context.Background(), tradeOf(o), payment.SourceNotify); err != nil {
		t.Fatal(err)
	}
	if got := s.status(t, o); got != api.PaymentPaid {
		t.Errorf("the payment is %s", got)
	}
	if !strings.Contains(s.Log.String(), "paid late") {
		t.Error("the late payment is not logged")
	}
}

func TestSettleReportsADeadDatabase(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.pending(t)
	s.DB.Close()
	var mismatch payment.Mismatch
	if err := s.settle(context.Background(), tradeOf(o), payment.SourceNotify); err == nil || errors.As(err, &mismatch) {
		t.Errorf("settle: %v", err)
	}
}

func BenchmarkSettle(b *testing.B) {
	for _, kind := range []string{"first", "repeated"} {
		b.Run(kind, func(b *testing.B) {
			s, log := newShop(b), slog.New(slog.DiscardHandler)
			trade := tradeOf(s.pending(b))
			ctx := reqlog.With(context.Background(), "bench", log)
			i := 0
			for b.Loop() {
				if kind == "first" {
					b.StopTimer()
					trade = tradeOf(s.pending(b))
					b.StartTimer()
				}
				if err := s.settle(ctx, trade, payment.SourceNotify); err != nil {
					b.Fatal(fmt.Errorf("after %d: %w", i, err))
				}
				i++
			}
		})
	}
}
