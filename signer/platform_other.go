//go:build !js

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "golang.org/x/crypto/x509roots/fallback" // for a container without root certificates

	"h5pay/internal/address"
	"h5pay/internal/alphabet"
	"h5pay/internal/outbox"
	"h5pay/internal/server"
)

// newClient returns a client for calls to WeChat. It follows no redirects, because the requests
// carry secrets.
func newClient(config *tls.Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	return &http.Client{
		Transport:     transport,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// newPublicClient returns a client for the endpoints that API calls made. It connects to no
// private address, whatever a name resolves to, and uses no proxy. local allows this machine.
func newPublicClient(local bool) *http.Client {
	client := newClient(nil)
	transport := client.Transport.(*http.Transport)
	transport.Proxy = nil
	dialer := net.Dialer{Timeout: 10 * time.Second, Control: func(_, to string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(to)
		if err != nil || !address.IsPublic(addr.Addr()) && !(local && addr.Addr().Unmap().IsLoopback()) {
			return outbox.ErrPrivate
		}
		return nil
	}}
	transport.DialContext = dialer.DialContext
	return client
}

// measured returns the client with its transport wrapped.
func measured(c *http.Client, wrap func(http.RoundTripper) http.RoundTripper) *http.Client {
	c.Transport = wrap(c.Transport)
	return c
}

// certClient returns a client that presents the merchant's certificate, nil if none is set.
func certClient(getenv func(string) string) (*http.Client, error) {
	certFile, keyFile := getenv(certSetting), getenv(keySetting)
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	read := func(setting, file, other string) ([]byte, error) {
		if file == "" {
			return nil, &settingError{setting, "must be set, because " + other + " is set"}
		}
		return readSettingFile(setting, file)
	}
	certPEM, certErr := read(certSetting, certFile, keySetting)
	keyPEM, keyErr := read(keySetting, keyFile, certSetting)
	if err := errors.Join(certErr, keyErr); err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("settings %s and %s: want the merchant's PEM files, apiclient_cert.pem and apiclient_key.pem: %w", certSetting, keySetting, err)
	}
	return newClient(&tls.Config{Certificates: []tls.Certificate{cert}}), nil
}

// maxProxies is more proxies than any request passes through.
const maxProxies = 16

// proxyAddresses reads the settings of the proxies.
func proxyAddresses(getenv func(string) string) (server.Addresses, error) {
	a := server.Addresses{Header: getenv(proxySetting), Connection: true}
	var wrong []error
	switch {
	case !(alphabet.Alphanumeric + "-").Valid(a.Header, 0, len(a.Header)):
		wrong = append(wrong, &settingError{proxySetting, "must be a header name, like X-Real-IP or X-Forwarded-For"})
	case strings.EqualFold(a.Header, "Forwarded"):
		wrong = append(wrong, &settingError{proxySetting, "must not be Forwarded: want a header that contains only addresses"})
	}
	if n := getenv(proxiesSetting); n != "" {
		var err error
		a.Proxies, err = strconv.Atoi(n)
		if err != nil || a.Proxies < 1 || a.Proxies > maxProxies {
			wrong = append(wrong, &settingError{proxiesSetting, fmt.Sprintf("must be a number from 1 to %d", maxProxies)})
		}
		if a.Header == "" {
			wrong = append(wrong, &settingError{proxiesSetting, "requires " + proxySetting})
		}
	}
	return a, errors.Join(wrong...)
}
