package wechat

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// The calls about an order (docs/wechat.md 18.7).
const (
	pathOrders  = "/v3/pay/transactions"
	pathOrderNo = pathOrders + "/out-trade-no/"

	maxNotifyV3 = 255 // bytes
	maxAppName  = 64  // bytes
	maxAppURL   = 128 // bytes
)

// v3order is the request of an order.
type v3order struct {
	AppID       string          `json:"appid"`
	MchID       string          `json:"mchid"`
	Description string          `json:"description"`
	OutTradeNo  string          `json:"out_trade_no"`
	TimeExpire  string          `json:"time_expire,omitempty"`
	Attach      string          `json:"attach,omitempty"`
	NotifyURL   string          `json:"notify_url"`
	Amount      v3amount        `json:"amount"`
	Payer       *v3payer        `json:"payer,omitempty"`
	Detail      json.RawMessage `json:"detail,omitempty"`
	Scene       v3scene         `json:"scene_info"`
}

type v3amount struct {
	Total    Fen    `json:"total"`
	Currency string `json:"currency"`
}

type v3payer struct {
	OpenID string `json:"openid"`
}

type v3scene struct {
	ClientIP string `json:"payer_client_ip"`
	H5       *v3h5  `json:"h5_info,omitempty"`
}

type v3h5 struct {
	Type    string `json:"type"`
	AppName string `json:"app_name,omitempty"`
	AppURL  string `json:"app_url,omitempty"`
}

// PlaceOrder places an order at WeChat.
func (v *v3client) PlaceOrder(ctx context.Context, o Order) (Prepay, error) {
	path := o.v3path()
	op := strings.TrimPrefix(path, "/")
	if problem := o.v3problem(); problem != "" {
		return Prepay{}, notSent(opV3+op, problem)
	}
	in := v3order{
		AppID: v.cfg.AppID, MchID: v.cfg.MchID, Description: CutBody(o.Body), OutTradeNo: o.OutTradeNo,
		Attach: clean(o.Attach), NotifyURL: o.NotifyURL, Amount: v3amount{o.TotalFee, "CNY"},
		Detail: json.RawMessage(o.Detail), Scene: v3scene{ClientIP: clientIP(o.ClientIP)},
	}
	if !o.TimeExpire.IsZero() {
		in.TimeExpire = o.TimeExpire.In(beijing).Format(time.RFC3339)
	}
	switch o.TradeType {
	case TradeJSAPI:
		in.Payer = &v3payer{o.OpenID}
	case TradeMWEB:
		in.Scene.H5 = &v3h5{"Wap", cut(o.WapName, maxAppName), o.WapURL}
	}
	var out struct {
		PrepayID string `json:"prepay_id"`
		CodeURL  string `json:"code_url"`
		H5URL    string `json:"h5_url"`
	}
	if err := v.call(ctx, v3call{op: op, method: "POST", uri: pathOrders + path, in: in}, &out); err != nil {
		return Prepay{}, err
	}
	p := Prepay{PrepayID: out.PrepayID, CodeURL: out.CodeURL, MwebURL: out.H5URL, TradeType: o.TradeType}
	ok := false
	switch o.TradeType {
	case TradeJSAPI, TradeApp:
		ok = validPrepayID(p.PrepayID)
	case TradeNative:
		ok = visible(p.CodeURL, maxPayURL)
	case TradeMWEB:
		ok = visible(p.MwebURL, maxPayURL) && absolute(p.MwebURL)
	}
	if !ok {
		return Prepay{}, &Error{Op: opV3 + op, Message: "the response has no prepay_id, code_url or h5_url", Kind: Untrusted}
	}
	return p, nil
}

func (o *Order) v3path() string {
	if o.TradeType == TradeMWEB {
		return "/h5"
	}
	return "/" + strings.ToLower(string(o.TradeType))
}

// v3problem names the field that WeChat would decline in a request of APIv3, "" for none.
func (o *Order) v3problem() string {
	switch {
	case o.SceneInfo != "":
		return "scene_info is APIv2's, want wap_url and wap_name"
	case len(o.NotifyURL) > maxNotifyV3:
		return "notify_url is longer than 255 bytes"
	case o.TradeType == TradeMWEB && len(o.WapURL) > maxAppURL:
		return "wap_url is longer than 128 bytes"
	case fourBytes(o.Attach) || fourBytes(o.Detail):
		return "attach or detail has a character of four bytes, an emoji say"
	case o.Detail != "" && !strings.HasPrefix(strings.TrimSpace(o.Detail), "{"):
		return "detail is not a JSON object"
	}
	return o.problem()
}

// fourBytes reports whether a text has characters that APIv3 declines everywhere
// (docs/wechat.md 18.11). body and wap_name are sent without them.
func fourBytes(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r > 0xffff })
}

// PayParams signs what the page, or a mini program, pays with.
func (v *v3client) PayParams(ctx context.Context, prepayID string) (PayParams, error) {
	const op = "paysign"
	if !validPrepayID(prepayID) {
		return PayParams{}, &Error{Op: opV3 + op, Code: codeParam, Message: "prepay_id is missing or malformed", Kind: Developer}
	}
	p, err := v.merchant.PayParams(ctx, v.cfg.AppID, prepayID)
	if err != nil {
		return PayParams{}, unsent(ctx, opV3+op, err)
	}
	return PayParams{AppID: p.AppID, TimeStamp: p.TimeStamp, NonceStr: p.NonceStr, Package: p.Package, SignType: SignRSA, PaySign: p.PaySign}, nil
}

// AppParams signs what an app pays with.
func (v *v3client) AppParams(ctx context.Context, prepayID string) (AppParams, error) {
	const op = "appsign"
	if !validPrepayID(prepayID) {
		return AppParams{}, &Error{Op: opV3 + op, Code: codeParam, Message: "prepay_id is missing or malformed", Kind: Developer}
	}
	p, err := v.merchant.AppParams(ctx, v.cfg.AppID, prepayID)
	if err != nil {
		return AppParams{}, unsent(ctx, opV3+op, err)
	}
	return p, nil
}

// QueryOrder queries an order by the merchant's number.
func (v *v3client) QueryOrder(ctx context.Context, outTradeNo string) (Trade, error) {
	if !validOutTradeNo(outTradeNo) {
		return Trade{}, notSent(opV3+opOrderQuery, "malformed out_trade_no")
	}
	trade, err := v.queryTrade(ctx, pathOrderNo+url.PathEscape(outTradeNo))
	if err == nil && trade.OutTradeNo != outTradeNo {
		return Trade{}, &Error{Op: opV3 + opOrderQuery, Message: "the response is about another order", Kind: Untrusted}
	}
	return trade, err
}

// QueryTransaction queries an order by WeChat's number of its payment.
func (v *v3client) QueryTransaction(ctx context.Context, transactionID string) (Trade, error) {
	if !validTransactionID(transactionID) {
		return Trade{}, notSent(opV3+opOrderQuery, "malformed transaction_id")
	}
	trade, err := v.queryTrade(ctx, pathOrders+"/id/"+url.PathEscape(transactionID))
	if err == nil && trade.TransactionID != transactionID {
		return Trade{}, &Error{Op: opV3 + opOrderQuery, Message: "the response is about another transaction", Kind: Untrusted}
	}
	return trade, err
}

func (v *v3client) queryTrade(ctx context.Context, path string) (Trade, error) {
	var out v3trade
	err := v.call(ctx, v3call{op: opOrderQuery, method: "GET", uri: path + "?mchid=" + url.QueryEscape(v.cfg.MchID)}, &out)
	if err != nil {
		return Trade{}, err
	}
	trade, problem := v.readTrade(out)
	if problem != "" {
		return Trade{}, &Error{Op: opV3 + opOrderQuery, Message: problem, Kind: Untrusted}
	}
	return trade, nil
}

// v3trade is a trade in a response and in a notification.
type v3trade struct {
	AppID         string `json:"appid"`
	MchID         string `json:"mchid"`
	OutTradeNo    string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	TradeType     string `json:"trade_type"`
	TradeState    string `json:"trade_state"`
	Attach        string `json:"attach"`
	SuccessTime   string `json:"success_time"`
	Payer         struct {
		OpenID string `json:"openid"`
	} `json:"payer"`
	Amount struct {
		Total    *int64 `json:"total"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

// readTrade checks a trade. As in APIv2 only out_trade_no is certain when the state
// is another than SUCCESS.
func (v *v3client) readTrade(m v3trade) (trade Trade, problem string) {
	trade = Trade{
		Version: V3, AppID: m.AppID, MchID: m.MchID, OutTradeNo: m.OutTradeNo, State: TradeState(m.TradeState),
		OpenID: m.Payer.OpenID, TradeType: TradeType(m.TradeType), Attach: m.Attach,
	}
	switch {
	case m.AppID != v.cfg.AppID || m.MchID != v.cfg.MchID:
		return Trade{}, "the message's appid or mchid differs"
	case !validOutTradeNo(m.OutTradeNo):
		return Trade{}, "the message has no out_trade_no of ours"
	case !visible(m.TradeState, 32):
		return Trade{}, "the message has no trade_state"
	}
	if !trade.Paid() {
		return trade, ""
	}
	left := trade.State == StateRefund
	switch total := m.Amount.Total; {
	case total == nil && left:
	case total == nil || *total < 0 || *total > maxTotalFee:
		return Trade{}, "amount.total is not a number of fen"
	default:
		trade.TotalFee = Fen(*total)
	}
	if m.SuccessTime != "" || !left {
		var ok bool
		if trade.PaidAt, ok = readTime(m.SuccessTime); !ok {
			return Trade{}, "success_time: want a time of RFC 3339"
		}
	}
	switch {
	case m.TransactionID == "" && left:
	case !validTransactionID(m.TransactionID):
		return Trade{}, "the message has no transaction_id"
	case trade.OpenID != "" && !validOpenID(trade.OpenID):
		return Trade{}, "payer.openid is malformed"
	}
	trade.TransactionID = m.TransactionID
	if trade.Currency = m.Amount.Currency; trade.Currency == "" {
		trade.Currency = "CNY"
	}
	return trade, ""
}

// CloseOrder makes an unpaid order unpayable. WeChat closes an order twice without
// an error.
func (v *v3client) CloseOrder(ctx context.Context, outTradeNo string, accepted time.Time) error {
	switch {
	case !validOutTradeNo(outTradeNo):
		return notSent(opV3+opClose, "malformed out_trade_no")
	case !accepted.IsZero() && v.cfg.Now().Sub(accepted) < MinCloseAge:
		return &Error{Op: opV3 + opClose, Message: "not sent: the order is younger than five minutes", Kind: Retry}
	}
	in := struct {
		MchID string `json:"mchid"`
	}{v.cfg.MchID}
	return v.call(ctx, v3call{op: opClose, method: "POST", uri: pathOrderNo + url.PathEscape(outTradeNo) + "/close", in: in}, nil)
}

var _ Merchant = (*v3client)(nil)
var _ Merchant = (*v2client)(nil)
