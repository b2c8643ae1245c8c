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
	"h5pay/internal/paytest"
	"h5pay/internal/paytest/campaign"
	"h5pay/internal/stack"
	"h5pay/internal/store"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// deployment is the shop of a campaign on machines: the database and the signer, each behind injected
// failures.
type deployment struct {
	*campaign.World
	db       storage
	worker   *worker
	binary   string // the program of the nodes; "" with workerd
	d1Client *http.Client
	closers  []func()
}

// deploy starts the stack. dir is the project's root. It uses the size and the seed of the options.
func deploy(ctx context.Context, dir string, o campaign.Options, bounds store.Bounds) (w *deployment, err error) {
	seed := o.Seed
	w = &deployment{World: campaign.NewWorld(bounds, &paytest.Log{}), d1Client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}}
	defer func(started *deployment) { // a return sets w to nil
		if err != nil {
			started.close()
		}
	}(w)
	front, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	w.Shop = fmt.Sprintf("http://localhost:%d", front.Addr().(*net.TCPAddr).Port)
	mch, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	wechatURL := fmt.Sprintf("http://localhost:%d", mch.Addr().(*net.TCPAddr).Port)
	w.WeChat, err = wechattest.New(wechattest.Config{
		Users: campaign.Users(seed), ShopURL: w.Shop, WeChatURL: wechatURL, PayDirs: []string{w.Shop + "/"},
		Seed: int64(seed) + 1, Hostile: true, PlainRefunds: true, RefundNotifyURL: refundNotifyURL(o, w.Shop), V3Mode: v3Mode(o),
		History: 100, // unused, and a long history is slow to copy
		Doer: &campaign.Notifier{World: w.World, Client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}},
	})
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, w.WeChat.Close)
	go w.LearnTokens()
	there := http.NewServeMux()
	there.Handle("/", w.injectFailures(campaign.AtWeChat, nameCall, w.WeChat.Handler()))
	for _, path := range []string{"/connect/", "/cgi-bin/"} { // the buyers go there
		there.Handle(path, w.WeChat.Handler())
	}
	w.serve(mch, there)

	vars, err := w.settings(dir)
	if err != nil {
		return nil, err
	}
	vars["KEEP_UNPAID_DAYS"] = "365" // the simulated time of a long campaign exceeds the default of 30 days
	vars["UNPAID_LIMITS"] = fmt.Sprintf("%d,%d,%d,%d", bounds.Buyer, bounds.Guest, bounds.NetworkGuests, bounds.Guests)
	vars["DATABASE_MB"] = fmt.Sprint(o.CapacityMB())
	if o.API == "v3" {
		w.useV3(vars)
		vars["WECHAT_API_KEY"] = ""
		w.OnV3.Store(true)
	}
	vars["SHOP_URL"], vars["WECHAT_BASE_URL"] = w.Shop, wechatURL
	w.Backend = campaign.NewBackend(w.World, webhook.Receiver{
		Secrets: []string{vars["WEBHOOK_SECRET"]}, Shop: w.Shop, AppID: vars["WECHAT_APPID"], MchID: vars["WECHAT_MCH_ID"], Simulated: true,
	})
	if vars["WEBHOOK_URL"], err = w.Receive("", w.Backend); err != nil {
		return nil, err
	}
	start := map[string]func(context.Context, string, map[string]string, bool) error{
		campaign.OnWorkerd: w.startWorkerd, campaign.OnPostgres: w.startOnPostgres, campaign.OnSQLite: w.startOnSQLite,
	}[o.On]
	if err := start(ctx, dir, vars, o.Calm); err != nil {
		return nil, err
	}
	w.serve(front, w.worker)
	w.Populate(w, vars["ADMIN_TOKEN"])
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
		Dir: dir, Modules: folder, Entry: "clock.mjs", D1: wire.Addr().String(), Queue: "OUTBOX", Output: w.Log,
	}))
	w.serve(wire, w.injectFailures(campaign.AtDatabase, nameStatement, d1.proxy()))
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

// Transport gives each buyer connections of their own.
func (w *deployment) Transport() http.RoundTripper {
	return &http.Transport{MaxIdleConnsPerHost: 16}
}

func (w *deployment) Query(statement string, args ...any) (json.RawMessage, error) {
	return w.db.query(statement, args...)
}

func (w *deployment) Await() { w.db.await() }

func (w *deployment) Tick(ctx context.Context, j job.Job) (bool, error) { return w.worker.tick(ctx, j) }

func (w *deployment) Wake(ctx context.Context) (bool, error) { return w.worker.wake(ctx) }

func (w *deployment) Receive(path string, h http.Handler) (url string, err error) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return "", err
	}
	w.serve(l, w.injectFailures(campaign.AtBackend, nameCall, h))
	return "http://" + l.Addr().String() + campaign.WebhookPath + path, nil
}

func (w *deployment) Stepped() {}

func (w *deployment) Leapt() { w.worker.thaw() }

func (w *deployment) Settle(ctx context.Context) error { return w.worker.settle(ctx) }

func (w *deployment) Numbers() campaign.Numbers {
	return campaign.Numbers{
		Program: w.worker.program, Database: w.db.name(), Requests: w.worker.requests.Load(), Hung: w.worker.lost.Load(),
		Deaths: w.worker.deaths, Freezes: w.worker.freezes, Restarts: w.db.restarts(),
	}
}
