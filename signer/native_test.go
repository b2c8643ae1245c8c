//go:build !js

package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"h5pay/internal/order"
	"h5pay/internal/static"
	"h5pay/internal/wechat/wechattest"
)

func TestNativeSignerAnswers(t *testing.T) {
	db, err := openSQLite(filepath.Join(t.TempDir(), "h5pay.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := order.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	env := exampleEnv(t)
	calls := newApp(platform{
		getenv: func(name string) string { return env[name] }, db: db, doer: http.DefaultClient,
		log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	h := split(calls, static.New(fstest.MapFS{}))
	for path, status := range map[string]int{
		"/api/config": 200, "/api/products": 200, "/api/session": 401, "/api": 404, "//api/config": 404, "/api//notify/pay": 404,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:8802"+path, nil))
		if w.Code != status || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// The size of the database is that of the file, within the operator's limit, SQLite's
// own and what the disk has left.
func TestSizeOfTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "h5pay.db")
	db, err := openSQLite(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := order.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	p := platform{size: fileSize(db, file)}
	size, err := p.sizeWithin(1_000_000)(t.Context())
	if err != nil || size.Used < 50_000 || size.Capacity != 1_000_000 || size.Full() {
		t.Errorf("%+v, %v", size, err)
	}
	if size, err = p.sizeWithin(100_000)(t.Context()); err != nil || !size.Full() {
		t.Errorf("%+v, %v", size, err)
	}
	if _, err := db.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, size.Used/4096+1)); err != nil {
		t.Fatal(err)
	}
	if size, err = p.sizeWithin(1_000_000)(t.Context()); err != nil || !size.Full() {
		t.Errorf("%+v, %v", size, err)
	}
	if free, ok := diskFree(filepath.Dir(file)); ok && free <= 0 {
		t.Errorf("the disk has %d bytes left", free)
	}
}

// Natively the certificate comes from files, and a shop without one sends no
// refund.
func TestRefundsNeedACertificate(t *testing.T) {
	sim := wechattest.Start(t, wechattest.Config{})
	dir := t.TempDir()
	if err := sim.WriteCertificates(dir); err != nil {
		t.Fatal(err)
	}
	t.Setenv(certSetting, filepath.Join(dir, wechattest.CertFile))
	t.Setenv(keySetting, filepath.Join(dir, wechattest.KeyFile))
	client, err := certClient()
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := sim.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	client.Transport.(*http.Transport).TLSClientConfig.RootCAs = trusted.RootCAs
	res, err := client.Post(sim.TLSURL+"/secapi/pay/refund", "text/xml", strings.NewReader("<xml></xml>"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK { // else it is a page about the certificate
		t.Errorf("with the certificate: %s", res.Status)
	}

	t.Setenv(keySetting, "")
	if client, err := certClient(); err == nil || client != nil {
		t.Errorf("a certificate without its key: %v, %v", client, err)
	}
	t.Setenv(certSetting, "")
	if client, err := certClient(); err != nil || client != nil {
		t.Errorf("no certificate: %v, %v", client, err)
	}
}

func TestClientIPComesFromTheNamedHeaderAlone(t *testing.T) {
	seen := func(header string) (addr string) {
		h := clientIP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { addr = r.RemoteAddr }), header)
		r := httptest.NewRequest("GET", "/api/config", nil)
		r.RemoteAddr = "192.0.2.1:1234"
		r.Header.Set("X-Real-IP", "203.0.113.7")
		h.ServeHTTP(httptest.NewRecorder(), r)
		return addr
	}
	if got := seen(""); got != "192.0.2.1:1234" {
		t.Errorf("without a setting: %s", got)
	}
	if got := seen("X-Real-IP"); got != "203.0.113.7" {
		t.Errorf("behind a proxy: %s", got)
	}
}

// Every trigger of wrangler.toml is one that the Worker tells from the others, and
// one that tests can fire.
func TestTriggersHaveHandlers(t *testing.T) {
	text := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	_, list, _ := strings.Cut(text("../wrangler.toml"), "\ncrons = [")
	list, _, _ = strings.Cut(list, "]")
	crons := strings.Split(list, ", ")
	if len(crons) < 3 {
		t.Fatalf("triggers %q", list)
	}
	for i, cron := range crons {
		if i > 0 && strings.Count(text("platform_js.go"), "Cron = "+cron) != 1 {
			t.Errorf("the Worker does not know %s", cron)
		}
		if strings.Count(text("../internal/stack/shop.go"), "= "+cron) != 1 {
			t.Errorf("package stack does not know %s", cron)
		}
	}
}
