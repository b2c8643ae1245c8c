//go:build !js

package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "modernc.org/sqlite"

	"h5pay/internal/alphabet"
	"h5pay/internal/server"
	"h5pay/internal/static"
	"h5pay/internal/store"
)

// Settings of the native server alone.
const (
	addrSetting = "LISTEN"  // host:port, localhost:8787 unless set
	dbSetting   = "DB_FILE" // the SQLite file, h5pay.db unless set
	// The header in which a proxy in front sends the client's address, and how many
	// proxies may be trusted, see server.Addresses. Never set them without such a
	// proxy: a client could name any address.
	proxySetting   = "CLIENT_IP_HEADER"
	proxiesSetting = "TRUSTED_PROXIES" // 1 unless set
	// The merchant's client certificate and its key, as the merchant platform
	// gives them out: apiclient_cert.pem and apiclient_key.pem. Refunds need them.
	certSetting = "WECHAT_CERT_FILE"
	keySetting  = "WECHAT_KEY_FILE"
)

// serve runs the signer as a plain HTTP server with the page from public/,
// until it is interrupted. With a flag it puts products into the database instead.
func serve() {
	demo := flag.Bool("seed-demo", false, "put the demo catalogue into the database, and end")
	file := flag.String("sql", "", "run the SQL statements of this `file` in the database, - for standard input, and end")
	flag.Parse()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := listen
	switch {
	case flag.NArg() > 0:
		fmt.Fprintf(os.Stderr, "signer: takes flags only, not %q\n", flag.Arg(0))
		os.Exit(2)
	case *demo || *file != "":
		run = func(ctx context.Context, _ *slog.Logger) error { return fill(ctx, *demo, *file, os.Stdin, os.Stdout) }
	}
	if err := run(ctx, log); err != nil {
		log.Error("signer stopped", "error", err)
		os.Exit(1)
	}
}

func listen(ctx context.Context, log *slog.Logger) error {
	file := getenvOr(dbSetting, "h5pay.db")
	db, err := openSQLite(file)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := store.Migrate(ctx, db); err != nil {
		return err
	}
	if products, err := store.New(db).Products(ctx); err != nil {
		return err
	} else if len(products) == 0 {
		log.Warn("the catalogue is empty, there is nothing to buy", "to_fill_it", catalogueHint)
	}
	events := newBell()
	p := platform{
		getenv: os.Getenv, db: db, doer: newClient(nil), announce: events.ring, log: log, catalogueHint: catalogueHint,
		addressLimit: newLimiter(addressLimit), ownerLimit: newLimiter(ownerLimit), size: fileSize(db, file),
	}
	p.addresses, p.problem = proxyAddresses(os.Getenv)
	if cert, err := certClient(); err != nil {
		return err
	} else if cert != nil {
		p.certDoer = cert
	}
	if _, err := loadSettings(os.Getenv); err != nil {
		log.Error("the shop is misconfigured, every call is answered 503", "error", err)
	}
	if _, err := os.Stat("public/index.html"); err != nil {
		log.Warn("public/index.html is not there, so the server has no page: run make build in this folder first")
	}
	a := newApp(p)
	l, err := net.Listen("tcp", getenvOr(addrSetting, "localhost:8787"))
	if err != nil {
		return err
	}
	g := newGate(usual, a, static.New(os.DirFS("public")), log)
	srv := g.server()
	go every(ctx, time.Minute, func() { guard(ctx, log, "reconciling", a.reconcile) })
	go every(ctx, 10*time.Minute, func() { guard(ctx, log, "checking bills", a.checkBills) })
	go events.answer(ctx, retryEvery, func() { guard(ctx, log, "delivering events", a.deliver) })
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		// The answers in flight are about money: let them finish.
		grace, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		ended <- srv.Shutdown(grace)
	}()
	log.Info("signer listens", "addr", l.Addr().String())
	if err := srv.Serve(g.listener(l)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// catalogueHint names the commands that put products in. They need nothing but Go
// and may run beside the server.
const catalogueHint = "go run ./signer -seed-demo puts the demo catalogue in, go run ./signer -sql FILE runs your own INSERT statements, see README"

// fill puts products into the database: the demo catalogue, or what the statements
// of a file put in. All statements of the file run, or none.
func fill(ctx context.Context, demo bool, file string, stdin io.Reader, out io.Writer) error {
	if demo && strings.HasPrefix(os.Getenv("SHOP_URL"), "https:") {
		return errors.New("-seed-demo is for a shop on this machine, and SHOP_URL is https: use -sql")
	}
	db, err := openSQLite(getenvOr(dbSetting, "h5pay.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := store.Migrate(ctx, db); err != nil {
		return err
	}
	if demo {
		if err := store.Seed(ctx, db); err != nil {
			return err
		}
	}
	if file != "" {
		text, err := readSQL(file, stdin)
		if err != nil {
			return err
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("running %s: %w", file, err)
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	products, err := store.New(db).Products(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d products are for sale\n", len(products))
	return nil
}

func readSQL(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
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

// every calls do at once and after each pause, until ctx ends; in the Worker a cron
// trigger does.
func every(ctx context.Context, pause time.Duration, do func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for ctx.Err() == nil {
		do()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// maxProxies is more proxies than any request passes.
const maxProxies = 16

// proxyAddresses reads where the proxies in front send the client's address.
func proxyAddresses(getenv func(string) string) (server.Addresses, error) {
	a := server.Addresses{Header: getenv(proxySetting), Connection: true}
	var wrong []error
	switch {
	case !(alphabet.Alphanumeric + "-").Valid(a.Header, 0, len(a.Header)):
		wrong = append(wrong, &settingError{proxySetting, "must be the name of a header, like X-Real-IP or X-Forwarded-For"})
	case strings.EqualFold(a.Header, "Forwarded"):
		wrong = append(wrong, &settingError{proxySetting, "must be a header that holds addresses and nothing else; Forwarded holds more"})
	}
	if n := getenv(proxiesSetting); n != "" {
		var err error
		a.Proxies, err = strconv.Atoi(n)
		switch {
		case err != nil || a.Proxies < 1 || a.Proxies > maxProxies:
			wrong = append(wrong, &settingError{proxiesSetting, fmt.Sprintf("must be a number from 1 to %d", maxProxies)})
		case a.Header == "":
			wrong = append(wrong, &settingError{proxiesSetting, "is set, and " + proxySetting + " is not"})
		}
	}
	return a, errors.Join(wrong...)
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
