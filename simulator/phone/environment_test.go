package phone

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/simulator/simtest"
	"h5pay/wechat/wechattest"
)

// Values by which a page can distinguish places (docs/wechat.md 16.1).
func TestEveryPlaceIsRecognizable(t *testing.T) {
	signs := []string{"MicroMessenger/", "wxwork/", "WindowsWechat", "MacWechat", "UnifiedPC", "miniProgram/", "WMPF", "Mobile", "(iPhone;", "Android", "OpenHarmony"}
	for e, want := range map[wechattest.Environment][]string{
		wechattest.Android:        {"MicroMessenger/", "Mobile", "Android"},
		wechattest.IOS:            {"MicroMessenger/", "Mobile", "(iPhone;"},
		wechattest.Windows:        {"MicroMessenger/", "WindowsWechat"},
		wechattest.Mac:            {"MicroMessenger/", "MacWechat"},
		wechattest.Work:           {"MicroMessenger/", "wxwork/", "Mobile", "Android"},
		wechattest.MiniProgram:    {"MicroMessenger/", "miniProgram/", "Mobile", "Android"},
		wechattest.MiniProgramIOS: {"MicroMessenger/", "Mobile", "(iPhone;"}, // the token is missing there
		wechattest.Chrome:         {"Mobile", "Android"},
		wechattest.Safari:         {"Mobile", "(iPhone;"},
		wechattest.Desktop:        nil,

		wechattest.MacBrowser:         {"MicroMessenger/", "MacWechat"}, // and no sign of a mini program
		wechattest.Windows4:           {"MicroMessenger/", "WindowsWechat", "UnifiedPC"},
		wechattest.Mac4:               {"MicroMessenger/", "MacWechat", "UnifiedPC"},
		wechattest.Linux4:             {"MicroMessenger/", "WindowsWechat", "UnifiedPC"},
		wechattest.Harmony:            {"MicroMessenger/", "Mobile", "OpenHarmony"},
		wechattest.AndroidOld:         {"MicroMessenger/", "Mobile", "Android"},
		wechattest.MiniProgramWindows: {"MicroMessenger/", "WindowsWechat", "UnifiedPC", "WMPF"},
		wechattest.MiniProgramMac:     {"MicroMessenger/", "MacWechat", "UnifiedPC", "miniProgram/", "WMPF"},
	} {
		var agent string
		w, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { agent = r.UserAgent() }), func(c *wechattest.Config) { c.Environment = e })
		simtest.Fetch(t, "GET", url+"/", "")
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
			t.Errorf("%s: the page gets %+v", e, cfg)
		}
	}
	if n := len(wechattest.Environments()); n != 18 {
		t.Errorf("%d environments, 18 are tried", n)
	}
}

// clientConfig reads the settings of the script in every page.
func clientConfig(t *testing.T, phone, query string) (got bridgeConfig) {
	t.Helper()
	_, script := simtest.Fetch(t, "GET", phone+bridgePath+query, "")
	settings := script[strings.LastIndex(script, "})(")+3 : strings.LastIndex(script, ");")]
	if err := json.Unmarshal([]byte(settings), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheBridgeIsWhereWeChatIs(t *testing.T) {
	w, url := phoneOf(t, http.NotFoundHandler())
	script := func(query string) string {
		_, s := simtest.Fetch(t, "GET", url+bridgePath+query, "")
		return s
	}
	if s := script(""); !strings.Contains(s, "const WeixinJSBridge") || !strings.Contains(s, "openSheet") {
		t.Error("WeChat without a bridge")
	}
	w.Move(wechattest.Chrome)
	if s := script(""); strings.Contains(s, "WeixinJSBridge =") || strings.Contains(s, "openSheet") || !strings.Contains(s, `define("userAgent"`) {
		t.Error("a browser has a bridge, or no user agent")
	}
	// The page of a scanned code is WeChat's on the phone, wherever the shop is.
	if cfg := clientConfig(t, url, "?pay"); cfg.Place.Environment != wechattest.Android || cfg.Bridge || !cfg.Own {
		t.Errorf("%+v", cfg)
	}
	w.Move(wechattest.IOS)
	if cfg := clientConfig(t, url, "?pay"); cfg.Place.Environment != wechattest.IOS {
		t.Errorf("%+v", cfg)
	}
	if err := w.AddFault(wechattest.Fault{Kind: wechattest.FaultNoBridge}); err != nil {
		t.Fatal(err)
	}
	if cfg := clientConfig(t, url, ""); cfg.Bridge || cfg.Place.Environment != wechattest.IOS {
		t.Errorf("no_bridge: %+v", cfg)
	}
	if cfg := clientConfig(t, url, ""); !cfg.Bridge {
		t.Errorf("the next page: %+v", cfg)
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
		for _, p := range wechattest.Environments() {
			w.Move(p.Environment)
			res, _ := simtest.Fetch(t, "GET", url+"/api/session", "", "Cookie", browser)
			if got != "" {
				t.Errorf("%s in %s begins with %q", person.Nickname, p.Environment, got)
			}
			set, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
			jars[set] = true
			if browser += "; " + set; true {
				simtest.Fetch(t, "GET", url+"/api/session", "", "Cookie", browser)
			}
			if got != "sess=x" {
				t.Errorf("%s in %s has %q", person.Nickname, p.Environment, got)
			}
		}
	}
	if want := len(w.Users()) * len(wechattest.Environments()); len(jars) != want {
		t.Errorf("%d jars, want %d", len(jars), want)
	}
}

func TestThePhoneAnswersOnlyUnderItsName(t *testing.T) {
	w, _ := phoneOf(t, http.NotFoundHandler(), func(c *wechattest.Config) { c.PublicURL = "https://shop.example:8802" })
	for host, want := range map[string]int{
		"localhost:8802": 404, "127.0.0.1:8802": 404, "[::1]:8802": 404, "shop.example:8802": 404, "SHOP.example:8802": 404,
		"shop.example": 403, "evil.example:8802": 403, "shop.example.evil:8802": 403, "": 403,
	} {
		for _, path := range []string{"/", phonePrefix + "sheets/x"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = host
			rec := httptest.NewRecorder()
			if newPhone(t, w).ServeHTTP(rec, r); rec.Code != want {
				t.Errorf("%s of %q: %d, want %d", path, host, rec.Code, want)
			}
		}
	}
}

func TestOddServiceWorkers(t *testing.T) {
	w, url := phoneOf(t, http.NotFoundHandler())
	for _, want := range []string{"undefined", "throws"} {
		if err := w.AddFault(wechattest.Fault{Kind: "worker_" + want}); err != nil {
			t.Fatal(err)
		}
		if cfg := clientConfig(t, url, ""); cfg.Worker != want {
			t.Errorf("worker %q, want %q", cfg.Worker, want)
		}
		if cfg := clientConfig(t, url, ""); cfg.Worker != "" {
			t.Errorf("the next page: worker %q", cfg.Worker)
		}
	}
}

func TestThePhoneShowsTheSheetOfAScannedCode(t *testing.T) {
	w, url := phoneOf(t, http.NotFoundHandler())
	s, err := w.Scan(w.CodeURL("scan007"))
	if err != nil {
		t.Fatal(err)
	}
	res, page := simtest.Fetch(t, "GET", url+"/__wechat/pay?sheet="+s.ID, "")
	if res.StatusCode != 200 || !strings.Contains(page, bridgePath+"?pay") || !strings.Contains(page, s.ID) || !strings.Contains(page, "&#34;amount&#34;:880") {
		t.Errorf("%d %s", res.StatusCode, page)
	}
	if res, _ := simtest.Fetch(t, "GET", url+"/__wechat/pay?sheet=none", ""); res.StatusCode != 404 {
		t.Errorf("%d", res.StatusCode)
	}
	if _, script := simtest.Fetch(t, "GET", url+bridgePath+"?pay", ""); !strings.Contains(script, "async function payPage") {
		t.Error("the client has no page for it")
	}
}

// A new web view after the sign-in has neither cookies nor storage. One that lost its cookies has
// its storage. A copied link is opened by another user.
func TestReturnFromTheSignIn(t *testing.T) {
	for _, test := range []struct {
		kind                         string
		cookies, storage, samePerson bool
	}{
		{"", true, true, true},
		{wechattest.FaultFreshView, false, false, true},
		{wechattest.FaultCookieLost, false, true, true},
		{wechattest.FaultLandingShared, false, false, false},
	} {
		w := simtest.New(t)
		p := newPhone(t, w)
		person, cookies, storage := w.User(), p.jar(), p.storageJar()
		if test.kind != "" {
			if err := w.AddFault(wechattest.Fault{Kind: test.kind}); err != nil {
				t.Fatal(err)
			}
		}
		if rec := w.Get(w.AuthorizeLink("snsapi_base")); rec.Code != http.StatusFound {
			t.Fatalf("%s: %d", test.kind, rec.Code)
		}
		if got := w.User() == person; got != test.samePerson {
			t.Errorf("%s: the same person is %v", test.kind, got)
		}
		if got := p.jar() == cookies; got != test.cookies {
			t.Errorf("%s: the cookies are kept is %v", test.kind, got)
		}
		if got := p.storageJar() == storage; got != test.storage {
			t.Errorf("%s: the storage is kept is %v", test.kind, got)
		}
		after := p.jar()
		w.Get(w.AuthorizeLink("snsapi_base"))
		if p.jar() != after {
			t.Errorf("%s: the next sign-in loses something too", test.kind)
		}
	}
}
