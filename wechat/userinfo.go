package wechat

import (
	"context"
	"errors"
	"net/url"
)

// User is a profile, which needs snsapi_userinfo.
type User struct {
	OpenID    string
	UnionID   string // "" unless the account is bound to an open platform
	Nickname  string // any Unicode but control characters; escape it where it is shown
	AvatarURL string // WeChat's URL, https today; "" if the user has no picture
}

const opUserInfo = "userinfo"

// UserInfo fetches the profile of a token's user. The language is zh_CN, zh_TW
// or en.
func (c *Client) UserInfo(ctx context.Context, token Token, lang string) (User, error) {
	const op = opUserInfo
	switch {
	case token.AccessToken == "" || token.OpenID == "":
		return User{}, &Error{Op: op, Message: "not sent: there is no token", Kind: Restart}
	case lang != "zh_CN" && lang != "zh_TW" && lang != "en":
		return User{}, notSent(op, "unknown language")
	}
	reply, err := c.sns(ctx, op, "/sns/userinfo?access_token="+url.QueryEscape(string(token.AccessToken))+
		"&openid="+url.QueryEscape(token.OpenID)+"&lang="+lang)
	if err != nil {
		// Code 48001: the scope was too small, or the account may not do this.
		var e *Error
		if errors.As(err, &e) && e.Code == "48001" && !token.grants(ScopeUserInfo) {
			e.Kind = Restart
		}
		return User{}, err
	}
	user := readUser(reply)
	if user.OpenID != token.OpenID {
		return User{}, &Error{Op: op, Message: "the response is about another user", Kind: Untrusted}
	}
	return user, nil
}

func readUser(reply snsReply) User {
	return User{
		OpenID:    reply.text("openid"),
		UnionID:   reply.text("unionid"),
		Nickname:  clean(reply.text("nickname")),
		AvatarURL: reply.text("headimgurl"),
	}
}
