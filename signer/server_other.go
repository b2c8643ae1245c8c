//go:build !js

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"h5pay/internal/static"
	"h5pay/internal/store"
)

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
