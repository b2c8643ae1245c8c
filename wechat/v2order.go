package wechat

import (
	"context"
	"strconv"
	"time"

	"h5pay/internal/fen"
	"h5pay/wechat/apiv3"
)

// PlaceOrder places an order at WeChat. It goes to the backup host too: the same
// order may be sent again, unchanged, as long as it is unpaid (docs/wechat.md 4.5).
func (c *v2client) PlaceOrder(ctx context.Context, o Order) (Prepay, error) {
	const op = "unifiedorder"
	switch problem := o.problem(); {
	case problem != "":
		return Prepay{}, notSent(op, problem)
	case o.TradeType == TradeApp:
		return Prepay{}, notOffered(op, V2)
	}
	reply, err := c.pay(ctx, c.cfg.Doer, op, "/pay/unifiedorder", []Field{
		{"device_info", "WEB"},
		{"body", CutBody(o.Body)},
		{"detail", o.Detail},
		{"attach", o.Attach},
		{"out_trade_no", o.OutTradeNo},
		{"fee_type", "CNY"},
		{"total_fee", strconv.FormatInt(int64(o.TotalFee), 10)},
		{"spbill_create_ip", clientIP(o.ClientIP)},
		{"time_start", formatTime(o.TimeStart)},
		{"time_expire", formatTime(o.TimeExpire)},
		{"notify_url", o.NotifyURL},
		{"trade_type", string(o.TradeType)},
		{"product_id", o.product()},
		{"openid", o.OpenID},
		{"scene_info", o.scene()},
	})
	if err != nil {
		return Prepay{}, err
	}
	p := Prepay{
		PrepayID:  value(reply, "prepay_id"),
		CodeURL:   value(reply, "code_url"),
		MwebURL:   value(reply, "mweb_url"),
		TradeType: TradeType(value(reply, "trade_type")),
	}
	switch {
	case p.TradeType != o.TradeType:
		return Prepay{}, &Error{Op: op, Message: "the response has another trade_type", Kind: Untrusted}
	case o.TradeType == TradeMWEB && p.MwebURL == "" && validPrepayID(p.PrepayID):
		// WeChat responds like this to a merchant without permission for H5 payment.
		return Prepay{}, &Error{Op: op, Message: "the response has no mweb_url: the merchant has no permission for H5 payment", Kind: Operator}
	case !validPrepayID(p.PrepayID),
		o.TradeType == TradeNative && !visible(p.CodeURL, maxPayURL),
		o.TradeType == TradeMWEB && (!visible(p.MwebURL, maxPayURL) || !absolute(p.MwebURL)):
		return Prepay{}, &Error{Op: op, Message: "the response has no prepay_id or code_url", Kind: Untrusted}
	}
	return p, nil
}

// product returns product_id. Older documents require it for NATIVE, newer ones do not.
func (o *Order) product() string {
	if o.ProductID == "" && o.TradeType == TradeNative {
		return o.OutTradeNo
	}
	return o.ProductID
}

// AppParams is not offered: apps pay with APIv3.
func (c *v2client) AppParams(context.Context, string) (AppParams, error) {
	return AppParams{}, notOffered("appsign", V2)
}

// PayParams signs the parameters that the page passes to WeixinJSBridge. It uses the algorithm of
// the order (docs/wechat.md 5.1).
func (c *v2client) PayParams(_ context.Context, prepayID string) (PayParams, error) {
	if !validPrepayID(prepayID) {
		return PayParams{}, &Error{Op: "paysign", Code: codeParam, Message: "prepay_id is missing or malformed", Kind: Developer}
	}
	nonce, err := apiv3.Nonce(c.cfg.Rand)
	if err != nil {
		return PayParams{}, &Error{Op: "paysign", Message: "no random numbers", Kind: Retry, Err: err}
	}
	p := PayParams{
		AppID:     c.cfg.AppID,
		TimeStamp: strconv.FormatInt(c.cfg.Now().Unix(), 10),
		NonceStr:  nonce,
		Package:   "prepay_id=" + prepayID,
		SignType:  c.cfg.SignType,
	}
	p.PaySign = Sign([]Field{
		{"appId", p.AppID}, {"timeStamp", p.TimeStamp}, {"nonceStr", p.NonceStr},
		{"package", p.Package}, {"signType", string(p.SignType)},
	}, c.apiKey(), c.cfg.SignType)
	return p, nil
}

const (
	opOrderQuery = "orderquery"
	opClose      = "closeorder"
)

// QueryOrder queries an order. If WeChat does not know the order, the error's code is
// CodeOrderNotExist.
func (c *v2client) QueryOrder(ctx context.Context, outTradeNo string) (Trade, error) {
	if !validOutTradeNo(outTradeNo) {
		return Trade{}, notSent(opOrderQuery, "malformed out_trade_no")
	}
	trade, err := c.queryTrade(ctx, Field{"out_trade_no", outTradeNo})
	if err == nil && trade.OutTradeNo != outTradeNo {
		return Trade{}, &Error{Op: opOrderQuery, Message: "the response is about another order", Kind: Untrusted}
	}
	return trade, err
}

// QueryTransaction is QueryOrder by WeChat's number of a payment.
func (c *v2client) QueryTransaction(ctx context.Context, transactionID string) (Trade, error) {
	if !validTransactionID(transactionID) {
		return Trade{}, notSent(opOrderQuery, "malformed transaction_id")
	}
	trade, err := c.queryTrade(ctx, Field{"transaction_id", transactionID})
	if err == nil && trade.TransactionID != transactionID && (trade.TransactionID != "" || trade.State != StateRefund) {
		return Trade{}, &Error{Op: opOrderQuery, Message: "the response is about another transaction", Kind: Untrusted}
	}
	return trade, err
}

// queryTrade makes one orderquery. It goes to the backup host too: it changes
// nothing.
func (c *v2client) queryTrade(ctx context.Context, by Field) (Trade, error) {
	reply, err := c.pay(ctx, c.cfg.Doer, opOrderQuery, "/pay/orderquery", []Field{by})
	if err != nil {
		return Trade{}, err
	}
	trade, problem := readTrade(reply, TradeState(value(reply, "trade_state")))
	if problem != "" {
		return Trade{}, &Error{Op: opOrderQuery, Message: problem, Kind: Untrusted}
	}
	return trade, nil
}

// readTrade reads the fields that orderquery and the notification share. With another state than
// SUCCESS WeChat guarantees only out_trade_no.
func readTrade(fields []Field, state TradeState) (trade Trade, problem string) {
	trade = Trade{
		Version:    V2,
		AppID:      value(fields, "appid"),
		MchID:      value(fields, "mch_id"),
		OutTradeNo: value(fields, "out_trade_no"),
		State:      state,
		OpenID:     value(fields, "openid"),
		TradeType:  TradeType(value(fields, "trade_type")),
		Attach:     value(fields, "attach"),
	}
	if !validOutTradeNo(trade.OutTradeNo) {
		return Trade{}, "the message has no out_trade_no of ours"
	}
	if state == "" {
		return Trade{}, "the message has no trade_state"
	}
	if !trade.Paid() {
		return trade, ""
	}
	var ok bool
	left := func(v string) bool { return v == "" && state == StateRefund }
	fee, end := value(fields, "total_fee"), value(fields, "time_end")
	if trade.TotalFee, ok = fen.Parse(fee); !ok && !left(fee) {
		return Trade{}, "total_fee is not a number of fen"
	}
	if trade.PaidAt, ok = parseTime(end); !ok && !left(end) {
		return Trade{}, "time_end: want a time as yyyyMMddHHmmss"
	}
	if trade.TransactionID = value(fields, "transaction_id"); trade.TransactionID == "" && !left("") {
		return Trade{}, "the message has no transaction_id"
	}
	if trade.Currency = value(fields, "fee_type"); trade.Currency == "" {
		trade.Currency = "CNY"
	}
	return trade, ""
}

// CloseOrder makes an unpaid order unpayable. WeChat's response does not name the
// order: only TLS ties it to this one.
func (c *v2client) CloseOrder(ctx context.Context, outTradeNo string, accepted time.Time) error {
	const op = opClose
	switch {
	case !validOutTradeNo(outTradeNo):
		return notSent(op, "malformed out_trade_no")
	case !accepted.IsZero() && c.cfg.Now().Sub(accepted) < MinCloseAge:
		return &Error{Op: op, Message: "not sent: the order is younger than five minutes", Kind: Retry}
	}
	// The call goes to the backup host too: a second close finds the order closed.
	reply, err := c.pay(ctx, c.cfg.Doer, op, "/pay/closeorder", []Field{{"out_trade_no", outTradeNo}})
	if err != nil {
		return err
	}
	if no := value(reply, "out_trade_no"); no != "" && no != outTradeNo {
		return &Error{Op: op, Message: "the response is about another order", Kind: Untrusted}
	}
	return nil
}
