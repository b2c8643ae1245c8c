package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"h5pay/internal/job"
	"h5pay/internal/stack"
)

// worker is the signer at its public address. workerd behind it may be killed at any time and then
// restarts. Callers wait for the restart, as at Cloudflare; running requests get no response.
type worker struct {
	*world
	config stack.WorkerdConfig
	client *http.Client

	allowed500 atomic.Int64 // kills, and failures of D1 that explain a status 500
	requests   atomic.Int64
	turns      atomic.Int64 // of the machines
	calm       bool         // all machines have the correct time
	lost       atomic.Int64 // requests without a response because workerd was killed

	mu        sync.Mutex
	revision  int // of config
	current   *stack.Workerd
	restarted chan struct{} // closed after the restart
	closed    bool
	deaths    int
}

// startWorker starts the first workerd.
func (w *world) startWorker(ctx context.Context, config stack.WorkerdConfig) (*worker, error) {
	k := &worker{world: w, config: config, restarted: make(chan struct{}), client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return k, k.start(ctx)
}

// start starts workerd. Another program may have taken the free port meanwhile, so it retries. It
// starts again if the settings change meanwhile.
func (k *worker) start(ctx context.Context) error {
	for {
		var d *stack.Workerd
		var err error
		k.mu.Lock()
		config, revision := k.config, k.revision
		k.mu.Unlock()
		for range 5 {
			if d, err = stack.StartWorkerd(ctx, config); err == nil {
				break
			}
		}
		if err != nil {
			return err
		}
		if err := k.setClock(d); err != nil {
			return err
		}
		if k.use(d, revision) {
			return nil
		}
		d.Close()
	}
}

// use makes a workerd the current one. It reports whether the settings are those with which workerd
// started.
func (k *worker) use(d *stack.Workerd, revision int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.revision != revision:
		return false
	case k.closed:
		d.Close()
		return true
	}
	k.current = d
	close(k.restarted)
	return true
}

// deploy changes the settings. workerd is killed and restarts with them, whatever it is doing.
func (k *worker) deploy(ctx context.Context, change func(vars map[string]string)) error {
	k.mu.Lock()
	vars := maps.Clone(k.config.Vars)
	change(vars)
	k.config.Vars = vars
	k.revision++
	k.mu.Unlock()
	k.kill()
	_, err := k.running(ctx)
	return err
}

// setClock sets the clock of a new workerd, because a queue message may come before the first
// request and carries no time.
func (k *worker) setClock(d *stack.Workerd) error {
	req, err := http.NewRequest(http.MethodGet, d.URL+"/api/config", nil)
	if err != nil {
		return err
	}
	req.Header.Set("campaign-time", strconv.FormatInt(k.clock().UnixMilli(), 10))
	res, err := k.client.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// maxSkew is the largest difference between WeChat's clock and the clocks of the machines that run
// the Worker.
const maxSkew = 700 * time.Millisecond

// clock returns the time of the machine that handles the next event. Three machines take turns; one
// is ahead and one behind.
func (k *worker) clock() time.Time {
	now := k.wechat.Now()
	if k.calm {
		return now
	}
	return now.Add(time.Duration(k.turns.Add(1)%3-1) * maxSkew)
}

// kill kills workerd at once and starts another. Of several concurrent calls only the first has an
// effect.
func (k *worker) kill() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current == nil {
		return
	}
	syscall.Kill(k.current.PID, syscall.SIGKILL) // at once; Close below waits
	k.allowed500.Add(1)
	k.deaths++
	dead := k.current
	k.current, k.restarted = nil, make(chan struct{})
	go func() {
		dead.Close()
		if err := k.start(context.Background()); err != nil {
			k.note(wrong, "", "workerd does not restart: %v", err)
		}
	}()
}

// allow500 records that a status 500 may now be correct, because D1 failed. Failures of WeChat
// never allow one.
func (k *worker) allow500(at site) {
	if at == atD1 {
		k.allowed500.Add(1)
	}
}

// running waits for a workerd.
func (k *worker) running(ctx context.Context) (*stack.Workerd, error) {
	for {
		k.mu.Lock()
		now, back := k.current, k.restarted
		k.mu.Unlock()
		if now != nil {
			return now, nil
		}
		select {
		case <-back:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// close stops workerd without a restart.
func (k *worker) close() {
	k.mu.Lock()
	k.closed = true
	now := k.current
	k.mu.Unlock()
	if now != nil {
		now.Close()
	}
	k.client.CloseIdleConnections()
}

// ServeHTTP forwards a request and checks the response.
func (k *worker) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	d, err := k.running(r.Context())
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	k.requests.Add(1)
	before := k.allowed500.Load()
	// A client disconnect is not forwarded; the Worker finishes what it started.
	req, err := http.NewRequest(r.Method, d.URL+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req.Header = r.Header.Clone()
	req.Host = r.Host
	req.Header.Set("campaign-time", strconv.FormatInt(k.clock().UnixMilli(), 10))
	res, err := k.client.Do(req)
	var answer []byte
	if err == nil {
		defer res.Body.Close()
		answer, err = io.ReadAll(res.Body)
	}
	if err != nil {
		if k.allowed500.Load() == before {
			k.note(wrong, "", "%s %s got no response although workerd is running: %v", r.Method, r.URL.Path, err)
		}
		k.lost.Add(1)
		panic(http.ErrAbortHandler)
	}
	if res.StatusCode == http.StatusInternalServerError && k.allowed500.Load() == before {
		k.note(wrong, "", "%s %s: status 500 without a cause: %s", r.Method, r.URL.Path, answer)
	}
	k.checkSecrets("an answer to "+r.Method+" "+r.URL.Path, answer)
	maps.Copy(rw.Header(), res.Header)
	rw.WriteHeader(res.StatusCode)
	rw.Write(answer) // an error means that the client disconnected
}

// tick runs the cron trigger of a job. It reports whether the response was complete.
func (k *worker) tick(ctx context.Context, j job.Job) (bool, error) {
	return k.event(ctx, fmt.Sprintf("/scheduled?cron=%s&due=%d", url.QueryEscape(j.Cron()), k.clock().UnixMilli()), "")
}

// wake sends the queue message that starts a delivery of events.
func (k *worker) wake(ctx context.Context) (bool, error) {
	return k.event(ctx, "/queue?name=h5pay-outbox", `[{"id":"chaos","attempts":1,"body":"order"}]`)
}

// event sends an event to the Worker. It reports whether the response was complete.
func (k *worker) event(ctx context.Context, path, body string) (bool, error) {
	d, err := k.running(ctx)
	if err != nil {
		return false, err
	}
	before := k.allowed500.Load()
	res, err := k.client.Post(d.EventsURL+path, "application/json", strings.NewReader(body))
	var answer []byte
	if err == nil {
		answer, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	switch {
	case err == nil && res.StatusCode == http.StatusOK && bytes.Contains(answer, []byte(`"outcome":"ok"`)):
		return true, nil
	case k.allowed500.Load() != before:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("the event %s: %w", path, err)
	}
	return false, fmt.Errorf("the event %s: %s", path, answer)
}

// modules creates a folder with the built signer and an entry with an adjustable clock.
func modules(root string) (string, error) {
	dir, err := os.MkdirTemp("", "h5pay-chaos")
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(root, "build/*"))
	for _, name := range append(files, filepath.Join(root, "e2e/chaos/clock.mjs")) {
		if err == nil {
			err = os.Symlink(name, filepath.Join(dir, filepath.Base(name)))
		}
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "signer.wasm"))
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("the signer is not built: run `make build`: %w", err)
	}
	return dir, nil
}

// checkEvent records an event of the Worker that failed without a cause.
func (c *campaign) checkEvent(_ bool, err error) {
	if err != nil {
		c.note(wrong, "", "%v", err)
	}
}
