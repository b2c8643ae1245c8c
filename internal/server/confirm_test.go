package server_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// leaked returns a notification signed with a stolen API key. Only its payment does not exist at
// WeChat.
func leaked(s *paytest.Shop, orderID string, t wechat.SignType) []byte {
	s.T.Helper()
	return signedNotification(s, orderID, "4200000000202611230000000000", t)
}

// signedNotification returns a signed notification that a transaction pays an order.
func signedNotification(s *paytest.Shop, orderID, transaction string, t wechat.SignType) []byte {
	s.T.Helper()
	var no, total string
	if err := s.DB.QueryRow(`SELECT out_trade_no, total FROM payments WHERE order_id = ?`, orderID).Scan(&no, &total); err != nil {
		s.T.Fatal(err)
	}
	fields := []wechat.Field{
		{Name: "return_code", Value: "SUCCESS"}, {Name: "result_code", Value: "SUCCESS"}, {Name: "appid", Value: wechattest.DefaultAppID},
		{Name: "mch_id", Value: wechattest.DefaultMchID}, {Name: "nonce_str", Value: "n"}, {Name: "openid", Value: "oForged"},
		{Name: "fee_type", Value: "CNY"}, {Name: "total_fee", Value: total}, {Name: "out_trade_no", Value: no},
		{Name: "transaction_id", Value: transaction},
		{Name: "time_end", Value: cst.In(s.Now()).Format("20060102150405")},
	}
	fields = append(fields, wechat.Field{Name: "sign", Value: wechat.Sign(fields, wechattest.DefaultAPIKey, t)})
	var b bytes.Buffer
	b.WriteString("<xml>")
	for _, f := range fields {
		b.WriteString("<" + f.Name + ">" + f.Value + "</" + f.Name + ">")
	}
	b.WriteString("</xml>")
	return b.Bytes()
}

// postNotification sends a notification to the shop and returns the response.
func postNotification(s *paytest.Shop, body []byte) (int, string) {
	s.T.Helper()
	r, err := http.NewRequest(http.MethodPost, paytest.ShopURL+api.PathNotifyPay, bytes.NewReader(body))
	if err != nil {
		s.T.Fatal(err)
	}
	code, text := paytest.Serve(s.Handler, r)
	return code, string(text)
}

// queriesFail makes every orderquery fail until the returned function is called.
func queriesFail(s *paytest.Shop) (recover func()) {
	right := s.ToWeChat.Handler
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pay/orderquery" {
			w.WriteHeader(http.StatusGatewayTimeout)
			return
		}
		right.ServeHTTP(w, r)
	})
	return func() { s.ToWeChat.Handler = right }
}

// The API key alone makes no order paid.
func TestAPIKeyAlonePaysNothing(t *testing.T) {
	t.Parallel()
	for _, signType := range []wechat.SignType{wechat.SignMD5, wechat.SignHMAC} {
		t.Run(string(signType), func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p := s.SignedIn(0)
			pending, closed := p.Order("tea", 1).Order.ID, p.Order("tea", 1).Order.ID
			closeHere(s, closed)
			for id, want := range map[string]api.OrderStatus{pending: api.StatusOpen, closed: api.StatusClosed} {
				for range 3 {
					if code, text := postNotification(s, leaked(s, id, signType)); !strings.Contains(text, "FAIL") || strings.Contains(text, "SUCCESS") {
						t.Errorf("%d %s", code, text)
					}
					s.Sim.Advance(10 * time.Second)
				}
				s.WantStatus(id, want)
			}
			// Much later WeChat still reports no payment, so an operator must look at it.
			body := leaked(s, pending, signType)
			s.Sim.Advance(2 * time.Minute)
			if code, text := postNotification(s, body); code != http.StatusOK || !strings.Contains(text, "WeChat does not confirm the payment") {
				t.Errorf("%d %s", code, text)
			}
			for range 5 {
				s.Reconcile()
				s.Sim.Advance(time.Minute)
			}
			if s.ErrorLines() != 1 {
				t.Errorf("%d log lines of level ERROR:\n%s", s.ErrorLines(), s.Log)
			}
			// A real payment of the order is settled, and the forged notification changes nothing.
			var c api.Checkout
			p.Must("POST", api.OrderPayPath(pending), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}, &c)
			p.Pay(c.Pay)
			s.Deliver()
			s.WantStatus(pending, api.StatusPaid)
			if _, text := postNotification(s, leaked(s, pending, signType)); !strings.Contains(text, "the order is paid by another transaction") {
				t.Error(text)
			}
		})
	}
}

// A forged notification arrives first, and its query finds the real payment.
func TestForgedNotificationOfAnOrderThatIsPaid(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	attempt, err := s.Sim.Notify(s.OutTradeNo(c.Order.ID), wechattest.ForgeLeakedKey)
	if err != nil || attempt.OK || !strings.Contains(attempt.Reason, "WeChat names another transaction") {
		t.Errorf("%+v, %v", attempt, err)
	}
	s.Check()
	s.WantStatus(c.Order.ID, api.StatusPaid)
	if s.ErrorLines() != 1 {
		t.Errorf("%d log lines of level ERROR:\n%s", s.ErrorLines(), s.Log)
	}
}

// Three kinds of notifications cause no query: without a correct signature, different from the
// payment, and of a paid payment.
func TestOnlySignedNotificationsCauseAQuery(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	no := s.OutTradeNo(c.Order.ID)
	for range 3 {
		for _, forge := range []string{wechattest.ForgeBadSign, wechattest.ForgeNoSign, wechattest.ForgeOtherKey, wechattest.ForgeDoctype, wechattest.ForgeWrongAmount} {
			if attempt, err := s.Sim.Notify(no, forge); err != nil || attempt.OK {
				t.Errorf("%s: %+v, %v", forge, attempt, err)
			}
		}
		s.Sim.Advance(2 * time.Second)
	}
	if n := s.Calls("orderquery"); n != 0 {
		t.Errorf("%d queries", n)
	}
	p.Pay(c.Pay)
	s.Deliver()
	for range 3 {
		if attempt, err := s.Sim.Notify(no, ""); err != nil || !attempt.OK {
			t.Errorf("%+v, %v", attempt, err)
		}
		s.Sim.Advance(2 * time.Second)
	}
	if n := s.Calls("orderquery"); n != 1 {
		t.Errorf("%d queries for one payment", n)
	}
}

// One of many concurrent notifications of an order causes a query. On a slow machine more than one
// can, because a second passes between them.
func TestNotificationsDoNotMultiplyQueries(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	c := s.SignedIn(0).Order("tea", 1)
	body := leaked(s, c.Order.ID, wechat.SignHMAC)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if code, text := postNotification(s, body); code == http.StatusInternalServerError || strings.Contains(text, "SUCCESS") {
				t.Errorf("%d %s", code, text)
			}
		})
	}
	wg.Wait()
	if n := s.Calls("orderquery"); n < 1 || n > 5 {
		t.Errorf("%d queries for 20 notifications", n)
	}
}

// A duplicate that arrives while WeChat is queried is not acknowledged and does not wait.
// WeChat repeats it, and it finds the order paid.
func TestDuplicateNotificationDoesNotWait(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	body := signedNotification(s, c.Order.ID, s.Sim.Ledger().Trades[0].TransactionID, wechat.SignHMAC)
	inCall, goOn := make(chan struct{}), make(chan struct{})
	plain := s.ToWeChat.Handler
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pay/orderquery" {
			close(inCall)
			<-goOn
		}
		plain.ServeHTTP(w, r)
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		if code, text := postNotification(s, body); code != http.StatusOK || !strings.Contains(text, "SUCCESS") {
			t.Errorf("the first: %d %s", code, text)
		}
	})
	<-inCall
	for range 3 { // these would hang if they waited
		if code, text := postNotification(s, body); code != http.StatusOK || !strings.Contains(text, "FAIL") {
			t.Errorf("a duplicate: %d %s", code, text)
		}
	}
	s.WantStatus(c.Order.ID, api.StatusOpen)
	close(goOn)
	wg.Wait()
	s.WantStatus(c.Order.ID, api.StatusPaid)
	if code, text := postNotification(s, body); code != http.StatusOK || !strings.Contains(text, "SUCCESS") {
		t.Errorf("the repeated one: %d %s", code, text)
	}
	if n := s.Calls("orderquery"); n != 1 {
		t.Errorf("%d queries", n)
	}
	if s.ErrorLines() != 0 {
		t.Errorf("log:\n%s", s.Log)
	}
}

// For an hour WeChat sends notifications and answers no queries. Nothing is lost, only settled
// payments are acknowledged, and each order is paid once.
func TestWeChatAnswersNoQueriesForAnHour(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"notification", "timer"} {
		t.Run(by, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p := s.SignedIn(0)
			answerAgain := queriesFail(s)
			var ids []string
			for i := range 3 {
				c := p.Order("tea", 1)
				ids = append(ids, c.Order.ID)
				if i == 0 { // the shop has closed it before
					closeHere(s, c.Order.ID)
				}
				p.Pay(c.Pay)
			}
			for range 60 {
				s.Sim.Advance(time.Minute)
				s.Reconcile()
			}
			for _, n := range s.Sim.Ledger().Notifications {
				if n.State != wechattest.NotifyWaiting || len(n.Attempts) < 5 {
					t.Errorf("%s after %d attempts", n.State, len(n.Attempts))
				}
				for _, a := range n.Attempts {
					if a.OK || a.Status != http.StatusServiceUnavailable {
						t.Errorf("%+v", a)
					}
				}
			}
			answerAgain()
			if by == "timer" {
				// At most half of the time since the last notification passes.
				for range 16 {
					s.Reconcile()
					s.Sim.Advance(time.Minute)
				}
			} else {
				s.Sim.Advance(31 * time.Minute)
			}
			s.Check()
			for _, id := range ids {
				s.WantStatus(id, api.StatusPaid)
			}
			if s.ErrorLines() != 0 {
				t.Errorf("the log has a line of level ERROR, and an operator can do nothing about it:\n%s", s.Log)
			}
		})
	}
}

// The timer first queries payments that were notified and not confirmed.
func TestNotifiedPaymentIsQueriedFirst(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements })
	p := s.SignedIn(0)
	for range 60 {
		p.Order("test", 1)
	}
	s.Sim.Advance(2 * time.Minute)
	answerAgain := queriesFail(s)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	if attempt, err := s.Sim.Notify(s.OutTradeNo(c.Order.ID), ""); err != nil || attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	answerAgain()
	s.Sim.Advance(10 * time.Second)
	s.Reconcile()
	s.WantStatus(c.Order.ID, api.StatusPaid)
	// The other payments have a share of the queries.
	if n := s.Calls("orderquery"); n < 30 || n > payment.MinStatements {
		t.Errorf("%d queries in a round", n)
	}
}

// A payment that was notified as paid, and is not, is queried less and less often.
func TestNotifiedPaymentIsQueriedLessOften(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	c := s.SignedIn(0).Order("tea", 1)
	closeHere(s, c.Order.ID) // so that it is not due otherwise
	postNotification(s, leaked(s, c.Order.ID, wechat.SignMD5))
	for range 26 * 12 {
		s.Sim.Advance(5 * time.Minute)
		s.Reconcile()
	}
	if n := s.Calls("orderquery"); n < 5 || n > 30 {
		t.Errorf("%d queries in a day", n)
	}
}

// WeChat may report NOTPAY for some seconds after a payment.
func TestNotificationBeforeTheQueryKnows(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	if err := s.Sim.AddFault(wechattest.Fault{Kind: wechattest.FaultQueryLate, DelayMS: 5000}); err != nil {
		t.Fatal(err)
	}
	p.Pay(c.Pay)
	s.Deliver()
	s.WantStatus(c.Order.ID, api.StatusOpen)
	if n := s.Sim.Ledger().Notifications[0]; len(n.Attempts) != 1 || n.Attempts[0].Status != http.StatusServiceUnavailable {
		t.Errorf("%+v", n)
	}
	s.Sim.Advance(15 * time.Second)
	s.Check()
	s.WantPath(c.Order.ID, api.StatusPaid)
	if s.ErrorLines() != 0 {
		t.Errorf("the log has a line of level ERROR, and an operator can do nothing about it:\n%s", s.Log)
	}
}

// The payment was refunded before the notification is read.
func TestNotificationOfARefundedPayment(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	no := s.OutTradeNo(c.Order.ID)
	if _, err := s.Sim.Refund(no, 6800); err != nil {
		t.Fatal(err)
	}
	s.Sim.Advance(time.Minute)
	if attempt, err := s.Sim.Notify(no, ""); err != nil || !attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	s.WantStatus(c.Order.ID, api.StatusRefunded)
}

// MD5 is weaker than the shop's setting. Each such notification causes one warning.
func TestMD5AtAnHMACShopIsAWarning(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		shop wechat.SignType
		want int
	}{{wechat.SignHMAC, 1}, {wechat.SignMD5, 0}} {
		s := paytest.NewShop(t, func(_ *paytest.Settings, wx *wechat.Config) { wx.SignType = tt.shop })
		p := s.SignedIn(0)
		for _, fault := range []string{wechattest.FaultNotifyMD5, ""} {
			if fault != "" {
				s.Fault(fault, "")
			}
			c := p.Order("tea", 1)
			p.Pay(c.Pay)
			s.Deliver()
			s.WantStatus(c.Order.ID, api.StatusPaid)
		}
		if n := strings.Count(s.Log.String(), "level=WARN"); n != tt.want {
			t.Errorf("%s: %d warnings, want %d:\n%s", tt.shop, n, tt.want, s.Log)
		}
	}
}

// A notified payment that WeChat does not know needs the operator.
func TestNotifiedPaymentThatWeChatDoesNotKnow(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	s.Fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	p.CannotPay(api.CodeWeChatBusy, paytest.Basket("tea", 1))
	var id string
	if err := s.DB.QueryRow(`SELECT id FROM orders`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if code, text := postNotification(s, leaked(s, id, wechat.SignHMAC)); code != http.StatusOK || !strings.Contains(text, "WeChat does not know the order") {
		t.Errorf("%d %s", code, text)
	}
	s.WantStatus(id, api.StatusOpen)
	if s.ErrorLines() != 1 {
		t.Errorf("%d log lines of level ERROR", s.ErrorLines())
	}
	s.Sim.Advance(order.Lifetime + 2*order.ExpiryGrace)
	s.Reconcile()
	s.WantStatus(id, api.StatusClosed)
}
