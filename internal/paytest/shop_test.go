package paytest_test

import (
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// This is how a test uses the shop: a buyer pays, the operator refunds, and the back end gets both
// events.
func TestShop(t *testing.T) {
	t.Parallel()
	m := paytest.NewMerchant(t)
	buyer, operator := m.SignedIn(0), m.Operator()

	checkout := buyer.Order("tea", 2)
	m.Fault(wechattest.FaultNotifyLost, "")
	buyer.Pay(checkout.Pay)
	m.Sim.Advance(paytest.QueryPause)
	o := buyer.GetOrder(checkout.Order.ID) // the shop queries WeChat
	m.WantPath(o.ID, api.StatusPaid)

	operator.Refund(o.ID, paytest.RefundRequest(o.Total))
	m.Sim.Advance(10 * time.Second) // the refund succeeds, and WeChat notifies the shop
	m.WantStatus(o.ID, api.StatusRefunded)

	m.Deliver()
	if len(m.Events) != 2 || m.Events[0].Type != webhook.OrderPaid || m.Events[1].Type != webhook.OrderRefunded {
		t.Errorf("events %+v", m.Events)
	}
}

// Check finds an order that is paid without WeChat having the money, and a secret in the log.
func TestShopCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(s *paytest.Shop){
		"no trade": func(s *paytest.Shop) {
			storetest.Exec(t, s.DB, `DROP TRIGGER keep_payment`)
			storetest.Exec(t, s.DB, `UPDATE payments SET transaction_id = 'none' WHERE transaction_id IS NOT NULL`)
		},
		"a secret":  func(s *paytest.Shop) { s.Log.Write([]byte(paytest.AdminToken)) },
		"an openid": func(s *paytest.Shop) { s.Log.Write([]byte(s.Sim.Users()[0].OpenID)) },
	} {
		s := paytest.NewShop(t, nil)
		s.SignedIn(0).PaidOrder("tea", 1)
		spoil(s)
		found := &failures{TB: t}
		s.T = found
		s.Check()
		if found.n == 0 {
			t.Errorf("%s: Check finds nothing", name)
		}
	}
}

// failures counts errors in place of the test's.
type failures struct {
	testing.TB
	n int
}

func (f *failures) Helper() {}

func (f *failures) Errorf(string, ...any) { f.n++ }
