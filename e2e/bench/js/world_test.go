// Package js tests the two handlers that are written by hand in JavaScript. Up to a successful
// result they must do the same work as the Go signer. Otherwise the benchmark's comparison is
// worthless.
//
// Both run here at one simulated WeChat, the Go signer natively on SQLite, the
// Worker on real workerd with real D1.
package js

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"h5pay/internal/cleanup"
	"h5pay/internal/paytest"
	"h5pay/internal/stack"
	"h5pay/internal/store"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

const (
	shopURL    = "https://shop.example.com"
	sessionKey = "a session key of thirty-two bytes"
	buyerIP    = "203.0.113.7"
)

var signTypes = []wechat.SignType{wechat.SignHMAC, wechat.SignMD5}

// world is what all tests of a run share: tests do not run in parallel.
var world struct {
	sim     *wechattest.Server
	mail    *mail
	workers map[wechat.SignType]string // base URLs
	d1      *sql.DB
	log     *paytest.Log // of the Workers
}

func TestMain(m *testing.M) {
	cleanup.Main(func() int {
		code, err := runWorld(m)
		if err != nil {
			fmt.Fprintln(os.Stderr, "js:", err)
			return 1
		}
		return code
	})
}

func runWorld(m *testing.M) (code int, err error) {
	world.mail = &mail{}
	world.sim, err = wechattest.Listen(wechattest.Config{
		Hostile: true, Doer: world.mail,
		OAuthDomain: "shop.example.com", PayDirs: []string{shopURL + "/"},
	}, "localhost:0")
	if err != nil {
		return 0, err
	}
	defer world.sim.Close()
	settings := map[string]string{
		"SHOP_NAME": wechattest.DefaultShopName, "SHOP_URL": shopURL, "SESSION_KEY": sessionKey,
		"WECHAT_APPID": wechattest.DefaultAppID, "WECHAT_MCH_ID": wechattest.DefaultMchID,
		"WECHAT_API_KEY": wechattest.DefaultAPIKey, "WECHAT_BASE_URL": world.sim.URL,
	}
	var workers []map[string]string
	for _, signType := range signTypes {
		workers = append(workers, with(settings, "WECHAT_SIGN_TYPE", string(signType)))
	}

	world.log = &paytest.Log{}
	state, err := os.MkdirTemp("", "h5pay-js-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(state)
	urls, stop, err := startWorkers(state, workers)
	if err != nil {
		return 0, err
	}
	defer stop()
	world.workers = map[wechat.SignType]string{}
	for i, signType := range signTypes {
		world.workers[signType] = urls[i]
	}
	files, err := filepath.Glob(filepath.Join(state, "d1", "*", "[0-9a-f]*.sqlite"))
	if err != nil || len(files) != 1 {
		return 0, fmt.Errorf("the databases are %v: %v", files, err)
	}
	if world.d1, err = sql.Open("sqlite", store.SQLiteURI(files[0], "mode=ro")); err != nil {
		return 0, err
	}
	defer world.d1.Close()
	return m.Run(), nil
}

func with(settings map[string]string, name, value string) map[string]string {
	settings = maps.Clone(settings)
	settings[name] = value
	return settings
}

// startWorkers runs host.mjs. The workers share one database.
func startWorkers(state string, workers []map[string]string) (urls []string, stop func(), err error) {
	dir, err := filepath.Abs(".")
	if err != nil {
		return nil, nil, err
	}
	root := filepath.Join(dir, "../../..")
	schema, err := stack.SchemaFiles(root)
	if err != nil {
		return nil, nil, err
	}
	input, err := json.Marshal(map[string]any{
		"root": dir, "state": state, "workers": workers,
		"sql": schema,
	})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, root+"/node_modules/.bin/node", "testdata/host.mjs")
	cmd.Stderr = world.log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, nil, fmt.Errorf("starting the Workers; `make build` brings Node: %w", err)
	}
	copied := make(chan struct{})
	stop = func() {
		stdin.Close() // it ends by itself
		late := time.AfterFunc(5*time.Second, cancel)
		<-copied
		cmd.Wait()
		late.Stop()
		cancel()
	}
	lines := bufio.NewReader(stdout)
	if _, err = stdin.Write(append(input, '\n')); err == nil {
		var line []byte
		if line, err = lines.ReadBytes('\n'); err == nil {
			err = json.Unmarshal(line, &urls)
		}
	}
	go func() {
		io.Copy(world.log, lines)
		close(copied)
	}()
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("starting the Workers: %w\n%s", err, world.log)
	}
	return urls, stop, nil
}

// mail delivers WeChat's notifications to the signer that is being tested. The orders of both
// signers have the same notify URL.
type mail struct {
	mu     sync.Mutex
	to     func(*http.Request) (*http.Response, error)
	answer answer // the last one
}

func (m *mail) Do(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	res, err := m.to(r)
	if err != nil {
		return nil, err
	}
	if m.answer, err = read(res); err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(m.answer.body))
	return res, nil
}

// answer is the response to a call.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) id() string { return a.header.Get("X-Request-Id") }

func read(res *http.Response) (answer, error) {
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, body}, err
}

// toWorker sends a request to a Worker, as Cloudflare's edge would.
func toWorker(base string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		host, err := url.Parse(base)
		if err != nil {
			return nil, err
		}
		r.URL.Scheme, r.URL.Host, r.RequestURI = host.Scheme, host.Host, ""
		r.Header.Set("CF-Connecting-IP", buyerIP)
		return http.DefaultTransport.RoundTrip(r)
	}
}

// toHandler serves a request in this process.
func toHandler(h http.Handler) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		r.RemoteAddr = buyerIP + ":40000"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
}

// newKey returns an unused client_key.
func newKey() string { return strings.ToLower(rand.Text()) }
