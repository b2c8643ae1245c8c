package server

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/wechat"
)

// testSealer returns the sealer of one cookie, with a clock that the caller sets.
func testSealer(t testing.TB, name, appID string, key wechat.Secret, now *time.Time) sealer {
	t.Helper()
	cfg := Config{SessionKey: key, Rand: rand.Reader, Now: func() time.Time { return *now }}
	s, err := newSealer(cfg, appID, name, true)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const testKey wechat.Secret = "a session key of 32 characters.."

func TestCookieComesBackSealed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := testSealer(t, sessionCookie, "wx1", testKey, &now)
	w := httptest.NewRecorder()
	who := session{OpenID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", Nickname: "林小满"}
	if err := c.set(w, who, sessionLife); err != nil {
		t.Fatal(err)
	}
	header := w.Header().Get("Set-Cookie")
	for _, want := range []string{"__Host-h5pay_session=", "; Path=/;", "; Max-Age=604800", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(header, want) {
			t.Errorf("%q lacks %q", header, want)
		}
	}
	if strings.Contains(header, who.OpenID) {
		t.Error("the openid is in clear")
	}
	if again := httptest.NewRecorder(); c.set(again, who, sessionLife) != nil || again.Header().Get("Set-Cookie") == header {
		t.Error("sealing twice gives the same text")
	}
	r := httptest.NewRequest("GET", "/api/session", nil)
	// A planted cookie of the same name must not hide the real one.
	r.AddCookie(&http.Cookie{Name: c.name, Value: "garbage"})
	r.Header.Add("Cookie", strings.SplitN(header, ";", 2)[0])
	var got session
	if !c.get(r, &got) || got != who {
		t.Errorf("got %+v", got)
	}
	now = now.Add(sessionLife)
	if c.get(r, &got) {
		t.Error("accepted after its end")
	}
}

func TestCookieOpensForItsOwnPurposeOnly(t *testing.T) {
	t.Parallel()
	now := time.Now()
	value, err := testSealer(t, stateCookie, "wx1", testKey, &now).seal(signIn{State: "x"}, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]sealer{
		"another cookie": testSealer(t, sessionCookie, "wx1", testKey, &now),
		"another appid":  testSealer(t, stateCookie, "wx2", testKey, &now),
		"another key":    testSealer(t, stateCookie, "wx1", testKey+"!", &now),
	} {
		if err := c.open(value, &signIn{}); err == nil {
			t.Errorf("opened as %s", name)
		}
	}
}

func TestCookieWithOneBitChangedIsRejected(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := testSealer(t, sessionCookie, "wx1", testKey, &now)
	value, err := c.seal(session{OpenID: "o"}, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for i := range value {
		changed := []byte(value)
		if changed[i] == 'A' {
			changed[i] = 'B'
		} else {
			changed[i] = 'A'
		}
		if err := c.open(string(changed), &session{}); err == nil && i < len(value)-1 {
			t.Errorf("character %d can be changed", i) // the last one may hold unused bits
		}
	}
}

func FuzzOpenCookie(f *testing.F) {
	now := time.Now()
	c := testSealer(f, sessionCookie, "wx1", testKey, &now)
	value, err := c.seal(session{OpenID: "o"}, now.Add(time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value)
	f.Add("")
	f.Add(value[:16])
	f.Add(value + "A")
	f.Add(strings.Repeat("A", maxCookie+1))
	f.Fuzz(func(t *testing.T, text string) {
		var got session
		if c.open(text, &got) == nil && got.OpenID != "o" {
			t.Fatalf("%q opened as %+v", text, got)
		}
	})
}

func TestCookieOfTheLargestSessionFitsABrowser(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := testSealer(t, sessionCookie, "wx5a1e0f7c3b2d4968", testKey, &now)
	w := httptest.NewRecorder()
	// encoding/json writes "<" as six characters.
	who := session{OpenID: strings.Repeat("o", 128), Nickname: strings.Repeat("<", maxNickname), AvatarURL: "https://" + strings.Repeat("&", maxAvatarURL-8)}
	if err := c.set(w, who, sessionLife); err != nil {
		t.Fatal(err)
	}
	if n := len(w.Header().Get("Set-Cookie")); n > maxCookie {
		t.Errorf("%d bytes", n)
	}
	w = httptest.NewRecorder()
	if err := c.set(w, signIn{State: strings.Repeat("s", 32), ReturnTo: "/?" + strings.Repeat("a=&", maxReturnTo/3), Scope: api.ScopeUserInfo}, stateLife); err != nil {
		t.Fatal(err)
	}
	if n := len(w.Header().Get("Set-Cookie")); n > maxCookie {
		t.Errorf("%d bytes", n)
	}
}

// After a change of SessionKey everybody stays signed in. The next visit replaces the cookie by one
// under the new key that expires at the same time.
func TestFormerKeyOpensAndTheNewOneSeals(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	before := testSealer(t, sessionCookie, "wx1", testKey, &now)
	cfg := Config{SessionKey: testKey + " new", SessionKeyOld: testKey, Rand: rand.Reader, Now: func() time.Time { return now }}
	during, err := newSealer(cfg, "wx1", sessionCookie, true)
	if err != nil {
		t.Fatal(err)
	}
	after := testSealer(t, sessionCookie, "wx1", testKey+" new", &now)
	w := httptest.NewRecorder()
	if err := before.set(w, session{OpenID: "o"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	visit := func(cookies []*http.Cookie) (*http.Request, *httptest.ResponseRecorder) {
		r := httptest.NewRequest("GET", "/api/session", nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		if err := during.renew(w, r); err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	now = now.Add(time.Minute)
	r, renewed := visit(w.Result().Cookies())
	var got session
	if !during.get(r, &got) || got.OpenID != "o" || after.get(r, &got) {
		t.Errorf("the old cookie: %+v", got)
	}
	cookies := renewed.Result().Cookies()
	if len(cookies) != 1 || cookies[0].MaxAge != 59*60 || !cookies[0].HttpOnly {
		t.Fatalf("renewed: %v", cookies)
	}
	r, again := visit(cookies)
	got = session{}
	if !after.get(r, &got) || got.OpenID != "o" || before.get(r, &got) {
		t.Errorf("the new cookie: %+v", got)
	}
	if header := again.Header().Get("Set-Cookie"); header != "" {
		t.Errorf("renewed twice: %s", header)
	}
	now = now.Add(59 * time.Minute)
	if after.get(r, &got) {
		t.Error("it lives longer than the old one")
	}
	if _, w := visit(append(cookies, &http.Cookie{Name: during.name, Value: "garbage"})); w.Header().Get("Set-Cookie") != "" {
		t.Error("an expired cookie was renewed")
	}
}
