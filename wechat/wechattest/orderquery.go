package wechattest

import "time"

// commonFields are the fields that query and close share with unifiedorder.
func commonFields(more ...field) []field {
	return append([]field{
		{"nonce_str", 32, true, nonceForm.MatchString},
		{"sign", 64, true, nil},
		{"sign_type", 32, false, nil},
	}, more...)
}

// orderQuery serves POST /pay/orderquery.
func (w *WeChat) orderQuery(p *payRequest) {
	table := commonFields(field{"transaction_id", 32, false, nil}, field{"out_trade_no", 32, false, nil})
	if code, text := checkFields(p, table); code != "" {
		p.decline(code, text)
		return
	}
	if p.get("transaction_id") == "" && p.get("out_trade_no") == "" {
		p.decline("LACK_PARAMS", "缺少参数out_trade_no")
		return
	}
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.findOrder(p.get("transaction_id"), p.get("out_trade_no"))
	if o == nil || w.hiddenFromVersion(p.exchange, o, VersionV2) {
		p.decline("ORDERNOTEXIST", "此交易订单号不存在")
		return
	}
	state := o.State
	if o.trade != nil {
		// docs/wechat.md 7.3: for a few seconds after a payment WeChat may still report NOTPAY.
		if f, ok := w.takeFault(FaultQueryLate, ""); ok {
			if now.Sub(o.trade.Paid) < time.Duration(f.DelayMS)*time.Millisecond {
				p.note("fault query_late: the order is paid")
				state = StateNotPay
			}
		}
	}
	if o.trade == nil {
		if _, ok := w.takeFault(FaultForgedReply, ""); ok {
			p.note("fault forged_reply: the order is not paid")
			p.forged = true
			p.succeed(append(o.fields(w.tradeOrForged(o)), pair{"trade_state", StateSuccess}, pair{"trade_state_desc", "支付成功"})...)
			return
		}
	}
	switch state {
	case StateSuccess:
		p.succeed(append(o.fields(*o.trade), pair{"trade_state", StateSuccess}, pair{"trade_state_desc", "支付成功"})...)
	case StateRefund:
		fs := o.fields(*o.trade)
		// In every state but SUCCESS WeChat guarantees only out_trade_no and attach (docs/wechat.md
		// 7.2). It was observed to send the other fields of a refunded order.
		if w.cfg.Hostile && w.ids.intn(2) == 0 {
			fs = []pair{{"out_trade_no", o.OutTradeNo}}
			if o.Attach != "" {
				fs = append(fs, pair{"attach", o.Attach})
			}
		}
		p.succeed(append(fs, pair{"trade_state", StateRefund}, pair{"trade_state_desc", "订单发生过退款,退款详情请查询退款单"})...)
	case StateClosed:
		fs := []pair{{"out_trade_no", o.OutTradeNo}, {"trade_state", StateClosed}, {"trade_state_desc", "订单已关闭"}}
		if o.Attach != "" {
			fs = append(fs, pair{"attach", o.Attach}) // returned when the order is final
		}
		p.succeed(fs...)
	default:
		// Only the fields that WeChat guarantees (docs/wechat.md 7.2): no amount, no attach.
		p.succeed(pair{"out_trade_no", o.OutTradeNo}, pair{"trade_state", StateNotPay}, pair{"trade_state_desc", "订单未支付"})
	}
}
