//go:build !js

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"h5pay"
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

// noPage is what a program without the page says.
const noPage = "this program was built without the page: run `make build`, then build it again"

// siteFiles returns the files that the server serves: the page's, and those of FILES_DIR.
func siteFiles(getenv func(string) string, log *slog.Logger) (fs.FS, error) {
	page, complete := h5pay.Page()
	if !complete {
		log.Warn(noPage)
	}
	dir := getenv(filesSetting)
	if dir == "" {
		return page, nil
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, &settingError{filesSetting, "must name a folder that this user can read"}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", filesSetting, err)
	}
	return layers{page, root.FS()}, nil
}

// layers finds a file in the first file system that has it. A folder is no file.
type layers []fs.FS

func (l layers) Open(name string) (fs.File, error) {
	err := error(fs.ErrNotExist)
	for _, files := range l {
		if info, statErr := fs.Stat(files, name); statErr == nil && !info.IsDir() {
			return files.Open(name)
		} else if statErr != nil && !errors.Is(statErr, fs.ErrNotExist) {
			err = statErr
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: err}
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
