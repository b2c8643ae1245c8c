package server_test

import (
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// notifications returns the last messages, newest first.
func (b *backEnd) notifications(query string) []v1.Notification {
	b.T.Helper()
	var list v1.Notifications
	b.must("GET", "/v1/notifications"+query, nil, &list)
	return list.Notifications
}

// Every message at the notify URLs is listed with its result.
func TestNotificationsAreKept(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, b := s.SignedIn(0), newBackEnd(s, v1.ScopeRead)
	c := p.Order("tea", 1)
	no := s.OutTradeNo(c.Order.ID)
	notify := func(forge string) v1.Notification {
		t.Helper()
		if _, err := s.Sim.Notify(no, forge); err != nil {
			t.Fatal(err)
		}
		return b.notifications("?limit=1")[0]
	}
	forged := notify(wechattest.ForgeBadSign)
	if forged.Verdict != v1.NotificationForged || forged.OutTradeNo != "" || forged.Kind != v1.NotifiedPayment || forged.Version != "v2" {
		t.Errorf("forged: %+v", forged)
	}
	// A stranger knows the API key, and WeChat reports that nobody paid.
	s.AdvanceClock(2 * time.Minute)
	postNotification(s, leaked(s, c.Order.ID, wechat.SignHMAC))
	leaked := b.notifications("?limit=1")[0]
	if leaked.Verdict != v1.NotificationRejected && leaked.Verdict != v1.NotificationRetried || leaked.OutTradeNo != no {
		t.Errorf("with the API key: %+v", leaked)
	}
	p.Pay(c.Pay)
	s.Deliver()
	s.Sim.Advance(paytest.QueryPause)
	paid := notify("")
	if paid.Verdict != v1.NotificationAccepted || paid.Reason != "OK" || paid.OutTradeNo != no || paid.RequestID == "" || !strings.Contains(s.Log.String(), paid.RequestID) {
		t.Errorf("paid: %+v", paid)
	}
	o := s.Operator().Refund(c.Order.ID, paytest.RefundRequest(100))
	s.Sim.Advance(time.Minute)
	refunds := b.notifications("?out_trade_no=" + no)
	if got := refunds[0]; got.Kind != v1.NotifiedRefund || got.OutRefundNo != o.ID || got.Verdict != v1.NotificationAccepted {
		t.Errorf("refund: %+v", got)
	}
	for _, n := range b.notifications("?verdict=forged") {
		if n.Verdict != v1.NotificationForged {
			t.Errorf("among the forged: %+v", n)
		}
	}
	for query, field := range map[string]string{"?verdict=good": "verdict", "?limit=501": "limit", "?out_trade_no=" + strings.Repeat("1", 33): "out_trade_no"} {
		b.fails(api.CodeBadRequest, field, "GET", "/v1/notifications"+query, nil)
	}
}

// Strangers cause one row a minute, and displace no message of WeChat's.
func TestForgedNotificationsAreBounded(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, b := s.SignedIn(0), newBackEnd(s, v1.ScopeRead)
	c := p.Order("tea", 1)
	p.Pay(c.Pay)
	s.Deliver()
	for range 30 {
		postNotification(s, []byte("<xml></xml>"))
	}
	if got := b.notifications("?verdict=forged"); len(got) != 1 || got[0].More != 0 {
		t.Errorf("30 in a minute: %+v", got)
	}
	for range 120 {
		s.AdvanceClock(time.Minute)
		postNotification(s, []byte("<xml></xml>"))
	}
	forged := b.notifications("?verdict=forged&limit=500")
	if len(forged) != 100 || forged[0].More != 0 {
		t.Errorf("%d rows, the last %+v", len(forged), forged[0])
	}
	postNotification(s, []byte("<xml></xml>"))
	s.AdvanceClock(time.Minute)
	postNotification(s, []byte("<xml></xml>"))
	if got := b.notifications("?verdict=forged")[0]; got.More != 1 {
		t.Errorf("one was not stored: %+v", got)
	}
	if got := b.notifications("?verdict=accepted"); len(got) == 0 {
		t.Error("WeChat's message is gone")
	}
	// WeChat's own are bounded too.
	no := s.OutTradeNo(c.Order.ID)
	if _, err := s.DB.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
		INSERT INTO notifications SELECT 1, 1000 + i, 0, 'payment', 'v2', 'accepted', 'OK', ?, '', 'x', 0 FROM n`, no); err != nil {
		t.Fatal(err)
	}
	if got := b.notifications("?verdict=accepted&limit=500"); len(got) != 400 {
		t.Errorf("%d of WeChat's are kept", len(got))
	}
}
