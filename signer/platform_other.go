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
	"h5pay/internal/cmdflag"
	"h5pay/internal/server"
	"h5pay/internal/static"
	"h5pay/internal/store"
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

func listen(ctx context.Context, log *slog.Logger) error {
	db, file, err := openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if products, err := store.New(db).Products(ctx); err != nil {
		return err
	} else if len(products) == 0 {
		log.Warn("the catalogue is empty", "hint", catalogueHint)
	}
	events := newDeliverySignal()
	p := platform{
		getenv: os.Getenv, db: db, doer: newClient(nil), announce: events.notify, log: log, catalogueHint: catalogueHint,
		addressLimit: newLimiter(addressLimit), ownerLimit: newLimiter(ownerLimit), size: fileSize(db, file),
	}
	p.addresses, p.problem = proxyAddresses(os.Getenv)
	if cert, err := certClient(); err != nil {
		return err
	} else if cert != nil {
		p.certDoer = cert
	}
	if _, err := loadSettings(os.Getenv); err != nil {
		log.Error("the shop is misconfigured: every call gets status 503", "error", err)
	}
	if _, err := os.Stat("public/index.html"); err != nil {
		log.Warn("public/index.html is missing, so there is no page: run make build")
	}
	a := newApp(p)
	l, err := net.Listen("tcp", getenvOr(addrSetting, "localhost:8787"))
	if err != nil {
		return fmt.Errorf("setting %s: want a free host:port, like localhost:8787: %w", addrSetting, err)
	}
	g := newLoadLimiter(defaultCapacity, a, static.New(os.DirFS("public")), log)
	srv := g.server()
	go runEvery(ctx, time.Minute, func() { runSafely(ctx, log, "reconciling", a.reconcile) })
	go runEvery(ctx, 10*time.Minute, func() { runSafely(ctx, log, "checking bills", a.checkBills) })
	go events.run(ctx, retryEvery, func() { runSafely(ctx, log, "delivering events", a.deliver) })
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		// The responses in progress are about money: let them finish.
		grace, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		ended <- srv.Shutdown(grace)
	}()
	log.Info("signer is listening", "addr", l.Addr().String())
	if err := srv.Serve(g.listener(l)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// catalogueHint names the commands that add products. They require only Go and may run while the
// server runs.
const catalogueHint = "go run ./signer -seed-demo adds the demo catalogue; go run ./signer -sql FILE runs your own INSERT statements, see README"

// loadProducts adds products to the database: the demo catalogue, or the result of a file's
// statements. All statements run in one transaction.
func loadProducts(ctx context.Context, demo bool, file string, stdin io.Reader, out io.Writer) error {
	if demo && strings.HasPrefix(os.Getenv("SHOP_URL"), "https:") {
		return errors.New("flag -seed-demo: want a local shop, but SHOP_URL is https; use -sql instead")
	}
	db, _, err := openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
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
	verb := "products are"
	if len(products) == 1 {
		verb = "product is"
	}
	fmt.Fprintf(out, "%d %s for sale\n", len(products), verb)
	return nil
}

func readSQL(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
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

// runEvery calls do at once and after each pause, until ctx ends. The Worker uses cron triggers
// instead.
func runEvery(ctx context.Context, pause time.Duration, do func()) {
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

// openDatabase opens the file in DB_FILE, creates its tables, and returns its name too.
func openDatabase(ctx context.Context) (db *sql.DB, file string, err error) {
	file = getenvOr(dbSetting, "h5pay.db")
	if db, err = openSQLite(file); err == nil {
		if err = store.Migrate(ctx, db); err != nil {
			db.Close()
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("setting %s: want a SQLite file that this user can write: %w", dbSetting, err)
	}
	return db, file, nil
}

// openSQLite opens the database with one connection, because SQLite allows one writer. Only the
// owner can read a new file, since it holds openids and addresses. SQLite uses the same mode for
// the files beside it.
func openSQLite(name string) (*sql.DB, error) {
	if err := createPrivate(name); err != nil {
		return nil, fmt.Errorf("creating the database: %w", err)
	}
	db, err := sql.Open("sqlite", store.SQLiteURI(name, "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// createPrivate creates an empty file with mode 0600, whatever the umask is. It does not change an
// existing file.
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
