package phone

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/simulator/simtest"
	"h5pay/wechat/wechattest"
)

func TestPhoneIsWeChatToTheShop(t *testing.T) {
	for place, want := range map[wechattest.Environment]string{wechattest.Android: "; wv) ", wechattest.IOS: "(iPhone; "} {
		var got *http.Request
		_, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { got = r }), func(c *wechattest.Config) { c.Environment = place })
		simtest.Fetch(t, "POST", url+"/api/orders?a=1;b=2", "{}", "User-Agent", "Mozilla/5.0 (X11; Linux) Chrome/150", "Origin", "http://localhost:8802",
			"Sec-Ch-Ua", `"Chromium"`, "Sec-Ch-Ua-Platform", "Linux", "X-Forwarded-For", "192.0.2.1", "Content-Type", "application/json")
		ua := got.Header.Get("User-Agent")
		if !strings.Contains(ua, "MicroMessenger/8.0.") || !strings.Contains(ua, want) {
			t.Errorf("%s: User-Agent %q", place, ua)
		}
		if got.Header.Get("Origin") != "http://localhost:8802" || got.URL.RawQuery != "a=1;b=2" || got.Header.Get("Sec-Ch-Ua") != "" {
			t.Errorf("%v %s", got.Header, got.URL)
		}
		phone := strings.TrimPrefix(url, "http://")
		if got.Header.Get("X-Forwarded-Host") != phone || got.Header.Get("X-Forwarded-Proto") != "http" || got.Header.Get("X-Forwarded-For") != "127.0.0.1" || got.Host == phone {
			t.Errorf("host %s, %v", got.Host, got.Header)
		}
	}
}

func TestNotificationsPassThroughWholeAndUnrecorded(t *testing.T) {
	type seen struct {
		Body, Agent string
		Length      int64
		Chunked     bool
	}
	var got seen
	w, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = seen{string(b), r.Header.Get("User-Agent"), r.ContentLength, len(r.TransferEncoding) > 0}
		io.WriteString(rw, simtest.Acknowledged)
	}))
	body := "<xml>" + strings.Repeat("x", 100<<10) + "</xml>"
	for _, n := range []struct {
		media, signature, agent string
		body                    io.Reader
	}{
		{"text/xml", "", "Mozilla/4.0", strings.NewReader(body)},
		{"text/xml", "", "curl/8", io.MultiReader(strings.NewReader(body))}, // sent chunked
		{"application/json", "c2lnbmF0dXJl", "curl/8", strings.NewReader(body)},
		{"application/json", "", "Mozilla/4.0", strings.NewReader(body)}, // forged
	} {
		req, _ := http.NewRequest("POST", url+"/api/notify/pay", n.body)
		req.Header.Set("Content-Type", n.media)
		if n.signature != "" {
			req.Header.Set("Wechatpay-Signature", n.signature)
		}
		req.Header.Set("User-Agent", n.agent)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if diff := cmp.Diff(seen{body, n.agent, int64(len(body)), false}, got); diff != "" {
			t.Error(diff)
		}
	}
	if ms := w.Messages(0); len(ms) != 0 {
		t.Errorf("the phone recorded %d notifications", len(ms))
	}
}

func TestRedirectsOfTheShopStayInThePhone(t *testing.T) {
	var location string
	_, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Location", strings.ReplaceAll(location, "SHOP", "http://"+r.Host))
		rw.WriteHeader(302)
	}))
	for give, want := range map[string]string{
		"SHOP/pay?x=1": url + "/pay?x=1", "SHOP": url, "SHOP0/": "SHOP0/", "/pay": "/pay", "https://open.weixin.qq.com/": "https://open.weixin.qq.com/",
	} {
		location = give
		res, _ := simtest.Fetch(t, "GET", url+"/", "")
		got := res.Header.Get("Location")
		if !strings.HasPrefix(want, "SHOP") && got != want || strings.HasPrefix(want, "SHOP") && strings.HasPrefix(got, url) {
			t.Errorf("%s became %s, want %s", give, got, want)
		}
	}
}

func TestAMissingShopIsExplained(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + l.Addr().String()
	l.Close()
	w := simtest.New(t, func(c *wechattest.Config) { c.ShopURL = gone })
	phone := httptest.NewServer(newPhone(t, w))
	defer phone.Close()
	for range 2 {
		res, page := simtest.Fetch(t, "GET", phone.URL+"/", "")
		if res.StatusCode != 502 || !strings.Contains(page, gone) || !strings.Contains(page, "-shop") || !strings.Contains(page, bridgePath) {
			t.Errorf("%d %s", res.StatusCode, page)
		}
	}
	if res, body := simtest.Fetch(t, "GET", phone.URL+"/api/session", ""); res.StatusCode != 502 || !strings.Contains(body, `"error"`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if ms := w.Messages(0); len(ms) != 1 || !strings.Contains(ms[0].Note, gone) {
		t.Errorf("want one message until the shop is back, got %v", ms)
	}
	none := simtest.New(t, func(c *wechattest.Config) { c.ShopURL = "" })
	rec := httptest.NewRecorder()
	newPhone(t, none).ServeHTTP(rec, httptest.NewRequest("GET", "http://localhost/", nil))
	if rec.Code != 502 || !strings.Contains(rec.Body.String(), "knows no shop") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestPhoneRecordsCallsButNoAssetsAndNoCookies(t *testing.T) {
	w, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			rw.Header().Set("Content-Type", "text/html")
			io.WriteString(rw, "<html>")
		case "/web/app.js", "/favicon.ico":
			rw.WriteHeader(map[string]int{"/web/app.js": 200, "/favicon.ico": 404}[r.URL.Path])
		case "/api/session":
			rw.Header().Add("Set-Cookie", "sess=s3cret; Path=/; HttpOnly")
			rw.Header().Add("Set-Cookie", "old=; Max-Age=0")
			rw.Header().Set("Content-Type", "application/json")
			io.WriteString(rw, `{"ok":true}`)
		case "/api/big":
			rw.Header().Set("Content-Type", "application/json")
			io.WriteString(rw, strings.Repeat("茶", maxRecorded))
		case "/web/missing.css":
			rw.WriteHeader(404)
		}
	}))
	simtest.Fetch(t, "GET", url+"/", "")
	simtest.Fetch(t, "GET", url+"/web/app.js", "")
	simtest.Fetch(t, "GET", url+"/favicon.ico", "")
	simtest.Fetch(t, "POST", url+"/api/session", `{"a":1}`, "Cookie", "sess=s3cret; theme=dark", "Content-Type", "application/json")
	simtest.Fetch(t, "GET", url+"/api/big", "")
	simtest.Fetch(t, "GET", url+"/web/missing.css", "")
	// A call is recorded when all of its answer was handed on, a moment after it is here.
	for deadline := time.Now().Add(5 * time.Second); len(w.Messages(0)) < 4 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	type line struct {
		From, URL string
		Status    int
	}
	var got []line
	for _, m := range w.Messages(0) {
		got = append(got, line{m.From, m.URL, m.Status})
		if strings.Contains(m.Request+m.Response, "s3cret") || strings.Contains(m.Request, "dark") {
			t.Errorf("a cookie's value was recorded: %+v", m)
		}
	}
	want := []line{{wechattest.PartyPhone, "/", 200}, {wechattest.PartyPage, "/api/session", 200}, {wechattest.PartyPage, "/api/big", 200}, {wechattest.PartyPhone, "/web/missing.css", 404}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	call := w.Messages(0)[1]
	if call.Request != "Content-Type: application/json\nCookie: sess=[redacted]; theme=[redacted]\n\n{\"a\":1}" {
		t.Errorf("request %q", call.Request)
	}
	if call.Response != "Content-Type: application/json\nSet-Cookie: sess=[redacted]; Path=/; HttpOnly\nSet-Cookie: old=; Max-Age=0\n\n{\"ok\":true}" {
		t.Errorf("response %q", call.Response)
	}
	if big := w.Messages(0)[2].Response; len(big) > maxRecorded+200 || !strings.Contains(big, "[cut: 196608 bytes in all]") {
		t.Errorf("%d bytes recorded, ending in %q", len(big), big[len(big)-60:])
	}
}

func TestEverybodyHasCookiesOfTheirOwn(t *testing.T) {
	var got string
	w, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Cookie")
		rw.Header().Add("Set-Cookie", "sess=x; Path=/")
	}))
	browser := "sess=first; wechat-phone-1-android.sess=second"
	for i, want := range []struct{ cookie, set string }{{"sess=first", "sess=x; Path=/"}, {"sess=second", "wechat-phone-1-android.sess=x; Path=/"}, {"", "wechat-phone-2-android.sess=x; Path=/"}} {
		if err := w.SetUser(w.Users()[i].OpenID); err != nil {
			t.Fatal(err)
		}
		res, _ := simtest.Fetch(t, "GET", url+"/api/session", "", "Cookie", browser)
		if got != want.cookie || res.Header.Get("Set-Cookie") != want.set {
			t.Errorf("person %d: the shop got %q, the browser %q", i, got, res.Header.Get("Set-Cookie"))
		}
	}
}

func TestBridgeScriptKnowsItsPhone(t *testing.T) {
	w := simtest.New(t, func(c *wechattest.Config) { c.Environment = wechattest.IOS })
	p, err := New(w.WeChat, Config{DeskURL: "http://localhost:8801", BridgeDelay: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	phone := httptest.NewServer(p)
	defer phone.Close()
	url := phone.URL
	if _, err := New(w.WeChat, Config{BridgeDelay: time.Hour}); err == nil || !strings.Contains(err.Error(), "BridgeDelay") {
		t.Errorf("an hour: %v", err)
	}
	res, _ := simtest.Fetch(t, "GET", url+bridgePath, "")
	if res.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", res.Header)
	}
	got := clientConfig(t, url, "")
	if !got.Place.Apple || got.BridgeDelay != 5 || got.Desk != "http://localhost:8801" || !strings.Contains(got.Place.UserAgent, "iPhone") || got.CSS == "" {
		t.Errorf("%+v", got)
	}
}

func TestSheetOverHTTP(t *testing.T) {
	w, url := phoneOf(t, http.NotFoundHandler())
	invoke := func(no string) sheetView {
		t.Helper()
		call := w.InvokeCall(w.Prepay(no))
		call.URL = w.ShopURL() + "/pay"
		b, err := json.Marshal(call)
		if err != nil {
			t.Fatal(err)
		}
		res, body := simtest.Fetch(t, "POST", url+"/__wechat/invoke", string(b), "Origin", url)
		var answer struct{ Sheet sheetView }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || res.StatusCode != 200 || answer.Sheet.ID == "" {
			t.Fatalf("%d %s (%v)", res.StatusCode, body, err)
		}
		return answer.Sheet
	}
	state := func(body string) (s wechattest.Sheet) {
		t.Helper()
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		return s
	}

	sheet := invoke("20260301A1")
	if sheet.Amount != 880 || sheet.Item != "山岚小铺-茶" || sheet.User.Nickname != w.User().Nickname {
		t.Errorf("%+v", sheet)
	}
	polled := make(chan string)
	go func() {
		_, body := simtest.Fetch(t, "GET", url+"/__wechat/sheets/"+sheet.ID, "")
		polled <- body
	}()
	_, body := simtest.Fetch(t, "POST", url+"/__wechat/sheets/"+sheet.ID+"/pay", "{}", "Origin", url)
	if s := state(body); s.State != wechattest.SheetPaid || s.ErrMsg != "get_brand_wcpay_request:ok" {
		t.Errorf("%+v", s)
	}
	if s := state(<-polled); s.State != wechattest.SheetPaid || s.ErrMsg != "get_brand_wcpay_request:ok" {
		t.Errorf("the poll returns %+v", s)
	}
	if res, _ := simtest.Fetch(t, "POST", url+"/__wechat/sheets/"+sheet.ID+"/cancel", ""); res.StatusCode != 409 {
		t.Errorf("cancelling a paid sheet: %d", res.StatusCode)
	}

	other := invoke("20260301A2")
	_, body = simtest.Fetch(t, "POST", url+"/__wechat/sheets/"+other.ID+"/cancel", "") // as sendBeacon does
	if s := state(body); s.State != wechattest.SheetCancelled || s.ErrMsg != "get_brand_wcpay_request:cancel" {
		t.Errorf("%+v", s)
	}
}

func TestPhoneRejectsWhatIsNotItsPage(t *testing.T) {
	w, url := phoneOf(t, http.NotFoundHandler())
	for _, c := range []struct {
		method, path, body string
		header             []string
		want               int
	}{
		{"POST", "invoke", `{}`, []string{"Origin", "https://evil.example"}, 403},
		{"POST", "invoke", `{}`, []string{"Origin", "null"}, 403},
		{"POST", "invoke", ``, nil, 400},
		{"POST", "invoke", `[]`, nil, 400},
		{"POST", "invoke", `{"api":"x","surprise":1}`, nil, 400},
		{"POST", "invoke", `{"api":"x"}{}`, nil, 400},
		{"POST", "invoke", `{"api":"` + strings.Repeat("x", maxPhoneBody) + `"}`, nil, 413},
		{"POST", "log", `{"text":1}`, nil, 400},
		{"GET", "sheets/none", ``, nil, 404},
		{"POST", "sheets/none/pay", ``, nil, 404},
		{"GET", "invoke", ``, nil, 405},
		{"GET", "anything", ``, nil, 404},
	} {
		res, body := simtest.Fetch(t, c.method, url+phonePrefix+c.path, c.body, c.header...)
		if res.StatusCode != c.want {
			t.Errorf("%s %s %.40s: %d %s, want %d", c.method, c.path, c.body, res.StatusCode, body, c.want)
		}
	}
	if ms := w.Messages(0); len(ms) != 0 {
		t.Errorf("recorded: %v", ms)
	}
	_, body := simtest.Fetch(t, "POST", url+phonePrefix+"invoke", `{"api":"openSafe","args":{}}`)
	if !strings.Contains(body, "system:function_not_exist") {
		t.Error(body)
	}
	simtest.Fetch(t, "POST", url+phonePrefix+"log", `{"level":"uncaught","text":"TypeError: x\n at y","url":"http://localhost/"}`)
	if m := w.Last(); m.Kind != kindPage || m.Method != "uncaught" || m.Note != "TypeError: x" {
		t.Errorf("%+v", m)
	}
}
