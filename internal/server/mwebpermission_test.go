package server_test

import (
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// Without permission for H5 payment WeChat answers SUCCESS and no mweb_url. That is
// the operator's to mend: the buyer is not told to try again, and the order can be paid
// once it is mended.
func TestMWEBWithoutPermission(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	req := basket("tea", 1)
	req.TradeType = api.TradeMWEB
	s.fault(wechattest.FaultMWEBMissing, "")
	p.cannotPay(api.CodeWeChatDeclined, req)
	if s.loud() != 1 || !strings.Contains(s.log.String(), "no permission for H5 payment") {
		t.Errorf("%d loud lines:\n%s", s.loud(), s.log)
	}
	var c api.Checkout
	p.checkout(req, &c)
	if c.MWebURL == "" {
		t.Errorf("%+v", c)
	}
}
