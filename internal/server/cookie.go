package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"h5pay/internal/seal"
)

// The cookies. Under https their names get the prefix __Host-. A browser accepts such a
// cookie only from this host, so a sibling domain cannot set a session. The prefix requires
// Path=/.
const (
	stateCookie   = "h5pay_state"
	sessionCookie = "h5pay_session"
	consoleCookie = "h5pay_console"
)

// maxCookie is the longest cookie value that is read, in bytes. Browsers keep 4096 bytes for
// name, value and attributes.
const maxCookie = 4096

// sealer stores values in a cookie that the browser can neither read nor change. It uses
// AES-256-GCM with the cookie's name as additional data, and a key that is derived from
// SessionKey for this cookie and this appid.
type sealer struct {
	name   string
	secure bool
	strict bool // SameSite=Strict: the browser never sends it with a request that another site causes
	box    box
	rand   io.Reader
	now    func() time.Time
}

// box has the methods of seal.Box that a sealer uses.
type box interface {
	Seal(rand io.Reader, plain []byte, about string) (string, error)
	Open(text, about string) (plain []byte, former bool, err error)
	HasFormer() bool
}

func newSealer(cfg Config, appID, name string, secure bool) (sealer, error) {
	c := sealer{name: name, secure: secure, rand: cfg.Rand, now: cfg.Now}
	var err error
	if c.box, err = seal.New(string(cfg.SessionKey), string(cfg.SessionKeyOld), "h5pay cookie "+name+" "+appID); err != nil {
		return sealer{}, err
	}
	if secure {
		c.name = "__Host-" + name
	}
	return c, nil
}

// sealed is the content of a cookie. It has the expiry, because the browser cannot be trusted
// to enforce it.
type sealed struct {
	Expires int64           `json:"expires"` // Unix ms
	Value   json.RawMessage `json:"value"`
}

// set stores v in the cookie for life.
func (c sealer) set(w http.ResponseWriter, v any, life time.Duration) error {
	value, err := c.seal(v, c.now().Add(life))
	if err != nil {
		return err
	}
	http.SetCookie(w, c.cookie(value, int(life/time.Second)))
	return nil
}

// clear deletes the cookie in the browser.
func (c sealer) clear(w http.ResponseWriter) {
	http.SetCookie(w, c.cookie("", -1))
}

// get reads the cookie into v and reports whether there was a valid one.
func (c sealer) get(r *http.Request, v any) bool {
	for _, cookie := range r.CookiesNamed(c.name) {
		if c.open(cookie.Value, v) == nil {
			return true
		}
	}
	return false
}

// renew seals the caller's cookie again if SessionKeyOld has sealed it, so that the old key
// can be removed later. The expiry stays.
func (c sealer) renew(w http.ResponseWriter, r *http.Request) error {
	if !c.box.HasFormer() {
		return nil
	}
	var old *sealed
	for _, cookie := range r.CookiesNamed(c.name) {
		s, former, err := c.unseal(cookie.Value)
		if err == nil && !former {
			return nil
		}
		if err == nil && old == nil {
			old = &s
		}
	}
	if old == nil {
		return nil
	}
	return c.set(w, old.Value, time.UnixMilli(old.Expires).Sub(c.now()))
}

func (c sealer) cookie(value string, maxAge int) *http.Cookie {
	site := http.SameSiteLaxMode // Lax, because the user comes back from open.weixin.qq.com
	if c.strict {
		site = http.SameSiteStrictMode
	}
	return &http.Cookie{Name: c.name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: c.secure, SameSite: site}
}

func (c sealer) seal(v any, expires time.Time) (string, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding %s: %w", c.name, err)
	}
	plain, err := json.Marshal(sealed{expires.UnixMilli(), value})
	if err != nil {
		return "", fmt.Errorf("encoding %s: %w", c.name, err)
	}
	return c.box.Seal(c.rand, plain, c.name)
}

// open reads a cookie's value into v. The error does not contain the value.
func (c sealer) open(text string, v any) error {
	s, _, err := c.unseal(text)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(s.Value, v); err != nil {
		return errors.New("malformed content")
	}
	return nil
}

// unseal returns the content of a cookie that this shop sealed and that has not expired. old
// reports whether SessionKeyOld has sealed it.
func (c sealer) unseal(text string) (s sealed, former bool, err error) {
	if len(text) > maxCookie {
		return sealed{}, false, errors.New("too long")
	}
	plain, former, err := c.box.Open(text, c.name)
	if err != nil {
		return sealed{}, false, err
	}
	if err := json.Unmarshal(plain, &s); err != nil {
		return sealed{}, false, errors.New("malformed content")
	}
	if c.now().UnixMilli() >= s.Expires {
		return sealed{}, false, errors.New("expired")
	}
	return s, former, nil
}
