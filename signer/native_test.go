//go:build !js

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/server"
	"h5pay/internal/static"
	"h5pay/internal/store"
	"h5pay/wechat/wechattest"
)

func TestNativeSignerResponds(t *testing.T) {
	t.Parallel()
	env := exampleEnv(t)
	calls := newApp(platform{
		getenv: func(name string) string { return env[name] }, db: testDB(t), doer: http.DefaultClient,
		log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	h := newLoadLimiter(defaultCapacity, calls, static.New(fstest.MapFS{
		"v1/docs.html": {Data: []byte("docs")}, "v1/docs.css": {Data: []byte("css")}, "v1/openapi.json": {Data: []byte("{}")},
	}), func(string) {}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	for path, status := range map[string]int{
		"/api/config": 200, "/api/products": 200, "/api/session": 401, "/api": 404, "//api/config": 404, "/api//notify/pay": 404,
		"/v1/products": 401, "/v1/none": 404, "/v1/": 404, "//v1/products": 404, "/v1/openapi.json": 200,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:8802"+path, nil))
		if w.Code != status || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for path, text := range map[string]string{"/v1/docs": "docs", "/v1/docs.css": "css"} { // files of the site
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:8802"+path, nil))
		if w.Code != 200 || w.Body.String() != text {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// The size is that of the database file. The capacity is the smallest of the operator's limit,
// SQLite's limit and the free disk space.
func TestDatabaseFileSize(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "h5pay.db")
	db, err := openSQLite(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := store.Migrate(t.Context(), db); err != nil {
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

// The native server reads the certificate from files. A shop without one sends no refund.
func TestRefundsNeedACertificate(t *testing.T) {
	sim := wechattest.Start(t, wechattest.Config{})
	dir := t.TempDir()
	if err := sim.WriteCertificates(dir); err != nil {
		t.Fatal(err)
	}
	t.Setenv(certSetting, filepath.Join(dir, wechattest.CertFile))
	t.Setenv(keySetting, filepath.Join(dir, wechattest.KeyFile))
	client, err := certClient(os.Getenv)
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
	if res.StatusCode != http.StatusOK { // otherwise it is an error about the certificate
		t.Errorf("with the certificate: %s", res.Status)
	}

	t.Setenv(keySetting, "")
	if client, err := certClient(os.Getenv); err == nil || client != nil {
		t.Errorf("a certificate without its key: %v, %v", client, err)
	}
	t.Setenv(certSetting, "")
	if client, err := certClient(os.Getenv); err != nil || client != nil {
		t.Errorf("no certificate: %v, %v", client, err)
	}
}

func TestProxySettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header, proxies string
		want            server.Addresses
		wrong           string
	}{
		{"", "", server.Addresses{Connection: true}, ""},
		{"X-Real-IP", "", server.Addresses{Header: "X-Real-IP", Connection: true}, ""},
		{"x-forwarded-for", "2", server.Addresses{Header: "x-forwarded-for", Proxies: 2, Connection: true}, ""},
		{"Forwarded", "", server.Addresses{}, proxySetting},
		{"X-Real-IP, X-Forwarded-For", "", server.Addresses{}, proxySetting},
		{"X-Real-IP:", "", server.Addresses{}, proxySetting},
		{"X-Forwarded-For", "0", server.Addresses{}, proxiesSetting},
		{"X-Forwarded-For", "-1", server.Addresses{}, proxiesSetting},
		{"X-Forwarded-For", "1000", server.Addresses{}, proxiesSetting},
		{"X-Forwarded-For", "two", server.Addresses{}, proxiesSetting},
		{"", "1", server.Addresses{}, proxiesSetting},
	} {
		env := map[string]string{proxySetting: c.header, proxiesSetting: c.proxies}
		got, err := proxyAddresses(func(name string) string { return env[name] })
		var bad *settingError
		if errors.As(err, &bad); c.wrong == "" && (err != nil || got != c.want) || c.wrong != "" && (bad == nil || bad.Name != c.wrong) {
			t.Errorf("%q, %q: %+v, %v", c.header, c.proxies, got, err)
		}
	}
}

// A buyer cannot avoid the address limit with forged headers, whatever the proxy settings are.
func TestNativeLimitAppliesBehindAProxy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ header, proxies, sent string }{
		"X-Forwarded-For":         {"X-Forwarded-For", "", "X-Forwarded-For"},
		"two proxies":             {"X-Forwarded-For", "2", "X-Forwarded-For"},
		"a header that is unsent": {"X-Real-IP", "", "X-Forwarded-For"},
		"no setting":              {"", "", "X-Forwarded-For"},
	} {
		t.Run(name, func(t *testing.T) {
			env := exampleEnv(t)
			env[proxySetting], env[proxiesSetting] = c.header, c.proxies
			getenv := func(name string) string { return env[name] }
			p := platform{getenv: getenv, db: testDB(t), doer: http.DefaultClient, log: slog.New(slog.NewTextHandler(io.Discard, nil)),
				addressLimit: newLimiter(addressLimit), ownerLimit: newLimiter(ownerLimit)}
			p.addresses, p.problem = proxyAddresses(getenv)
			h := newApp(p)
			served := 0
			for i := range addressLimit + 100 {
				r := httptest.NewRequest("POST", api.PathAuthorize, strings.NewReader("{}"))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set(c.sent, fmt.Sprintf("198.51.100.%d, 203.0.113.7, 10.0.0.2", i%250))
				r.RemoteAddr = "10.0.0.1:99"
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusTooManyRequests {
					served++
				}
			}
			if served != addressLimit {
				t.Errorf("%d calls were served, want %d", served, addressLimit)
			}
		})
	}
}

// testDB returns an empty database.
func testDB(t *testing.T) *sql.DB {
	t.Helper()
	db, err := openSQLite(filepath.Join(t.TempDir(), "h5pay.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}

// A timer runs at once, because the health page expects its first run.
func TestTimerRunsAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	ran := 0
	runEvery(ctx, time.Hour, func() { ran++; cancel() })
	if ran != 1 {
		t.Errorf("it ran %d times", ran)
	}
}

// The advice for a weak secret depends on where it comes from.
func TestWeakSecretErrorsGiveAdvice(t *testing.T) {
	t.Parallel()
	env := publicEnv(t)
	for name, want := range map[string]string{
		"WECHAT_APPSECRET": "official account platform",
		"WECHAT_API_KEY":   "merchant platform",
		"SESSION_KEY":      "openssl rand -hex 32",
	} {
		weak := maps.Clone(env)
		weak[name] = strings.Repeat("ab", 16)
		_, err := loadSettings(func(name string) string { return weak[name] })
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An error in a setting of the native server names the setting and says what is wanted.
func TestNativeSettingErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database, not a certificate\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	const key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----\n"
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{addrSetting: "8787"}, "setting LISTEN: want a free host:port"},
		{map[string]string{addrSetting: "localhost:99999"}, "setting LISTEN: want a free host:port"},
		{map[string]string{addrSetting: taken.Addr().String()}, "setting LISTEN: want a free host:port"},
		{map[string]string{metricsSetting: "9464"}, "setting METRICS_LISTEN: want a free host:port"},
		{map[string]string{metricsSetting: taken.Addr().String()}, "setting METRICS_LISTEN: want a free host:port"},
		{map[string]string{dbSetting: dir}, "setting DB_FILE: want a SQLite file that this user can write"},
		{map[string]string{dbSetting: text}, "setting DB_FILE: want a SQLite file that this user can write"},
		{map[string]string{dbSetting: filepath.Join(dir, "none", "h5pay.db")}, "setting DB_FILE: want a SQLite file that this user can write"},
		{map[string]string{certSetting: text}, "setting WECHAT_KEY_FILE must be set, because WECHAT_CERT_FILE is set"},
		{map[string]string{keySetting: text}, "setting WECHAT_CERT_FILE must be set, because WECHAT_KEY_FILE is set"},
		{map[string]string{certSetting: text, keySetting: text}, "settings WECHAT_CERT_FILE and WECHAT_KEY_FILE: want the merchant's PEM files"},
		{map[string]string{certSetting: filepath.Join(dir, "none"), keySetting: text}, "setting WECHAT_CERT_FILE: want a file that this user can read: no such file"},
		{map[string]string{certSetting: text, keySetting: key}, "setting WECHAT_KEY_FILE: want a file that this user can read: "},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Setenv(dbSetting, filepath.Join(t.TempDir(), "h5pay.db"))
			t.Setenv(addrSetting, "localhost:0")
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			if err := listen(ctx, os.Getenv, slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "MII") {
				t.Errorf("%v: %v, want %s", test.env, err, test.want)
			}
		})
	}
}

// An error in the settings of a proxy names the setting and says what is wanted.
func TestProxySettingErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ header, proxies, want string }{
		{"X Real IP", "", "setting CLIENT_IP_HEADER must be a header name"},
		{"Forwarded", "", "setting CLIENT_IP_HEADER must not be Forwarded"},
		{"X-Forwarded-For", "0", "setting TRUSTED_PROXIES must be a number from 1 to 16"},
		{"X-Forwarded-For", "two", "setting TRUSTED_PROXIES must be a number from 1 to 16"},
		{"", "1", "setting TRUSTED_PROXIES requires CLIENT_IP_HEADER"},
	} {
		env := map[string]string{proxySetting: test.header, proxiesSetting: test.proxies}
		if _, err := proxyAddresses(func(name string) string { return env[name] }); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%v: %v, want %s", env, err, test.want)
		}
	}
}
