package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// buyer is a WeChat user or a guest, with the shop's page open on several devices that share the
// cookies.
type buyer struct {
	*World
	user    wechattest.User // without an OpenID a guest
	ip      string
	token   string // the operator's; empty for a buyer
	client  *http.Client
	signing sync.Mutex
}

// callTimeout is how long a page waits for a response. The signer waits for WeChat for less time.
const callTimeout = 90 * time.Second

func newBuyer(w *World, user wechattest.User) *buyer {
	ip := fmt.Sprintf("203.0.113.%d", len(w.buyers)+1)
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic("chaos: " + err.Error()) // cookiejar.New without options returns no error
	}
	return &buyer{World: w, user: user, ip: ip, client: &http.Client{
		Jar: jar, Timeout: callTimeout, Transport: w.Transport(),
	}}
}

// response is the result of a call.
type response struct {
	status int
	body   []byte
	api.Error
}

// ErrNoResponse is the error of a call without a response because workerd was killed.
var ErrNoResponse = errors.New("no response")

// call makes a call as the shop's page does. It decodes a response with status 200 into result.
func (b *buyer) call(method, path string, body, result any) (response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return response{}, err
	}
	req, err := http.NewRequest(method, b.Shop+path, bytes.NewReader(text))
	if err != nil {
		return response{}, err
	}
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", b.Shop)
	} else {
		req.Body = nil
		req.ContentLength = 0
	}
	req.Header.Set("CF-Connecting-IP", b.ip)
	if b.token != "" {
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	res, err := b.client.Do(req)
	if err != nil {
		return response{}, ErrNoResponse
	}
	defer res.Body.Close()
	a := response{status: res.StatusCode}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return response{}, ErrNoResponse
	}
	into := result
	if a.status != http.StatusOK {
		into = &a.Error
	}
	if err := json.Unmarshal(a.body, into); err != nil || a.status != http.StatusOK && a.Code.Status() != a.status {
		b.Note(Wrong, "", "%s %s: status %d %.200s", method, path, a.status, a.body)
	}
	return a, nil
}

// tries is how often a page repeats a call before it shows a button.
const tries = 5

// mustCall repeats a call while there is no response or WeChat is busy, and signs in if the session
// has ended. A code that is not in allowed is a finding.
func (b *buyer) mustCall(method, path string, body, result any, allowed ...api.Code) (response, bool) {
	for i := range tries {
		if i >= 2 {
			b.Await() // a person tries again later
		}
		a, err := b.call(method, path, body, result)
		switch {
		case errors.Is(err, ErrNoResponse):
		case err != nil:
			b.Note(Wrong, "", "%s %s: %v", method, path, err)
			return a, false
		case a.status == http.StatusOK:
			return a, true
		case a.Code == api.CodeUnauthenticated && b.token == "":
			if !b.signIn() {
				return a, false
			}
		case a.Code == api.CodeBusy:
			time.Sleep(b.BusyPause)
		case a.Code == api.CodeWeChatBusy, a.Code == api.CodeInternal: // the worker checks CodeInternal
		default:
			for _, code := range allowed {
				if a.Code == code {
					return a, false
				}
			}
			b.Note(Wrong, "", "%s %s: status %d %.200s", method, path, a.status, a.body)
			return a, false
		}
	}
	return response{}, false
}

// guest reports whether the buyer is a guest.
func (b *buyer) guest() bool { return b.user.OpenID == "" }

// signIn signs in silently and retries after failures. A guest requests a guest session.
func (b *buyer) signIn() bool {
	b.signing.Lock()
	defer b.signing.Unlock()
	for range tries {
		if a, err := b.call(http.MethodGet, api.PathSession, nil, &api.Session{}); err == nil && a.status == http.StatusOK {
			return true // on another device
		}
		if b.guest() {
			b.call(http.MethodPost, api.PathSession, struct{}{}, &api.Session{})
			continue
		}
		var begun api.AuthorizeResponse
		if a, err := b.call(http.MethodPost, api.PathAuthorize, api.AuthorizeRequest{ReturnTo: "/"}, &begun); err != nil || a.status != http.StatusOK {
			continue
		}
		code, state, err := b.authorize(begun.URL)
		if err != nil {
			b.Note(Wrong, "", "signing in: %v", err)
			return false
		}
		b.Secret("a code", code)
		a, err := b.call(http.MethodPost, api.PathToken, api.TokenRequest{Code: code, State: state}, &api.TokenResponse{})
		if err == nil && a.status == http.StatusOK {
			return true
		}
	}
	return false
}

// authorize follows the link to WeChat and back.
func (b *buyer) authorize(link string) (code, state string, err error) {
	defer b.takePhone(b.user)()
	link, _, _ = strings.Cut(link, "#")
	res, err := b.client.Transport.RoundTrip(mustRequest(link))
	if err != nil {
		return "", "", err
	}
	res.Body.Close()
	back, err := url.Parse(res.Header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		return "", "", fmt.Errorf("WeChat did not redirect back to %s", link)
	}
	return back.Query().Get("code"), back.Query().Get("state"), nil
}

// takePhone gives the simulator's phone to a user until the result is called.
func (w *World) takePhone(who wechattest.User) (release func()) {
	w.phone.Lock()
	if err := w.WeChat.SetUser(who.OpenID); err != nil {
		w.Note(Wrong, "", "%v", err)
	}
	return w.phone.Unlock
}

// mustRequest returns a GET request for a URL that a program created.
func mustRequest(link string) *http.Request {
	req, err := http.NewRequest(http.MethodGet, link, nil)
	if err != nil {
		panic("chaos: " + err.Error())
	}
	return req
}
