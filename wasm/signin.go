package main

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
)

// Storage keys.
const (
	keyAttempts = "h5pay.sign_in_attempts" // redirects to WeChat since the last success or the user's last tap
	keyBasket   = "h5pay.basket"           // JSON
	keyTaps     = "h5pay.taps"             // the product of each "+" that was tapped before the page was drawn, with spaces between: see site/start.js
)

// maxAttempts limits how often the page redirects to WeChat before it shows a button: the sign-in
// and one retry. It prevents a loop in a shop with a wrong secret. The signer counts too, in the
// state, because storage may be blocked.
const maxAttempts = 2

// authResponse is the OAuth response that WeChat appended to the address when it redirected back.
type authResponse struct {
	Code, State string
}

// takeAuthResponse returns the code and the state from the address. It removes them if
// site/check.js could not, and keeps the rest of the query. It drops the fragment, such as
// #wechat_redirect.
func takeAuthResponse(b browser) authResponse {
	if l, _, found := parseAuthResponse(b.SignInQuery()); found {
		if _, rest, still := parseAuthResponse(b.Query()); still {
			showQuery(b, rest)
		}
		return l
	}
	l, rest, found := parseAuthResponse(b.Query())
	if found {
		showQuery(b, rest)
	}
	return l
}

// parseAuthResponse finds code and state in a query. It also returns the rest of the query.
func parseAuthResponse(query string) (l authResponse, rest string, found bool) {
	var others []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		// WeChat appends its parameters, so the last one counts.
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

// showQuery replaces the query of the address.
func showQuery(b browser, query string) {
	address := b.Path()
	if query != "" {
		address += "?" + query
	}
	b.ReplaceAddress(address)
}

// unescape decodes a query value. It returns a malformed value unchanged; the signer will reject
// it.
func unescape(value string) string {
	if s, err := url.QueryUnescape(value); err == nil {
		return s
	}
	return value
}

// signIn returns the signed-in user. It returns nil after it redirected the web view to WeChat; the
// page then has nothing more to do.
//
// A used or expired response (Back, reload, a shared link) is ignored if there is a session.
// Without a session the sign-in starts again.
func signIn(ctx context.Context, b browser, l authResponse) (*api.User, error) {
	var failed error // the error of the response
	if l.Code != "" {
		var got api.TokenResponse
		err := call(ctx, b, "POST", api.PathToken, api.TokenRequest{Code: l.Code, State: l.State}, &got)
		switch {
		case err == nil:
			b.Remember(keyAttempts, "")
			return &got.User, nil
		case !responseRejected(code(err)):
			return nil, err
		}
		failed = err
	}
	var s api.Session
	err := call(ctx, b, "GET", api.PathSession, nil, &s)
	switch {
	case err == nil && s.User.OpenID == "":
		return nil, errBadResponse()
	case err == nil:
		b.Remember(keyAttempts, "")
		return &s.User, nil
	case code(err) != api.CodeUnauthenticated:
		return nil, err
	case l.State != "" && l.Code == "":
		return nil, &api.Error{Code: codeSignInDeclined, Message: "the user declined the sign-in"}
	}
	attempts, _ := strconv.Atoi(b.Recall(keyAttempts))
	after := ""
	if l.Code != "" {
		attempts = max(attempts, 1) // this page view came from a redirect, maybe of another web view
		after = validState(l.State)
	}
	if attempts < maxAttempts {
		if err = redirectToWeChat(ctx, b, attempts+1, after); code(err) != api.CodeSignInLoop {
			return nil, err
		}
	}
	b.Remember(keyAttempts, "")
	if code(failed) == api.CodeStateInvalid {
		return nil, errCookies() // the browser lost the state
	}
	return nil, &api.Error{Code: api.CodeSignInLoop, Message: "the sign-in failed twice"}
}

// validState returns the state if the signer can accept it, else "none".
func validState(state string) string {
	if !alphabet.Alphanumeric.Valid(state, 1, 128) {
		return "none"
	}
	return state
}

// responseRejected reports whether the signer rejected the OAuth response: it was used, expired, or
// belongs to another web view.
func responseRejected(c api.Code) bool {
	return c == api.CodeStateInvalid || c == api.CodeCodeUsed || c == api.CodeCodeInvalid
}

// redirectToWeChat sends the web view to the authorize page, which redirects back to this address.
// attempt counts the redirects. after is the state of the previous one.
func redirectToWeChat(ctx context.Context, b browser, attempt int, after string) error {
	returnTo := b.Path()
	if q := b.Query(); q != "" {
		returnTo += "?" + q
	}
	var to api.AuthorizeResponse
	if err := call(ctx, b, "POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: returnTo, After: after}, &to); err != nil {
		return err
	}
	if !strings.HasPrefix(to.URL, "http") {
		return errBadResponse() // an empty URL would reload this page forever
	}
	b.Remember(keyAttempts, strconv.Itoa(attempt))
	b.Replace(to.URL)
	return nil
}
