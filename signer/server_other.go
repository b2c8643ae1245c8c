//go:build !js

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"h5pay/internal/static"
	"h5pay/internal/store"
)

// listen opens the address of LISTEN and serves the shop there until ctx ends.
func listen(ctx context.Context, getenv func(string) string, log *slog.Logger) error {
	l, err := net.Listen("tcp", cmp.Or(getenv(addrSetting), "localhost:8787"))
	if err != nil {
		return fmt.Errorf("setting %s: want a free host:port, like localhost:8787: %w", addrSetting, err)
	}
	return serveShop(ctx, l, getenv, log, func() {})
}

// serveShop serves the shop on a listener until ctx ends, and closes the listener. ready is called
// when the settings and the database are in use.
func serveShop(ctx context.Context, l net.Listener, getenv func(string) string, log *slog.Logger, ready func()) error {
	defer l.Close()
	db, file, err := openDatabase(ctx, getenv)
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
		getenv: getenv, db: db, doer: newClient(nil), announce: events.notify, log: log, catalogueHint: catalogueHint,
		addressLimit: newLimiter(addressLimit), ownerLimit: newLimiter(ownerLimit), size: fileSize(db, file),
	}
	p.addresses, p.problem = proxyAddresses(getenv)
	if cert, err := certClient(getenv); err != nil {
		return err
	} else if cert != nil {
		p.certDoer = cert
	}
	if _, err := loadSettings(getenv); err != nil {
		log.Error("the shop is misconfigured: every call gets status 503", "error", err)
	}
	files, err := siteFiles(getenv, log)
	if err != nil {
		return err
	}
	a := newApp(p)
	g := newLoadLimiter(defaultCapacity, a, static.New(files), log)
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
	ready()
	if err := srv.Serve(g.listener(l)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
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
