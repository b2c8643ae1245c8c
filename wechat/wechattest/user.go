package wechattest

import (
	"errors"
	"regexp"
)

// User is a person with WeChat, as the one Official Account knows them.
type User struct {
	// OpenID is 28 characters, unique under the account.
	OpenID string `json:"openid"`
	// Nickname may hold any Unicode.
	Nickname string `json:"nickname"`
	// Avatar is a data: URI or a URL; empty when the user has none.
	Avatar string `json:"avatar"`
	// UnionID is present only when the account is bound to an Open Platform
	// account.
	UnionID string `json:"unionid,omitempty"`
	// Subscribed reports whether the user follows the account (is_subscribe).
	Subscribed bool `json:"subscribed"`
}

// openIDForm is the form of real openids: 28 characters of base64url.
var openIDForm = regexp.MustCompile(`^[0-9A-Za-z_-]{28}$`)

// ErrUnknownUser is returned by SetUser for an unknown openid.
var ErrUnknownUser = errors.New("no user with this openid")

// defaultUsers makes the users of a simulator whose Config has none. The nicknames have Chinese
// characters, an emoji and markup, as real ones do.
func defaultUsers(ids *ids) []User {
	var us []User
	for i, p := range []struct{ nickname, initial, colour string }{
		{"林小满", "林", "#3a7d5c"}, {"阿哲🌊", "哲", "#35699f"}, {"Tom & <Jerry>", "T", "#a05a2c"},
	} {
		us = append(us, User{
			OpenID: "o" + ids.text(base64url, 27), Nickname: p.nickname,
			Avatar: avatar(p.initial, p.colour), Subscribed: i == 0,
		})
	}
	return us
}

// Users returns the people who can hold the phone.
func (w *WeChat) Users() []User {
	return append([]User(nil), w.users...)
}

// User returns the person who holds the phone: who signs in and pays.
func (w *WeChat) User() User {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.users[w.holder]
}

// SetUser gives the phone to another user. The error is ErrUnknownUser.
func (w *WeChat) SetUser(openID string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, u := range w.users {
		if u.OpenID == openID {
			w.holder = i
			w.publish(Event{Kind: EventUser, User: &u})
			return nil
		}
	}
	return ErrUnknownUser
}

// user finds a person by openid.
func (w *WeChat) user(openID string) (User, bool) {
	for _, u := range w.users {
		if u.OpenID == openID {
			return u, true
		}
	}
	return User{}, false
}

// otherUser returns another user than to: one of the simulator, or an invented one.
func (w *WeChat) otherUser(to User) User {
	for _, u := range w.users {
		if u.OpenID != to.OpenID {
			return u
		}
	}
	return User{OpenID: "o" + w.ids.text(base64url, 27), Nickname: "路人"}
}
