package server_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/paytest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// Every message to the notification paths is reported with its verdict, also those beyond the
// stored number.
func TestNotificationsAreReported(t *testing.T) {
	t.Parallel()
	got := map[[2]string]int{}
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) {
		cfg.Notified = func(kind, verdict string) { got[[2]string{kind, verdict}]++ }
	})
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	no := s.OutTradeNo(c.Order.ID)
	p.Pay(c.Pay)
	s.Deliver()
	for range 30 {
		postNotification(s, []byte("<xml></xml>"))
	}
	s.Sim.Advance(paytest.QueryPause)
	if _, err := s.Sim.Notify(no, wechattest.ForgeWrongAmount); err != nil {
		t.Fatal(err)
	}
	s.Operator().Refund(c.Order.ID, paytest.RefundRequest(100))
	s.Sim.Advance(time.Minute)
	want := map[[2]string]int{
		{"payment", "accepted"}: 1,
		{"payment", "forged"}:   30,
		{"payment", "rejected"}: 1,
		{"refund", "accepted"}:  1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
