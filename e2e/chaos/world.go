package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/stack"
	"h5pay/internal/store"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// The numbers of buyers: WeChat users, and guests identified by a cookie. Each may use several
// devices at once.
const (
	people = 24
	guests = 12
)

// world is the whole stack: the simulated WeChat, the database and the signer, each behind injected
// failures.
type world struct {
	wechat   *wechattest.WeChat
	db       storage
	worker   *worker
	binary   string // the program of the nodes; "" with workerd
	backend  *backend
	failures failures
	judge

	shop     string // the origin of the signer's public address
	buyers   []*buyer
	operator *buyer
	phone    sync.Mutex  // the simulator's only phone; one user at a time
	owners   sync.Map    // *buyer by ID of an order that they received
	onV3     atomic.Bool // new orders use APIv3
	keys     keys
	billed   atomic.Bool // the bills were compared, so no payment time is unknown
	bounds   store.Bounds
	floods   *flooding
	fullness fullness

	countMu  sync.Mutex
	counted  map[string]int // actions of strangers and the operator, for the report
	d1Client *http.Client
	closers  []func()
}

// newWorld starts the stack. dir is the project's root. It uses the size and the seed of the
// options.
func newWorld(ctx context.Context, dir string, o options, bounds store.Bounds) (w *world, err error) {
	seed := o.seed
	w = &world{bounds: bounds, d1Client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}}
	defer func(started *world) { // a return sets w to nil
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
		Doer: &notifier{world: w, client: &http.Client{
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

	hooks, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}

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
	vars["WEBHOOK_URL"] = "http://" + hooks.Addr().String() + webhookPath
	w.backend = &backend{world: w, events: map[string]webhook.Event{}, receiver: webhook.Receiver{
		Secrets: []string{vars["WEBHOOK_SECRET"]}, Shop: w.shop, AppID: vars["WECHAT_APPID"], MchID: vars["WECHAT_MCH_ID"], Simulated: true,
	}}
	w.serve(hooks, w.injectFailures(atBackend, nameCall, w.backend))
	start := map[string]func(context.Context, string, map[string]string, bool) error{
		onWorkerd: w.startWorkerd, onPostgres: w.startOnPostgres, onSQLite: w.startOnSQLite,
	}[o.on]
	if err := start(ctx, dir, vars, o.calm); err != nil {
		return nil, err
	}
	w.serve(front, w.worker)

	for _, u := range w.wechat.Users() {
		w.buyers = append(w.buyers, newBuyer(w, u))
	}
	for range guests {
		w.buyers = append(w.buyers, newBuyer(w, wechattest.User{}))
	}
	w.floods = newFlooding(w)
	w.operator = newBuyer(w, wechattest.User{})
	w.operator.token = vars["ADMIN_TOKEN"]
	return w, nil
}

// startWorkerd starts D1 and workerd. dir is the project's root.
func (w *world) startWorkerd(ctx context.Context, dir string, vars map[string]string, calm bool) error {
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
func (w *world) startOnPostgres(ctx context.Context, dir string, vars map[string]string, calm bool) error {
	pg, err := w.startPostgres(ctx, dir)
	if err != nil {
		return err
	}
	w.db = pg
	w.closers = append(w.closers, pg.close)
	return w.startNodes(ctx, dir, pg, vars, calm)
}

// learnTokens registers WeChat's tokens as secrets, until the world closes.
func (w *world) learnTokens() {
	events, stop := w.wechat.Subscribe()
	defer stop()
	for e := range events {
		if e.Kind != wechattest.EventMessage || e.Message.Kind != "access_token" {
			continue
		}
		var tokens struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		if json.Unmarshal([]byte(e.Message.Response), &tokens) == nil {
			w.secret("an access_token", tokens.Access)
			w.secret("a refresh_token", tokens.Refresh)
		}
	}
}

// serve serves a handler on a listener until the world closes.
func (w *world) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(l) // ends with Close
	w.closers = append(w.closers, func() { srv.Close() })
}

// close stops everything in reverse order of the start.
func (w *world) close() {
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
}

// users returns the users of a seed.
func users(seed uint64) []wechattest.User {
	r := rand.New(rand.NewPCG(seed, 1))
	all := make([]wechattest.User, people)
	for i := range all {
		openID := []byte("o")
		for range 27 {
			openID = append(openID, alphabet.URLSafe[r.IntN(len(alphabet.URLSafe))])
		}
		all[i] = wechattest.User{OpenID: string(openID), Nickname: fmt.Sprint("买家 ", i), Subscribed: i%2 == 0}
	}
	return all
}
