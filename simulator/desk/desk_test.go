package desk

import (
	"bufio"
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/simulator/simtest"
	"h5pay/wechat/wechattest"
)

// deskOf returns a desk and a caller of it: method, path, body, then headers.
func deskOf(t *testing.T, edit ...func(*wechattest.Config)) (*simtest.World, func(method, path, body string, header ...string) (int, map[string]any)) {
	t.Helper()
	w := simtest.New(t, edit...)
	desk := httptest.NewServer(New(w.WeChat, Config{}))
	t.Cleanup(desk.Close)
	return w, func(method, path, body string, header ...string) (int, map[string]any) {
		t.Helper()
		res, text := simtest.Fetch(t, method, desk.URL+path, body, header...)
		var answer map[string]any
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatalf("%s %s: %d, no JSON object: %s", method, path, res.StatusCode, text)
		}
		return res.StatusCode, answer
	}
}

func TestControlShowsWhatHappened(t *testing.T) {
	w, call := deskOf(t)
	_, empty := call("GET", "/control/ledger", "")
	if diff := cmp.Diff(map[string]any{"orders": []any{}, "trades": []any{}, "refunds": []any{}, "notifications": []any{}}, empty); diff != "" {
		t.Error(diff)
	}
	s := w.OpenSheet("20260301A1")
	_, info := call("GET", "/control/info", "")
	for name, want := range map[string]any{"appid": wechattest.DefaultAppID, "api_key": wechattest.DefaultAPIKey, "shop_url": simtest.ShopURL, "time_scale": 1.0} {
		if info[name] != want {
			t.Errorf("info: %s is %v, want %v", name, info[name], want)
		}
	}
	if n := len(info["fault_kinds"].([]any)); n != len(wechattest.FaultKinds()) {
		t.Errorf("%d fault kinds", n)
	}
	_, log := call("GET", "/control/messages", "")
	all := log["messages"].([]any)
	if len(all) != 2 {
		t.Fatalf("want unifiedorder and getBrandWCPayRequest, got %v", all)
	}
	if _, rest := call("GET", "/control/messages?after=1", ""); len(rest["messages"].([]any)) != 1 {
		t.Errorf("after=1 returns %v", rest)
	}
	if _, sheets := call("GET", "/control/sheets", ""); sheets["sheets"].([]any)[0].(map[string]any)["id"] != s.ID {
		t.Errorf("%v", sheets)
	}
	if _, consents := call("GET", "/control/consents", ""); len(consents["consents"].([]any)) != 0 {
		t.Errorf("%v", consents)
	}
}

func TestControlSteers(t *testing.T) {
	w, call := deskOf(t)
	ok := func(method, path, body string) map[string]any {
		t.Helper()
		status, answer := call(method, path, body)
		if status != 200 {
			t.Fatalf("%s %s %s: %d %v", method, path, body, status, answer)
		}
		return answer
	}
	sheet := w.OpenSheet("20260301A1")
	if a := ok("POST", "/control/sheets/"+sheet.ID+"/pay", ""); a["state"] != wechattest.SheetPaid {
		t.Errorf("%v", a)
	}
	before := w.Now()
	ok("POST", "/control/clock", `{"advance_ms": 15000}`)
	if d := w.Now().Sub(before); d < 15*time.Second || d > time.Minute {
		t.Errorf("the clock moved by %v", d)
	}
	if n := len(w.Notifications()); n != 1 {
		t.Errorf("%d notifications, want 1", n)
	}
	if a := ok("POST", "/control/notifications", `{"out_trade_no":"20260301A1","forge":"bad_sign"}`); a["ok"] != true {
		t.Errorf("the shop of this test acknowledges everything: %v", a)
	}
	if other := w.Users()[1].OpenID; ok("POST", "/control/user", `{"openid":"`+other+`"}`)["openid"] != other || w.User().OpenID != other {
		t.Errorf("%s holds the phone", w.User().OpenID)
	}
	if a := ok("POST", "/control/faults", `{"kind":"notify_lost","count":2}`); len(a["faults"].([]any)) != 1 || w.Faults()[0].Count != 2 {
		t.Errorf("%v", a)
	}
	if a := ok("DELETE", "/control/faults", ""); len(a["faults"].([]any)) != 0 || len(w.Faults()) != 0 {
		t.Errorf("%v", a)
	}
	w.Get(w.AuthorizeLink("snsapi_userinfo"))
	id := w.Consents()[0].ID
	if a := ok("POST", "/control/consents/"+id+"/approve", ""); a["state"] != wechattest.ConsentApproved || !strings.Contains(a["location"].(string), "code=") {
		t.Errorf("%v", a)
	}
	if status, _ := call("POST", "/control/consents/"+id+"/decline", ""); status != 409 {
		t.Errorf("deciding twice: %d", status)
	}
}

func TestControlRejectsBadInputAndChangesNothing(t *testing.T) {
	w, call := deskOf(t)
	sheet := w.OpenSheet("20260301A1")
	for _, c := range []struct {
		method, path, body string
		want               int
		says               string
	}{
		{"GET", "/control/messages?after=x", "", 400, "after"},
		{"GET", "/control/messages?after=-1", "", 400, "after"},
		{"GET", "/control/nothing", "", 404, "info"},
		{"POST", "/control/sheets/none/pay", "", 404, "sheet"},
		{"POST", "/control/consents/none/approve", "", 404, "consent"},
		{"POST", "/control/user", `{"openid":"nobody"}`, 404, "openid"},
		{"POST", "/control/user", `{"open_id":"x"}`, 400, "open_id"},
		{"POST", "/control/user", `{"openid":1}`, 400, "openid"},
		{"POST", "/control/user", ``, 400, "empty"},
		{"POST", "/control/user", `null x`, 400, "one JSON object"},
		{"POST", "/control/user", `{"openid":"` + strings.Repeat("x", maxControlBody) + `"}`, 413, "longer"},
		{"POST", "/control/faults", `{"kind":"lost"}`, 400, "notify_lost"},
		{"POST", "/control/faults", `{"kind":"notify_lost","path":"/pay/unifiedorder"}`, 400, "path"},
		{"POST", "/control/faults", `{"kind":"notify_lost","count":-1}`, 400, "count"},
		{"POST", "/control/clock", `{"advance_ms":0}`, 400, "advance_ms"},
		{"POST", "/control/clock", `{"advance_ms":-5}`, 400, "advance_ms"},
		{"POST", "/control/clock", `{"advance_ms":9223372036854775807}`, 400, "advance_ms"},
		{"POST", "/control/clock", `{"advance_ms":1.5}`, 400, "advance_ms"},
		{"POST", "/control/notifications", `{"out_trade_no":"none"}`, 404, "order"},
		{"POST", "/control/notifications", `{"out_trade_no":"20260301A1"}`, 400, "not paid"},
		{"POST", "/control/notifications", `{"out_trade_no":"20260301A1","forge":"x"}`, 400, "bad_sign"},
		{"GET", "/control/events", "", 400, "Last-Event-ID"},
	} {
		status, answer := call(c.method, c.path, c.body, "Last-Event-ID", "x")
		text, _ := answer["error"].(string)
		if status != c.want || !strings.Contains(text, c.says) || len(answer) != 1 {
			t.Errorf("%s %s %.50s: %d %v, want %d about %q", c.method, c.path, c.body, status, answer, c.want, c.says)
		}
	}
	if s, err := w.Sheet(sheet.ID); err != nil || s.State != wechattest.SheetOpen || len(w.Faults()) != 0 || w.User().OpenID != w.Users()[0].OpenID || len(w.Notifications()) != 0 {
		t.Error("a rejected call changed something")
	}
}

func TestDeskAnswersOnlyItsOwnPageAtLocalhost(t *testing.T) {
	w := simtest.New(t)
	for _, c := range []struct {
		host   string
		header []string
		want   int
	}{
		{"localhost:8801", nil, 200},
		{"LOCALHOST:8801", nil, 200},
		{"127.0.0.1:8801", nil, 200},
		{"[::1]:8801", nil, 200},
		{"localhost", nil, 200},
		{"localhost:8801", []string{"Origin", "http://localhost:8801"}, 200},
		{"evil.example:8801", nil, 403},
		{"localhost.evil.example", nil, 403},
		{"127.0.0.1.evil.example:8801", nil, 403},
		{"192.168.0.7:8801", nil, 403},
		{"", nil, 403},
		{"evil.example", []string{"Origin", "http://evil.example"}, 403}, // DNS rebinding
		{"localhost:8801", []string{"Origin", "http://evil.example"}, 403},
		{"localhost:8801", []string{"Origin", "http://localhost:8802"}, 403}, // the shop's page
		{"localhost:8801", []string{"Origin", "null"}, 403},
		{"localhost:8801", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"localhost:8801", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200}, // a link to the desk
	} {
		for _, path := range []string{"/control/faults", "/desk.css"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = c.host
			for i := 0; i+1 < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
			rec := httptest.NewRecorder()
			New(w.WeChat, Config{}).ServeHTTP(rec, r)
			if rec.Code != c.want {
				t.Errorf("%s of %q with %v: %d, want %d", path, c.host, c.header, rec.Code, c.want)
			}
		}
	}
}

func TestDeskIsSelfContained(t *testing.T) {
	desk := New(simtest.New(t).WeChat, Config{DeskURL: "http://localhost:8801"})
	get := func(host, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = host
		rec := httptest.NewRecorder()
		desk.ServeHTTP(rec, r)
		return rec
	}
	if rec := get("127.0.0.1:8801", "/"); rec.Code != 302 || rec.Header().Get("Location") != "http://localhost:8801/" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	policy := get("localhost:8801", "/").Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
	// Every file that an asset names must be an asset.
	named := regexp.MustCompile(`(?:href|src)="/([^"]+)"|from "\./([^"]+)"`)
	entries, err := fs.ReadDir(webFiles, "web")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := "/" + e.Name()
		if e.Name() == "index.html" {
			path = "/"
		}
		rec := get("localhost:8801", path)
		if rec.Code != 200 || strings.HasSuffix(path, ".js") && !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/javascript") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Header().Get("Content-Type"))
		}
		for _, m := range named.FindAllStringSubmatch(rec.Body.String(), -1) {
			if target := get("localhost:8801", "/"+m[1]+m[2]); target.Code != 200 {
				t.Errorf("%s names /%s%s: %d", path, m[1], m[2], target.Code)
			}
		}
	}
	if rec := get("localhost:8801", "/nothing.js"); rec.Code != 404 {
		t.Errorf("%d", rec.Code)
	}
	if rec := get("localhost:8801", "/..%2fphone%2fbridge.js"); rec.Code == 200 {
		t.Error("a path out of the desk's folder was served")
	}
}

// events reads a stream until it has seen n events.
func events(t *testing.T, url, lastID string, n int, ready func()) (kinds, ids []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url+"/control/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %q", got)
	}
	lines := bufio.NewScanner(res.Body)
	for len(kinds) < n && lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		}
		if kind, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			if kinds = append(kinds, kind); len(kinds) == 1 && ready != nil {
				ready()
			}
		}
	}
	return kinds, ids
}

func TestEventStream(t *testing.T) {
	w := simtest.New(t)
	desk := httptest.NewServer(New(w.WeChat, Config{}))
	defer desk.Close()
	kinds, ids := events(t, desk.URL, "", 5, func() { // the first event means that the stream is open
		w.OpenSheet("20260301A1")
		if err := w.SetUser(w.Users()[1].OpenID); err != nil {
			t.Error(err)
		}
	})
	if diff := cmp.Diff([]string{wechattest.EventClock, wechattest.EventMessage, wechattest.EventMessage, wechattest.EventSheet, wechattest.EventUser}, kinds); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"1", "2"}, ids); diff != "" {
		t.Error(diff)
	}
	// A browser that was cut off behind the first message gets the second.
	kinds, ids = events(t, desk.URL, "1", 2, nil)
	if diff := cmp.Diff([]string{wechattest.EventMessage, wechattest.EventClock}, kinds); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"2"}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestEventsEndWithTheSimulator(t *testing.T) {
	w := simtest.New(t)
	desk := httptest.NewServer(New(w.WeChat, Config{}))
	defer desk.Close()
	kinds, _ := events(t, desk.URL, "", 1000, w.Close)
	if diff := cmp.Diff([]string{wechattest.EventClock}, kinds); diff != "" {
		t.Error(diff)
	}
}

func TestTheEnvironmentIsChosenByTheControlAPI(t *testing.T) {
	w, call := deskOf(t, func(c *wechattest.Config) { c.Environment = wechattest.Mac })
	events, stop := w.Subscribe()
	defer stop()
	status, place := call("POST", "/control/environment", `{"environment":"desktop"}`)
	if status != 200 || place["shape"] != wechattest.ShapeWindow || place["bridge"] != false || w.Place().Environment != wechattest.Desktop {
		t.Errorf("%d %v", status, place)
	}
	if e := <-events; e.Kind != wechattest.EventEnvironment || e.Place == nil || e.Place.Environment != wechattest.Desktop {
		t.Errorf("%+v", e)
	}
	if status, answer := call("POST", "/control/environment", `{"environment":"symbian"}`); status != 400 || !strings.Contains(answer["error"].(string), "miniprogram-ios") || w.Place().Environment != wechattest.Desktop {
		t.Errorf("%d %v", status, answer)
	}
	_, info := call("GET", "/control/info", "")
	if len(info["environments"].([]any)) != len(wechattest.Environments()) || info["environment"] != "desktop" {
		t.Errorf("%v", info["environment"])
	}
	if _, err := wechattest.New(wechattest.Config{Environment: "symbian"}); err == nil || !strings.Contains(err.Error(), "Environment: want one of android, ios") {
		t.Error(err)
	}
}
