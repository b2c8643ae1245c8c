package wechat

import (
	"context"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// TradeType is the way an order is paid.
type TradeType string

// The trade types of unifiedorder that a page uses.
const (
	TradeJSAPI  TradeType = "JSAPI"  // inside WeChat
	TradeNative TradeType = "NATIVE" // a QR code
	TradeMWEB   TradeType = "MWEB"   // a phone's browser
)

// Limits of an order (unifiedorder, request fields).
const (
	maxBody     = 127        // bytes; the documents do not say bytes or characters
	maxTotalFee = 9999999999 // fen; ten digits
	timeFormat  = "20060102150405"
)

// beijing is the zone of all of WeChat's times. WebAssembly has no time zone
// data.
var beijing = time.FixedZone("CST", 8*60*60)

// Order is what WeChat is asked to collect.
type Order struct {
	OutTradeNo string    // 6 to 32 letters, digits, '_' or '-', unique for the merchant
	Body       string    // what the payer reads; cut to 127 bytes
	Detail     string    // optional JSON
	Attach     string    // optional, 127 bytes at most, comes back in the notification
	TotalFee   Fen       // at least 1
	TradeType  TradeType //
	OpenID     string    // of the payer; JSAPI needs it
	ClientIP   string    // of the payer, IPv4 or IPv6
	NotifyURL  string    // absolute, without a query, 256 bytes at most
	TimeStart  time.Time // optional
	TimeExpire time.Time // optional
	ProductID  string    // optional, NATIVE
	SceneInfo  string    // JSON; MWEB needs it
}

// Prepay is an order that WeChat has taken. A prepay_id works for two hours.
type Prepay struct {
	PrepayID  string
	CodeURL   string // NATIVE
	MwebURL   string // MWEB
	TradeType TradeType
}

// UnifiedOrder asks WeChat to take an order. The same order may be sent again,
// unchanged, as long as it is unpaid (idempotency of out_trade_no); that is the
// only right retry after an error of kind Retry.
func (c *Client) UnifiedOrder(ctx context.Context, o Order) (Prepay, error) {
	const op = "unifiedorder"
	if problem := o.problem(); problem != "" {
		return Prepay{}, &Error{Op: op, Code: "PARAM_ERROR", Message: "not sent: " + problem}
	}
	reply, err := c.pay(ctx, op, "/pay/unifiedorder", []Field{
		{"device_info", "WEB"},
		{"body", CutBody(o.Body)},
		{"detail", clean(o.Detail)},
		{"attach", clean(o.Attach)},
		{"out_trade_no", o.OutTradeNo},
		{"fee_type", "CNY"},
		{"total_fee", strconv.FormatInt(int64(o.TotalFee), 10)},
		{"spbill_create_ip", o.ClientIP},
		{"time_start", formatTime(o.TimeStart)},
		{"time_expire", formatTime(o.TimeExpire)},
		{"notify_url", o.NotifyURL},
		{"trade_type", string(o.TradeType)},
		{"product_id", o.ProductID},
		{"openid", o.OpenID},
		{"scene_info", clean(o.SceneInfo)},
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
		return Prepay{}, &Error{Op: op, Message: "the answer has another trade_type", Kind: Untrusted}
	case p.PrepayID == "" || p.CodeURL == "" && o.TradeType == TradeNative || p.MwebURL == "" && o.TradeType == TradeMWEB:
		return Prepay{}, &Error{Op: op, Message: "the answer has nothing to pay with", Kind: Untrusted}
	}
	return p, nil
}

// problem names what WeChat would refuse, "" when there is nothing.
func (o *Order) problem() string {
	notify, err := url.Parse(o.NotifyURL)
	switch {
	case !validOutTradeNo(o.OutTradeNo):
		return "out_trade_no is not 6 to 32 letters, digits, _ or -"
	case CutBody(o.Body) == "":
		return "body is empty"
	case len(o.Attach) > 127:
		return "attach is longer than 127 bytes"
	case o.TotalFee < 1 || o.TotalFee > maxTotalFee:
		return "total_fee is not 1 to " + strconv.FormatInt(maxTotalFee, 10)
	case err != nil || notify.Scheme != "https" && notify.Scheme != "http" || notify.Host == "" || len(o.NotifyURL) > 256:
		return "notify_url is not an absolute URL of 256 bytes at most"
	case strings.ContainsAny(o.NotifyURL, "?#"):
		return "notify_url has a query"
	case o.TradeType == TradeJSAPI && !validOpenID(o.OpenID):
		return "JSAPI needs an openid"
	case o.TradeType == TradeMWEB && o.SceneInfo == "":
		return "MWEB needs scene_info"
	case o.TradeType != TradeJSAPI && o.TradeType != TradeMWEB && o.TradeType != TradeNative:
		return "unknown trade_type"
	}
	if _, err := netip.ParseAddr(o.ClientIP); err != nil {
		return "spbill_create_ip is no address"
	}
	return ""
}

// CutBody cuts a description to what fits body: 127 bytes, whole characters,
// without control characters.
func CutBody(s string) string {
	s = clean(s)
	if len(s) <= maxBody {
		return s
	}
	end := maxBody
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

func validOutTradeNo(s string) bool {
	return len(s) >= 6 && len(s) <= 32 && alphanumeric(strings.NewReplacer("_", "", "-", "").Replace(s))
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(beijing).Format(timeFormat)
}
