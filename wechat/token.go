package wechat

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Token is the result of ExchangeCode.
type Token struct {
	AccessToken Secret
	OpenID      string
	UnionID     string        // "" unless the account is bound to an open platform
	Scope       string        // the granted ones, separated by commas
	ExpiresIn   time.Duration // of AccessToken, two hours; 0 if WeChat sent no valid number
	// Snapshot marks WeChat's virtual user, whose data is not real. It must never sign in.
	Snapshot bool
}

// maxExpiresIn is the longest accepted life of an access token, in seconds: 30 days, as
// long as a refresh_token lives.
const maxExpiresIn = 30 * 24 * 60 * 60

// codeMissing is the errcode of an exchange without a code: the user declined, or opened
// the redirect URI by hand.
const codeMissing = "41008"

// ExchangeCode exchanges the code that WeChat appended to the redirect URI. A
// code works once and for five minutes.
func (c *Client) ExchangeCode(ctx context.Context, code string) (Token, error) {
	const op = "access_token"
	if code == "" {
		return Token{}, &Error{Op: op, Code: codeMissing, Message: "not sent: there is no code", Kind: Restart}
	}
	reply, err := c.sns(ctx, op, "/sns/oauth2/access_token?appid="+url.QueryEscape(c.cfg.AppID)+
		"&secret="+url.QueryEscape(string(c.appSecret()))+
		"&code="+url.QueryEscape(code)+"&grant_type=authorization_code")
	if err != nil {
		return Token{}, err
	}
	token := readToken(reply)
	if token.AccessToken == "" || !validOpenID(token.OpenID) {
		return Token{}, &Error{Op: op, Message: "the response lacks access_token or openid", Kind: Untrusted}
	}
	return token, nil
}

// readToken reads the members of access_token's reply. A bad expires_in does
// not invalidate the rest: the code is used up.
func readToken(reply snsReply) Token {
	token := Token{
		AccessToken: Secret(reply.text("access_token")),
		OpenID:      reply.text("openid"),
		UnionID:     reply.text("unionid"),
		Scope:       reply.text("scope"),
		Snapshot:    flag(reply["is_snapshotuser"]),
	}
	if n, ok := integer(reply["expires_in"]); ok && n > 0 && n <= maxExpiresIn {
		token.ExpiresIn = time.Duration(n) * time.Second
	}
	return token
}

// grants reports whether the user granted scope.
func (t Token) grants(scope Scope) bool {
	return slices.Contains(strings.Split(t.Scope, ","), string(scope))
}

// validOpenID accepts 1 to 128 visible ASCII characters.
func validOpenID(s string) bool { return visible(s, 128) }
