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

// settle settles a trade of the order that it names. The order that the rules return has
// the stored status and transaction.
func (l *ledger) settle(ctx context.Context, trade wechat.Trade, source string) error {
	o, err := l.orderOf(ctx, trade, source)
	if err != nil {
		return err
	}
	if o, err = l.Service.settle(ctx, o, trade, source); err == nil {
		stored, err := l.cfg.Store.ByOutTradeNo(ctx, trade.OutTradeNo)
		if err != nil {
			return err
		}
		if o.Status != stored.Status || o.TransactionID != stored.TransactionID || o.PaidAt.UnixMilli() != stored.PaidAt.UnixMilli() || o.ClientIP != stored.ClientIP {
			return fmt.Errorf("settle returned %+v, stored is %+v", o, stored)
		}
	}
	return err
}

// pending stores an order of 13600 fen that waits for its payment.
func (l *ledger) pending(t testing.TB) order.Order {
	t.Helper()
	o, err := l.draft(context.Background(), order.Basket{{ProductID: "tea", Quantity: 2}})
	if err != nil {
		t.Fatal(err)
	}
	o.Owner, o.ClientKey, o.TradeType = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", rand.Text(), api.TradeJSAPI
	if o, err = l.cfg.Store.Insert(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if ok, err := l.cfg.Store.ClaimPrepay(context.Background(), o.ID, "", time.Time{}, o.CreatedAt); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := l.cfg.Store.SetPrepay(context.Background(), o.ID, order.Prepay{ID: "wx-" + o.ID, SignType: "MD5"}, l.now()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return o
}

// tradeOf is the trade that pays o.
func tradeOf(o order.Order) wechat.Trade {
	return wechat.Trade{
		Version: wechat.Version(o.APIVersion), AppID: o.AppID, MchID: o.MchID, OutTradeNo: o.OutTradeNo, TransactionID: "42000" + o.ID, OpenID: o.Owner,
		State: wechat.StateSuccess, TotalFee: o.Total, Currency: "CNY", PaidAt: time.Now(),
	}
}

func (l *ledger) status(t testing.TB, o order.Order) api.OrderStatus {
	t.Helper()
	storetest.Check(t, l.db)
	o, err := l.cfg.Store.ByOutTradeNo(context.Background(), o.OutTradeNo)
	if err != nil {
		t.Fatal(err)
	}
	return o.Status
}

func TestSettleRejectsWhatDoesNotAgreeWithTheOrder(t *testing.T) {
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
			if strings.Contains(l.log.String(), o.Owner) {
				t.Error("the openid is in the log")
			}
		})
	}
}

func TestSettleByState(t *testing.T) {
	t.Parallel()
	for state, want := range map[wechat.TradeState]api.OrderStatus{
		wechat.StateSuccess:    api.StatusPaid,
		wechat.StateRefund:     api.StatusPaid,
		wechat.StateClosed:     api.StatusClosed,
		wechat.StateRevoked:    api.StatusClosed,
		wechat.StateNotPay:     api.StatusPending,
		wechat.StateUserPaying: api.StatusPending,
		wechat.StateAccept:     api.StatusPending,
		wechat.StatePayError:   api.StatusPending,
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

func TestPaidOrderStaysPaid(t *testing.T) {
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
		t.Error("a paid order was changed")
	}
}

func TestOneTransactionDoesNotPayTwoOrders(t *testing.T) {
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
	if got := l.status(t, b); got != api.StatusPending {
		t.Errorf("the other order is %s", got)
	}
}

func TestLatePaymentCounts(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	o := l.pending(t)
	if ok, err := l.cfg.Store.Close(context.Background(), o.ID, l.now()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := l.settle(context.Background(), tradeOf(o), sourceNotify); err != nil {
		t.Fatal(err)
	}
	if got := l.status(t, o); got != api.StatusPaid {
		t.Errorf("the order is %s", got)
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
