package wechat

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// TradeType is the way an order is paid.
type TradeType string

// The trade types. A mini program pays as a page inside WeChat does.
const (
	TradeJSAPI  TradeType = "JSAPI"  // inside WeChat
	TradeNative TradeType = "NATIVE" // a QR code
	TradeMWEB   TradeType = "MWEB"   // a phone's browser
	TradeApp    TradeType = "APP"    // an app with WeChat's SDK; APIv3 only
)

// Limits of an order (docs/wechat.md 4.1).
const (
	maxBody     = 127        // bytes; the documentation does not say whether bytes or characters
	maxDetail   = 6000       // bytes; newer pages say 6144
	maxAttach   = 127        // bytes
	maxProduct  = 32         // bytes
	maxScene    = 256        // bytes
	maxNotify   = 256        // bytes
	maxPayURL   = 512        // bytes; the documents say 64, which is not true of either
	maxTotalFee = 9999999999 // fen; ten digits
	timeFormat  = "20060102150405"
)

// Order is a payment to collect. Limits are in bytes. Control characters are removed
// from texts.
type Order struct {
	OutTradeNo string // 6 to 32 letters, digits, '_' or '-', unique for the merchant
	Body       string // what the payer reads; sent as CutBody makes it
	Detail     string // optional JSON in the form of the version, at most 6000
	Attach     string // optional, at most 127, returned in the notification
	TotalFee   Fen    // at least 1
	TradeType  TradeType
	OpenID     string    // of the payer; JSAPI needs it
	ClientIP   string    // of the payer, IPv4 or IPv6
	NotifyURL  string    // absolute, without a query, at most 256
	TimeStart  time.Time // optional
	TimeExpire time.Time // optional, after TimeStart
	ProductID  string    // optional, at most 32, for NATIVE; OutTradeNo when empty
	// The address and the name of the shop, for MWEB. At most about 180 bytes together.
	WapURL, WapName string
	SceneInfo       string // optional JSON, at most 256; stands for WapURL and WapName; APIv2 only
}

// How long an order can be paid with a Prepay.
const (
	PrepayLife = 2 * time.Hour   // PrepayID, CodeURL
	MwebLife   = 5 * time.Minute // MwebURL
)

// MinCloseAge is how old an order must be before it may be closed
// (docs/wechat.md 8.2).
const MinCloseAge = 5 * time.Minute

// Prepay is an order that WeChat has accepted.
type Prepay struct {
	PrepayID  string
	CodeURL   string // NATIVE: to be shown as a QR code; a second one of the same order voids it
	MwebURL   string // MWEB: where the payer's browser goes, from a page that sends a Referer
	TradeType TradeType
}

// PageURL returns MwebURL with the page to which the browser returns, paid or not. back is an
// absolute URL of a domain that is set for H5 payment. No other part of MwebURL may change.
func (p Prepay) PageURL(back string) string {
	return p.MwebURL + "&redirect_url=" + url.QueryEscape(back)
}

// problem names the field that WeChat would decline, "" for none. Times are not compared with now,
// because a retry sends the same as before.
func (o *Order) problem() string {
	switch {
	case !validOutTradeNo(o.OutTradeNo):
		return "out_trade_no is not 6 to 32 letters, digits, _ or -"
	case strings.TrimSpace(CutBody(o.Body)) == "":
		return "body is empty"
	case len(o.Detail) > maxDetail:
		return "detail is longer than 6000 bytes"
	case o.Detail != "" && !json.Valid([]byte(o.Detail)):
		return "detail is not JSON"
	case len(o.Attach) > maxAttach:
		return "attach is longer than 127 bytes"
	case o.TotalFee < 1 || o.TotalFee > maxTotalFee:
		return "total_fee is not 1 to " + strconv.FormatInt(maxTotalFee, 10)
	case clientIP(o.ClientIP) == "":
		return "spbill_create_ip: want an IP address"
	case !absolute(o.NotifyURL) || len(o.NotifyURL) > maxNotify:
		return "notify_url is not an absolute URL of 256 bytes at most"
	case strings.ContainsAny(o.NotifyURL, "?#"):
		return "notify_url has a query"
	case !o.TimeStart.IsZero() && !o.TimeExpire.IsZero() && formatTime(o.TimeExpire) <= formatTime(o.TimeStart):
		return "time_expire is not after time_start"
	case o.OpenID != "" && !validOpenID(o.OpenID):
		return "malformed openid"
	case len(o.ProductID) > maxProduct:
		return "product_id is longer than 32 bytes"
	case o.WapURL != "" && !absolute(o.WapURL):
		return "wap_url is not an absolute URL"
	case len(o.scene()) > maxScene:
		return "scene_info is longer than 256 bytes"
	}
	switch {
	case o.TradeType == TradeJSAPI && o.OpenID == "":
		return "JSAPI needs an openid"
	case o.TradeType == TradeMWEB && !json.Valid([]byte(o.scene())):
		return "MWEB needs scene_info in JSON, or wap_url and wap_name"
	case o.TradeType != TradeJSAPI && o.TradeType != TradeMWEB && o.TradeType != TradeNative && o.TradeType != TradeApp:
		return "unknown trade_type"
	}
	return ""
}

// clientIP returns an address as WeChat sees it: IPv4 is not wrapped in IPv6. It is ""
// for a text that is no address, and for an address with a zone.
func clientIP(s string) string {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return ""
	}
	if addr.Is4In6() {
		return addr.Unmap().String()
	}
	return s
}

// CutBody cuts a description to 127 bytes, in whole characters, without control characters. It also
// removes characters of four bytes in UTF-8, mostly emoji, which WeChat was observed to decline.
func CutBody(s string) string { return cut(s, maxBody) }

// cut is CutBody for any limit, in bytes.
func cut(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r > 0xffff {
			return -1
		}
		return r
	}, clean(s))
	if len(s) <= limit {
		return s
	}
	end := limit
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// validTransactionID accepts the form of WeChat's numbers of payments.
func validTransactionID(s string) bool { return s != "" && len(s) <= 32 && alphanumeric(s) }

func validOutTradeNo(s string) bool {
	return len(s) >= 6 && len(s) <= 32 && alphanumericOr(s, "_-")
}

// scene returns scene_info.
func (o *Order) scene() string {
	if o.SceneInfo != "" || o.TradeType != TradeMWEB || o.WapURL == "" || o.WapName == "" {
		return o.SceneInfo
	}
	// Texts in JSON, which cannot fail.
	address, _ := json.Marshal(o.WapURL)
	name, _ := json.Marshal(o.WapName)
	return `{"h5_info":{"type":"Wap","wap_url":` + string(address) + `,"wap_name":` + string(name) + `}}`
}
