//go:build !js

package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/cause"
	"h5pay/internal/demo"
	"h5pay/internal/v1"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// The keys of the tests. Making one costs 100 ms.
var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 6)
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// otherKey is a key that no simulator has.
func otherKey() *rsa.PrivateKey { return testKeys()[5] }

func privatePEM(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func publicPEM(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// doctorWorld is a shop that runs natively behind a proxy, with a simulated WeChat and a back end.
type doctorWorld struct {
	t        *testing.T
	sim      *wechattest.Server
	env      map[string]string
	shop     net.Listener
	receiver http.HandlerFunc // nil verifies
	// downloads says that the shop downloads platform certificates at its start.
	downloads bool
}

// newDoctorWorld makes the world of a merchant with APIv2, with APIv3 and the public key, with
// platform certificates, or with all of them. Nothing is wrong in it.
func newDoctorWorld(t *testing.T, merchant string, cfg wechattest.Config) *doctorWorld {
	t.Helper()
	w := &doctorWorld{t: t}
	var front http.Handler
	public := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { front.ServeHTTP(rw, r) }))
	t.Cleanup(public.Close)
	cfg.RSAKeys, cfg.RealTimeShop, cfg.PlainRefunds, cfg.ShopURL = testKeys()[:5], true, true, public.URL
	cfg.V3Mode = map[string]wechattest.V3Mode{"v2": wechattest.V3PublicKey, "v3": wechattest.V3PublicKey, "certificates": wechattest.V3Certificates, "mixed": wechattest.V3Both}[merchant]
	w.sim = wechattest.Start(t, cfg)
	var err error
	if w.shop, err = net.Listen("tcp", "localhost:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.shop.Close() })
	inner, err := url.Parse("http://" + w.shop.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(inner)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	front = w.sim.Edge(proxy)
	secret := webhook.NewSecret()
	backEnd := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.receiver != nil {
			w.receiver(rw, r)
			return
		}
		if _, err := (webhook.Receiver{Secrets: []string{secret}, Simulated: true}).Receive(r, time.Now()); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(backEnd.Close)
	w.env = exampleEnv(t)
	maps.Copy(w.env, map[string]string{
		"WECHAT_BASE_URL": w.sim.URL, "SHOP_URL": public.URL, "WEBHOOK_URL": backEnd.URL, "WEBHOOK_SECRET": secret,
		dbSetting: filepath.Join(t.TempDir(), "h5pay.db"), proxySetting: "X-Forwarded-For",
	})
	if merchant != "v2" {
		key := w.env["WECHAT_API_KEY"]
		maps.Copy(w.env, demo.APIv3Vars(w.sim.V3()))
		if merchant == "mixed" {
			w.env["WECHAT_API_KEY"], w.env["WECHAT_CERTIFICATES"] = key, "on"
		}
	}
	return w
}

// serve runs the shop until the test ends, and waits for the first run of its timer.
func (w *doctorWorld) serve() {
	w.t.Helper()
	if err := seedDemo(w.t.Context(), lookup(w.env)); err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- serveShop(ctx, w.shop, lookup(w.env), slog.New(slog.DiscardHandler), func() { close(ready) })
	}()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	<-ready
	if _, err := loadSettings(lookup(w.env)); err != nil {
		return // the timer does nothing
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		n := 0
		w.query(`SELECT COUNT(*) FROM timers WHERE name = 'reconcile'`, &n)
		if n > 0 && w.downloads {
			w.query(`SELECT COUNT(*) FROM wechat_certificates`, &n)
		}
		if n > 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatal("the timer did not run")
		}
	}
}

func (w *doctorWorld) db() *sql.DB {
	w.t.Helper()
	db, err := openSQLite(w.env[dbSetting])
	if err != nil {
		w.t.Fatal(err)
	}
	return db
}

func (w *doctorWorld) query(query string, into any) {
	w.t.Helper()
	db := w.db()
	defer db.Close()
	if err := db.QueryRow(query).Scan(into); err != nil {
		w.t.Fatal(err)
	}
}

func (w *doctorWorld) exec(query string) {
	w.t.Helper()
	db := w.db()
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		w.t.Fatal(err)
	}
}

// fault queues a fault for many occasions.
func (w *doctorWorld) fault(kind, path string) {
	w.t.Helper()
	if err := w.sim.AddFault(wechattest.Fault{Kind: kind, Path: path, Count: 50}); err != nil {
		w.t.Fatal(err)
	}
}

// diagnose runs the command and returns the checks that failed or warn. It fails the test if the
// command takes ten seconds, prints a secret, or exits with a status that is not that of the checks.
func (w *doctorWorld) diagnose(args ...string) []v1.CheckResult {
	w.t.Helper()
	began := time.Now()
	status, stdout, stderr := runCommand(w.t, w.env, append([]string{"doctor", "-json"}, args...)...)
	if took := time.Since(began); took > 10*time.Second {
		w.t.Errorf("the doctor took %v", took)
	}
	w.wantNoSecret(stdout + stderr)
	var checks v1.Checks
	if err := json.Unmarshal([]byte(stdout), &checks); err != nil {
		w.t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	var bad []v1.CheckResult
	failed := false
	for _, c := range checks.Checks {
		if c.Status == v1.CheckFail || c.Status == v1.CheckWarn {
			bad = append(bad, c)
			if c.ZH == nil || c.EN == nil || c.ZH.Problem == "" || c.EN.Repair == "" {
				w.t.Errorf("%s has no text", c.Cause)
			}
		}
		failed = failed || c.Status == v1.CheckFail
	}
	if failed != (status == 1) || !failed && status != 0 || checks.OK == failed {
		w.t.Errorf("status %d, ok %v\n%s%s", status, checks.OK, stdout, stderr)
	}
	return bad
}

// wantNoSecret fails the test if a text has one of the shop's secrets, or a line of a private key.
func (w *doctorWorld) wantNoSecret(text string) {
	w.t.Helper()
	set := settings{APIv3: loadAPIv3(lookup(w.env))}
	for _, s := range set.secrets() {
		value := w.env[s.name]
		parts := []string{value}
		if strings.HasPrefix(value, "-----BEGIN") {
			parts = strings.Split(value, "\n")[1:]
		}
		for _, part := range parts {
			if len(part) >= 16 && !strings.HasPrefix(part, "-----") && strings.Contains(text, part) {
				w.t.Errorf("the output has %s:\n%s", s.name, text)
			}
		}
	}
}

// want fails the test if the results have another cause than one.
func (w *doctorWorld) want(got []v1.CheckResult, id cause.ID) {
	w.t.Helper()
	if len(got) != 1 || got[0].Cause != string(id) {
		w.t.Errorf("want %s, got:", id)
		for _, c := range got {
			w.t.Errorf("  %s %s %s %q", c.ID, c.Status, c.Cause, c.Detail)
		}
	}
}
