package server_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat"
)

// stateAfter begins a sign-in that follows another one and returns its state.
func stateAfter(p *paytest.Person, after string) string {
	p.T.Helper()
	var to api.AuthorizeResponse
	p.Must("POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: "/", After: after}, &to)
	u, err := url.Parse(to.URL)
	if err != nil {
		p.T.Fatal(err)
	}
	return u.Query().Get("state")
}

// A browser that keeps no cookies is sent to WeChat twice and then gets an error.
func TestSignInsInARowAreCounted(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewPerson(0)
	first := stateAfter(p, "")
	p.Cookies = map[string]string{}
	second := stateAfter(p, first)
	p.Cookies = map[string]string{}
	p.Fails(api.CodeSignInLoop, "POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: "/", After: second})
	if len(p.Cookies) != 0 {
		t.Errorf("a rejected sign-in set %v", p.Cookies)
	}
	// The user begins another sign-in.
	if stateAfter(p, "") == second {
		t.Error("the same state again")
	}
	// After ten minutes the old state does not count any more.
	s.Sim.Advance(11 * time.Minute)
	stateAfter(p, second)
}

// Without the key nobody can reset or raise the count.
func TestTheCountInAStateCannotBeForged(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewPerson(0)
	first := stateAfter(p, "")
	second := stateAfter(p, first)
	if first[32] != '1' || second[32] != '2' {
		t.Fatalf("the attempts of %q and %q", first, second)
	}
	for _, forged := range []string{
		first[:32] + "9" + first[33:],               // a victim's sign-in would end at once
		first[:32] + "0" + first[33:],               //
		second[:40] + first[40:],                    // the MAC of another state
		second[:40] + strings.Repeat("0", 32),       //
		strings.Repeat("a", 32) + "9" + second[33:], //
		"x", strings.Repeat("a", 72), second[:71], "none", //
	} {
		// It counts as a first attempt: the next is the last one.
		if got := stateAfter(p, forged); got[32] != '2' {
			t.Errorf("after %q comes attempt %c", forged, got[32])
		}
	}
	for _, bad := range []string{"a b", "茶", "a-b", "http://evil.example/", strings.Repeat("a", 129)} {
		p.Fails(api.CodeBadRequest, "POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: "/", After: bad})
	}
	// A state holds the number of the attempt, and no address.
	b, err := json.Marshal(api.AuthorizeRequest{ReturnTo: "//evil.example/", After: first})
	if err != nil {
		t.Fatal(err)
	}
	p.Fails(api.CodeBadRequest, "POST", api.PathAuthorize, json.RawMessage(b))
}

// States from before a change of SESSION_KEY still count.
func TestTheCountSurvivesAChangeOfTheKey(t *testing.T) {
	t.Parallel()
	const former = "a former session key of 32 chars"
	before := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.SessionKey = former })
	p := before.NewPerson(0)
	second := stateAfter(p, stateAfter(p, ""))
	after := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.SessionKeyOld = former })
	q := after.NewPerson(0)
	q.Fails(api.CodeSignInLoop, "POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: "/", After: second})
}
