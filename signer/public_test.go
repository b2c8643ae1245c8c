//go:build !js

package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"h5pay/internal/outbox"
)

// Webhooks of endpoints that API calls made reach no private address, whatever name the URL has.
// Beside a simulator they reach this machine.
func TestEndpointsReachNoPrivateAddress(t *testing.T) {
	t.Parallel()
	reached := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer srv.Close()
	named := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	for _, url := range []string{srv.URL, named} {
		res, err := newPublicClient(false).Get(url)
		if err == nil {
			res.Body.Close()
		}
		if !errors.Is(err, outbox.ErrPrivate) || reached {
			t.Errorf("%s: %v, reached %t", url, err, reached)
		}
	}
	res, err := newPublicClient(true).Get(named)
	if err != nil || !reached {
		t.Fatal(err)
	}
	res.Body.Close()
	for _, url := range []string{"http://10.0.0.1/", "http://169.254.169.254/", "http://[fd00::1]/", "http://192.168.1.1:8080/"} {
		if _, err := newPublicClient(true).Get(url); !errors.Is(err, outbox.ErrPrivate) {
			t.Errorf("%s beside a simulator: %v", url, err)
		}
	}
}
