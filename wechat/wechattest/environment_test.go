package wechattest

import (
	"strings"
	"testing"
)

// move opens the shop elsewhere.
func (w *world) move(e Environment) {
	w.t.Helper()
	if err := w.SetEnvironment(e); err != nil {
		w.t.Fatal(err)
	}
}

// docs/wechat.md 5.3, 16.2.
func TestPayingWorksInWeChatOnAPhone(t *testing.T) {
	w := newWorld(t)
	prepay := w.prepay("place01")
	for e, want := range map[Environment]BridgeError{
		Android:        {},
		IOS:            {},
		Windows:        {ErrMsg: payFail, ErrDesc: "调用支付JSAPI缺少参数: total_fee"},
		Mac:            {ErrMsg: payFail, ErrDesc: "调用支付JSAPI缺少参数: total_fee"},
		Work:           {ErrMsg: "system:access_denied"},
		MiniProgram:    {ErrMsg: "system:access_denied"},
		MiniProgramIOS: {ErrMsg: "access_control:not_allowed"},
		Chrome:         {ErrMsg: "system:function_not_exist"},
		Safari:         {ErrMsg: "system:function_not_exist"},
		Desktop:        {ErrMsg: "system:function_not_exist"},

		MacBrowser:         {ErrMsg: payFail, ErrDesc: "调用支付JSAPI缺少参数: total_fee"},
		Windows4:           {ErrMsg: payFail, ErrDesc: "调用支付JSAPI缺少参数: total_fee"},
		Mac4:               {ErrMsg: payFail, ErrDesc: "调用支付JSAPI缺少参数: total_fee"},
		Linux4:             {ErrMsg: payFail, ErrDesc: "调用支付JSAPI缺少参数: total_fee"},
		Harmony:            {},
		AndroidOld:         {},
		MiniProgramWindows: {ErrMsg: "system:access_denied"},
		MiniProgramMac:     {ErrMsg: "system:access_denied"},
	} {
		w.move(e)
		before := len(w.Sheets())
		_, bad := w.Invoke(w.call(w.payArgs(prepay)))
		if bad == nil {
			bad = &BridgeError{}
		} else if w.last().Note == "" {
			t.Errorf("%s: no note for the developer", e)
		}
		if bad.ErrMsg != want.ErrMsg || bad.ErrDesc != want.ErrDesc {
			t.Errorf("%s: %+v, want %+v", e, *bad, want)
		}
		if opened := len(w.Sheets()) > before; opened != (want.ErrMsg == "") {
			t.Errorf("%s: a sheet opened: %v", e, opened)
		}
	}
	w.move(Android)
	if err := w.AddFault(Fault{Kind: FaultOddAnswer}); err != nil {
		t.Fatal(err)
	}
	if _, bad := w.Invoke(w.call(w.payArgs(prepay))); bad == nil || !strings.HasPrefix(bad.ErrMsg, "get_brand_wcpay_request:") || strings.HasPrefix(bad.ErrMsg, payFail) {
		t.Errorf("odd_answer: %+v", bad)
	}
}

func TestTheSignInWorksInWeChatAlone(t *testing.T) {
	w := newWorld(t)
	for e, want := range map[Environment]string{
		Android: "", IOS: "", Windows: "", Mac: "", MiniProgram: "", MiniProgramIOS: "",
		Work: "该链接无法访问", Chrome: "请在微信客户端打开链接", Safari: "请在微信客户端打开链接", Desktop: "请在微信客户端打开链接",
	} {
		w.move(e)
		rec := w.do("GET", w.link(scopeBase), "")
		if want == "" && rec.Code != 302 || want != "" && (rec.Header().Get("Location") != "" || !strings.Contains(rec.Body.String(), want) || w.last().Note == "") {
			t.Errorf("%s: %d %s", e, rec.Code, rec.Body)
		}
	}
}

func TestTheH5PageIsForBrowsers(t *testing.T) {
	const phone = "http://localhost:8802"
	w := newWorld(t, func(c *Config) { c.PublicURL = phone })
	u := w.mwebURL("place02")
	open := func(header ...string) string {
		return w.browse(u, header...).Body.String()
	}
	for _, p := range Environments() {
		w.move(p.Environment)
		for _, header := range [][]string{
			{"Referer", phone + "/pay"},                                 // a page at the phone's address
			{"Referer", phone + "/", "Sec-Fetch-Dest", "iframe"},        // the same on the desk
			{"Referer", shopOrigin + "/x", "Sec-Fetch-Dest", "iframe"},  // elsewhere on the desk
			{"Referer", phone + "/", "User-Agent", "Mozilla/5.0 Linux"}, // whatever the browser's own name is
		} {
			if inside := strings.Contains(open(header...), mwebInside); inside != p.Bridge {
				t.Errorf("%s, %v: inside WeChat is %v", p.Environment, header, inside)
			}
		}
	}
	w.move(Android)
	if page := open(); strings.Contains(page, mwebInside) {
		t.Error("the developer's own browser counts as WeChat")
	}
	w.move(Safari)
	if page := open("Sec-Fetch-Dest", "iframe", "Referer", ""); !strings.Contains(page, mwebNoReferer) {
		t.Errorf("%s", page)
	}
}
