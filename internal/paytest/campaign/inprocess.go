package campaign

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/job"
	"h5pay/internal/outbox"
	"h5pay/internal/paytest"
	"h5pay/webhook"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// InProcess is a Host in this process: a request is a call of Handler. After each step the whole
// database is checked.
//
// A test may replace Handler and Jobs by those of several signers.
type InProcess struct {
	*paytest.Shop
	World *World
	// Jobs runs a job on a signer. It reports whether the job was completed.
	Jobs func(context.Context, job.Job) (complete bool, err error)
	// Failures500 returns how many failures have occurred that explain a status 500; nil for none.
	Failures500 func() int
	Check       func()  // called after each step; nil for nothing
	Machines    Numbers // for the report

	options   Options
	plan      Plan
	endpoints paytest.Endpoints
	requests  atomic.Int64
	hung      atomic.Int64
}

// NewInProcess opens a shop for a campaign. It ends with the test. The shop uses APIv2.
func NewInProcess(t testing.TB, o Options) *InProcess {
	t.Helper()
	p := NewPlan(o)
	h := &InProcess{options: o, plan: p, Machines: Numbers{Program: "signer", Database: "the database"}}
	bounds := BoundsOf(p)
	h.Shop = paytest.NewShopAt(t, wechattest.Config{
		Users: Users(o.Seed), Seed: int64(o.Seed) + 1, RefundNotifyURL: paytest.ShopURL + api.PathNotifyRefund, History: 100,
	}, func(set *paytest.Settings, _ *wechat.Config) {
		set.Store.Bounds = bounds
		set.KeepUnpaid = 365 * 24 * time.Hour // the leaps of a campaign exceed the default
		set.Webhook = &outbox.Webhook{URL: endpointURL(""), Secrets: []wechat.Secret{paytest.WebhookSecret}, Doer: &h.endpoints}
		set.EndpointDoer = &h.endpoints
	})
	h.World = NewWorld(bounds, h.Shop.Log)
	h.World.WeChat, h.World.Shop, h.World.BusyPause = h.Sim, paytest.ShopURL, 5*time.Millisecond
	for _, secret := range paytest.Secrets {
		h.World.Secret("a secret", secret)
	}
	for _, u := range h.Sim.Users() {
		h.World.Secret("an openid", u.OpenID)
	}
	h.World.Backend = NewBackend(h.World, webhook.Receiver{
		Secrets: []string{paytest.WebhookSecret}, Shop: paytest.ShopURL, AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID,
	})
	if _, err := h.Receive("", h.World.Backend); err != nil {
		t.Fatal(err)
	}
	h.Jobs = h.runJob
	notifications := &Notifier{World: h.World, Client: doer(h.serve)}
	h.FromWeChat.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.URL.Scheme, r.URL.Host = "https", r.Host
		res, err := notifications.Do(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		copyResponse(rw, res)
	})
	h.World.Populate(h, paytest.AdminToken)
	return h
}

// Run runs the campaign. It fails the test for each finding.
func (h *InProcess) Run() *Report {
	h.T.Helper()
	go h.World.LearnTokens() // ends with WeChat
	r, err := New(h.World, h.options, h.plan).Run(h.T.Context())
	if err != nil {
		h.T.Fatal(err)
	}
	h.CheckLog()
	for _, f := range r.Findings {
		var lines string
		if f.Order != "" {
			lines = strings.Join(h.Shop.Log.Lines(f.Order), "\n")
		}
		h.T.Errorf("seed %d: %s: %s %s\n%s", h.options.Seed, f.Verdict, f.Text, f.Order, lines)
	}
	return r
}

// doer makes a function a client.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// RoundTrip is for http.Client.
func (d doer) RoundTrip(r *http.Request) (*http.Response, error) { return d(r) }

// copyResponse writes a response of another server.
func copyResponse(rw http.ResponseWriter, res *http.Response) {
	maps.Copy(rw.Header(), res.Header)
	rw.WriteHeader(res.StatusCode)
	var b strings.Builder
	if err := res.Write(&b); err == nil {
		_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
		rw.Write([]byte(body))
	}
}

// serve calls the shop, and checks its response. A signer that dies does not respond.
func (h *InProcess) serve(r *http.Request) (res *http.Response, err error) {
	h.requests.Add(1)
	failures := h.failures()
	ip := r.Header.Get("CF-Connecting-IP")
	in := request(r, cmp.Or(ip, "203.0.113.99"))
	in.Header.Del("CF-Connecting-IP")
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			h.hung.Add(1)
			res, err = nil, ErrNoResponse
		} else if p != nil {
			panic(p)
		}
	}()
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, in)
	h.CheckResponse(in, w)
	h.World.CheckSecrets("an answer to "+r.Method+" "+r.URL.Path, w.Body.Bytes())
	if w.Code == http.StatusInternalServerError && h.failures() == failures {
		h.World.Note(Wrong, "", "%s %s: status 500 without a cause: %s", r.Method, r.URL.Path, w.Body)
	}
	return w.Result(), nil
}

// request returns a client's request as a server at its host gets it.
func request(r *http.Request, ip string) *http.Request {
	in := r.Clone(r.Context())
	in.Host, in.RequestURI, in.RemoteAddr = r.URL.Host, r.URL.RequestURI(), ip+":40000"
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	return in
}

func (h *InProcess) failures() int {
	if h.Failures500 == nil {
		return 0
	}
	return h.Failures500()
}

// Transport carries calls to the shop and to WeChat without a network.
func (h *InProcess) Transport() http.RoundTripper {
	return doer(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme+"://"+r.URL.Host != paytest.ShopURL {
			w := httptest.NewRecorder() // to WeChat, from this machine, as on machines
			h.Sim.Handler().ServeHTTP(w, request(r, "127.0.0.1"))
			return w.Result(), nil
		}
		return h.serve(r)
	})
}

func (h *InProcess) Query(statement string, args ...any) (json.RawMessage, error) {
	rows, err := h.DB.Query(statement, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the database: %w", err)
	}
	defer rows.Close()
	return paytest.Objects(rows)
}

func (h *InProcess) Await() {}

func (h *InProcess) Tick(ctx context.Context, j job.Job) (bool, error) { return h.Jobs(ctx, j) }

func (h *InProcess) Wake(ctx context.Context) (bool, error) { return h.Jobs(ctx, job.Deliver) }

// runJob runs a job on the shop's own signer.
func (h *InProcess) runJob(ctx context.Context, j job.Job) (bool, error) {
	return true, RunJob(ctx, h.Signer, j)
}

// RunJob runs a job on a signer.
func RunJob(ctx context.Context, s *paytest.Signer, j job.Job) error {
	switch j {
	case job.Reconcile:
		return s.Reconcile(ctx)
	case job.Deliver:
		return s.Deliver(ctx)
	case job.CheckBills:
		return s.CheckBills(ctx)
	}
	return fmt.Errorf("unknown job %s", j)
}

// endpointURL returns the URL of an endpoint of the merchant.
func endpointURL(path string) string { return "https://erp.example.com" + WebhookPath + path }

// Receive serves an endpoint. Each has a host of its own.
func (h *InProcess) Receive(path string, handler http.Handler) (string, error) {
	u, err := url.Parse(endpointURL(path))
	if err != nil {
		return "", err
	}
	u.Host = strings.TrimPrefix(strings.ReplaceAll(path, "/", ".")+"."+u.Host, ".")
	h.endpoints.Serve(u.Host, handler)
	return u.String(), nil
}

func (h *InProcess) Move(context.Context, int) error {
	return errors.New("a shop in this process makes no moves")
}

// Stepped checks the database.
func (h *InProcess) Stepped() {
	h.T.Helper()
	h.CheckBooks()
	if h.Check != nil {
		h.Check()
	}
}

func (h *InProcess) Leapt() {}

func (h *InProcess) Settle(context.Context) error { return nil }

func (h *InProcess) Numbers() Numbers {
	n := h.Machines
	n.Requests, n.Hung = h.requests.Load(), h.hung.Load()
	return n
}
