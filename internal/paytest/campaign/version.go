package campaign

import (
	"encoding/json"
	"strings"

	"h5pay/wechat/wechattest"
)

// faultOf returns the fault of the version that new orders use. The plan has the paths of APIv2.
func faultOf(f wechattest.Fault, v3 bool) wechattest.Fault {
	switch {
	case v3:
		return faultOfV3(f)
	case f.Path == wechattest.V3Callback, f.Kind == wechattest.FaultV3NoAssociated:
		return wechattest.Fault{Kind: wechattest.FaultNotifyDropped}
	case strings.HasPrefix(f.Kind, "v3_"):
		f.Kind = wechattest.FaultSystemError
	}
	return f
}

// faultOfV3 returns the fault of APIv3 that corresponds to one of APIv2.
func faultOfV3(f wechattest.Fault) wechattest.Fault {
	switch f.Path {
	case "", wechattest.V3Callback:
		return f
	case "/pay/unifiedorder":
		f.Path = wechattest.PathOrder
	case "/pay/orderquery":
		f.Path = wechattest.PathV3QueryOutTradeNo
	case "/pay/closeorder":
		f.Path = wechattest.PathV3Close
	case "/secapi/pay/refund":
		f.Path = wechattest.PathV3Refund
	case "/pay/refundquery":
		f.Path = wechattest.PathV3QueryRefund
	}
	if f.Path == wechattest.PathOrder && f.Kind == wechattest.FaultNoReplySign {
		// A failure without a signature may come from the shop's settings. Then the buyer gets that error.
		f.Kind = wechattest.FaultBadReplySign
	}
	if f.Kind == wechattest.FaultRetmsg || f.Kind == wechattest.FaultTextWithoutCode {
		f.Kind = wechattest.FaultV3Unsigned
	}
	return f
}

// acknowledgedV3 is acknowledged for a notification of APIv3.
func (t *Notifier) acknowledgedV3(body []byte) {
	var trade struct {
		Number      string `json:"out_trade_no"`
		Transaction string `json:"transaction_id"`
	}
	plain, err := t.Keys.decrypt(body)
	if err == nil {
		err = json.Unmarshal(plain, &trade)
	}
	if err != nil {
		t.Note(Wrong, "", "a notification was acknowledged that cannot be read: %v", err)
		return
	}
	t.storedAsPaid(trade.Number, trade.Transaction)
}
