package server_test

import (
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

// Without permission for H5 payment WeChat answers SUCCESS without mweb_url. The operator must get
// the permission. The page does not ask the buyer to retry, and the order can be paid afterwards.
func TestMWEBWithoutPermission(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	req := paytest.Basket("tea", 1)
	req.TradeType = api.TradeMWEB
	s.Fault(wechattest.FaultMWEBMissing, "")
	p.CannotPay(api.CodeWeChatDeclined, req)
	if s.ErrorLines() != 1 || !strings.Contains(s.Log.String(), "no permission for H5 payment") {
		t.Errorf("%d log lines of level ERROR:\n%s", s.ErrorLines(), s.Log)
	}
	var c api.Checkout
	p.Checkout(req, &c)
	if c.MWebURL == "" {
		t.Errorf("%+v", c)
	}
}
