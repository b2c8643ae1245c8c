package doctor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
)

// call makes a call. It repeats it once if WeChat was busy, or signed the response wrongly on
// purpose.
func call(ctx context.Context, f func(ctx context.Context) error) *wechat.Error {
	var e *wechat.Error
	for range 2 {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		err := f(ctx)
		cancel()
		if e = nil; err == nil || !errors.As(err, &e) {
			return e
		}
		if e.Kind != wechat.Retry || errors.Is(err, context.DeadlineExceeded) {
			return e
		}
	}
	return e
}

// signIn exchanges an invalid code. WeChat declines the code only if AppID and AppSecret are
// correct (docs/wechat.md 1.9).
func (d *Doctor) signIn(ctx context.Context) result {
	e := call(ctx, func(ctx context.Context) error {
		_, err := d.cfg.WeChat.ExchangeCode(ctx, "000"+random())
		return err
	})
	if e == nil {
		return result{cause: cause.WeChatIntercepted, detail: "access_token: an invalid code was accepted"}
	}
	of := func(id cause.ID, setting string) result {
		return result{cause: id, setting: setting, detail: e.Error()}
	}
	switch e.Code {
	case wechat.CodeInvalid, wechat.CodeUsed, wechat.CodeExpired:
		return result{}
	case "40013":
		return of(cause.AppIDUnknown, "WECHAT_APPID")
	case "40001", "40125":
		return of(cause.AppSecretWrong, "WECHAT_APPSECRET")
	case "40243":
		return of(cause.AppSecretFrozen, "WECHAT_APPSECRET")
	case "40164":
		return of(cause.IPNotListed, "")
	case "48001", "48004", "50001":
		return of(cause.WebAuthorizationMissing, "")
	}
	return unexplained(e)
}

// signInDomain opens the authorize page. If the domain is wrong, WeChat may show an error on
// it. A server is not inside WeChat, so any other page proves nothing (docs/wechat.md 1.6).
func (d *Doctor) signInDomain(ctx context.Context) result {
	link, err := d.cfg.WeChat.AuthorizeURL(d.cfg.ShopURL+"/", wechat.ScopeBase, random())
	if err != nil {
		return skip("SHOP_URL is malformed")
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return skip("SHOP_URL is malformed")
	}
	res, err := d.cfg.Doer.Do(req)
	if err != nil {
		return skip("the authorize page did not respond")
	}
	defer res.Body.Close()
	page, err := io.ReadAll(io.LimitReader(res.Body, 256<<10))
	if err != nil {
		return skip("the response of the authorize page is incomplete")
	}
	if strings.Contains(string(page), "10003") {
		return result{cause: cause.SignInDomainWrong, setting: "SHOP_URL", detail: "the authorize page shows the error 10003"}
	}
	return result{}
}

// unknownOrder is a number that no order has.
func unknownOrder() string { return "doctor" + random() }

// callV2 queries an order that does not exist. The signed response proves the key.
func (d *Doctor) callV2(ctx context.Context) result {
	m, err := d.cfg.WeChat.For(wechat.V2)
	if err != nil {
		return skip("APIv2 is not set up")
	}
	return v2Result(call(ctx, func(ctx context.Context) error {
		_, err := m.QueryOrder(ctx, unknownOrder())
		return err
	}))
}

func v2Result(e *wechat.Error) result {
	if e == nil {
		return result{cause: cause.WeChatIntercepted, detail: "orderquery: an order that does not exist was found"}
	}
	of := func(id cause.ID, setting string) result {
		return result{cause: id, setting: setting, detail: e.Error()}
	}
	// A response about the account itself is unsigned and has only a text (docs/wechat.md
	// 2.5).
	switch lower := strings.ToLower(e.Message); {
	case e.Code == wechat.CodeOrderNotExist:
		return result{}
	case strings.Contains(lower, "签名"), strings.Contains(lower, "sign error"), strings.Contains(lower, "signerror"), strings.Contains(lower, "not signed with the api key"):
		return of(cause.V2KeyWrong, "WECHAT_API_KEY")
	case e.Code == "APPID_MCHID_NOT_MATCH", strings.Contains(lower, "不匹配"), strings.Contains(lower, "not match"):
		return of(cause.AppIDNotBound, "WECHAT_APPID")
	case e.Code == "APPID_NOT_EXIST", strings.Contains(lower, "appid"):
		return of(cause.AppIDUnknown, "WECHAT_APPID")
	case e.Code == "MCHID_NOT_EXIST", strings.Contains(lower, "mchid"), strings.Contains(lower, "mch_id"), strings.Contains(lower, "商户号"):
		return of(cause.MchIDUnknown, "WECHAT_MCH_ID")
	}
	return unexplained(e)
}

// callV3 queries an order that does not exist. WeChat accepts the signature of the call if private
// key and serial number are right, and the signature of the response proves WeChat's key.
func (d *Doctor) callV3(ctx context.Context) result {
	m, err := d.cfg.WeChat.For(wechat.V3)
	if err != nil {
		return skip("APIv3 is not set up")
	}
	e := call(ctx, func(ctx context.Context) error {
		_, err := m.QueryOrder(ctx, unknownOrder())
		return err
	})
	if e == nil {
		return result{cause: cause.WeChatIntercepted, detail: "orderquery: an order that does not exist was found"}
	}
	if e.Code == wechat.CodeOrderNotExist {
		return result{}
	}
	return d.v3Result(e)
}

// v3Result explains the failure of a call of APIv3. WeChat's reasons for the status 401 are
// unsigned texts (docs/wechat.md 18.9). They only explain the failure.
func (d *Doctor) v3Result(e *wechat.Error) result {
	of := func(id cause.ID, setting string) result {
		return result{cause: id, setting: setting, detail: e.Error()}
	}
	says := func(words string) bool { return strings.Contains(e.Message, words) }
	var problem *apiv3.Error
	if errors.As(e.Err, &problem) {
		switch problem.Kind {
		case apiv3.Stale:
			return of(cause.ClockOff, "")
		case apiv3.Undecryptable:
			return of(cause.APIv3KeyWrong, "WECHAT_APIV3_KEY")
		case apiv3.UnknownSerial:
			if d.cfg.Certificates {
				return skip("the platform certificate of the response is unknown")
			}
			return of(cause.PublicKeyIDWrong, "WECHAT_PUBLIC_KEY_ID")
		case apiv3.Forged:
			return of(cause.PublicKeyWrong, "WECHAT_PUBLIC_KEY")
		}
	}
	switch {
	case e.Status == http.StatusUnauthorized && says("5分钟"):
		return of(cause.ClockOff, "")
	case e.Status == http.StatusUnauthorized && says("作废"):
		return of(cause.MchCertRevoked, "WECHAT_MCH_SERIAL")
	case e.Status == http.StatusUnauthorized && says("过期"):
		return of(cause.MchCertExpired, "WECHAT_MCH_SERIAL")
	case e.Status == http.StatusUnauthorized && says("序列号"):
		return of(cause.MchSerialWrong, "WECHAT_MCH_SERIAL")
	case e.Status == http.StatusUnauthorized && (says("未申请过证书") || says("商户号")):
		return of(cause.MchIDUnknown, "WECHAT_MCH_ID")
	case e.Status == http.StatusUnauthorized && e.Claimed != "":
		return of(cause.MchKeyWrong, "WECHAT_MCH_KEY")
	case says("Wechatpay-Serial"):
		return of(cause.PublicKeyIDWrong, "WECHAT_PUBLIC_KEY_ID")
	case e.Code == "MCH_NOT_EXISTS":
		return of(cause.MchIDUnknown, "WECHAT_MCH_ID")
	}
	return unexplained(e)
}

// platformKeys downloads the platform certificates.
func (d *Doctor) platformKeys(ctx context.Context) result {
	if !d.cfg.Certificates {
		return skip("WECHAT_CERTIFICATES is off: WeChat Pay's public key verifies")
	}
	var list []apiv3.PlatformCertificate
	e := call(ctx, func(ctx context.Context) (err error) {
		list, err = d.cfg.WeChat.DownloadCertificates(ctx)
		return err
	})
	switch {
	case e != nil && (e.Code == "RESOURCE_NOT_EXISTS" || e.Claimed == "RESOURCE_NOT_EXISTS"):
		return result{cause: cause.CertificatesNotIssued, setting: "WECHAT_CERTIFICATES", detail: e.Error()}
	case e != nil:
		return d.v3Result(e)
	}
	var last time.Time
	for _, c := range list {
		if c.Key.NotAfter.After(last) {
			last = c.Key.NotAfter
		}
	}
	if left := last.Sub(d.now()); left < 10*24*time.Hour {
		return result{cause: cause.CertificatesExpiring, detail: "the last one expires at " + last.UTC().Format(time.RFC3339), warn: left > 0}
	}
	return result{}
}

// order places an order of one fen that WeChat must decline, because its openid does not
// exist. Before that, WeChat checks whether the merchant may use the appid. An order that is
// accepted nevertheless expires.
func (d *Doctor) order(ctx context.Context) result {
	jsapi := false
	for _, t := range d.cfg.TradeTypes {
		jsapi = jsapi || t == api.TradeJSAPI
	}
	m, err := d.cfg.WeChat.For(d.cfg.Version)
	if err != nil || !jsapi {
		return skip("only a real order could check it: JSAPI is not in TRADE_TYPES")
	}
	now := d.now()
	e := call(ctx, func(ctx context.Context) error {
		_, err := m.PlaceOrder(ctx, wechat.Order{
			OutTradeNo: unknownOrder(), Body: "h5pay doctor", TotalFee: 1, TradeType: wechat.TradeJSAPI,
			OpenID: "oDoctor" + random()[:21], ClientIP: "127.0.0.1", NotifyURL: d.notifyURL(), TimeStart: now, TimeExpire: now.Add(6 * time.Minute),
		})
		return err
	})
	if e == nil {
		return result{}
	}
	of := func(id cause.ID, setting string) result {
		return result{cause: id, setting: setting, detail: e.Error()}
	}
	code := e.Code
	if code == "" {
		code = e.Claimed
	}
	switch code {
	case "PARAM_ERROR", "INVALID_REQUEST", "OPENID_MISMATCH":
		return result{}
	case "APPID_MCHID_NOT_MATCH":
		return of(cause.AppIDNotBound, "WECHAT_APPID")
	case "NO_AUTH":
		return of(cause.ProductMissing, "")
	}
	if d.cfg.Version == wechat.V2 {
		return v2Result(e)
	}
	return d.v3Result(e)
}

func (d *Doctor) notifyURL() string { return d.cfg.ShopURL + api.PathNotifyPay }

// unexplained returns the result for a failure that no code explains.
func unexplained(e *wechat.Error) result {
	r := result{cause: cause.WeChatDeclined, detail: e.Error()}
	status := e.Status
	if status == 0 {
		status, _ = strconv.Atoi(strings.TrimPrefix(e.Message, "HTTP status ")) // 0 for other messages
	}
	switch {
	case e.Code != "" || e.Claimed != "":
	case e.Kind == wechat.Retry && (status == 0 || status >= 500) && !strings.Contains(e.Message, "is not "):
		r.cause = cause.WeChatUnreachable
	case status >= 300, strings.Contains(e.Message, "is not "), e.Kind == wechat.Untrusted:
		r.cause = cause.WeChatIntercepted
	}
	return r
}
