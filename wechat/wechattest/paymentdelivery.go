package wechattest

import (
	"slices"
	"strings"
)

// doctype precedes some messages that reach notify URLs (docs/wechat.md 6.5).
const doctype = `<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY xxe SYSTEM "http://tst.qq.com/xxe_inject/h5pay">]>`

// paymentDelivery writes and signs the notification of a payment.
func (w *WeChat) paymentDelivery(o *order, forge string) delivery {
	w.mu.Lock()
	t := w.tradeOrForged(o)
	other := w.otherTrade(o)
	w.mu.Unlock()
	if forge == ForgeOtherTrade && other != nil {
		t.TransactionID = other.TransactionID
	}
	if forge == ForgeLeakedKey {
		t.TransactionID = w.ids.transactionID(w.Now())
	}
	if forge == ForgeWrongAmount {
		t.TotalFee++
		t.CashFee = t.TotalFee
		t.CouponFee, t.Coupons, t.CountsCoupons = 0, nil, false
	}
	fields := append([]pair{
		{"return_code", "SUCCESS"}, {"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID},
		{"nonce_str", w.ids.nonce()}, {"result_code", "SUCCESS"},
	}, o.fields(t)...)
	algorithm := o.SignType
	if o.Version == VersionV3 {
		algorithm = signHMAC // a message of APIv2 about an order of APIv3: forged
	}
	if forge == "" {
		if _, ok := w.takeFault(FaultNotifyMD5, ""); ok {
			algorithm = signMD5
		}
	}
	// docs/wechat.md 3.4: sign_type is often absent.
	if w.ids.intn(2) == 0 {
		fields = append(fields, pair{"sign_type", algorithm})
	}
	fields = w.hostile(fields)
	key := w.cfg.APIKey
	if forge == ForgeOtherKey {
		key = strings.Repeat("0", 32)
	}
	sign := digest(algorithm, canonical(fields, key), key)
	switch forge {
	case ForgeBadSign:
		last := byte('0')
		if sign[len(sign)-1] == last {
			last = '1'
		}
		sign = sign[:len(sign)-1] + string(last)
	case ForgeNoSign:
		sign = ""
	}
	signed := checkSign(fields, algorithm, w.cfg.APIKey, sign)
	if sign != "" {
		fields = append(fields, pair{"sign", sign})
	}
	body := writeXML(fields)
	if forge == ForgeDoctype {
		body = doctype + body
	}
	return delivery{body: body, signed: signed}
}

// otherTrade is the newest payment of another order that the shop has acknowledged, nil
// if there is none. The caller holds w.mu.
func (w *WeChat) otherTrade(o *order) *Trade {
	for _, n := range slices.Backward(w.notifications) {
		if n.order != o && n.refund == nil && n.Forge == "" && n.State == NotifyAcknowledged {
			return n.order.trade
		}
	}
	return nil
}

// tradeOrForged is the order's trade; for a forged notification of an unpaid order it
// is what a forger would claim. The caller holds w.mu.
func (w *WeChat) tradeOrForged(o *order) Trade {
	if o.trade != nil {
		return *o.trade
	}
	now := w.Now()
	return Trade{TransactionID: w.ids.transactionID(now), OutTradeNo: o.OutTradeNo, OpenID: o.OpenID, TotalFee: o.TotalFee, CashFee: o.TotalFee, BankType: "OTHERS", Paid: now}
}
