//go:build !js

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/cmdflag"
	"h5pay/internal/server"
)

// Settings of the native server only.
const (
	addrSetting = "LISTEN"  // host:port, default localhost:8787
	dbSetting   = "DB_FILE" // the SQLite file, default h5pay.db
	// The header in which a proxy sends the client's address, and the number of trusted proxies,
	// see server.Addresses. Set them only behind such a proxy; otherwise a client can forge its
	// address.
	proxySetting   = "CLIENT_IP_HEADER"
	proxiesSetting = "TRUSTED_PROXIES" // default 1
	// The merchant's client certificate and its key as PEM files, from the merchant platform:
	// apiclient_cert.pem and apiclient_key.pem. Refunds require them.
	certSetting = "WECHAT_CERT_FILE"
	keySetting  = "WECHAT_KEY_FILE"
)

// serve runs the signer as an HTTP server, with the page from public/, until it is interrupted.
// With a flag it adds products to the database instead.
func serve() {
	demo := flag.Bool("seed-demo", false, "add the demo catalogue to the database and exit")
	file := flag.String("sql", "", "run the SQL statements of this `file` in the database and exit; - reads standard input")
	flag.Parse()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := listen
	if err := cmdflag.NoArguments(flag.CommandLine); err != nil {
		fmt.Fprintln(os.Stderr, "signer:", err)
		os.Exit(2)
	}
	if *demo || *file != "" {
		run = func(ctx context.Context, _ *slog.Logger) error {
			return loadProducts(ctx, *demo, *file, os.Stdin, os.Stdout)
		}
	}
	if err := run(ctx, log); err != nil {
		log.Error("signer stopped", "error", err)
		os.Exit(1)
	}
}

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

// certClient returns a client that presents the merchant's certificate, nil if none is set.
func certClient() (*http.Client, error) {
	certFile, keyFile := os.Getenv(certSetting), os.Getenv(keySetting)
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	if certFile == "" {
		return nil, &settingError{certSetting, "must be set, because " + keySetting + " is set"}
	}
	if keyFile == "" {
		return nil, &settingError{keySetting, "must be set, because " + certSetting + " is set"}
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
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
		switch {
		case err != nil || a.Proxies < 1 || a.Proxies > maxProxies:
			wrong = append(wrong, &settingError{proxiesSetting, fmt.Sprintf("must be a number from 1 to %d", maxProxies)})
		case a.Header == "":
			wrong = append(wrong, &settingError{proxiesSetting, "requires " + proxySetting})
		}
	}
	return a, errors.Join(wrong...)
}

func getenvOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
