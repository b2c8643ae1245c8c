// Package e2e runs a shopper's journeys in real Chromium against the signer on real workerd with
// real D1. Only WeChat is simulated.
package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "modernc.org/sqlite"

	"h5pay/internal/cleanup"
	"h5pay/internal/demo"
	"h5pay/internal/envfile"
	"h5pay/internal/paytest"
	"h5pay/internal/stack"
	"h5pay/internal/store"
	"h5pay/simulator/server"
	"h5pay/wechat/wechattest"
)

// world is shared by all tests of a run. Tests that use it do not run in parallel, because there is
// one phone with one user.
var world struct {
	sim          *server.Server
	shop         *stack.Shop
	log          *paytest.Log // of the Worker
	state        string       // folder of the local D1
	env          map[string]string
	envFile      string   // the same settings as a file
	backEnd      *backEnd // the merchant's
	browser      context.Context
	shopRequests requestCount // requests to the shop through the phone
}

// apiVariable names the version of WeChat's API with which the shop is set up. v3, the default, has
// WeChat Pay's public key and no key of APIv2. certificates is v3 with platform certificates. The
// third value is v2.
const apiVariable = "E2E_API"

// onV2 reports whether the shop uses APIv2.
func onV2() bool { return os.Getenv(apiVariable) == "v2" }

// byVersion returns the value for the version that the shop uses.
func byVersion[T any](v2, v3 T) T {
	if onV2() {
		return v2
	}
	return v3
}

// artifacts returns the folder for the screenshots and the Worker's log. A run on another version than
// the default has its own.
func artifacts() string {
	switch version := os.Getenv(apiVariable); version {
	case "", "v3":
		return filepath.Join("..", "artifacts")
	default:
		return filepath.Join("..", "artifacts", version)
	}
}

// requestCount counts requests by path.
type requestCount struct {
	mu     sync.Mutex
	byPath map[string]int
}

// counts returns the number of requests per path through the phone.
func counts() map[string]int {
	world.shopRequests.mu.Lock()
	defer world.shopRequests.mu.Unlock()
	return maps.Clone(world.shopRequests.byPath)
}

// countRequests returns a server that forwards to the shop and counts.
func countRequests(shopURL string) (*httptest.Server, error) {
	shop, err := url.Parse(shopURL)
	if err != nil {
		return nil, err
	}
	world.shopRequests.byPath = map[string]int{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(shop); r.Out.Host = r.In.Host }}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		world.shopRequests.mu.Lock()
		world.shopRequests.byPath[r.URL.Path]++
		world.shopRequests.mu.Unlock()
		proxy.ServeHTTP(w, r)
	})), nil
}

func TestMain(m *testing.M) {
	cleanup.Main(func() int {
		code, err := runWorld(m)
		if err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
		return code
	})
}

func runWorld(m *testing.M) (code int, err error) {
	root, err := filepath.Abs("..")
	if err != nil {
		return 0, err
	}
	if world.state, err = os.MkdirTemp("", "h5pay-e2e-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(world.state)
	world.envFile = filepath.Join(world.state, "dev.vars")
	if err := envfile.Write("../.dev.vars.example", world.envFile, "The settings of the tests."); err != nil {
		return 0, err
	}
	if world.env, err = envfile.Read(world.envFile); err != nil {
		return 0, err
	}

	// The port of the shop is held until the shop starts, so that none of the other servers gets it.
	held, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return 0, err
	}
	defer held.Close()
	port := held.Addr().(*net.TCPAddr).Port
	front, err := countRequests(fmt.Sprintf("http://localhost:%d", port))
	if err != nil {
		return 0, err
	}
	defer front.Close()
	mode := wechattest.V3PublicKey
	if os.Getenv(apiVariable) == "certificates" {
		mode = wechattest.V3Certificates
	}
	world.sim, err = server.Listen(server.Config{WeChat: wechattest.Config{ShopURL: front.URL, Hostile: true, PlainRefunds: true, V3Mode: mode}})
	if err != nil {
		return 0, err
	}
	defer world.sim.Close()

	world.backEnd = startBackEnd(world.env["WEBHOOK_SECRET"])
	defer world.backEnd.Close()

	vars := map[string]string{"SHOP_URL": world.sim.PhoneURL, "WECHAT_BASE_URL": world.sim.URL, "WEBHOOK_URL": world.backEnd.URL + "/h5pay",
		"RETURN_HOSTS":       strings.TrimPrefix(world.backEnd.URL, "http://"),
		"REFUND_CONFIRM_FEN": strings.ReplaceAll(refundConfirm, ".", ""),
		"UNPAID_LIMITS":      "1000,1000,1000,10000"} // all phones have the same address
	switch version := os.Getenv(apiVariable); version {
	case "v2":
	case "", "v3", "certificates":
		maps.Copy(vars, demo.APIv3Vars(world.sim.V3()))
		maps.Copy(world.env, demo.APIv3Vars(world.sim.V3()))
		delete(world.env, "WECHAT_API_KEY")
	default:
		return 0, fmt.Errorf("%s=%s: want v2, v3 or certificates", apiVariable, version)
	}
	world.log = &paytest.Log{}
	held.Close()
	world.shop, err = stack.StartShop(context.Background(), stack.ShopConfig{
		Dir:     root,
		Port:    port,
		State:   world.state,
		EnvFile: world.envFile,
		Vars:    vars,
		Output:  world.log,
	})
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, world.log)
	}
	defer world.shop.Close()

	browser, stop, err := startBrowser()
	if err != nil {
		return 0, err
	}
	defer stop()
	world.browser = browser

	code = m.Run()
	if err := os.MkdirAll(artifacts(), 0o755); err != nil {
		return 0, err
	}
	return code, os.WriteFile(filepath.Join(artifacts(), "worker.log"), []byte(world.log.String()), 0o644)
}

// startShop starts another shop than the shared one for a test, with the same settings file. It
// returns its log. State and Vars may be set in cfg.
func startShop(t *testing.T, cfg stack.ShopConfig) (*stack.Shop, *paytest.Log) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	log := &paytest.Log{}
	cfg.Dir, cfg.Port, cfg.EnvFile, cfg.Output = root, port, world.envFile, log
	shop, err := stack.StartShop(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(shop.Close)
	return shop, log
}

// database opens the file of the Worker's D1 for reading.
func database(t *testing.T) *sql.DB {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(world.state, "v3", "d1", "*", "*.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.Contains(file, "metadata") {
			continue
		}
		db, err := sql.Open("sqlite", store.SQLiteURI(file, "mode=ro"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	t.Fatalf("no database in %s", world.state)
	return nil
}

// orders returns all stored orders as one text, a line each, for comparisons.
func orders(t *testing.T) string {
	t.Helper()
	return lines(t, `SELECT id, COALESCE(paid_by, '-'), COALESCE(owner, '-'), total, status, '' FROM orders ORDER BY id`)
}

// payments returns all stored payments as one text, a line each.
func payments(t *testing.T) string {
	t.Helper()
	return lines(t, `SELECT order_id, out_trade_no, trade_type, total, status, COALESCE(transaction_id, '') FROM payments ORDER BY out_trade_no`)
}

func lines(t *testing.T, query string) string {
	t.Helper()
	rows, err := database(t).Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var id, no, owner, status, transaction string
		var total int64
		if err := rows.Scan(&id, &no, &owner, &total, &status, &transaction); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, id, no, owner, total, status, transaction)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
