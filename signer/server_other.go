//go:build !js

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"h5pay/internal/reqlog"
	"h5pay/internal/static"
	"h5pay/internal/store"
	"h5pay/internal/telemetry"
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t, err := telemetry.New(ctx, os.Getenv)
	if err != nil {
		return err
	}
	defer closeTelemetry(t, log)
	log = slog.New(t.Metrics().Log(log.Handler()))
	db, err := openDatabase(ctx, getenv, opener{connector: t.OpenConnector})
	if err != nil {
		return err
	}
	defer db.Close()
	set, err := loadSettings(getenv)
	addresses, addressesErr := proxyAddresses(getenv)
	if err := errors.Join(err, addressesErr); err != nil {
		log.Error("the shop is misconfigured: every call gets status 503", "error", err)
	}
	leave, err := db.join(ctx, set, log)
	if err != nil {
		return err
	}
	defer leave()
	log.Info("the database is open", "database", db.name)
	if products, err := store.New(db.DB).Products(ctx); err != nil {
		return err
	} else if len(products) == 0 {
		log.Warn("the catalogue is empty", "hint", catalogueHint)
	}
	events := newDeliverySignal()
	p := platform{
		getenv: getenv, db: db.DB, doer: measured(newClient(nil), t.WeChat), webhookDoer: measured(newClient(nil), t.Webhook),
		endpointDoer: measured(newPublicClient(getenv("WECHAT_BASE_URL") != ""), t.Webhook),
		announce:     events.notify, notified: t.Metrics().Notified, log: log, catalogueHint: catalogueHint,
		addressLimit: newLimiter(addressLimit), ownerLimit: newLimiter(ownerLimit), keyLimit: newLimiter(keyLimitCalls), size: db.size(), database: db.name,
	}
	if db.node != nil {
		p.nodes = db.check
	}
	p.addresses, p.problem = addresses, addressesErr
	if cert, err := certClient(getenv); err != nil {
		return err
	} else if cert != nil {
		p.certDoer = measured(cert, t.WeChat)
	}
	p.addChecks(db.file)
	adapt(&p)
	files, err := siteFiles(getenv, log)
	if err != nil {
		return err
	}
	if err := t.Metrics().Shop(ctx, store.New(db.DB), set.MchID, set.WebhookURL == "", log); err != nil {
		return err
	}
	metrics, err := listenMetrics(getenv, t, log)
	if err != nil {
		return err
	}
	defer metrics.Close()
	a := newApp(p)
	a.Handler = t.Handler(a.Handler, a.patterns)
	page := newStartPage(static.New(files), files, a.startPage, a, log)
	g := newLoadLimiter(defaultCapacity, page.calls, page, t.Metrics().Overloaded, log)
	srv := g.server()
	w := startJobs(ctx, a, events, db, t, log)
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- stopShop(srv, w, log)
	}()
	log.Info("signer is listening", "addr", l.Addr().String())
	ready()
	err = srv.Serve(g.listener(l))
	cancel()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, <-stopped)
}

// listenMetrics serves the page of METRICS_LISTEN. Without that setting it serves nothing.
func listenMetrics(getenv func(string) string, t *telemetry.Telemetry, log *slog.Logger) (io.Closer, error) {
	addr := getenv(metricsSetting)
	if addr == "" {
		return io.NopCloser(nil), nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("setting %s: want a free host:port, like localhost:9464: %w", metricsSetting, err)
	}
	srv := &http.Server{Handler: t.Metrics().Page(), ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: maxHeader}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving the metrics ended", "error", err)
		}
	}()
	log.Info("metrics are served", "addr", l.Addr().String())
	return srv, nil
}

// closeTelemetry sends the last spans.
func closeTelemetry(t *telemetry.Telemetry, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.Warn("sending the last spans failed", "error", err)
	}
}

// stopTime is how long calls and jobs get to finish what they began. A call waits 8 s for WeChat at
// most, a webhook 10 s for its receiver, a bill 30 s.
const stopTime = 35 * time.Second

// stopShop accepts no more connections, and waits for the calls and jobs that are under way. They
// are about money. Work that has not ended after stopTime is cancelled, and the next start repeats
// it.
func stopShop(srv *http.Server, w *jobs, log *slog.Logger) error {
	began := time.Now()
	log.Info("signer is stopping", "seconds", stopTime.Seconds())
	grace, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	err := srv.Shutdown(grace)
	if err != nil {
		err = fmt.Errorf("calls were under way after %v: %w", stopTime, err)
		srv.Close()
	}
	if !w.wait(grace) {
		err = errors.Join(err, fmt.Errorf("jobs were under way after %v", stopTime))
	}
	log.Info("signer stopped", "seconds", time.Since(began).Seconds())
	return err
}

// jobs are the timers of a shop.
type jobs struct {
	running sync.WaitGroup
	cancel  context.CancelFunc // of what is under way
}

// wait waits for the runs that are under way. It cancels them when ctx ends, and then waits until
// they have ended. It reports whether they ended by themselves.
func (w *jobs) wait(ctx context.Context) bool {
	ended := make(chan struct{})
	go func() {
		w.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		w.cancel()
		return true
	case <-ctx.Done():
	}
	w.cancel()
	<-ended
	return false
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

// runSafely runs one tick of a timer. It logs an error or a panic, so that one bad order does not
// stop the server.
func runSafely(ctx context.Context, log *slog.Logger, what string, do func(context.Context) error) {
	defer func() {
		if p := recover(); p != nil {
			reqlog.Panic(log.With("job", what), p)
		}
	}()
	if err := do(ctx); err != nil && ctx.Err() == nil {
		log.Error(what+" failed", "error", err)
	}
}
