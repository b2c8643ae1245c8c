package main

import (
	"errors"
	"strings"
	"testing"

	"h5pay/internal/api"
)

var (
	me        = api.Session{User: api.User{OpenID: "oUpF…Mg3I"}}
	authorize = api.AuthorizeResponse{URL: "https://open.weixin.qq.com/x#wechat_redirect"}
)

func TestTakeAuthResponse(t *testing.T) {
	for _, test := range []struct {
		address string
		want    authResponse
		left    string
	}{
		{"https://shop.example/", authResponse{}, "https://shop.example/"},
		{"https://shop.example/?code=c1&state=s1", authResponse{"c1", "s1"}, "https://shop.example/"},
		{"https://shop.example/pay?order=o1&code=c1&state=s1", authResponse{"c1", "s1"}, "https://shop.example/pay?order=o1"},
		{"https://shop.example/pay?code=c1&order=o1&state=s1&from=%E8%8C%B6", authResponse{"c1", "s1"}, "https://shop.example/pay?order=o1&from=%E8%8C%B6"},
		{"https://shop.example/?x=%zz&a;b&code=c%2B1&state=s1", authResponse{"c+1", "s1"}, "https://shop.example/?x=%zz&a;b"},
		{"https://shop.example/?state=s1", authResponse{"", "s1"}, "https://shop.example/"},
		{"https://shop.example/?code=spring&code=c1&state=s1#wechat_redirect", authResponse{"c1", "s1"}, "https://shop.example/"},
		{"https://shop.example/?code=%zz", authResponse{"%zz", ""}, "https://shop.example/"},
		{"https://shop.example/?barcode=1&estate=2", authResponse{}, "https://shop.example/?barcode=1&estate=2"},
		{"https://shop.example/pay?order=o1", authResponse{}, "https://shop.example/pay?order=o1"},
	} {
		f := newFake(t, test.address)
		if got := takeAuthResponse(f); got != test.want || f.Href() != test.left {
			t.Errorf("%s: %+v, left %s", test.address, got, f.Href())
		}
	}
}

// The response that site/check.js removed from the address is returned once.
func TestTakeAuthResponseFromScript(t *testing.T) {
	f := newFake(t, "https://shop.example/pay?order=o1")
	f.signInQuery = "order=o1&code=c%2B1&state=s1"
	if got := takeAuthResponse(f); got != (authResponse{"c+1", "s1"}) || f.Href() != "https://shop.example/pay?order=o1" {
		t.Errorf("%+v, left %s", got, f.Href())
	}
	if got := takeAuthResponse(f); got != (authResponse{}) {
		t.Errorf("a second time: %+v", got)
	}
	// A browser in which the script could not change the address.
	g := newFake(t, "https://shop.example/pay?order=o1&code=c1&state=s1")
	g.signInQuery = "order=o1&code=c1&state=s1"
	if got := takeAuthResponse(g); got != (authResponse{"c1", "s1"}) || g.Href() != "https://shop.example/pay?order=o1" {
		t.Errorf("%+v, left %s", got, g.Href())
	}
}

func TestSignIn(t *testing.T) {
	const (
		session = "GET " + api.PathSession
		token   = "POST " + api.PathToken
		leave   = "POST " + api.PathAuthorize
	)
	for _, test := range []struct {
		name     string
		response authResponse
		attempts string
		blocked  bool // storage
		script   map[string]any
		done     bool
		code     api.Code // of the error
		went     bool     // to WeChat
	}{
		{name: "signed in", script: map[string]any{session: me}, done: true},
		{name: "no session", script: map[string]any{session: api.CodeUnauthenticated, leave: authorize}, went: true},
		{name: "back from WeChat", response: authResponse{"c", "s"}, script: map[string]any{token: me}, done: true},
		{name: "used code, with a session", response: authResponse{"c", "s"},
			script: map[string]any{token: api.CodeCodeUsed, session: me}, done: true},
		{name: "foreign state, with a session", response: authResponse{"c", "s"},
			script: map[string]any{token: api.CodeStateInvalid, session: me}, done: true},
		{name: "used code, no session", response: authResponse{"c", "s"},
			script: map[string]any{token: api.CodeCodeUsed, session: api.CodeUnauthenticated, leave: authorize}, went: true},
		{name: "foreign state, after one redirect", response: authResponse{"c", "s"}, attempts: "1",
			script: map[string]any{token: api.CodeStateInvalid, session: api.CodeUnauthenticated, leave: authorize}, went: true},
		{name: "expired code, a second time", response: authResponse{"c", "s"}, attempts: "2",
			script: map[string]any{token: api.CodeCodeInvalid, session: api.CodeUnauthenticated}, code: api.CodeSignInLoop},
		{name: "a state that was lost, a second time", response: authResponse{"c", "s"}, attempts: "2",
			script: map[string]any{token: api.CodeStateInvalid, session: api.CodeUnauthenticated}, code: codeCookies},
		{name: "the signer has counted, cookies", response: authResponse{"c", "s"}, blocked: true,
			script: map[string]any{token: api.CodeStateInvalid, session: api.CodeUnauthenticated, leave: api.CodeSignInLoop}, code: codeCookies},
		{name: "the signer has counted, code", response: authResponse{"c", "s"}, blocked: true,
			script: map[string]any{token: api.CodeCodeUsed, session: api.CodeUnauthenticated, leave: api.CodeSignInLoop}, code: api.CodeSignInLoop},
		{name: "back without a code, a second time", attempts: "2",
			script: map[string]any{session: api.CodeUnauthenticated}, code: api.CodeSignInLoop},
		{name: "first visit, storage blocked", blocked: true,
			script: map[string]any{session: api.CodeUnauthenticated, leave: authorize}, went: true},
		{name: "used code, storage blocked", blocked: true, response: authResponse{"c", "s"},
			script: map[string]any{token: api.CodeCodeUsed, session: api.CodeUnauthenticated, leave: authorize}, went: true},
		{name: "declined", response: authResponse{"", "s"},
			script: map[string]any{session: api.CodeUnauthenticated}, code: codeSignInDeclined},
		{name: "declined, with a session", response: authResponse{"", "s"}, script: map[string]any{session: me}, done: true},
		{name: "snapshot user", response: authResponse{"c", "s"}, script: map[string]any{token: api.CodeSnapshotUser}, code: api.CodeSnapshotUser},
		{name: "WeChat is busy", response: authResponse{"c", "s"}, script: map[string]any{token: api.CodeWeChatBusy}, code: api.CodeWeChatBusy},
		{name: "offline", script: map[string]any{session: errors.New("down")}, code: codeOffline},
		{name: "a portal answers", script: map[string]any{session: response{Status: 200, Body: []byte("<html>")}}, code: codeBadResponse},
		{name: "a portal answers in JSON", script: map[string]any{session: response{Status: 200, Body: []byte("{}")}}, code: codeBadResponse},
		{name: "a portal takes the code", response: authResponse{"c", "s"}, script: map[string]any{token: response{Status: 200, Body: []byte("<html>")}}, code: codeBadResponse},
		{name: "nowhere to go", script: map[string]any{session: api.CodeUnauthenticated, leave: api.AuthorizeResponse{}}, code: codeBadResponse},
		{name: "declined by WeChat", response: authResponse{"c", "s"}, script: map[string]any{token: api.CodeWeChatDeclined}, code: api.CodeWeChatDeclined},
		{name: "a portal responds with 502", script: map[string]any{session: response{Status: 502, Body: []byte("<html>")}}, code: codeBadResponse},
		{name: "offline on the way", script: map[string]any{session: api.CodeUnauthenticated, leave: errors.New("down")}, code: codeOffline},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/pay?order=o1")
			f.Remember(keyAttempts, test.attempts)
			if test.blocked {
				f.storage = nil
			}
			for call, a := range test.script {
				f.on(call, a)
			}
			user, err := signIn(t.Context(), f, test.response)
			done := user != nil
			if done != test.done || (err != nil) != (test.code != "") || err != nil && code(err) != test.code {
				t.Errorf("done %t, %v; want %t, %q", done, err, test.done, test.code)
			}
			if went := f.lastNavigation() == authorize.URL; went != test.went {
				t.Errorf("navigated to %q", f.lastNavigation())
			}
			if last := f.calls[len(f.calls)-1]; test.went && (!strings.Contains(last, `"return_to":"/pay?order=o1"`) || strings.Contains(last, `"after":"s"`) != (test.response.Code != "")) {
				t.Errorf("the address does not return here, or is not counted: %s", last)
			}
			if test.done && f.Recall(keyAttempts) != "" {
				t.Error("a success does not clear the count")
			}
		})
	}
}

// WeChat redirects back with a bad code or without one: the page goes there at most twice. The user
// may then start again.
func TestSignInEnds(t *testing.T) {
	for _, back := range []authResponse{{"c", "s"}, {}} {
		f := newFake(t, "https://shop.example/").
			on("GET "+api.PathSession, api.CodeUnauthenticated).
			on("POST "+api.PathToken, api.CodeCodeUsed).
			on("POST "+api.PathAuthorize, authorize)
		// visit follows the redirects until the page stops.
		visit := func(l authResponse) error {
			for range 10 {
				f.navigations = nil
				if _, err := signIn(t.Context(), f, l); f.navigations == nil {
					return err
				}
				l = back
			}
			return nil
		}
		if err := visit(authResponse{}); code(err) != api.CodeSignInLoop || f.countCalls("POST "+api.PathAuthorize) != 2 {
			t.Errorf("%d redirects, then %v", f.countCalls("POST "+api.PathAuthorize), err)
		}
		f.calls = nil
		if err := redirectToWeChat(t.Context(), f, 1, ""); err != nil {
			t.Error(err)
		}
		if err := visit(back); code(err) != api.CodeSignInLoop || f.countCalls("POST "+api.PathAuthorize) != 2 {
			t.Errorf("after the button %d redirects, then %v", f.countCalls("POST "+api.PathAuthorize), err)
		}
	}
}

// A redirect that failed does not count.
func TestFailedRedirectIsNotCounted(t *testing.T) {
	f := newFake(t, "https://shop.example/").
		on("GET "+api.PathSession, api.CodeUnauthenticated).
		on("POST "+api.PathAuthorize, errors.New("down"))
	for range 5 {
		if _, err := signIn(t.Context(), f, authResponse{}); code(err) != codeOffline {
			t.Fatalf("%v", err)
		}
	}
}

// The page sends only states that the signer accepts.
func TestValidState(t *testing.T) {
	for state, want := range map[string]string{
		"s1": "s1", "": "none", "a b": "none", "茶": "none", "a-b": "none", strings.Repeat("a", 128): strings.Repeat("a", 128), strings.Repeat("a", 129): "none",
	} {
		if got := validState(state); got != want {
			t.Errorf("%q: %q, want %q", state, got, want)
		}
	}
}
