package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
)

const (
	// sessionLife is the life of a session from the sign-in on. Use does not extend it: with
	// snsapi_base a new sign-in is silent, and a fixed end limits the damage of a stolen phone.
	sessionLife = 7 * 24 * time.Hour

	// guestLife is how long a guest is known after their last order. Only the cookie lets them
	// return to their orders.
	guestLife = 90 * 24 * time.Hour
)

// session is the content of the session cookie. There is no other record of it.
type session struct {
	OpenID    string `json:"openid,omitempty"`
	Guest     string `json:"guest,omitempty"` // instead of OpenID
	Nickname  string `json:"nickname,omitempty"`
	AvatarURL string `json:"avatar_url,omitempty"`
}

// owner returns the openid or guest id of the session's orders.
func (s session) owner() string {
	if s.OpenID != "" {
		return s.OpenID
	}
	return s.Guest
}

// user returns the session as the page may see it.
func (s session) user() api.User {
	if s.OpenID == "" {
		return api.User{Guest: true}
	}
	return api.User{OpenID: reqlog.Mask(s.OpenID), Nickname: s.Nickname, AvatarURL: s.AvatarURL}
}

// callerKey is the key of the caller in a request's context.
type callerKey struct{}

// withCaller returns r with its caller in the context. The cookie is opened when the caller
// is needed, and once: opening it costs a decryption.
func (s *Server) withCaller(r *http.Request) *http.Request {
	open := sync.OnceValues(func() (session, error) { return s.openSession(r) })
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, open))
}

// caller returns the session of a user or a guest. r comes from withCaller.
func (s *Server) caller(r *http.Request) (session, error) {
	return r.Context().Value(callerKey{}).(func() (session, error))()
}

func (s *Server) openSession(r *http.Request) (session, error) {
	var who session
	if !s.session.get(r, &who) || who.owner() == "" {
		return session{}, reject(api.CodeUnauthenticated, "sign in first")
	}
	return who, nil
}

func (s *Server) getSession(w http.ResponseWriter, r *http.Request) error {
	who, err := s.caller(r)
	if err != nil {
		return err
	}
	if err := s.session.renew(w, r); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Session{User: who.user()})
}

// postSession gives a visitor without a session a guest id.
func (s *Server) postSession(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength != 0 {
		var req struct{}
		if err := readJSON(r, &req); err != nil {
			return err
		}
	}
	who, err := s.caller(r)
	if err != nil {
		if who.Guest, err = order.NewGuestID(s.rand); err != nil {
			return err
		}
		if err := s.session.set(w, who, guestLife); err != nil {
			return err
		}
		s.logger(r.Context()).Info("guest arrived", "guest", reqlog.Mask(who.Guest))
	} else if err := s.session.renew(w, r); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Session{User: who.user()})
}

// deleteSession deletes the session cookie. It succeeds without one.
func (s *Server) deleteSession(w http.ResponseWriter, r *http.Request) error {
	s.session.clear(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
