package warm_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/cleanup"
	"h5pay/internal/paytest"
	"h5pay/internal/stack"
)

// world is the program of ./program behind the signer's entry, on workerd.
type world struct {
	testing.TB
	worker *stack.Workerd
	client *http.Client
	up     string // upstream's URL
	log    *paytest.Log
}

// build returns a folder with the Worker's modules and the SQL of its database.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "h5pay-warm")
	if err != nil {
		return "", err
	}
	modules, err := filepath.Glob("../../signer/warm/*.mjs")
	if err != nil {
		return "", err
	}
	for _, name := range append(modules, "entry.mjs", "../../build/wasm_exec.js") {
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, 0o600); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "recorded.mjs"), []byte(recorded), 0o600); err != nil {
		return "", err
	}
	const schema = `CREATE TABLE rows (key TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL, fraction REAL NOT NULL, absent TEXT) STRICT`
	if err := os.WriteFile(filepath.Join(dir, "schema.sql"), []byte(schema), 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "signer.wasm"), "./program")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return dir, nil
})

// recorded is the database of the program's warm-up.
const recorded = `export const recorded = { DB: {
	"INSERT INTO rows (key, number, fraction, absent) VALUES ('warm', 1, 1, NULL)": [[3, [], []]],
	"SELECT key, number FROM rows WHERE number < ?": [[0, ["key", "number"], [["中", 7]]], [0, ["key", "number"], [["中", 8]]]],
} };`

func TestMain(m *testing.M) {
	cleanup.Main(func() int {
		code := m.Run()
		if dir, err := build(); err == nil {
			os.RemoveAll(dir)
		}
		return code
	})
}

// sessionKey is the secret from which the first program's map seeds are derived.
const sessionKey = "0123456789abcdef0123456789abcdef"

// newWorld starts a Worker with its own database. limits override those of pool.mjs.
func newWorld(t testing.TB, limits map[string]int) *world {
	return newWorldWith(t, limits, stack.WorkerdConfig{})
}

// newWorldWith uses the Services and the Vars of cfg. A nil Vars has only a SESSION_KEY.
func newWorldWith(t testing.TB, limits map[string]int, cfg stack.WorkerdConfig) *world {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Modules = dir
	if cfg.Vars == nil {
		cfg.Vars = map[string]string{"SESSION_KEY": sessionKey}
	}
	w := startWorld(t, cfg, filepath.Join(dir, "schema.sql"))
	query := url.Values{}
	for name, n := range limits {
		query.Set(name, strconv.Itoa(n))
	}
	w.pool(query)
	return w
}

// startWorld starts the Worker of cfg.Modules with a database of its own.
func startWorld(t testing.TB, cfg stack.WorkerdConfig, schema ...string) *world {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	d1, err := stack.StartD1(context.Background(), root, schema...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d1.Close)
	w := &world{TB: t, log: &paytest.Log{}, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 400}, Timeout: 90 * time.Second}}
	cfg.Dir, cfg.Entry, cfg.D1, cfg.Output = root, "entry.mjs", d1.Address, w.log
	w.worker, err = stack.StartWorkerd(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.worker.Close)
	t.Cleanup(w.client.CloseIdleConnections)
	up := httptest.NewServer(upstream())
	t.Cleanup(func() { up.CloseClientConnections(); up.Close() })
	w.up = up.URL
	return w
}

// upstream is the server that the program calls.
func upstream() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength < 0 {
			http.Error(w, "chunked", http.StatusPreconditionFailed) // as WeChat is reported to do
			return
		}
		b, _ := io.ReadAll(r.Body)
		ms, _ := strconv.Atoi(r.URL.Query().Get("delay"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
		w.Write(b)
	})
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // otherwise the end of the connection is not noticed
		<-r.Context().Done()
	})
	mux.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Query().Get("status"))
		w.WriteHeader(status)
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("bytes"))
		io.CopyN(w, zeroes{}, int64(n)) // chunked
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		// A small response that decompresses to a large one.
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.CopyN(z, zeroes{}, 50<<20)
		z.Close()
	})
	mux.HandleFunc("/reset", func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	})
	return mux
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// get returns the status and the text of a response; a request without a response is an error.
func (w *world) get(path string, query ...string) (int, string, error) {
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	res, err := w.client.Get(w.worker.URL + path + "?" + values.Encode())
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// wantWork requests work and reports any response but its own.
func (w *world) wantWork(id string, query ...string) {
	w.Helper()
	status, text, err := w.get("/work", append([]string{"id", id, "up", w.up}, query...)...)
	if err != nil || status != http.StatusOK || text != id+" ok" {
		w.Errorf("%s %v: %d %q, %v", id, query, status, text, err)
	}
}

// state is the state of the pool.
type state struct {
	Count, Memory, Started, Discarded, References int
	WarmedUp                                      bool
}

func (w *world) pool(set url.Values) state {
	w.Helper()
	res, err := w.client.Get(w.worker.URL + "/pool?" + set.Encode())
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	var s state
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
		w.Fatal(err)
	}
	return s
}

// inParallel runs do for 0 to n-1, conns at a time.
func inParallel(n, conns int, do func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range conns {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// resident returns workerd's memory in MiB.
func (w *world) resident() int {
	w.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.worker.PID))
	if err != nil {
		w.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest + " x")[0])
	if err != nil {
		w.Fatal(err)
	}
	return kib / 1024
}

// event sends an event that is not a request and returns its result.
func (w *world) event(path string, query url.Values, body string) string {
	res, err := w.client.Post(w.worker.EventsURL+path+"?"+query.Encode(), "application/json", strings.NewReader(body))
	if err != nil {
		w.Error(err)
		return ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.Error(err)
	}
	return string(b)
}

// readAll returns the text of a response.
func readAll(t testing.TB, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
