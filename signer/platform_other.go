//go:build !js

package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	_ "modernc.org/sqlite"

	"h5pay/internal/order"
)

// Settings of the native server alone.
const (
	addrSetting = "LISTEN"  // host:port, localhost:8787 unless set
	dbSetting   = "DB_FILE" // the SQLite file, h5pay.db unless set
)

// serve runs the signer as a plain HTTP server with the page from public/,
// until it is interrupted.
func serve() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
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
	mux := http.NewServeMux()
	mux.Handle("/api/", newHandler(os.Getenv, db, &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, log))
	mux.Handle("/", http.FileServer(http.Dir("public")))
	srv := &http.Server{
		Addr:              getenvOr(addrSetting, "localhost:8787"),
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() {
		<-ctx.Done()
		// The answers in flight are about money: let them finish.
		grace, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		srv.Shutdown(grace)
	}()
	log.Info("signer listens", "addr", srv.Addr)
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// openSQLite opens the database for one writer at a time, which is what SQLite
// has.
func openSQLite(name string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+name+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func getenvOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
