package payment

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// ledger is a server whose trades the test makes up. It never calls WeChat.
type ledger struct {
	*Service
	db  *sql.DB
	log bytes.Buffer
}

func newLedger(t testing.TB) *ledger {
	t.Helper()
	l := &ledger{db: storetest.Open(t)}
	s, err := New(Config{
		ShopName: "店", ShopURL: "https://shop.example.com", AppID: "wx5a1e0f7c3b2d4968", MchID: "1900000109",
		Store: store.New(l.db), WeChat: fixed{},
		Log: slog.New(slog.NewTextHandler(&l.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Service = s
	return l
}

// fixed is a WeChat of one version. It makes no calls without a Pay.
type fixed struct{ pay wechat.Merchant }

func (fixed) Version() wechat.Version { return wechat.V2 }

func (f fixed) For(v wechat.Version) (wechat.Merchant, error) {
	if f.pay == nil || v != wechat.V2 {
		return nil, &wechat.Error{Op: "pay", Code: wechat.CodeNotConfigured, Kind: wechat.Operator}
	}
	return f.pay, nil
}

// settle settles a trade of the payment that it names. The payment that the rules return
// has the stored status and transaction.
func (l *ledger) settle(ctx context.Context, trade wechat.Trade, source string) error {
	o, err := l.paymentOf(ctx, trade, source)
	if err != nil {
		return err
	}
	if o, err = l.Service.settle(ctx, o, trade, source); err == nil {
		stored, err := l.cfg.Store.Payment(ctx, trade.OutTradeNo)
		if err != nil {
			return err
		}
		if o.Status != stored.Status || o.TransactionID != stored.TransactionID || o.PaidAt.UnixMilli() != stored.PaidAt.UnixMilli() || o.ClientIP != stored.ClientIP {
			return fmt.Errorf("settle returned %+v, stored is %+v", o, stored)
		}
	}
	return err
}

// pending stores an order of 13600 fen and returns a payment of it that WeChat waits for.
func (l *ledger) pending(t testing.TB) order.Payment {
	t.Helper()
	const owner = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	o, err := l.PlaceBasket(context.Background(), BasketRequest{Owner: owner, CreateOrderRequest: api.CreateOrderRequest{
		ClientKey: rand.Text(), Items: []api.OrderItem{{ProductID: "tea", Quantity: 2}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return l.attempt(t, o, api.TradeJSAPI)
}

// attempt stores a payment of an order that WeChat waits for.
func (l *ledger) attempt(t testing.TB, o order.Order, trade api.TradeType) order.Payment {
	t.Helper()
	no, err := order.NewOutTradeNo(rand.Reader, o.CreatedAt)
	if err != nil {
		t.Fatal(err)
	}
	p := order.Payment{
		OutTradeNo: no, OrderID: o.ID, AppID: o.AppID, MchID: o.MchID, APIVersion: "v2", TradeType: trade,
		NotifyURL: "https://shop.example.com/api/notify/pay", CreatedAt: o.CreatedAt,
	}
	prepay := order.Prepay{ID: "wx-" + no, SignType: "MD5"}
	if trade == api.TradeJSAPI {
		p.OpenID = o.Owner
	} else {
		prepay.URL = "weixin://" + no
	}
	if ok, err := l.cfg.Store.InsertPayment(context.Background(), p, time.Time{}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := l.cfg.Store.SetPrepay(context.Background(), no, prepay, l.now()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return l.stored(t, no)
}

// stored returns a payment as it is stored.
func (l *ledger) stored(t testing.TB, outTradeNo string) order.Payment {
	t.Helper()
	p, err := l.cfg.Store.Payment(context.Background(), outTradeNo)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tradeOf is the trade that pays o.
func tradeOf(o order.Payment) wechat.Trade {
	return wechat.Trade{
		Version: wechat.Version(o.APIVersion), AppID: o.AppID, MchID: o.MchID, OutTradeNo: o.OutTradeNo, TransactionID: "42000" + o.OutTradeNo[8:], OpenID: o.OpenID,
		State: wechat.StateSuccess, TotalFee: o.Total, Currency: "CNY", PaidAt: time.Now(),
	}
}

func (l *ledger) status(t testing.TB, o order.Payment) api.PaymentStatus {
	t.Helper()
	storetest.Check(t, l.db)
	return l.stored(t, o.OutTradeNo).Status
}

func TestSettleRejectsWhatDoesNotAgreeWithThePayment(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]func(*wechat.Trade){
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
			l := newLedger(t)
			o := l.pending(t)
			trade := tradeOf(o)
			bend(&trade)
			before := storetest.Dump(t, l.db)
			err := l.settle(context.Background(), trade, sourceNotify)
			reason := name[strings.Index(name, ": ")+1:]
			var mismatch Mismatch
			if !errors.As(err, &mismatch) || string(mismatch) != strings.TrimSpace(reason) {
				t.Errorf("settle: %v", err)
			}
			if storetest.Dump(t, l.db) != before {
				t.Error("something changed")
			}
			if n := strings.Count(l.log.String(), "level=ERROR"); n != 1 {
				t.Errorf("%d loud lines:\n%s", n, l.log.String())
			}
			if strings.Contains(l.log.String(), o.OpenID) {
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
		l := newLedger(t)
		o := l.pending(t)
		trade := tradeOf(o)
		trade.State = state
		for range 2 {
			if err := l.settle(context.Background(), trade, sourcePoll); err != nil {
				t.Errorf("%s: %v", state, err)
			}
		}
		if got := l.status(t, o); got != want {
			t.Errorf("%s: %s, want %s", state, got, want)
		}
	}
}

func TestPaidPaymentStaysPaid(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	o := l.pending(t)
	if err := l.settle(context.Background(), tradeOf(o), sourceNotify); err != nil {
		t.Fatal(err)
	}
	before := storetest.Dump(t, l.db)
	for _, state := range []wechat.TradeState{wechat.StateClosed, wechat.StateNotPay, wechat.StateRefund, wechat.StateSuccess} {
		trade := tradeOf(o)
		trade.State = state
		if err := l.settle(context.Background(), trade, sourcePoll); err != nil {
			t.Errorf("%s: %v", state, err)
		}
	}
	second := tradeOf(o)
	second.TransactionID += "X"
	if err := l.settle(context.Background(), second, sourceNotify); err != Mismatch("the order is paid by another transaction") {
		t.Errorf("a second transaction: %v", err)
	}
	if storetest.Dump(t, l.db) != before {
		t.Error("a paid payment was changed")
	}
}

func TestOneTransactionIsNotTwoPayments(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	a, b := l.pending(t), l.pending(t)
	if err := l.settle(context.Background(), tradeOf(a), sourceNotify); err != nil {
		t.Fatal(err)
	}
	trade := tradeOf(b)
	trade.TransactionID = tradeOf(a).TransactionID
	if err := l.settle(context.Background(), trade, sourceNotify); err != Mismatch("the transaction belongs to another order") {
		t.Errorf("settle: %v", err)
	}
	if got := l.status(t, b); got != api.PaymentPending {
		t.Errorf("the other payment is %s", got)
	}
}

func TestLatePaymentCounts(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	o := l.pending(t)
	if ok, err := l.cfg.Store.Close(context.Background(), o.OutTradeNo, l.now()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := l.settle(context.Background(), tradeOf(o), sourceNotify); err != nil {
		t.Fatal(err)
	}
	if got := l.status(t, o); got != api.PaymentPaid {
		t.Errorf("the payment is %s", got)
	}
	if !strings.Contains(l.log.String(), "paid late") {
		t.Error("nothing in the log")
	}
}

func TestSettleReportsADeadDatabase(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	o := l.pending(t)
	l.db.Close()
	var mismatch Mismatch
	if err := l.settle(context.Background(), tradeOf(o), sourceNotify); err == nil || errors.As(err, &mismatch) {
		t.Errorf("settle: %v", err)
	}
}

func BenchmarkSettle(b *testing.B) {
	for _, kind := range []string{"first", "repeated"} {
		b.Run(kind, func(b *testing.B) {
			l := newLedger(b)
			l.Service.log = slog.New(slog.DiscardHandler)
			trade := tradeOf(l.pending(b))
			ctx := reqlog.With(context.Background(), "bench", l.Service.log)
			i := 0
			for b.Loop() {
				if kind == "first" {
					b.StopTimer()
					trade = tradeOf(l.pending(b))
					b.StartTimer()
				}
				if err := l.settle(ctx, trade, sourceNotify); err != nil {
					b.Fatal(fmt.Errorf("after %d: %w", i, err))
				}
				i++
			}
		})
	}
}
