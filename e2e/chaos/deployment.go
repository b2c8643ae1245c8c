package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"h5pay/internal/job"
	"h5pay/internal/stack"
	"h5pay/internal/store"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// deployment is the shop of a campaign on machines: the database and the signer, each behind injected
// failures.
type deployment struct {
	*world
	db       storage
	worker   *worker
	binary   string // the program of the nodes; "" with workerd
	d1Client *http.Client
	closers  []func()
}

// deploy starts the stack. dir is the project's root. It uses the size and the seed of the options.
func deploy(ctx context.Context, dir string, o options, bounds store.Bounds) (w *deployment, err error) {
	seed := o.seed
	w = &deployment{world: &world{bounds: bounds}, d1Client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}}
	defer func(started *deployment) { // a return sets w to nil
		if err != nil {
			started.close()
		}
	}(w)
	front, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	w.shop = fmt.Sprintf("http://localhost:%d", front.Addr().(*net.TCPAddr).Port)
	mch, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	wechatURL := fmt.Sprintf("http://localhost:%d", mch.Addr().(*net.TCPAddr).Port)
	w.wechat, err = wechattest.New(wechattest.Config{
		Users: users(seed), ShopURL: w.shop, WeChatURL: wechatURL, PayDirs: []string{w.shop + "/"},
		Seed: int64(seed) + 1, Hostile: true, PlainRefunds: true, RefundNotifyURL: o.refundNotifyURL(w.shop), V3Mode: o.v3Mode(),
		History: 100, // unused, and a long history is slow to copy
		Doer: &notifier{world: w.world, client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}},
	})
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, w.wechat.Close)
	go w.learnTokens()
	there := http.NewServeMux()
	there.Handle("/", w.injectFailures(atWeChat, nameCall, w.wechat.Handler()))
	for _, path := range []string{"/connect/", "/cgi-bin/"} { // the buyers go there
		there.Handle(path, w.wechat.Handler())
	}
	w.serve(mch, there)

	vars, err := w.settings(dir)
	if err != nil {
		return nil, err
	}
	vars["KEEP_UNPAID_DAYS"] = "365" // the simulated time of a long campaign exceeds the default of 30 days
	vars["UNPAID_LIMITS"] = fmt.Sprintf("%d,%d,%d,%d", bounds.Buyer, bounds.Guest, bounds.NetworkGuests, bounds.Guests)
	vars["DATABASE_MB"] = fmt.Sprint(o.capacityMB())
	if o.api == "v3" {
		w.useV3(vars)
		vars["WECHAT_API_KEY"] = ""
		w.onV3.Store(true)
	}
	vars["SHOP_URL"], vars["WECHAT_BASE_URL"] = w.shop, wechatURL
	w.backend = newBackend(w.world, webhook.Receiver{
		Secrets: []string{vars["WEBHOOK_SECRET"]}, Shop: w.shop, AppID: vars["WECHAT_APPID"], MchID: vars["WECHAT_MCH_ID"], Simulated: true,
	})
	if vars["WEBHOOK_URL"], err = w.receive("", w.backend); err != nil {
		return nil, err
	}
	start := map[string]func(context.Context, string, map[string]string, bool) error{
		onWorkerd: w.startWorkerd, onPostgres: w.startOnPostgres, onSQLite: w.startOnSQLite,
	}[o.on]
	if err := start(ctx, dir, vars, o.calm); err != nil {
		return nil, err
	}
	w.serve(front, w.worker)
	w.populate(w, vars["ADMIN_TOKEN"])
	return w, nil
}

// startWorkerd starts D1 and workerd. dir is the project's root.
func (w *deployment) startWorkerd(ctx context.Context, dir string, vars map[string]string, calm bool) error {
	schema, err := stack.SchemaFiles(dir)
	if err != nil {
		return err
	}
	d1, err := w.startDatabase(ctx, dir, schema...)
	if err != nil {
		return err
	}
	w.db = d1
	w.closers = append(w.closers, d1.close)
	wire, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return err
	}
	folder, err := modules(dir)
	if err != nil {
		return err
	}
	w.closers = append(w.closers, func() { os.RemoveAll(folder) })
	w.worker = w.newWorker("workerd")
	w.worker.calm = calm
	m := w.worker.add("workerd", vars, w.worker.launchWorkerd(stack.WorkerdConfig{
		Dir: dir, Modules: folder, Entry: "clock.mjs", D1: wire.Addr().String(), Queue: "OUTBOX", Output: &w.log,
	}))
	w.serve(wire, w.injectFailures(atDatabase, nameStatement, d1.proxy()))
	w.closers = append(w.closers, w.worker.close)
	return m.start(ctx)
}

// startOnPostgres starts PostgreSQL and the nodes. dir is the project's root.
func (w *deployment) startOnPostgres(ctx context.Context, dir string, vars map[string]string, calm bool) error {
	pg, err := w.startPostgres(ctx, dir)
	if err != nil {
		return err
	}
	w.db = pg
	w.closers = append(w.closers, pg.close)
	return w.startNodes(ctx, dir, pg, vars, calm)
}

// serve serves a handler on a listener until the world closes.
func (w *deployment) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(l) // ends with Close
	w.closers = append(w.closers, func() { srv.Close() })
}

// close stops everything in reverse order of the start.
func (w *deployment) close() {
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
}

// transport gives each buyer connections of their own.
func (w *deployment) transport() http.RoundTripper {
	return &http.Transport{MaxIdleConnsPerHost: 16}
}

func (w *deployment) query(statement string, args ...any) (json.RawMessage, error) {
	return w.db.query(statement, args...)
}

func (w *deployment) await() { w.db.await() }

func (w *deployment) tick(ctx context.Context, j job.Job) (bool, error) { return w.worker.tick(ctx, j) }

func (w *deployment) wake(ctx context.Context) (bool, error) { return w.worker.wake(ctx) }

func (w *deployment) receive(path string, h http.Handler) (url string, err error) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return "", err
	}
	w.serve(l, w.injectFailures(atBackend, nameCall, h))
	return "http://" + l.Addr().String() + webhookPath + path, nil
}

func (w *deployment) stepped() {}

func (w *deployment) leapt() { w.worker.thaw() }

func (w *deployment) settle(ctx context.Context) error { return w.worker.settle(ctx) }

func (w *deployment) numbers() numbers {
	return numbers{
		program: w.worker.program, database: w.db.name(), requests: w.worker.requests.Load(), hung: w.worker.lost.Load(),
		deaths: w.worker.deaths, freezes: w.worker.freezes, restarts: w.db.restarts(),
	}
}
