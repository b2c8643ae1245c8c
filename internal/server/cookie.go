package server

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"h5pay/wechat"
)

// The cookies. Under https their names get the prefix __Host-, with which a
// browser takes them from this very host only: a sibling domain cannot plant a
// sign-in of its own. The prefix demands Path=/.
const (
	stateCookie   = "h5pay_state"
	sessionCookie = "h5pay_session"
	consoleCookie = "h5pay_console"
)

// maxCookie is the longest cookie value looked at, in bytes. Browsers keep 4096
// for name, value and attributes.
const maxCookie = 4096

// sealer keeps values in a cookie that the browser can neither read nor change:
// AES-256-GCM with the cookie's name as additional data, under a key that is
// derived from SessionKey for this cookie and this appid.
type sealer struct {
	name   string
	secure bool
	strict bool // whether the browser sends it with no request that another site causes
	aead   cipher.AEAD
	former cipher.AEAD // under SessionKeyOld, opens only; nil when there is none
	rand   io.Reader
	now    func() time.Time
}

func newSealer(cfg Config, appID, name string, secure bool) (sealer, error) {
	c := sealer{name: name, secure: secure, rand: cfg.Rand, now: cfg.Now}
	info := "h5pay cookie " + name + " " + appID
	var err error
	if c.aead, err = newAEAD(cfg.SessionKey, info); err != nil {
		return sealer{}, fmt.Errorf("making the key of %s: %w", name, err)
	}
	if cfg.SessionKeyOld != "" {
		if c.former, err = newAEAD(cfg.SessionKeyOld, info); err != nil {
			return sealer{}, fmt.Errorf("making the former key of %s: %w", name, err)
		}
	}
	if secure {
		c.name = "__Host-" + name
	}
	return c, nil
}

func newAEAD(secret wechat.Secret, info string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, info, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealed is the content of a cookie. The expiry is inside, because the browser cannot be
// trusted to enforce it.
type sealed struct {
	Expires int64           `json:"expires"` // Unix ms
	Value   json.RawMessage `json:"value"`
}

// set puts v in the cookie for the time of life.
func (c sealer) set(w http.ResponseWriter, v any, life time.Duration) error {
	value, err := c.seal(v, c.now().Add(life))
	if err != nil {
		return err
	}
	http.SetCookie(w, c.cookie(value, int(life/time.Second)))
	return nil
}

// clear makes the browser forget the cookie.
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

// renew seals the caller's cookie anew, to the same end, when it was sealed with
// the former key, so that this can be thrown away one day.
func (c sealer) renew(w http.ResponseWriter, r *http.Request) error {
	if c.former == nil {
		return nil
	}
	current := c
	current.former = nil
	var v json.RawMessage
	if current.get(r, &v) {
		return nil
	}
	for _, cookie := range r.CookiesNamed(c.name) {
		if s, err := c.unseal(cookie.Value); err == nil {
			return c.set(w, s.Value, time.UnixMilli(s.Expires).Sub(c.now()))
		}
	}
	return nil
}

func (c sealer) cookie(value string, maxAge int) *http.Cookie {
	site := http.SameSiteLaxMode // the user comes back from open.weixin.qq.com
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
	nonce := make([]byte, c.aead.NonceSize(), c.aead.NonceSize()+len(plain)+c.aead.Overhead())
	if _, err := io.ReadFull(c.rand, nonce); err != nil {
		return "", fmt.Errorf("sealing %s: %w", c.name, err)
	}
	return base64.RawURLEncoding.EncodeToString(c.aead.Seal(nonce, nonce, plain, []byte(c.name))), nil
}

// open reads a cookie's value into v. The error says nothing of the value.
func (c sealer) open(text string, v any) error {
	s, err := c.unseal(text)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(s.Value, v); err != nil {
		return errors.New("malformed inside")
	}
	return nil
}

// unseal returns what is in a cookie that was sealed here and has not expired.
func (c sealer) unseal(text string) (sealed, error) {
	if len(text) > maxCookie {
		return sealed{}, errors.New("too long")
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < c.aead.NonceSize() {
		return sealed{}, errors.New("malformed")
	}
	nonce, box := b[:c.aead.NonceSize()], b[c.aead.NonceSize():]
	plain, err := c.aead.Open(nil, nonce, box, []byte(c.name))
	if err != nil && c.former != nil {
		plain, err = c.former.Open(nil, nonce, box, []byte(c.name))
	}
	if err != nil {
		return sealed{}, errors.New("not sealed by this shop")
	}
	var s sealed
	if err := json.Unmarshal(plain, &s); err != nil {
		return sealed{}, errors.New("malformed inside")
	}
	if c.now().UnixMilli() >= s.Expires {
		return sealed{}, errors.New("expired")
	}
	return s, nil
}
