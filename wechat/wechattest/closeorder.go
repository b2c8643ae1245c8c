package wechattest

import "time"

// closeWait is how long after its creation an order cannot be closed
// (docs/wechat.md 8.2): 5 minutes.
const closeWait = 5 * time.Minute

// closeOrder serves POST /pay/closeorder.
func (w *WeChat) closeOrder(p *payRequest) {
	if code, text := checkFields(p, commonFields(field{"out_trade_no", 32, true, nil})); code != "" {
		p.decline(code, text)
		return
	}
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.orders[p.get("out_trade_no")]
	switch {
	case o == nil || w.hiddenFromVersion(p.exchange, o, VersionV2):
		p.decline("ORDERNOTEXIST", "订单不存在")
	case o.trade != nil:
		p.decline("ORDERPAID", "订单已支付,不能关闭")
	case o.State == StateClosed:
		p.decline("ORDERCLOSED", "订单已关闭")
	case now.Sub(o.Created) < closeWait:
		p.note("an order cannot be closed within 5 minutes of its creation")
		p.decline("TRADE_STATE_ERROR", "订单状态错误")
	default:
		// A payment sheet that is open stays so; its button finds the order
		// closed.
		o.State = StateClosed
		p.succeed()
	}
}
