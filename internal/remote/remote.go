// Package remote calls /v1 of a running shop with an API key, for commands that run on another
// machine.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/origin"
	"h5pay/internal/v1"
)

// maxAnswer bounds a response of the shop, in bytes. A list of 20 events has about 40 KB.
const maxAnswer = 16 << 20

// Unavailable is the error of a shop that does not answer now, and may later.
type Unavailable struct {
	why  string
	Wait time.Duration // the shop's Retry-After; 0 without one
}

func (u *Unavailable) Error() string { return u.why }

// Shop is a running shop.
type Shop struct {
	URL     string        // its address: "https://shop.example.com", as ParseShop returns it
	Key     string        // an API key
	Scopes  string        // the scopes that the command needs, for errors: "read and admin"
	Agent   string        // the User-Agent: "h5pay listen"
	Timeout time.Duration // of one call
}

// client follows no redirect, so that no other server gets the API key.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Call makes a call and decodes the response into result. path has the query. The body is nil or a
// message of package v1. The error is an *Unavailable, a *v1.Error if the shop rejects the call for
// another reason than the API key, or a sentence with the remedy.
func (s *Shop) Call(ctx context.Context, method, path string, body, result any) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	text := []byte{}
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.Key)
	req.Header.Set("User-Agent", s.Agent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		return &Unavailable{why: fmt.Sprintf("the shop %s does not answer (%s): check -shop, and that the shop runs", s.URL, Reason(err))}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return &Unavailable{why: fmt.Sprintf("the response of %s breaks off (%s)", s.URL, Reason(err))}
	}
	if res.StatusCode == http.StatusOK && json.Unmarshal(answer, result) == nil {
		return nil
	}
	return s.explain(res, answer)
}

// explain returns the error of a response that is not the result of a call.
func (s *Shop) explain(res *http.Response, text []byte) error {
	var rejected v1.Error
	_ = json.Unmarshal(text, &rejected) // without a code it is another server
	switch {
	case rejected.Code == api.CodeUnauthenticated:
		return fmt.Errorf("the shop %s rejects the API key (%s): make one with the scope %s by POST /v1/keys, and set H5PAY_KEY", s.URL, rejected.Message, s.Scopes)
	case rejected.Code == v1.CodeScopeMissing:
		return fmt.Errorf("the API key lacks the scope %s: make another one by POST /v1/keys, and set H5PAY_KEY", s.Scopes)
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // 0 if it is missing
		return &Unavailable{
			why:  fmt.Sprintf("the shop %s answers %s %s", s.URL, res.Status, rejected.Code),
			Wait: time.Duration(min(max(seconds, 0), 60)) * time.Second,
		}
	case rejected.Code == "":
		return fmt.Errorf("%s is not a shop of h5pay (%s): check -shop", s.URL, res.Status)
	}
	return &rejected
}

// Reason returns why a call has no response, without its URL.
func Reason(err error) string {
	var wrapped *url.Error
	switch {
	case errors.As(err, &wrapped) && wrapped.Timeout():
		return "no response in time"
	case errors.As(err, &wrapped):
		err = wrapped.Err
	}
	return err.Error()
}

// ParseShop checks the address of a shop, to which the API key is sent, and removes the slash at its
// end. http is accepted for this machine only.
func ParseShop(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.User != nil, u.Fragment != "":
		return "", fmt.Errorf("%q is no address of a shop: want one like https://shop.example.com", text)
	case strings.Trim(u.Path, "/") != "", u.RawQuery != "", u.ForceQuery:
		return "", fmt.Errorf("%q has a path: want the shop's address alone, like https://shop.example.com", text)
	}
	shop := u.Scheme + "://" + u.Host
	if !origin.Valid(shop) {
		return "", fmt.Errorf("%q would send the API key without encryption: want https, or a shop on this machine", text)
	}
	return shop, nil
}
