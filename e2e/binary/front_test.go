package binary

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/pgtest"
	"h5pay/internal/stack"
)

// front is a proxy in front of the servers of a shop. Like Caddy with deploy/Caddyfile it sends a
// call that gets no response to the next server, for some time.
type front struct {
	servers []string // host:port
	tryFor  time.Duration
	next    atomic.Int64
	retried atomic.Int64
}

// newFront starts a proxy at an address. It ends with the test.
func newFront(t *testing.T, address string, tryFor time.Duration, servers ...string) *front {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{servers: servers, tryFor: tryFor}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.Host = "http", r.In.Host },
		Transport: f,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	srv := &http.Server{Handler: proxy, ReadHeaderTimeout: longest}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return f
}

// RoundTrip implements http.RoundTripper.
func (f *front) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte{}
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	for began := time.Now(); ; {
		out := r.Clone(r.Context())
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.URL.Host = f.servers[int(f.next.Add(1))%len(f.servers)]
		res, err := http.DefaultTransport.RoundTrip(out)
		if err == nil || time.Since(began) > f.tryFor || r.Context().Err() != nil {
			return res, err
		}
		f.retried.Add(1)
		time.Sleep(20 * time.Millisecond)
	}
}

// freeAddress returns an address on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("localhost:%d", port)
}

// startPostgres starts a server of PostgreSQL with an empty database, and returns the URL of that.
func startPostgres(t *testing.T) (server *pgtest.Server, url string) {
	t.Helper()
	server, err := pgtest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := server.Exec(t.Context(), "postgres", "CREATE DATABASE shop"); err != nil {
		t.Fatal(err)
	}
	return server, server.URL("shop")
}

// traffic are guests who order, pay and look, one order after the other, and an operator who reads
// the list of orders. A response that is not 200 fails the test.
type traffic struct {
	shop  *shop
	until chan struct{}
	end   func()
	wg    sync.WaitGroup

	mu    sync.Mutex
	paid  []string // ids of orders that a page showed as paid
	calls int
	worst time.Duration // of a call
}

// startTraffic lets guests buy until stop.
func startTraffic(t *testing.T, s *shop, guests int) *traffic {
	t.Helper()
	tr := &traffic{shop: s, until: make(chan struct{})}
	tr.end = sync.OnceFunc(func() { close(tr.until) })
	for range guests {
		b := paytest.NewBuyer(t, s.PhoneURL, s.PhoneURL, s.Demo)
		b.Must(http.MethodPost, api.PathSession, struct{}{}, &api.Session{})
		tr.wg.Go(func() {
			for tr.pause(300 * time.Millisecond) {
				tr.buy(t, b)
			}
		})
	}
	op := s.operator(t)
	tr.wg.Go(func() {
		for tr.pause(10 * time.Millisecond) {
			tr.timed(func() { op.Must(http.MethodGet, "/v1/orders?limit=20", nil, &json.RawMessage{}) })
		}
	})
	t.Cleanup(tr.stop)
	return tr
}

// pause waits, and reports whether the traffic goes on.
func (tr *traffic) pause(d time.Duration) bool {
	select {
	case <-tr.until:
		return false
	case <-time.After(d):
		return true
	}
}

func (tr *traffic) stop() {
	tr.end()
	tr.wg.Wait()
}

// timed makes calls.
func (tr *traffic) timed(do func()) {
	began := time.Now()
	do()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.calls++
	tr.worst = max(tr.worst, time.Since(began))
}

// buy makes an order, pays it, and waits until the page shows it as paid.
func (tr *traffic) buy(t *testing.T, b *paytest.Buyer) {
	var checkout api.Checkout
	tr.timed(func() { checkout = b.OrderByCode("tea", 1) })
	tr.shop.pay(t, checkout)
	for o := checkout.Order; o.Status != api.StatusPaid; time.Sleep(50 * time.Millisecond) {
		tr.timed(func() { o = b.GetOrder(o.ID) })
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.paid = append(tr.paid, checkout.Order.ID)
}

// await waits until n more orders are paid.
func (tr *traffic) await(t *testing.T, n int) {
	t.Helper()
	read := func() int {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return len(tr.paid)
	}
	want := read() + n
	eventually(t, fmt.Sprintf("%d orders are paid", want), func() bool { return read() >= want })
}

// pay pays an order by its code, which needs no server of the shop.
func (s *shop) pay(t *testing.T, c api.Checkout) {
	t.Helper()
	sheet, err := s.Demo.Scan(c.CodeURL)
	if err == nil {
		_, err = s.Demo.PaySheet(sheet.ID)
	}
	if err != nil {
		t.Errorf("paying order %s: %v", c.Order.ID, err)
	}
}

// compare compares the orders of a database, which are all paid, with WeChat's ledger.
func (s *shop) compare(t *testing.T, db *sql.DB, tr *traffic) {
	t.Helper()
	orders, err := paytest.ReadRows[paytest.Order](db, paytest.EveryOrder)
	if err != nil {
		t.Fatal(err)
	}
	payments, err := paytest.ReadRows[paytest.Payment](db, paytest.EveryPayment)
	if err != nil {
		t.Fatal(err)
	}
	ledger := s.Demo.Ledger()
	for i := range ledger.Orders { // the simulator converts the time of a shop that runs in real time
		ledger.Orders[i].Expires = ledger.Orders[i].Expires.Round(time.Millisecond)
	}
	for _, f := range paytest.CompareOrders(orders, payments, ledger) {
		t.Errorf("%s: %s: %s", f.Verdict, f.Order, f.Text)
	}
	var stored []string
	for _, o := range orders {
		stored = append(stored, o.ID)
	}
	for _, id := range tr.paid {
		if !slices.Contains(stored, id) {
			t.Errorf("lost: order %s, which a page showed as paid, is not stored", id)
		}
	}
	if len(ledger.Trades) < len(tr.paid) || len(tr.paid) == 0 {
		t.Errorf("%d orders were shown as paid, and WeChat has %d payments", len(tr.paid), len(ledger.Trades))
	}
	t.Logf("%d orders, %d payments at WeChat: lost 0, doubled 0, wrong 0; %d calls, the slowest took %v", len(orders), len(ledger.Trades), tr.calls, tr.worst.Round(time.Millisecond))
}

// withoutTrouble fails the test if a log has a line of level ERROR.
func withoutTrouble(t *testing.T, p *process) {
	t.Helper()
	for line := range strings.Lines(p.stderr.String()) {
		if strings.Contains(line, `"level":"ERROR"`) {
			t.Error(line)
		}
	}
}
