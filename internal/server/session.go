package server

import (
	"net/http"
	"time"

	"h5pay/internal/api"
)

// sessionLife is how long a sign-in holds, from the sign-in on. It does not
// slide: under snsapi_base a new sign-in is silent, and a fixed end bounds what
// a stolen phone or a changed account can do.
const sessionLife = 7 * 24 * time.Hour

// session is what the session cookie holds. There is no other record of it.
type session struct {
	OpenID    string `json:"openid"`
	Nickname  string `json:"nickname,omitempty"`
	AvatarURL string `json:"avatar_url,omitempty"`
}

// user returns the session as the page may see it.
func (s session) user() api.User {
	return api.User{OpenID: mask(s.OpenID), Nickname: s.Nickname, AvatarURL: s.AvatarURL}
}

// mask shortens an openid for people and logs: "oUpF…Mg3I".
func mask(openid string) string {
	if len(openid) < 12 {
		return "…"
	}
	return openid[:4] + "…" + openid[len(openid)-4:]
}

// signedIn returns the caller's session.
func (s *Server) signedIn(r *http.Request) (session, error) {
	var who session
	if !s.session.get(r, &who) || who.OpenID == "" {
		return session{}, refuse(api.CodeUnauthenticated, "sign in first")
	}
	return who, nil
}

func (s *Server) getSession(w http.ResponseWriter, r *http.Request) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	if err := s.session.renew(w, r); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Session{User: who.user()})
}

// deleteSession makes the browser forget the session. It succeeds without one.
func (s *Server) deleteSession(w http.ResponseWriter, r *http.Request) error {
	s.session.clear(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
