package wechattest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// move opens the shop elsewhere.
func (w *world) move(e Environment) {
	w.t.Helper()
	if err := w.SetEnvironment(e); err != nil {
		w.t.Fatal(err)
	}
}

// What a page may tell places apart by (docs/wechat.md 16.1).
func TestEveryPlaceSaysWhatItIs(t *testing.T) {
	signs := []string{"MicroMessenger/", "wxwork/", "WindowsWechat", "MacWechat", "UnifiedPC", "miniProgram/", "WMPF", "Mobile", "(iPhone;", "Android", "OpenHarmony"}
	for e, want := range map[Environment][]string{
		Android:        {"MicroMessenger/", "Mobile", "Android"},
		IOS:            {"MicroMessenger/", "Mobile", "(iPhone;"},
		Windows:        {"MicroMessenger/", "WindowsWechat"},
		Mac:            {"MicroMessenger/", "MacWechat"},
		Work:           {"MicroMessenger/", "wxwork/", "Mobile", "Android"},
		MiniProgram:    {"MicroMessenger/", "miniProgram/", "Mobile", "Android"},
		MiniProgramIOS: {"MicroMessenger/", "Mobile", "(iPhone;"}, // the token is missing there
		Chrome:         {"Mobile", "Android"},
		Safari:         {"Mobile", "(iPhone;"},
		Desktop:        nil,

		MacBrowser:         {"MicroMessenger/", "MacWechat"}, // and no sign of a mini program
		Windows4:           {"MicroMessenger/", "WindowsWechat", "UnifiedPC"},
		Mac4:               {"MicroMessenger/", "MacWechat", "UnifiedPC"},
		Linux4:             {"MicroMessenger/", "WindowsWechat", "UnifiedPC"},
		Harmony:            {"MicroMessenger/", "Mobile", "OpenHarmony"},
		AndroidOld:         {"MicroMessenger/", "Mobile", "Android"},
		MiniProgramWindows: {"MicroMessenger/", "WindowsWechat", "UnifiedPC", "WMPF"},
		MiniProgramMac:     {"MicroMessenger/", "MacWechat", "UnifiedPC", "miniProgram/", "WMPF"},
	} {
		var agent string
		w, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { agent = r.UserAgent() }), func(c *Config) { c.Environment = e })
		fetch(t, "GET", url+"/", "")
		var got []string
		for _, sign := range signs {
			if strings.Contains(agent, sign) {
				got = append(got, sign)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", e, diff)
		}
		place := w.Place()
		cfg := clientConfig(t, url, "")
		if cfg.Place.UserAgent != agent || cfg.Place != place || cfg.Bridge != place.Bridge || cfg.MiniProgram != strings.HasPrefix(string(e), "miniprogram") {
			t.Errorf("%s: the page is told %+v", e, cfg)
		}
	}
	if n := len(Environments()); n != 18 {
		t.Errorf("%d environments, 18 are tried", n)
	}
}

// clientConfig reads the settings of the script in every page.
func clientConfig(t *testing.T, phone, query string) (got bridgeConfig) {
	t.Helper()
	_, script := fetch(t, "GET", phone+bridgePath+query, "")
	settings := script[strings.LastIndex(script, "})(")+3 : strings.LastIndex(script, ");")]
	if err := json.Unmarshal([]byte(settings), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheBridgeIsWhereWeChatIs(t *testing.T) {
	w, url := phoneOf(t, http.NotFoundHandler())
	script := func(query string) string {
		_, s := fetch(t, "GET", url+bridgePath+query, "")
		return s
	}
	if s := script(""); !strings.Contains(s, "const WeixinJSBridge") || !strings.Contains(s, "openSheet") {
		t.Error("WeChat without a bridge")
	}
	w.move(Chrome)
	if s := script(""); strings.Contains(s, "WeixinJSBridge =") || strings.Contains(s, "openSheet") || !strings.Contains(s, `define("userAgent"`) {
		t.Error("a browser has a bridge, or no user agent")
	}
	// The page of a scanned code is WeChat's on the phone, wherever the shop is.
	if cfg := clientConfig(t, url, "?pay"); cfg.Place.Environment != Android || cfg.Bridge || !cfg.Own {
		t.Errorf("%+v", cfg)
	}
	w.move(IOS)
	if cfg := clientConfig(t, url, "?pay"); cfg.Place.Environment != IOS {
		t.Errorf("%+v", cfg)
	}
	if err := w.AddFault(Fault{Kind: FaultNoBridge}); err != nil {
		t.Fatal(err)
	}
	if cfg := clientConfig(t, url, ""); cfg.Bridge || cfg.Place.Environment != IOS {
		t.Errorf("no_bridge: %+v", cfg)
	}
	if cfg := clientConfig(t, url, ""); !cfg.Bridge {
		t.Errorf("the next page: %+v", cfg)
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
	w := newWorld(t, func(c *Config) { c.PhoneURL = phone })
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
		t.Error("a browser of the developer's own is taken for WeChat")
	}
	w.move(Safari)
	if page := open("Sec-Fetch-Dest", "iframe", "Referer", ""); !strings.Contains(page, mwebNoReferer) {
		t.Errorf("%s", page)
	}
}

func TestEveryPlaceHasCookiesOfItsOwn(t *testing.T) {
	var got string
	w, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Cookie")
		rw.Header().Add("Set-Cookie", "sess=x; Path=/")
	}))
	browser, jars := "", map[string]bool{}
	for _, person := range w.Users() {
		if err := w.SetUser(person.OpenID); err != nil {
			t.Fatal(err)
		}
		for _, p := range Environments() {
			w.move(p.Environment)
			res, _ := fetch(t, "GET", url+"/api/session", "", "Cookie", browser)
			if got != "" {
				t.Errorf("%s in %s begins with %q", person.Nickname, p.Environment, got)
			}
			set, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
			jars[set] = true
			if browser += "; " + set; true {
				fetch(t, "GET", url+"/api/session", "", "Cookie", browser)
			}
			if got != "sess=x" {
				t.Errorf("%s in %s has %q", person.Nickname, p.Environment, got)
			}
		}
	}
	if want := len(w.Users()) * len(Environments()); len(jars) != want {
		t.Errorf("%d jars, want %d", len(jars), want)
	}
}

func TestTheEnvironmentIsChosenByTheControlAPI(t *testing.T) {
	w, call := deskOf(t, func(c *Config) { c.Environment = Mac })
	events, stop := w.Subscribe()
	defer stop()
	status, place := call("POST", "/control/environment", `{"environment":"desktop"}`)
	if status != 200 || place["shape"] != ShapeWindow || place["bridge"] != false || w.Place().Environment != Desktop {
		t.Errorf("%d %v", status, place)
	}
	if e := <-events; e.Kind != EventEnvironment || e.Place == nil || e.Place.Environment != Desktop {
		t.Errorf("%+v", e)
	}
	if status, answer := call("POST", "/control/environment", `{"environment":"symbian"}`); status != 400 || !strings.Contains(answer["error"].(string), "miniprogram-ios") || w.Place().Environment != Desktop {
		t.Errorf("%d %v", status, answer)
	}
	_, info := call("GET", "/control/info", "")
	if len(info["environments"].([]any)) != len(Environments()) || info["environment"] != "desktop" {
		t.Errorf("%v", info["environment"])
	}
	if _, err := New(Config{Environment: "symbian"}); err == nil || !strings.Contains(err.Error(), "Environment: want one of android, ios") {
		t.Error(err)
	}
}

func TestThePhoneAnswersOnlyUnderItsName(t *testing.T) {
	w, _ := phoneOf(t, http.NotFoundHandler(), func(c *Config) { c.PhoneURL = "https://shop.example:8802" })
	for host, want := range map[string]int{
		"localhost:8802": 404, "127.0.0.1:8802": 404, "[::1]:8802": 404, "shop.example:8802": 404, "SHOP.example:8802": 404,
		"shop.example": 403, "evil.example:8802": 403, "shop.example.evil:8802": 403, "": 403,
	} {
		for _, path := range []string{"/", phonePrefix + "sheets/x"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = host
			rec := httptest.NewRecorder()
			if w.Phone().ServeHTTP(rec, r); rec.Code != want {
				t.Errorf("%s of %q: %d, want %d", path, host, rec.Code, want)
			}
		}
	}
}
