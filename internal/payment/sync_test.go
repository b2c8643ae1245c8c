package payment_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// scripted reports a payment as a test says.
type scripted struct {
	wechat.Merchant
	reports         []func(order.Payment) (wechat.Trade, error) // one for each query; the last is repeated
	order           order.Payment
	closeErr        error
	queries, closes int
}

func (w *scripted) QueryOrder(context.Context, string) (wechat.Trade, error) {
	report := w.reports[min(w.queries, len(w.reports)-1)]
	w.queries++
	return report(w.order)
}

func (w *scripted) CloseOrder(context.Context, string, time.Time) error {
	w.closes++
	return w.closeErr
}

// in returns a report of a trade in a state.
func in(state wechat.TradeState) func(order.Payment) (wechat.Trade, error) {
	return func(o order.Payment) (wechat.Trade, error) {
		trade := tradeOf(o)
		trade.State = state
		return trade, nil
	}
}

func unknownThere(order.Payment) (wechat.Trade, error) {
	return wechat.Trade{}, &wechat.Error{Kind: wechat.Developer, Code: wechat.CodeOrderNotExist}
}

// A notification closes no payment: WeChat's query may report the payment later.
func TestNotificationClosesNoPayment(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	p := s.pending(t)
	w := &scripted{reports: []func(order.Payment) (wechat.Trade, error){in(wechat.StateNotPay)}, order: p}
	s.wechat.merchant = w
	s.at = p.CreatedAt.Add(order.Lifetime + 2*order.ExpiryGrace)
	var mismatch payment.Mismatch
	if stored, err := s.Signer.ConfirmPayment(t.Context(), tradeOf(p), order.Notification{}); stored || !errors.As(err, &mismatch) {
		t.Errorf("%v, %v", stored, err)
	}
	if got := s.status(t, p); got != api.PaymentPending || w.closes != 0 {
		t.Errorf("the payment is %s after %d calls of closeorder", got, w.closes)
	}
}

// A message that differs from the payment causes no query, although its sender can sign.
func TestNotificationThatDiffersCausesNoQuery(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*wechat.Trade){
		"amount differs":          func(t *wechat.Trade) { t.TotalFee++ },
		"currency differs":        func(t *wechat.Trade) { t.Currency = "USD" },
		"mch_id differs":          func(t *wechat.Trade) { t.MchID = "1900000000" },
		"no transaction":          func(t *wechat.Trade) { t.TransactionID = "" },
		"no time: no transaction": func(t *wechat.Trade) { t.PaidAt = time.Time{} },
	} {
		s := newShop(t)
		p := s.pending(t)
		w := &scripted{reports: []func(order.Payment) (wechat.Trade, error){in(wechat.StateNotPay)}, order: p}
		s.wechat.merchant = w
		notified := tradeOf(p)
		change(&notified)
		stored, err := s.Signer.ConfirmPayment(t.Context(), notified, order.Notification{})
		var mismatch payment.Mismatch
		if stored || !errors.As(err, &mismatch) || !strings.HasSuffix(name, string(mismatch)) {
			t.Errorf("%s: %v, %v", name, stored, err)
		}
		if w.queries != 0 {
			t.Errorf("%s: WeChat was queried", name)
		}
	}
}

// A payment is closed at WeChat and here if it is unpaid, nobody is paying it, and it expired or was
// cancelled.
func TestSync(t *testing.T) {
	t.Parallel()
	const young, expired = time.Minute, order.Lifetime + 2*order.ExpiryGrace
	type report = func(order.Payment) (wechat.Trade, error)
	for name, c := range map[string]struct {
		reports   []report
		age       time.Duration
		closing   bool
		closeErr  error
		want      api.PaymentStatus
		report    payment.Report
		closes    int
		wantError string
	}{
		"paid":                            {reports: []report{in(wechat.StateSuccess)}, age: young, want: api.PaymentPaid, report: payment.Settled},
		"paid after the order's time":     {reports: []report{in(wechat.StateSuccess)}, age: expired, want: api.PaymentPaid, report: payment.Settled},
		"young":                           {reports: []report{in(wechat.StateNotPay)}, age: young, want: api.PaymentPending, report: payment.Unpaid},
		"young and not known":             {reports: []report{unknownThere}, age: young, want: api.PaymentPending, report: payment.Unknown},
		"expired":                         {reports: []report{in(wechat.StateNotPay)}, age: expired, want: api.PaymentClosed, report: payment.Unpaid, closes: 1},
		"expired and not known":           {reports: []report{unknownThere}, age: expired, want: api.PaymentClosed, report: payment.Unknown},
		"expired while somebody pays":     {reports: []report{in(wechat.StateUserPaying)}, age: expired, want: api.PaymentPending, report: payment.Settled},
		"cancelled and young":             {reports: []report{in(wechat.StateNotPay)}, age: young, closing: true, want: api.PaymentClosing, report: payment.Unpaid},
		"cancelled and old enough":        {reports: []report{in(wechat.StateNotPay)}, age: order.MinCloseAge, closing: true, want: api.PaymentClosed, report: payment.Unpaid, closes: 1},
		"cancelled while somebody pays":   {reports: []report{in(wechat.StateUserPaying)}, age: order.MinCloseAge, closing: true, want: api.PaymentClosing, report: payment.Settled},
		"closed at WeChat":                {reports: []report{in(wechat.StateClosed)}, age: young, want: api.PaymentClosed, report: payment.Settled},
		"closed at WeChat before":         {reports: []report{in(wechat.StateNotPay)}, age: expired, closeErr: &wechat.Error{Code: wechat.CodeOrderClosed}, want: api.PaymentClosed, report: payment.Unpaid, closes: 1},
		"paid before the close":           {reports: []report{in(wechat.StateNotPay), in(wechat.StateSuccess)}, age: expired, closeErr: &wechat.Error{Code: wechat.CodeOrderPaid}, want: api.PaymentPaid, report: payment.Unpaid, closes: 1},
		"paid, and still reported unpaid": {reports: []report{in(wechat.StateNotPay)}, age: expired, closeErr: &wechat.Error{Code: wechat.CodeOrderPaid}, want: api.PaymentPending, report: payment.Unpaid, closes: 1},
		"WeChat does not close it":        {reports: []report{in(wechat.StateNotPay)}, age: expired, closeErr: &wechat.Error{Kind: wechat.Retry, Code: "SYSTEMERROR"}, want: api.PaymentPending, report: payment.Unpaid, closes: 1, wantError: "closing payment"},
		"another order": {reports: []report{func(o order.Payment) (wechat.Trade, error) {
			o.OutTradeNo = strings.Repeat("9", 32)
			return in(wechat.StateSuccess)(o)
		}}, age: young, want: api.PaymentPending, wantError: "about another"},
		"another amount": {reports: []report{otherAmount}, age: young, want: api.PaymentPending, wantError: "amount differs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			o := s.pending(t)
			if c.closing {
				if w, _, err := s.store.CloseWhole(t.Context(), o.OrderID, o.CreatedAt); w.Status != api.StatusClosing || err != nil {
					t.Fatal(w.Status, err)
				}
			}
			o = s.stored(t, o.OutTradeNo)
			w := &scripted{reports: c.reports, order: o, closeErr: c.closeErr}
			s.wechat.merchant = w
			s.at = o.CreatedAt.Add(c.age)
			before := storetest.Dump(t, s.DB)
			synced, report, err := s.Signer.Sync(t.Context(), o, payment.SourceCron)
			if c.wantError == "" && err != nil || c.wantError != "" && (err == nil || !strings.Contains(err.Error(), c.wantError)) {
				t.Errorf("error %v, want %q", err, c.wantError)
			}
			if got := s.status(t, o); got != c.want || synced.Status != c.want {
				t.Errorf("stored %s, returned %s, want %s", got, synced.Status, c.want)
			}
			if c.wantError == "" && report != c.report || w.closes != c.closes {
				t.Errorf("report %d, want %d; %d calls of closeorder, want %d", report, c.report, w.closes, c.closes)
			}
			if c.want == api.PaymentPending && !strings.Contains(c.wantError, "amount") && storetest.Dump(t, s.DB) != before {
				t.Error("something changed")
			}
		})
	}
}

// A merchant's client never queries WeChat about a payment of another merchant.
func TestSyncOfAnotherMerchant(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.pending(t)
	w := &scripted{reports: []func(order.Payment) (wechat.Trade, error){in(wechat.StateNotPay)}, order: o}
	s.wechat.merchant = w
	s.Reopen(func(c *paytest.Settings, wx *wechat.Config) {
		s.settings(c, wx)
		c.MchID = "1900000000"
	})
	if _, _, err := s.Signer.Sync(t.Context(), o, payment.SourceCron); err == nil || w.queries != 0 {
		t.Errorf("%v after %d queries", err, w.queries)
	}
}

// placing calls a function with each order that WeChat gets, and does not respond.
type placing struct {
	wechat.Merchant
	got func(wechat.Order)
}

func (w placing) PlaceOrder(_ context.Context, o wechat.Order) (wechat.Prepay, error) {
	w.got(o)
	return wechat.Prepay{}, &wechat.Error{Kind: wechat.Retry}
}

// closedAtPlace responds to each order that it is closed, and to the rest as a test says.
type closedAtPlace struct{ scripted }

func (w *closedAtPlace) PlaceOrder(context.Context, wechat.Order) (wechat.Prepay, error) {
	return wechat.Prepay{}, &wechat.Error{Kind: wechat.Declined, Code: wechat.CodeOrderClosed}
}

// If WeChat says that a payment is closed, the query decides, because one whose time_expire has passed
// may be open there. It is closed at WeChat before it is closed in the shop.
func TestPaymentThatWeChatSaysIsClosed(t *testing.T) {
	t.Parallel()
	type report = func(order.Payment) (wechat.Trade, error)
	notPaid, paid := in(wechat.StateNotPay), in(wechat.StateSuccess)
	for name, c := range map[string]struct {
		reports  []report
		closeErr error
		want     api.PaymentStatus
		closes   int
		code     api.Code
	}{
		"closed":                         {reports: []report{in(wechat.StateClosed)}, want: api.PaymentClosed, code: api.CodeBusy},
		"expired":                        {reports: []report{notPaid}, want: api.PaymentClosed, closes: 1, code: api.CodeBusy},
		"not known":                      {reports: []report{unknownThere}, want: api.PaymentClosed, code: api.CodeBusy},
		"paid":                           {reports: []report{paid}, want: api.PaymentPaid, code: api.CodeOrderPaid},
		"paid before the close":          {reports: []report{notPaid, paid}, closeErr: &wechat.Error{Code: wechat.CodeOrderPaid}, want: api.PaymentPaid, closes: 1, code: api.CodeOrderPaid},
		"being paid":                     {reports: []report{in(wechat.StateUserPaying)}, want: api.PaymentPending, code: api.CodeBusy},
		"WeChat does not close it":       {reports: []report{notPaid}, closeErr: &wechat.Error{Kind: wechat.Retry, Code: "SYSTEMERROR"}, want: api.PaymentPending, closes: 1, code: api.CodeWeChatBusy},
		"no response to the close":       {reports: []report{notPaid}, closeErr: context.DeadlineExceeded, want: api.PaymentPending, closes: 1, code: api.CodeWeChatBusy},
		"no response to the query":       {reports: []report{func(order.Payment) (wechat.Trade, error) { return wechat.Trade{}, context.DeadlineExceeded }}, want: api.PaymentPending, code: api.CodeWeChatBusy},
		"another amount":                 {reports: []report{otherAmount}, want: api.PaymentPending, code: api.CodeWeChatDeclined},
		"another amount after the close": {reports: []report{notPaid, otherAmount}, closeErr: &wechat.Error{Code: wechat.CodeOrderPaid}, want: api.PaymentPending, closes: 1, code: api.CodeWeChatDeclined},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			p := s.pending(t)
			w := &closedAtPlace{scripted{reports: c.reports, order: p, closeErr: c.closeErr}}
			s.wechat.merchant = w
			_, err := s.Signer.PayOwn(t.Context(), p.OrderID, s.buyer, payment.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}, OpenID: s.buyer, ClientIP: "203.0.113.1", Renew: true})
			var e *api.Error
			if !errors.As(err, &e) || e.Code != c.code {
				t.Errorf("%v, want %s", err, c.code)
			}
			if got := s.status(t, p); got != c.want || w.closes != c.closes {
				t.Errorf("the payment is %s after %d calls of closeorder, want %s after %d", got, w.closes, c.want, c.closes)
			}
		})
	}
}

// otherAmount reports another amount as paid.
func otherAmount(o order.Payment) (wechat.Trade, error) {
	o.Total++
	return in(wechat.StateSuccess)(o)
}

// Each payment of an order is stored before WeChat gets it.
func TestPaymentIsStoredBeforeItIsSent(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o, err := s.Signer.PlaceBasket(t.Context(), payment.BasketRequest{Owner: s.buyer, CreateOrderRequest: paytest.Basket("tea", 2).CreateOrderRequest})
	if err != nil {
		t.Fatal(err)
	}
	sent := map[wechat.TradeType]bool{}
	s.wechat.merchant = placing{got: func(w wechat.Order) {
		sent[w.TradeType] = true
		if p, err := s.store.Payment(t.Context(), w.OutTradeNo); err != nil || p.OrderID != o.ID || p.Total != w.TotalFee {
			t.Errorf("%s: sent %+v, stored is %+v, %v", w.TradeType, w, p, err)
		}
	}}
	for _, trade := range []api.TradeType{api.TradeJSAPI, api.TradeNative} {
		_, err := s.Signer.PayOwn(t.Context(), o.ID, s.buyer, payment.PayRequest{TradeTypes: []api.TradeType{trade}, OpenID: s.buyer, ClientIP: "203.0.113.1"})
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeWeChatBusy || !sent[wechat.TradeType(trade)] {
			t.Errorf("%s: %v, sent %v", trade, err, sent)
		}
	}
}

// WeChat declines a payment whose time is almost over. So none begins then.
func TestNoPaymentBeginsJustBeforeTheExpiry(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o, err := s.Signer.PlaceBasket(t.Context(), payment.BasketRequest{Owner: s.buyer, CreateOrderRequest: paytest.Basket("tea", 2).CreateOrderRequest})
	if err != nil {
		t.Fatal(err)
	}
	s.at = o.ExpiresAt.Add(time.Second - order.MinPrepay)
	_, err = s.Signer.PayOwn(t.Context(), o.ID, s.buyer, payment.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}, OpenID: s.buyer, ClientIP: "203.0.113.1"})
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeOrderNotPayable {
		t.Errorf("%v", err)
	}
	if payments, err := s.store.PaymentsOf(t.Context(), o.ID); err != nil || len(payments) != 0 {
		t.Errorf("%+v, %v", payments, err)
	}
}
