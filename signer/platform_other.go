//go:build !js

package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	_ "modernc.org/sqlite"

	"h5pay/internal/order"
	"h5pay/internal/static"
)

// Settings of the native server alone.
const (
	addrSetting = "LISTEN"  // host:port, localhost:8787 unless set
	dbSetting   = "DB_FILE" // the SQLite file, h5pay.db unless set
	// The header in which a proxy in front tells the client's address; never set
	// it without such a proxy, since a client could then name any address.
	proxySetting = "CLIENT_IP_HEADER"
	// The merchant's client certificate and its key, as the merchant platform
	// gives them out: apiclient_cert.pem and apiclient_key.pem. Refunds need them.
	certSetting = "WECHAT_CERT_FILE"
	keySetting  = "WECHAT_KEY_FILE"
)

// serve runs the signer as a plain HTTP server with the page from public/,
// until it is interrupted.
func serve() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := listen(ctx, log); err != nil {
		log.Error("signer stopped", "error", err)
		os.Exit(1)
	}
}

func listen(ctx context.Context, log *slog.Logger) error {
	db, err := openSQLite(getenvOr(dbSetting, "h5pay.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := order.Migrate(ctx, db); err != nil {
		return err
	}
	events := newBell()
	p := platform{
		getenv: os.Getenv, db: db, doer: newClient(nil), announce: events.ring, log: log,
		addressLimit: newLimiter(addressLimit), ownerLimit: newLimiter(ownerLimit),
	}
	if cert, err := certClient(); err != nil {
		return err
	} else if cert != nil {
		p.certDoer = cert
	}
	a := newApp(p)
	srv := &http.Server{
		Addr:              getenvOr(addrSetting, "localhost:8787"),
		Handler:           split(clientIP(a, os.Getenv(proxySetting)), static.New(os.DirFS("public"))),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second, // bodies have 64 KiB at most
		IdleTimeout:       2 * time.Minute,
	}
	go every(ctx, time.Minute, func() {
		if err := a.reconcile(ctx); err != nil && ctx.Err() == nil {
			log.Error("reconciling failed", "error", err)
		}
	})
	go every(ctx, 10*time.Minute, func() {
		if err := a.checkBills(ctx); err != nil && ctx.Err() == nil {
			log.Error("checking bills failed", "error", err)
		}
	})
	go events.answer(ctx, retryEvery, func() {
		if err := a.deliver(ctx); err != nil && ctx.Err() == nil {
			log.Error("delivering events failed", "error", err)
		}
	})
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		// The answers in flight are about money: let them finish.
		grace, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		ended <- srv.Shutdown(grace)
	}()
	log.Info("signer listens", "addr", srv.Addr)
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// newClient returns a client for calls to WeChat, which follows no redirect: the
// requests carry secrets.
func newClient(config *tls.Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	return &http.Client{
		Transport:     transport,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// certClient returns a client that presents the merchant's certificate, nil when
// none is set.
func certClient() (*http.Client, error) {
	certFile, keyFile := os.Getenv(certSetting), os.Getenv(keySetting)
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", certSetting, keySetting, err)
	}
	return newClient(&tls.Config{Certificates: []tls.Certificate{cert}}), nil
}

// every calls do until ctx ends; in the Worker a cron trigger does.
func every(ctx context.Context, pause time.Duration, do func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}

// split sends calls to the signer and everything else to the page. A ServeMux
// would answer odd paths with a redirect, and a redirected POST is lost.
func split(calls, page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := strings.TrimLeft(r.URL.Path, "/"); p == "api" || strings.HasPrefix(p, "api/") {
			calls.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// clientIP takes the buyer's address from a header that the proxy in front sets,
// X-Real-IP say; without one it is the address of the connection.
func clientIP(next http.Handler, header string) http.Handler {
	if header == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.RemoteAddr = r.Header.Get(header)
		next.ServeHTTP(w, r)
	})
}

// openSQLite opens the database for one writer at a time, which is what SQLite
// has. A new file is readable by its owner alone, since it holds openids and
// addresses; SQLite gives the files beside it the same mode.
func openSQLite(name string) (*sql.DB, error) {
	if err := createPrivate(name); err != nil {
		return nil, fmt.Errorf("creating the database: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+name+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// createPrivate makes an empty file with the mode 0600, whatever the umask is. A
// file that exists stays as it is.
func createPrivate(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

func getenvOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
