package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"h5pay/internal/job"
	"h5pay/internal/paytest/campaign"
	"h5pay/internal/stack"
)

// worker is the signer at its public address: one workerd, or several nodes. Each may be killed at
// any time and then restarts. A request goes to one that runs. Callers wait if there is none, as at
// Cloudflare. Requests on a machine that dies or stops get no response.
type worker struct {
	*deployment
	program  string // for the report
	machines []*machine
	client   *http.Client

	allowed500 atomic.Int64 // failures of the database that explain a status 500 of every machine
	requests   atomic.Int64
	turns      atomic.Int64 // of workerd's clocks
	calm       bool         // all machines have the correct time
	lost       atomic.Int64 // requests without a response because their machine died or stopped
	underway   sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed when a machine starts, stops or dies
	closed  bool
	deaths  int
	freezes int
	lead    *os.File // the clock of the nodes; nil with workerd
}

func (w *deployment) newWorker(program string) *worker {
	return &worker{deployment: w, program: program, changed: make(chan struct{}), client: &http.Client{
		// Each request has a connection of its own: a server may close an idle one just when the next request comes.
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// add adds a machine.
func (k *worker) add(name string, vars map[string]string, launch func(context.Context, map[string]string) (*process, error)) *machine {
	m := &machine{worker: k, name: name, vars: vars, launch: launch}
	k.machines = append(k.machines, m)
	return m
}

// launchWorkerd returns the function that starts workerd. Another program may have taken the free
// port meanwhile, so it retries.
func (k *worker) launchWorkerd(config stack.WorkerdConfig) func(context.Context, map[string]string) (*process, error) {
	return func(ctx context.Context, vars map[string]string) (*process, error) {
		config := config
		config.Vars = vars
		var d *stack.Workerd
		var err error
		for range 5 {
			if d, err = stack.StartWorkerd(ctx, config); err == nil {
				return &process{url: d.URL, events: d.EventsURL, pid: d.PID, close: d.Close}, k.setClock(d)
			}
		}
		return nil, err
	}
}

// setClock sets the clock of a new workerd, because a queue message may come before the first
// request and carries no time.
func (k *worker) setClock(d *stack.Workerd) error {
	req, err := http.NewRequest(http.MethodGet, d.URL+"/api/config", nil)
	if err != nil {
		return err
	}
	req.Header.Set(timeHeader, k.unixMilli())
	res, err := k.client.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// broadcast wakes those that wait for a machine. The caller holds mu.
func (k *worker) broadcast() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// deploy changes the settings of one machine after the other. Its process is killed and restarts
// with them, whatever it is doing.
func (k *worker) deploy(ctx context.Context, change func(vars map[string]string)) error {
	for _, m := range k.machines {
		k.mu.Lock()
		vars := maps.Clone(m.vars)
		change(vars)
		m.vars = vars
		m.revision++
		k.mu.Unlock()
		m.kill()
		if err := k.await(ctx, func() bool { return m.current != nil && m.running == m.revision }); err != nil {
			return err
		}
	}
	return nil
}

// await waits until something is true of the machines. It holds mu while it calls there.
func (k *worker) await(ctx context.Context, there func() bool) error {
	for {
		k.mu.Lock()
		ok, changed := there(), k.changed
		k.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// timeHeader is the header with workerd's time.
const timeHeader = "campaign-time"

// clock returns the time of the machine that handles the next event. In workerd three machines take
// turns; one is ahead and one behind. Of the nodes each has its own skew.
func (k *worker) clock() time.Time {
	now := k.WeChat.Now()
	if k.calm || k.lead != nil {
		return now
	}
	return now.Add(time.Duration(k.turns.Add(1)%3-1) * campaign.MaxSkew)
}

func (k *worker) unixMilli() string { return strconv.FormatInt(k.clock().UnixMilli(), 10) }

// setLead sets the clock of the nodes.
func (k *worker) setLead() {
	if k.lead == nil {
		return
	}
	ahead := time.Until(k.WeChat.Now())
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(ahead.Milliseconds()))
	if _, err := k.lead.WriteAt(b[:], 0); err != nil {
		k.Note(campaign.Wrong, "", "setting the clock of the nodes: %v", err)
	}
}

// named returns the machine with a name, another one if there is none.
func (k *worker) named(name string) *machine {
	for _, m := range k.machines {
		if m.name == name {
			return m
		}
	}
	return k.machines[rand.IntN(len(k.machines))]
}

// thaw lets all stopped machines go on.
func (k *worker) thaw() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.machines {
		m.continues()
	}
}

// settle lets all stopped machines go on, and waits until all run and have finished what they began.
func (k *worker) settle(ctx context.Context) error {
	k.thaw()
	err := k.await(ctx, func() bool {
		for _, m := range k.machines {
			if m.current == nil {
				return false
			}
		}
		return true
	})
	k.underway.Wait()
	return err
}

// allow500 records that a status 500 may now be correct, because the database failed. Failures of
// WeChat never allow one.
func (k *worker) allow500(at campaign.Site) {
	if at == campaign.AtDatabase {
		k.allowed500.Add(1)
	}
}

// target is a machine that runs, with what was known of it when it was chosen.
type target struct {
	*machine
	process
	halted  <-chan struct{} // closed when the process stops
	excused int64           // excuses
}

// running waits for a machine that runs.
func (k *worker) running(ctx context.Context) (s target, err error) {
	err = k.await(ctx, func() bool {
		var up []*machine
		for _, m := range k.machines {
			if m.current != nil && !m.stopped {
				up = append(up, m)
			}
		}
		if len(up) == 0 {
			return false
		}
		m := up[rand.IntN(len(up))]
		s = target{m, *m.current, m.halted, m.excuses()}
		return true
	})
	return s, err
}

// close ends all machines without a restart.
func (k *worker) close() {
	k.mu.Lock()
	k.closed = true
	var all []*process
	for _, m := range k.machines {
		m.continues()
		if m.current != nil {
			all = append(all, m.current)
		}
	}
	k.broadcast()
	k.mu.Unlock()
	for _, p := range all {
		p.close()
	}
}

// answer is the response of a machine.
type answer struct {
	*http.Response
	body []byte
	err  error
}

// send sends a request to a machine. It returns an error if the machine dies or stops. A stopped one
// keeps the request, and processes it when it runs again.
func (k *worker) send(s target, req *http.Request) answer {
	done := make(chan answer, 1)
	if f, hit := k.Failures.Next(campaign.AtSigner, "a request"); hit {
		time.AfterFunc(f.Wait, s.kill)
	}
	k.underway.Go(func() {
		var a answer
		if a.Response, a.err = k.client.Do(req); a.err == nil {
			a.body, a.err = io.ReadAll(a.Body)
			a.Body.Close()
			k.CheckSecrets("an answer to "+req.Method+" "+req.URL.Path, a.body)
		}
		done <- a
	})
	select {
	case a := <-done:
		return a
	case <-s.halted:
		return answer{err: errStopped}
	}
}

// ServeHTTP forwards a request and checks the response.
func (k *worker) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s, err := k.running(r.Context())
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	k.requests.Add(1)
	// A client disconnect is not forwarded; the machine finishes what it started.
	req, err := http.NewRequest(r.Method, s.url+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req.Header = r.Header.Clone()
	req.Host = r.Host
	if k.lead == nil {
		req.Header.Set(timeHeader, k.unixMilli())
	}
	k.setLead()
	a := k.send(s, req)
	if a.err != nil {
		if a.err != errStopped && s.excuses() == s.excused {
			k.Note(campaign.Wrong, "", "%s %s got no response although %s is running: %v", r.Method, r.URL.Path, s.name, a.err)
		}
		k.lost.Add(1)
		panic(http.ErrAbortHandler)
	}
	if a.StatusCode == http.StatusInternalServerError && s.excuses() == s.excused {
		k.Note(campaign.Wrong, "", "%s %s: status 500 without a cause: %s", r.Method, r.URL.Path, a.body)
	}
	maps.Copy(rw.Header(), a.Header)
	rw.WriteHeader(a.StatusCode)
	rw.Write(a.body) // an error means that the client disconnected
}

// tick runs the cron trigger of a job. It reports whether the response was complete.
func (k *worker) tick(ctx context.Context, j job.Job) (bool, error) {
	return k.event(ctx, fmt.Sprintf("/scheduled?cron=%s&due=%d", url.QueryEscape(j.Cron()), k.clock().UnixMilli()), "")
}

// wake sends the queue message that starts a delivery of events.
func (k *worker) wake(ctx context.Context) (bool, error) {
	return k.event(ctx, "/queue?name=h5pay-outbox", `[{"id":"chaos","attempts":1,"body":"order"}]`)
}

// event sends an event to a machine. It reports whether the response was complete.
func (k *worker) event(ctx context.Context, path, body string) (bool, error) {
	s, err := k.running(ctx)
	if err != nil {
		return false, err
	}
	req, err := http.NewRequest(http.MethodPost, s.events+path, strings.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	k.setLead()
	a := k.send(s, req)
	switch {
	case a.err == nil && a.StatusCode == http.StatusOK && bytes.Contains(a.body, []byte(`"outcome":"ok"`)):
		return true, nil
	case a.err == errStopped, s.excuses() != s.excused:
		return false, nil
	case a.err != nil:
		return false, fmt.Errorf("the event %s: %w", path, a.err)
	}
	return false, fmt.Errorf("the event %s: %s", path, a.body)
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
