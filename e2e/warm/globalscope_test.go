package warm_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/envfile"
	"h5pay/internal/stack"
	"h5pay/wechat/wechattest"
)

// The first program starts before the first event, and serves it.
func TestFirstProgramStartsInTheGlobalScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if s := w.pool(nil); s.Started != 1 || s.Count != 1 || s.Discarded != 0 {
		t.Errorf("before the first event: %+v", s)
	}
	for _, id := range []string{"first", "second"} {
		w.wantWork(id, "sleep", "5", "fetch", "1", "hang", "20", "d1", "1")
	}
	if s := w.pool(nil); s.Started != 1 {
		t.Errorf("the first program did not serve the events: %+v", s)
	}
	if strings.Contains(w.log.String(), "global scope") {
		t.Errorf("the log: %s", w.log)
	}
}

// drawn is the response of /drawn.
type drawn struct {
	Seed, Text string
	Warm       bool
}

func (w *world) drawn() (d drawn) {
	w.Helper()
	_, text, err := w.get("/drawn")
	if err != nil {
		w.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		w.Fatal(err)
	}
	return d
}

// Two isolates of a script start with the same map seeds, and crypto/rand draws different values in
// them. Another secret gives other map seeds.
func TestRandomValuesDoNotDependOnTheStart(t *testing.T) {
	t.Parallel()
	other := map[string]string{"SESSION_KEY": strings.Repeat("another secret", 3)}
	one, two, three := newWorld(t, nil), newWorld(t, nil), newWorldWith(t, nil, stack.WorkerdConfig{Vars: other})
	seeds, texts := map[string]bool{}, map[string]bool{}
	for _, w := range []*world{one, two, three} {
		for range 3 {
			d := w.drawn()
			if d.Warm {
				t.Error("the program of the warm-up serves an event")
			}
			seeds[d.Seed], texts[d.Text] = true, true
		}
	}
	if one, two := one.drawn().Seed, two.drawn().Seed; one != two {
		t.Errorf("the seeds of one secret are %s and %s: the test shows nothing", one, two)
	}
	if len(seeds) != 2 || len(texts) != 9 {
		t.Errorf("two secrets gave the seeds %v; nine calls drew %v", seeds, texts)
	}
}

// A program that needs more than the global scope has starts again during the first event, and the
// log has the cause.
func TestStartThatNeedsAnEvent(t *testing.T) {
	t.Parallel()
	for start, reason := range map[string]string{
		"random": "the program wants random values in the global scope",
		"time":   "the program wants the time in the global scope",
		"timer":  "Disallowed operation called within global scope",
		"call":   "the program makes a call in the global scope",
	} {
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			w := newWorldWith(t, nil, stack.WorkerdConfig{Vars: map[string]string{"SESSION_KEY": sessionKey, "START": start}})
			for _, id := range []string{"first", "second"} {
				w.wantWork(id, "sleep", "5", "d1", "1")
			}
			if s := w.pool(nil); s.Started != 2 || s.Discarded != 1 || s.Count != 1 {
				t.Errorf("%+v", s)
			}
			log := w.log.String()
			if strings.Count(log, `"msg":"the first program did not start in the global scope"`) != 1 || !strings.Contains(log, reason) {
				t.Errorf("want one line with %q, the log is: %s", reason, log)
			}
		})
	}
}

// Without a secret there are no map seeds, and all programs start during events.
func TestStartWithoutASecret(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", sessionKey[:31]} {
		w := newWorldWith(t, nil, stack.WorkerdConfig{Vars: map[string]string{"SESSION_KEY": key}})
		if s := w.pool(nil); s.Started != 0 {
			t.Errorf("before the first event: %+v", s)
		}
		w.wantWork("first", "sleep", "5", "d1", "1")
	}
}

// The warm-up reaches no database, no server, no queue and no log.
func TestWarmUpHasNoEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if _, text, err := w.get("/text", "id", "warm"); err != nil || text != "" {
		t.Errorf("the warm-up wrote its row: %q, %v", text, err)
	}
	// A message for a queue that is not bound would log an error.
	if log := w.log.String(); log != "" || !w.pool(nil).WarmedUp {
		t.Errorf("the warm-up logged, or failed: %s", log)
	}
}

// A warm-up that fails or never ends costs nothing but its effect.
func TestFailedWarmUp(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]int{"error": 1, "panic": 1, "sleep": 0} {
		w := newWorldWith(t, nil, stack.WorkerdConfig{Vars: map[string]string{"SESSION_KEY": sessionKey, "WARMUP": how}})
		for _, id := range []string{"first", "second"} {
			w.wantWork(id, "sleep", "5", "fetch", "1", "d1", "1")
		}
		if s := w.pool(nil); s.Started != 1 || s.Discarded != 0 {
			t.Errorf("%s: %+v", how, s)
		}
		if w.pool(nil).WarmedUp {
			t.Errorf("%s: the warm-up succeeded", how)
		}
		if got := strings.Count(w.log.String(), `"msg":"the warm-up in the global scope failed"`); got != want {
			t.Errorf("%s: %d lines, want %d: %s", how, got, want, w.log)
		}
	}
}

// Two isolates of the signer draw different ids, nonces and keys, and neither repeats one. Its first
// program starts in the global scope and has at most 8 MiB.
func TestSignersDrawDifferentValues(t *testing.T) {
	t.Parallel()
	nonce := regexp.MustCompile(`nonce_str(?:="|>(?:<!\[CDATA\[)?)(\w+)`) // of APIv3 and APIv2
	var mu sync.Mutex
	var nonces []string
	wechat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if m := nonce.FindStringSubmatch(r.Header.Get("Authorization") + string(body)); m != nil {
			mu.Lock()
			nonces = append(nonces, m[1])
			mu.Unlock()
		}
		http.Error(w, "no", http.StatusBadGateway)
	}))
	t.Cleanup(wechat.Close)
	env, modules, schema := signer(t)
	env["WECHAT_BASE_URL"] = wechat.URL
	seen := map[string]string{}
	draws := func(what, value string) {
		t.Helper()
		if before := seen[value]; before != "" || len(value) < 16 {
			t.Errorf("%s is %q, and so was %q", what, value, before)
		}
		seen[value] = what
	}
	for range 2 {
		w := startWorld(t, stack.WorkerdConfig{Modules: modules, Vars: maps.Clone(env)}, schema...)
		before := w.pool(nil)
		if before.Started != 1 || before.Memory > 8*mib {
			t.Errorf("before the first event: %+v", before)
		}
		for range 2 {
			guest := w.shopCall(env["SHOP_URL"], nil, api.PathSession, `{}`)
			draws("a request id", guest.header.Get("X-Request-Id"))
			session := guest.header.Get("Set-Cookie")
			draws("a session", session)
			o := w.shopCall(env["SHOP_URL"], guest.header, api.PathOrders,
				`{"items":[{"product_id":"tea","quantity":1}],"client_key":"0123456789abcdef"}`)
			var order api.Order
			if err := json.Unmarshal(o.body, &order); err != nil || order.ID == "" {
				t.Fatalf("%v, %s\n%s", err, o.body, w.log)
			}
			draws("an order id", order.ID)
			w.shopCall(env["SHOP_URL"], guest.header, api.OrderPayPath(order.ID), `{"trade_types":["NATIVE"]}`)
		}
		if s := w.pool(nil); s.Started != 1 || s.Memory > 8*mib {
			t.Errorf("after its events: %+v", s)
		}
		t.Logf("the program has %d KiB before the first event and %d KiB after its events", before.Memory>>10, w.pool(nil).Memory>>10)
		if strings.Contains(w.log.String(), "global scope") {
			t.Errorf("the log: %s", w.log)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(nonces) < 4 {
		t.Fatalf("WeChat got the nonces %v, want four or more", nonces)
	}
	for _, n := range nonces {
		draws("a nonce", n)
	}
}

// The warm-up of the signer makes all its calls with each version of WeChat's API.
func TestSignersWarmUp(t *testing.T) {
	t.Parallel()
	env, modules, schema := signer(t)
	v3 := maps.Clone(env)
	id := wechattest.Start(t, wechattest.Config{}).V3()
	maps.Copy(v3, map[string]string{
		"WECHAT_API_KEY": "", "WECHAT_MCH_KEY": id.PrivateKey, "WECHAT_MCH_SERIAL": id.Serial, "WECHAT_APIV3_KEY": id.APIv3Key,
		"WECHAT_PUBLIC_KEY": id.PublicKey, "WECHAT_PUBLIC_KEY_ID": id.PublicKeyID,
	})
	certificates := maps.Clone(v3)
	maps.Copy(certificates, map[string]string{"WECHAT_PUBLIC_KEY": "", "WECHAT_PUBLIC_KEY_ID": "", "WECHAT_CERTIFICATES": "on"})
	for version, vars := range map[string]map[string]string{"v2": env, "v3": v3, "v3 with certificates": certificates} {
		w := startWorld(t, stack.WorkerdConfig{Modules: modules, Vars: vars}, schema...)
		w.shopCall(vars["SHOP_URL"], nil, api.PathSession, `{}`) // it logs why the warm-up failed
		if !w.pool(nil).WarmedUp {
			t.Errorf("%s: the warm-up did not succeed, the log is: %s", version, w.log)
		}
	}
}

// signer returns the settings, the folder with the modules, and the schema of the signer.
func signer(t *testing.T) (env map[string]string, modules string, schema []string) {
	t.Helper()
	env, err := envfile.New("../../.dev.vars.example")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if schema, err = stack.SchemaFiles(root); err != nil {
		t.Fatal(err)
	}
	modules = t.TempDir()
	for _, name := range append(built(t), "entry.mjs") {
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(modules, filepath.Base(name))); err != nil {
			t.Fatal(err)
		}
	}
	return env, modules, schema
}

// built returns the modules of the signer.
func built(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.mjs", "*.js", "*.wasm"} {
		found, err := filepath.Glob("../../build/" + pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("run make build: %v", err)
		}
		files = append(files, found...)
	}
	return files
}

type shopResponse struct {
	header http.Header
	body   []byte
}

// shopCall calls the signer with the session that an earlier response set.
func (w *world) shopCall(shop string, session http.Header, path, body string) shopResponse {
	w.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.worker.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", shop)
	req.Header.Set("CF-Connecting-IP", "203.0.113.7")
	for _, c := range (&http.Response{Header: session}).Cookies() {
		req.AddCookie(c)
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	return shopResponse{res.Header, []byte(readAll(w, res))}
}
