package wechat

import (
	"net/url"
	"strings"
)

// Scope is the scope of web authorization.
type Scope string

// The scopes.
const (
	ScopeBase     Scope = "snsapi_base"     // silent, openid only
	ScopeUserInfo Scope = "snsapi_userinfo" // needs the user's consent, adds the profile
)

// AuthorizeURL returns the link at which a sign-in begins. WeChat compares it
// with a strict pattern (docs/wechat.md 1.2): the order of the parameters and
// the fragment are part of it.
//
// The redirect URI is absolute and has no fragment; the state is 1 to 128
// letters and digits.
func (c *Client) AuthorizeURL(redirectURI string, scope Scope, state string) (string, error) {
	switch {
	case !absolute(redirectURI):
		return "", &Error{Op: "authorize", Message: "redirect_uri is not an absolute URL", Kind: Developer}
	case strings.Contains(redirectURI, "#"):
		return "", &Error{Op: "authorize", Message: "redirect_uri has a fragment, WeChat would misplace the code", Kind: Developer}
	case scope != ScopeBase && scope != ScopeUserInfo:
		return "", &Error{Op: "authorize", Message: "unknown scope", Kind: Developer}
	case len(state) < 1 || len(state) > 128 || !alphanumeric(state):
		return "", &Error{Op: "authorize", Message: "state is not 1 to 128 letters and digits", Kind: Developer}
	}
	return c.cfg.OpenURL + "/connect/oauth2/authorize?appid=" + url.QueryEscape(c.cfg.AppID) +
		"&redirect_uri=" + url.QueryEscape(redirectURI) +
		"&response_type=code&scope=" + string(scope) +
		"&state=" + state + "#wechat_redirect", nil
}
