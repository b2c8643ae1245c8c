//go:build !js

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"h5pay/internal/api"
)

// The sign-in that begins with the start page. In WeChat a browser without a session is sent to
// WeChat's authorize page anyway. So the page names its address, and goes there before it loads the
// program: see check.js of the site. warm/signin.mjs does the same in the Worker.

// noSignIn matches the user agents of WeCom and of mini programs, in lower case. They have another
// sign-in.
var noSignIn = regexp.MustCompile(`wxwork/|(miniprogram|wmpf)([^a-z]|$)`)

// signInBegun matches the cookies of a session and of a sign-in.
var signInBegun = regexp.MustCompile(`h5pay_(session|state)=`)

// opensSignIn reports whether a request for the page comes from a place of WeChat that signs in, and
// opens the page in a browser that has neither a session nor a sign-in that was begun, nor returns from
// one. A request in advance, as for a preview, signs nobody in.
func opensSignIn(r *http.Request) bool {
	agent, query := strings.ToLower(r.UserAgent()), r.URL.Query()
	if r.Method != http.MethodGet || !strings.Contains(agent, "micromessenger/") || noSignIn.MatchString(agent) {
		return false
	}
	for _, cookies := range r.Header.Values("Cookie") {
		if signInBegun.MatchString(cookies) {
			return false
		}
	}
	if query.Has("code") || query.Has("state") {
		return false
	}
	// An old web view sends no Sec-Fetch-Dest, and accepts another type for a picture or a script's call.
	if dest, accept := r.Header.Get("Sec-Fetch-Dest"), r.Header.Get("Accept"); dest != "document" && (dest != "" || accept != "" && !strings.Contains(accept, "text/html")) {
		return false
	}
	for _, name := range []string{"Purpose", "Sec-Purpose", "X-Purpose", "X-Moz"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	return true
}

// beginSignIn calls the signer for the address of WeChat's authorize page, "" if the page is sent
// without it. cookies bind the sign-in to the browser.
func beginSignIn(r *http.Request, signer http.Handler) (address string, cookies []string) {
	body, err := json.Marshal(api.AuthorizeRequest{ReturnTo: r.URL.RequestURI()})
	if err != nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), startPagePatience)
	defer cancel()
	call, err := http.NewRequestWithContext(ctx, http.MethodPost, (&url.URL{Path: api.PathAuthorize}).String(), bytes.NewReader(body))
	if err != nil {
		return "", nil
	}
	call.Host, call.RemoteAddr, call.RequestURI = r.Host, r.RemoteAddr, api.PathAuthorize
	for name, values := range r.Header { // the caller's address is in one of them
		if name != "Cookie" && name != "Origin" && !strings.HasPrefix(name, "Sec-") {
			call.Header[name] = values
		}
	}
	call.Header.Set("Content-Type", "application/json")
	var got ownResponse
	signer.ServeHTTP(&got, call)
	var to api.AuthorizeResponse
	if got.status != http.StatusOK || json.Unmarshal(got.body.Bytes(), &to) != nil {
		return "", nil
	}
	return to.URL, got.header.Values("Set-Cookie")
}

// ownResponse keeps the response to a call that this program makes to itself.
type ownResponse struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *ownResponse) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

func (a *ownResponse) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *ownResponse) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// withSignIn puts the address of a sign-in into the text of the page.
func withSignIn(page []byte, address string) []byte {
	return bytes.Replace(page, []byte("<html "), []byte(`<html data-sign-in="`+html.EscapeString(address)+`" `), 1)
}
