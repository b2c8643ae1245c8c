package server

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/reqlog"
	"h5pay/wechat"
)

// stateLife is the longest duration of a sign-in. Most of it is the user's time on the consent
// page.
const stateLife = 10 * time.Minute

// The longest nickname and avatar URL that a session keeps, in bytes: encoded
// and sealed they must fit a cookie.
const (
	maxNickname  = 128
	maxAvatarURL = 256
)

// signIn is the content of the state cookie: a sign-in that was begun in this browser.
type signIn struct {
	State    string    `json:"state"`
	ReturnTo string    `json:"return_to"`
	Scope    api.Scope `json:"scope"`
}

// authorize begins a sign-in: it binds a new state to this browser and returns
// the URL to go to. A second one replaces the first. An attempt after a failed
// one is counted, and the third in a row is rejected.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) error {
	var req api.AuthorizeRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	returnTo, err := parseReturnTo(req.ReturnTo)
	if err != nil {
		return reject(api.CodeBadRequest, err.Error())
	}
	if req.Scope == "" {
		req.Scope = s.cfg.Scope
	}
	if !validScope(req.Scope) {
		return reject(api.CodeBadRequest, "scope: want snsapi_base or snsapi_userinfo")
	}
	attempt := 1
	if req.After != "" {
		if !validState(req.After) {
			return reject(api.CodeBadRequest, "after: want 1 to 128 letters and digits")
		}
		attempt = s.states.attempt(req.After) + 1
	}
	if attempt > maxAttempts {
		return reject(api.CodeSignInLoop, "two sign-ins in a row failed in this browser")
	}
	state, err := s.states.make(attempt)
	if err != nil {
		return err
	}
	url, err := s.cfg.WeChat.AuthorizeURL(s.shop.Origin+returnTo, wechat.Scope(req.Scope), state)
	if err != nil {
		return fmt.Errorf("making the authorize URL: %w", err)
	}
	if err := s.state.set(w, signIn{State: state, ReturnTo: returnTo, Scope: req.Scope}, stateLife); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.AuthorizeResponse{URL: url})
}

// token ends a sign-in: it exchanges the code that WeChat appended to the
// return URL and sets the session cookie. That uses up the state,
// unless WeChat did not respond: then the page may send the same code again.
func (s *Server) token(w http.ResponseWriter, r *http.Request) error {
	var req api.TokenRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	var begun signIn
	if !s.state.get(r, &begun) || subtle.ConstantTimeCompare([]byte(begun.State), []byte(req.State)) != 1 {
		return reject(api.CodeStateInvalid, "the state is not that of a sign-in begun here in the last ten minutes")
	}
	if !validCode(req.Code) {
		return reject(api.CodeBadRequest, "code: want 1 to 512 visible ASCII characters")
	}
	// A code works once, so the exchange continues if the caller disconnects.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), signInTimeout)
	defer cancel()
	token, err := s.cfg.WeChat.ExchangeCode(ctx, req.Code)
	if err != nil {
		err = s.signInError(ctx, err)
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeWeChatBusy {
			_, useErr := s.useState(ctx, w, begun)
			err = cmp.Or(useErr, err)
		}
		return err
	}
	// UseState succeeds once, so a copied cookie and code cannot make a second session.
	first, err := s.useState(ctx, w, begun)
	if err != nil {
		return err
	}
	if !first {
		s.logSeldom(ctx, slog.LevelWarn, "a state was used twice")
		return reject(api.CodeStateInvalid, "the state was used before")
	}
	if token.Snapshot {
		// The data of this user is not real (docs/wechat.md 1.10).
		return reject(api.CodeSnapshotUser, "this is WeChat's snapshot mode, open the full page to sign in")
	}
	who := session{OpenID: token.OpenID}
	if begun.Scope == api.ScopeUserInfo {
		s.addProfile(ctx, &who, token)
	}
	if err := s.session.set(w, who, sessionLife); err != nil {
		return err
	}
	s.logger(ctx).Info("signed in", "openid", reqlog.Mask(who.OpenID), "scope", string(begun.Scope))
	return writeJSON(w, http.StatusOK, api.TokenResponse{User: who.user(), ReturnTo: begun.ReturnTo})
}

// useState ends a sign-in here and in the browser, and reports whether it had
// not ended before.
func (s *Server) useState(ctx context.Context, w http.ResponseWriter, begun signIn) (bool, error) {
	s.state.clear(w)
	return s.cfg.Store.UseState(ctx, begun.State, s.states.ends(begun.State))
}

// signInError translates WeChat's error for a code (docs/wechat.md 13.3).
func (s *Server) signInError(ctx context.Context, err error) error {
	var e *wechat.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("exchanging a code: %w", err)
	}
	switch e.Kind {
	case wechat.Restart:
		if e.Code == wechat.CodeUsed {
			return reject(api.CodeCodeUsed, "the code was used before, sign in again")
		}
		return reject(api.CodeCodeInvalid, "the code is invalid or too old, sign in again")
	case wechat.Retry:
		s.logger(ctx).Warn("WeChat did not respond to a sign-in", "error", err)
		return reject(api.CodeWeChatBusy, "WeChat did not respond, try again")
	case wechat.Untrusted:
		s.logger(ctx).Error("WeChat's response to a sign-in is malformed", "error", err)
		return reject(api.CodeWeChatBusy, "WeChat did not respond, try again")
	}
	s.logger(ctx).Error("WeChat declined a sign-in", "error", err)
	return reject(api.CodeWeChatDeclined, "WeChat declined the sign-in")
}

// addProfile adds nickname and avatar to a session. Paying needs neither, so
// an error is logged and the sign-in succeeds. Code 48001 means that the user did not
// grant the scope.
func (s *Server) addProfile(ctx context.Context, who *session, token wechat.Token) {
	user, err := s.cfg.WeChat.UserInfo(ctx, token, "zh_CN")
	if err != nil {
		s.logger(ctx).Error("no profile for a sign-in", "error", err)
		return
	}
	if user.OpenID != who.OpenID {
		s.logger(ctx).Error("the profile for a sign-in is another user's")
		return
	}
	if len(user.Nickname) <= maxNickname && utf8.ValidString(user.Nickname) {
		who.Nickname = user.Nickname
	}
	if len(user.AvatarURL) <= maxAvatarURL && strings.HasPrefix(user.AvatarURL, "https://") {
		who.AvatarURL = user.AvatarURL
	}
}

// validCode accepts what can be a code: 1 to 512 visible ASCII characters.
func validCode(code string) bool {
	return alphabet.Visible.Valid(code, 1, 512)
}
