package main

import (
	"context"
	"net/url"
	"strings"

	"h5pay/internal/api"
)

// Keys of what the web view remembers.
const (
	keyRestarts  = "h5pay.restarts"   // sign-ins begun anew since the last success
	keyBasket    = "h5pay.basket"     // the basket, JSON
	keyClientKey = "h5pay.client_key" // of the order made from the basket
	keyOrder     = "h5pay.order"      // ID of that order
)

// landing is what WeChat appended to the address at the end of a trip to
// open.weixin.qq.com.
type landing struct {
	Code, State string
}

// captureLanding takes code and state out of the address and off the screen,
// before anything else can see, share or reload them.
func captureLanding(b browser) landing {
	values, err := url.ParseQuery(b.Query())
	if err != nil || !values.Has("state") && !values.Has("code") {
		return landing{}
	}
	l := landing{Code: values.Get("code"), State: values.Get("state")}
	values.Del("code")
	values.Del("state")
	address := b.Path()
	if rest := values.Encode(); rest != "" {
		address += "?" + rest
	}
	b.ReplaceAddress(address)
	return l
}

// place is where the page was opened.
type place int

// The places.
const (
	inWeChat place = iota
	inWork         // Enterprise WeChat, which has another sign-in
	outside
)

// placeOf reads the user agent. Enterprise WeChat carries MicroMessenger too,
// so it is looked for first.
func placeOf(userAgent string) place {
	ua := strings.ToLower(userAgent)
	switch {
	case strings.Contains(ua, "wxwork/"):
		return inWork
	case strings.Contains(ua, "micromessenger/"):
		return inWeChat
	}
	return outside
}

// signIn makes sure that somebody is signed in. It returns false when it sent
// the web view away to WeChat; the page then has nothing more to do.
//
// A landing whose code or state is no good (Back, reload, a shared link) does
// no harm while there is a session, and otherwise begins the sign-in once
// more. It never does so twice: a shop with a wrong secret must not loop.
func signIn(ctx context.Context, b browser, l landing) (done bool, err error) {
	if l.Code != "" {
		err := call(ctx, b, "POST", api.PathToken, api.TokenRequest{Code: l.Code, State: l.State}, nil)
		switch code(err) {
		case api.CodeStateInvalid, api.CodeCodeUsed, api.CodeCodeInvalid:
		default:
			if err == nil {
				b.Remember(keyRestarts, "")
				return true, nil
			}
			return false, err
		}
	}
	err = call(ctx, b, "GET", api.PathSession, nil, nil)
	if err == nil {
		b.Remember(keyRestarts, "")
		return true, nil
	}
	if code(err) != api.CodeUnauthenticated {
		return false, err
	}
	switch {
	case l.State != "" && l.Code == "":
		return false, &api.Error{Code: codeRefused, Message: "the user refused"}
	case l.Code != "" && b.Recall(keyRestarts) != "":
		b.Remember(keyRestarts, "")
		return false, &api.Error{Code: codeSignInLoop, Message: "the sign-in failed twice"}
	case l.Code != "":
		b.Remember(keyRestarts, "1")
	}
	return false, leaveForWeChat(ctx, b)
}

// leaveForWeChat sends the web view to the authorize page, to come back to the
// address it is at.
func leaveForWeChat(ctx context.Context, b browser) error {
	returnTo := b.Path()
	if q := b.Query(); q != "" {
		returnTo += "?" + q
	}
	var to api.AuthorizeResponse
	if err := call(ctx, b, "POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: returnTo}, &to); err != nil {
		return err
	}
	b.Replace(to.URL)
	return nil
}
