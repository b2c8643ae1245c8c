package wechat

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Token is what a code was exchanged for.
type Token struct {
	AccessToken Secret
	OpenID      string
	UnionID     string        // "" unless the account is bound to an open platform
	Scope       string        // the granted ones, separated by commas
	ExpiresIn   time.Duration // of AccessToken, two hours
	// Snapshot marks WeChat's virtual user: everything about it is made up. It
	// must never sign in.
	Snapshot bool
}

// ExchangeCode exchanges the code that WeChat appended to the redirect URI. A
// code works once and for five minutes.
func (c *Client) ExchangeCode(ctx context.Context, code string) (Token, error) {
	const op = "access_token"
	var reply struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
		OpenID      string `json:"openid"`
		UnionID     string `json:"unionid"`
		Scope       string `json:"scope"`
		Snapshot    int    `json:"is_snapshotuser"`
	}
	err := c.sns(ctx, op, "/sns/oauth2/access_token?appid="+url.QueryEscape(c.cfg.AppID)+
		"&secret="+url.QueryEscape(string(c.cfg.AppSecret))+
		"&code="+url.QueryEscape(code)+"&grant_type=authorization_code", &reply)
	if err != nil {
		return Token{}, err
	}
	if reply.AccessToken == "" || !validOpenID(reply.OpenID) {
		return Token{}, &Error{Op: op, Message: "the answer lacks access_token or openid", Kind: Untrusted}
	}
	return Token{
		AccessToken: Secret(reply.AccessToken),
		OpenID:      reply.OpenID,
		UnionID:     reply.UnionID,
		Scope:       reply.Scope,
		ExpiresIn:   time.Duration(reply.ExpiresIn) * time.Second,
		Snapshot:    reply.Snapshot != 0,
	}, nil
}

// User is a profile, which snsapi_userinfo gives.
type User struct {
	OpenID    string
	UnionID   string // "" unless the account is bound to an open platform
	Nickname  string // any Unicode
	AvatarURL string // https; "" when the user has no picture
}

// UserInfo fetches the profile of a token's user. The language is zh_CN, zh_TW
// or en.
func (c *Client) UserInfo(ctx context.Context, token Token, lang string) (User, error) {
	const op = "userinfo"
	var reply struct {
		OpenID    string `json:"openid"`
		UnionID   string `json:"unionid"`
		Nickname  string `json:"nickname"`
		AvatarURL string `json:"headimgurl"`
	}
	err := c.sns(ctx, op, "/sns/userinfo?access_token="+url.QueryEscape(string(token.AccessToken))+
		"&openid="+url.QueryEscape(token.OpenID)+"&lang="+url.QueryEscape(lang), &reply)
	if err != nil {
		return User{}, err
	}
	if reply.OpenID != token.OpenID {
		return User{}, &Error{Op: op, Message: "the answer is about another user", Kind: Untrusted}
	}
	return User(reply), nil
}

// sns makes one GET of api.weixin.qq.com. Its answers are JSON in spite of
// their content type, with status 200 and an errcode for errors (server calls).
func (c *Client) sns(ctx context.Context, op, path string, reply any) error {
	body, err := c.exchange(ctx, op, http.MethodGet, c.cfg.APIURL+path, nil)
	if err != nil {
		return err
	}
	var failure struct {
		Code *int64 `json:"errcode"`
	}
	if err := json.Unmarshal(body, &failure); err != nil {
		return &Error{Op: op, Message: "the answer is not JSON", Kind: Untrusted}
	}
	if failure.Code != nil && *failure.Code != 0 {
		code := strconv.FormatInt(*failure.Code, 10)
		// Not errmsg: it has a request id and now and then an openid.
		return &Error{Op: op, Code: code, Message: "WeChat refused", Kind: snsKinds[code]}
	}
	if err := json.Unmarshal(body, reply); err != nil {
		return &Error{Op: op, Message: "the answer has fields of other types", Kind: Untrusted}
	}
	return nil
}

// validOpenID accepts 1 to 128 visible ASCII characters.
func validOpenID(s string) bool {
	return len(s) >= 1 && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
