// Package edge tests the way from the internet to a shop: DNS, TLS, a content network, a firewall, a
// proxy. It runs natively, because a Worker cannot call its own address.
package edge

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"h5pay/internal/cause"
	"h5pay/internal/probe"
)

const (
	// responseTime is how long WeChat waits for a response (docs/wechat.md 6.3).
	responseTime = 5 * time.Second
	slow         = 3 * time.Second
	maxPage      = 64 << 10
)

// Doer sends a request. It must not follow redirects.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Finding is what is wrong. Without an ID nothing is.
type Finding struct {
	ID     cause.ID
	Detail string
	Warn   bool // notifications arrive nevertheless
}

// NotifyURL sends two probes to the notify URL and returns what is wrong with the responses. The
// second probe detects a cache that the first one has filled.
func NotifyURL(ctx context.Context, doer Doer, notifyURL, token string) Finding {
	ctx, cancel := context.WithTimeout(ctx, responseTime)
	defer cancel()
	for try := range 2 {
		began := time.Now()
		f := send(ctx, doer, notifyURL, token)
		if f.ID == "" && try == 0 && time.Since(began) > slow {
			return Finding{cause.NotifySlow, fmt.Sprintf("the response took %.1f s", time.Since(began).Seconds()), true}
		}
		if f.ID != "" {
			return f
		}
	}
	return Finding{}
}

func send(ctx context.Context, doer Doer, notifyURL, token string) Finding {
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		return Finding{cause.NotifyFailed, "no random numbers", false}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, notifyURL, nil)
	if err != nil {
		return Finding{cause.NotifyDNS, "the address is malformed", false}
	}
	body := probe.Request(req.Header, token, hex.EncodeToString(nonce))
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	res, err := doer.Do(req)
	if err != nil {
		return Connection(ctx, err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return Connection(ctx, err)
	}
	r := probe.Compare(page, token, hex.EncodeToString(nonce), body)
	switch {
	case !r.Arrived:
		return Rejected(res, page)
	case r.Cached:
		return Finding{cause.NotifyCached, "the response belongs to an earlier request", false}
	case r.Changed:
		return Finding{cause.NotifyBodyChanged, "the SHA-256 of the body differs", false}
	case len(r.Lost) > 0:
		return Finding{cause.NotifyHeadersLost, "the request arrived without " + strings.Join(r.Lost, ", "), false}
	}
	return Finding{}
}

// Connection explains an error without a response. The text of the error may have addresses, and
// no secret: a probe has none.
func Connection(ctx context.Context, err error) Finding {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verification *tls.CertificateVerificationError
	var host x509.HostnameError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &dns) && !dns.IsTimeout:
		return Finding{cause.NotifyDNS, "no address of " + dns.Name + " is found", false}
	case errors.As(err, &verification):
		return Finding{cause.NotifyTLS, verification.Err.Error(), false}
	case errors.As(err, &host):
		return Finding{cause.NotifyTLS, host.Error(), false}
	case errors.As(err, &record), errors.As(err, &alert), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return Finding{cause.NotifyTLS, "the server does not speak TLS as it should", false}
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return Finding{cause.NotifyTimeout, fmt.Sprintf("no response in %v", responseTime), false}
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return Finding{cause.NotifyRefused, op.Op + ": " + op.Err.Error(), false}
	}
	return Finding{cause.NotifyRefused, "the connection ended without a response", false}
}

// challenges are what the pages of bot challenges contain, in lower case.
var challenges = []string{"challenge-platform", "cf-chl", "cf_chl", "just a moment", "captcha", "人机验证", "安全验证", "/_incapsula_", "aliyun_waf", "slidecaptcha"}

// Rejected explains a response that is not the shop's.
func Rejected(res *http.Response, page []byte) Finding {
	detail := fmt.Sprintf("HTTP status %d", res.StatusCode)
	if server := res.Header.Get("Server"); server != "" && len(server) < 40 {
		detail += " from " + server
	}
	lower := bytes.ToLower(page)
	challenged := res.Header.Get("Cf-Mitigated") == "challenge"
	for _, text := range challenges {
		challenged = challenged || bytes.Contains(lower, []byte(text))
	}
	finding := func(id cause.ID) Finding { return Finding{id, detail, false} }
	switch s := res.StatusCode; {
	case s >= 300 && s < 400:
		if to, err := url.Parse(res.Header.Get("Location")); err == nil {
			to.RawQuery, to.Fragment, to.User = "", "", nil
			detail += ", to " + to.String()
		}
		return finding(cause.NotifyRedirected)
	case challenged:
		return finding(cause.NotifyChallenged)
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusTooManyRequests:
		return finding(cause.NotifyBlocked)
	case s == http.StatusNotFound:
		return finding(cause.NotifyNotFound)
	case s == http.StatusMethodNotAllowed:
		return finding(cause.NotifyMethod)
	case s >= 500:
		return finding(cause.NotifyFailed)
	}
	return finding(cause.NotifyOtherSite)
}

// DomainFile fetches a file that WeChat reads at the root of the shop's domain, and compares it.
func DomainFile(ctx context.Context, doer Doer, shopURL, name string, want []byte) Finding {
	ctx, cancel := context.WithTimeout(ctx, responseTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, shopURL+"/"+url.PathEscape(name), nil)
	if err != nil {
		return Finding{cause.DomainFileNotServed, "the address is malformed", false}
	}
	res, err := doer.Do(req)
	if err != nil {
		f := Connection(ctx, err)
		return Finding{f.ID, f.Detail, false} // the same as at the notify URL
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	switch {
	case err != nil:
		return Finding{cause.DomainFileNotServed, name + ": the response is incomplete", false}
	case res.StatusCode != http.StatusOK:
		return Finding{cause.DomainFileNotServed, fmt.Sprintf("%s: HTTP status %d", name, res.StatusCode), false}
	case !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(want)):
		return Finding{cause.DomainFileNotServed, name + " has another content", false}
	}
	return Finding{}
}
