package main

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
)

// Keys of what the web view remembers.
const (
	keyTrips  = "h5pay.trips"  // to WeChat since the last success or the user's own wish
	keyBasket = "h5pay.basket" // the basket, JSON
)

// maxTrips is how often the page goes to WeChat before it stops and shows a
// button: the sign-in and one restart. A shop with a wrong secret must not loop.
// The signer counts as well, in the state, which a web view cannot lose.
const maxTrips = 2

// landing is what WeChat appended to the address at the end of a trip to
// open.weixin.qq.com.
type landing struct {
	Code, State string
}

// captureLanding returns the code and the state that the page was opened with, and
// takes them out of the address if site/check.js could not. Everything else of the
// query stays as it is. A fragment, such as a left-over #wechat_redirect, goes.
func captureLanding(b browser) landing {
	if l, _, found := parseLanding(b.Landing()); found {
		if _, rest, still := parseLanding(b.Query()); still {
			showQuery(b, rest)
		}
		return l
	}
	l, rest, found := parseLanding(b.Query())
	if found {
		showQuery(b, rest)
	}
	return l
}

// parseLanding finds code and state in a query, and returns the rest of it.
func parseLanding(query string) (l landing, rest string, found bool) {
	var others []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		// WeChat appends its own, so the last of several counts.
		switch name {
		case "code":
			l.Code, found = unescape(value), true
		case "state":
			l.State, found = unescape(value), true
		default:
			others = append(others, pair)
		}
	}
	return l, strings.Join(others, "&"), found
}

// showQuery makes a query that of the address.
func showQuery(b browser, query string) {
	address := b.Path()
	if query != "" {
		address += "?" + query
	}
	b.ReplaceAddress(address)
}

// unescape decodes a value of a query; one that is malformed stays as it is,
// for the signer to refuse.
func unescape(value string) string {
	if s, err := url.QueryUnescape(value); err == nil {
		return s
	}
	return value
}

// signIn makes sure that somebody is signed in, and returns who. It returns nil
// when it sent the web view away to WeChat; the page then has nothing more to do.
//
// A landing whose code or state is no good (Back, reload, a shared link) does
// no harm while there is a session, and otherwise begins the sign-in once more.
func signIn(ctx context.Context, b browser, l landing) (*api.User, error) {
	var failed error // of the landing
	if l.Code != "" {
		var got api.TokenResponse
		err := call(ctx, b, "POST", api.PathToken, api.TokenRequest{Code: l.Code, State: l.State}, &got)
		switch {
		case err == nil:
			b.Remember(keyTrips, "")
			return &got.User, nil
		case !spent(code(err)):
			return nil, err
		}
		failed = err
	}
	var s api.Session
	err := call(ctx, b, "GET", api.PathSession, nil, &s)
	switch {
	case err == nil && s.User.OpenID == "":
		return nil, errGarbled()
	case err == nil:
		b.Remember(keyTrips, "")
		return &s.User, nil
	case code(err) != api.CodeUnauthenticated:
		return nil, err
	case l.State != "" && l.Code == "":
		return nil, &api.Error{Code: codeRefused, Message: "the user refused"}
	}
	trips, _ := strconv.Atoi(b.Recall(keyTrips))
	after := ""
	if l.Code != "" {
		trips = max(trips, 1) // it has come from one, if not of this web view's
		after = afterState(l.State)
	}
	if trips < maxTrips {
		if err = leaveForWeChat(ctx, b, trips+1, after); code(err) != api.CodeSignInLoop {
			return nil, err
		}
	}
	b.Remember(keyTrips, "")
	if code(failed) == api.CodeStateInvalid {
		return nil, errCookies() // the state was that of a browser which has lost it
	}
	return nil, &api.Error{Code: api.CodeSignInLoop, Message: "the sign-in failed twice"}
}

// afterState returns a state as the signer takes it, "none" for what cannot be one.
func afterState(state string) string {
	if !alphabet.Alphanumeric.Valid(state, 1, 128) {
		return "none"
	}
	return state
}

// spent reports whether a landing was refused for what it is: used, too old, or
// from a sign-in that this web view did not begin.
func spent(c api.Code) bool {
	return c == api.CodeStateInvalid || c == api.CodeCodeUsed || c == api.CodeCodeInvalid
}

// leaveForWeChat sends the web view to the authorize page, to come back to the
// address it is at. It is the trip of that number; the first one is made
// whenever the user asks for it. after is the state of the trip before.
func leaveForWeChat(ctx context.Context, b browser, trip int, after string) error {
	returnTo := b.Path()
	if q := b.Query(); q != "" {
		returnTo += "?" + q
	}
	var to api.AuthorizeResponse
	if err := call(ctx, b, "POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: returnTo, After: after}, &to); err != nil {
		return err
	}
	if !strings.HasPrefix(to.URL, "http") {
		return errGarbled() // "" would reload this page, for ever
	}
	b.Remember(keyTrips, strconv.Itoa(trip))
	b.Replace(to.URL)
	return nil
}
