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
)

// The cookies. Under https their names get the prefix __Host-, with which a
// browser takes them from this very host only: a sibling domain cannot plant a
// sign-in of its own. The prefix asks for Path=/.
const (
	stateCookie   = "h5pay_state"
	sessionCookie = "h5pay_session"
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
	aead   cipher.AEAD
	rand   io.Reader
	now    func() time.Time
}

func newSealer(cfg Config, name string, secure bool) (sealer, error) {
	key, err := hkdf.Key(sha256.New, []byte(cfg.SessionKey), nil, "h5pay cookie "+name+" "+cfg.AppID, 32)
	if err != nil {
		return sealer{}, fmt.Errorf("deriving the key of %s: %w", name, err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return sealer{}, err
	}
	if secure {
		name = "__Host-" + name
	}
	return sealer{name: name, secure: secure, aead: aead, rand: cfg.Rand, now: cfg.Now}, nil
}

// sealed is what a cookie holds. The expiry is inside, because a browser's
// word on it counts nothing.
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

func (c sealer) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: c.name, Value: value, Path: "/", MaxAge: maxAge,
		// Lax, not Strict: the user comes back from open.weixin.qq.com.
		HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode,
	}
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
	if len(text) > maxCookie {
		return errors.New("too long")
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < c.aead.NonceSize() {
		return errors.New("malformed")
	}
	plain, err := c.aead.Open(nil, b[:c.aead.NonceSize()], b[c.aead.NonceSize():], []byte(c.name))
	if err != nil {
		return errors.New("not sealed by this shop")
	}
	var s sealed
	if err := json.Unmarshal(plain, &s); err != nil {
		return errors.New("malformed inside")
	}
	if c.now().UnixMilli() >= s.Expires {
		return errors.New("expired")
	}
	if err := json.Unmarshal(s.Value, v); err != nil {
		return errors.New("malformed inside")
	}
	return nil
}
