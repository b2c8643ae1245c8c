// Command program is a Worker that fails on demand, for the tests of the pool. It runs behind the
// signer's own entry.
package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall/js"
	"time"

	"github.com/syumai/workers/cloudflare"

	"h5pay/signer/warm"
)

func main() {
	w := warm.New()
	p := &program{db: w.OpenD1("DB"), fetch: w.Fetch(), cert: w.FetchThrough("CERT"), limit: w.RateLimit("LIMIT"), rsa: w.RSA(), log: w.Log(), queued: w.Queue("QUEUE")}
	mux := http.NewServeMux()
	mux.HandleFunc("/work", p.work)
	mux.HandleFunc("/body", p.body)
	mux.HandleFunc("/answer", p.answer)
	mux.HandleFunc("/text", p.text)
	mux.HandleFunc("/fetch", p.relay)
	mux.HandleFunc("/certified", p.certified)
	mux.HandleFunc("/limit", p.limited)
	mux.HandleFunc("/rsa", p.sign)
	mux.HandleFunc("/apiv3", p.trade)
	mux.HandleFunc("/later", p.later)
	mux.HandleFunc("/grow", p.grow)
	mux.HandleFunc("/memory", p.memory)
	mux.HandleFunc("/die", p.die)
	mux.HandleFunc("/drawn", p.drawn)
	p.start(setting("START"))
	w.Serve(warm.Program{Handler: mux, Cron: p.cron, Queue: p.queue, WarmUp: p.warmUp})
}

type program struct {
	db     *sql.DB
	fetch  warm.Fetch
	cert   warm.Fetch
	limit  warm.RateLimit
	rsa    warm.RSA
	log    io.Writer
	queued warm.Queue
	busy   atomic.Int32
	fired  atomic.Int32 // timers of later
	held   [][]byte
	seed   uint64 // from the random values of the start
	warm   bool   // whether warmUp ran here
}

// work runs the steps that its parameters name, in this order, and responds "<id> ok" if all
// succeeded:
//
//	sleep=MS      sleeps
//	fetch=N       fetches an echo from upstream N times, each after delay=MS
//	hang=MS       fetches a response that never comes, and cancels after MS
//	fail=STATUS   fetches a response with a status
//	reset=1       fetches from a connection that breaks
//	d1=N          writes and reads N rows
func (p *program) work(w http.ResponseWriter, r *http.Request) {
	if p.busy.Add(1) != 1 {
		http.Error(w, "two requests in one program", http.StatusConflict)
		return
	}
	defer p.busy.Add(-1)
	q := r.URL.Query()
	id, up := q.Get("id"), q.Get("up")
	number := func(name string) int {
		n, _ := strconv.Atoi(q.Get(name))
		return n
	}
	time.Sleep(time.Duration(number("sleep")) * time.Millisecond)
	err := func() error {
		for i := range number("fetch") {
			want := fmt.Sprintf("%s-%d", id, i)
			if got, err := p.post(r.Context(), up+"/echo?delay="+q.Get("delay"), want); err != nil || got != want {
				return fmt.Errorf("echo of %q: %q, %v", want, got, err)
			}
		}
		if ms := number("hang"); ms > 0 {
			ctx, cancel := context.WithTimeout(r.Context(), time.Duration(ms)*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := p.post(ctx, up+"/hang", id)
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > time.Duration(ms)*time.Millisecond+3*time.Second {
				return fmt.Errorf("hang: %v after %s", err, took)
			}
		}
		if status := number("fail"); status != 0 {
			if _, err := p.post(r.Context(), up+"/status?status="+q.Get("fail"), id); err == nil || err.Error() != q.Get("fail") {
				return fmt.Errorf("fail: %v", err)
			}
		}
		if q.Has("reset") {
			if _, err := p.post(r.Context(), up+"/reset", id); err == nil || !strings.Contains(err.Error(), "fetch failed") {
				return fmt.Errorf("reset: %v", err)
			}
		}
		for i := range number("d1") {
			if err := p.row(r.Context(), fmt.Sprintf("%s-%d", id, i)); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		http.Error(w, id+" "+err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("X-Id", id)
	fmt.Fprint(w, id, " ok")
}

// post sends text and returns the response's text. If the status is not 200, the status is the
// error.
func (p *program) post(ctx context.Context, url, text string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(text))
	if err != nil {
		return "", err
	}
	res, err := p.fetch.Do(req)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(strconv.Itoa(res.StatusCode))
	}
	return string(b), err
}

// row writes a row and reads it again.
func (p *program) row(ctx context.Context, key string) error {
	res, err := p.db.ExecContext(ctx, `INSERT INTO rows (key, number, fraction, absent) VALUES (?, ?, ?, ?)`, key, len(key), 0.5, nil)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); n != 1 || err != nil {
		return fmt.Errorf("%s: %d rows, %v", key, n, err)
	}
	var got string
	var number int
	var fraction float64
	var nothing sql.NullString
	err = p.db.QueryRowContext(ctx, `SELECT key, number, fraction, absent FROM rows WHERE key = ?`, key).Scan(&got, &number, &fraction, &nothing)
	if err != nil || got != key || number != len(key) || fraction != 0.5 || nothing.Valid {
		return fmt.Errorf("%s: %q %d %v %v, %v", key, got, number, fraction, nothing, err)
	}
	return p.batch(ctx, key)
}

// batch is a batch for D1.
type batch struct {
	queries []string
	args    [][]any
}

func (b batch) Batch() ([]string, [][]any) { return b.queries, b.args }

// batch changes the row, and changes it once more in a batch that fails. Then it reads it.
func (p *program) batch(ctx context.Context, key string) error {
	const change = `UPDATE rows SET number = number + 1 WHERE key = ? RETURNING number`
	if rows, err := p.db.QueryContext(ctx, "", batch{[]string{change, `INSERT INTO rows (key) SELECT key FROM missing`}, [][]any{{key}, nil}}); err == nil {
		rows.Close()
		return fmt.Errorf("%s: a batch with a wrong statement succeeds", key)
	}
	rows, err := p.db.QueryContext(ctx, "", batch{[]string{change, `SELECT key FROM rows WHERE key = 'none'`, `SELECT number, fraction FROM rows WHERE key = ?`}, [][]any{{key}, nil, {key}}})
	if err != nil {
		return err
	}
	defer rows.Close()
	var changed, number int
	var fraction float64
	if !rows.Next() || rows.Scan(&changed) != nil || !rows.NextResultSet() || rows.Next() || !rows.NextResultSet() || !rows.Next() || rows.Scan(&number, &fraction) != nil {
		return fmt.Errorf("%s: a batch has other results, %v", key, rows.Err())
	}
	if changed != len(key)+1 || number != changed || fraction != 0.5 {
		return fmt.Errorf("%s: a batch returns %d, %d and %v", key, changed, number, fraction)
	}
	return nil
}

// body responds with the request's body, repeated as requested.
func (p *program) body(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	n, _ := strconv.Atoi(r.URL.Query().Get("times"))
	for range n {
		w.Write(b)
	}
}

// answer responds with a status, two cookies and a header that is not ASCII.
func (p *program) answer(w http.ResponseWriter, r *http.Request) {
	status, _ := strconv.Atoi(r.URL.Query().Get("status"))
	w.Header().Add("Set-Cookie", "a=1; Path=/")
	w.Header().Add("Set-Cookie", "b=2, Path=/")
	w.Header().Set("X-Method", r.Method)
	w.Header().Set("X-Header", r.Header.Get("X-Header"))
	w.WriteHeader(status)
}

// text stores the body and responds with the stored value.
func (p *program) text(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	key := r.URL.Query().Get("id")
	if _, err := p.db.ExecContext(r.Context(), `INSERT INTO rows (key, number, fraction, absent) VALUES (?, ?, ?, ?)`, key, int64(1)<<53-1, 1e300, string(b)); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	var got string
	var number int64
	var fraction float64
	err := p.db.QueryRowContext(r.Context(), `SELECT absent, number, fraction FROM rows WHERE key = ?`, key).Scan(&got, &number, &fraction)
	if err != nil || number != 1<<53-1 || fraction != 1e300 {
		http.Error(w, fmt.Sprint(number, fraction, err), http.StatusBadGateway)
		return
	}
	io.WriteString(w, got)
}

// relay responds with the size of upstream's response and its first header.
func (p *program) relay(w http.ResponseWriter, r *http.Request) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, r.URL.Query().Get("url"), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	res, err := p.fetch.Do(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	n, err := io.Copy(io.Discard, res.Body)
	fmt.Fprint(w, res.StatusCode, " ", n, " ", err)
}

// certified forwards a POST through the binding CERT.
func (p *program) certified(w http.ResponseWriter, r *http.Request) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, r.URL.Query().Get("url"), r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	res, err := p.cert.Do(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(res.StatusCode)
	io.Copy(w, res.Body)
}

// limited responds with the result of the binding LIMIT for a key.
func (p *program) limited(w http.ResponseWriter, r *http.Request) {
	ok, err := p.limit.Allow(r.Context(), r.URL.Query().Get("key"))
	fmt.Fprint(w, ok, " ", err)
}

// sign signs a text, or verifies its signature when there is one. Both are base64, as
// the answer is.
func (p *program) sign(w http.ResponseWriter, r *http.Request) {
	var m struct{ Key, Text, Signature []byte }
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := func() (any, error) {
		if m.Signature == nil {
			signer, err := p.rsa.Signer(m.Key)
			if err != nil {
				return nil, err
			}
			return signer.Sign(r.Context(), m.Text)
		}
		verifier, err := p.rsa.Verifier(m.Key)
		if err != nil {
			return nil, err
		}
		return verifier.Verify(r.Context(), m.Text, m.Signature)
	}()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

// later starts a timer that fires after the response.
func (p *program) later(w http.ResponseWriter, r *http.Request) {
	if ms, _ := strconv.Atoi(r.URL.Query().Get("ms")); ms > 0 {
		time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { p.fired.Add(1) })
	}
	fmt.Fprint(w, p.fired.Load())
}

// grow makes the program hold the given number of MiB.
func (p *program) grow(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("mib"))
	b := make([]byte, n<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	p.held = append(p.held, b)
	fmt.Fprint(w, "grown")
}

// memory reports what the program holds after a garbage collection.
func (p *program) memory(w http.ResponseWriter, r *http.Request) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(w, `{"heap": %d, "goroutines": %d}`, m.HeapAlloc, runtime.NumGoroutine())
}

// die ends the program in one of several ways.
func (p *program) die(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Query().Get("by") {
	case "panic":
		panic("on demand")
	case "goroutine":
		go panic("on demand")
	case "exit":
		os.Exit(3)
	case "memory":
		for {
			p.held = append(p.held, make([]byte, 64<<20))
		}
	case "recursion":
		w.Header().Set("X-Depth", strconv.Itoa(deep(0)))
	case "deadlock":
		select {}
	}
	time.Sleep(time.Hour)
}

// deep recurses beyond any stack.
func deep(n int) int {
	if n < 0 {
		return 0
	}
	return deep(n+1) + 1
}

// cron writes a row; the patterns "fail" and "die" make it fail.
func (p *program) cron(ctx context.Context, pattern string, at time.Time) error {
	switch pattern {
	case "fail":
		return errors.New("on demand")
	case "die":
		panic("on demand")
	}
	return p.row(ctx, fmt.Sprintf("cron %s %d", pattern, at.UnixMilli()))
}

// queue writes a row for every message. It skips the messages "again" and returns an error if there
// are any.
func (p *program) queue(ctx context.Context, batch *warm.Batch) error {
	var err error
	for i := range batch.Messages {
		m := &batch.Messages[i]
		if string(m.Body) == `"again"` {
			err = errors.New("some messages must be delivered again")
			continue
		}
		if err := p.row(ctx, fmt.Sprintf("queue %s %s %d %s", batch.Queue, m.ID, m.Attempts, m.Body)); err != nil {
			return err
		}
		m.Ack()
	}
	return err
}

// setting reads a variable of the Worker, "" if it is not set.
func setting(name string) string {
	if v := cloudflare.GetBinding(name); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}

// start does something before the program waits for events that the global scope does not allow.
func (p *program) start(what string) {
	p.seed = mathrand.Uint64()
	switch what {
	case "random":
		rand.Text()
	case "time":
		_ = time.Now()
	case "timer":
		time.AfterFunc(time.Hour, func() {})
	case "call":
		p.post(context.Background(), "http://127.0.0.1:1/", "x") // nothing listens there
	}
}

// drawn responds with what the program drew when it started and what it draws now.
func (p *program) drawn(w http.ResponseWriter, r *http.Request) {
	json.NewEncoder(w).Encode(map[string]any{"seed": strconv.FormatUint(p.seed, 16), "text": rand.Text(), "warm": p.warm})
}

// warmUp uses everything that a request can use. Nothing of it may have an effect. The variable
// WARMUP makes it fail. The recorded results are those of warm_test.go.
func (p *program) warmUp(ctx context.Context) error {
	p.warm = true
	res, err := p.db.ExecContext(ctx, `INSERT INTO rows (key, number, fraction, absent) VALUES ('warm', 1, 1, NULL)`)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 3 {
		return fmt.Errorf("the statement changed %d rows, %w", n, err)
	}
	var text string
	var number int64
	for _, want := range []int64{7, 8, 8} { // the last result is repeated
		if err := p.db.QueryRowContext(ctx, `SELECT key, number FROM rows WHERE number < ?`, 9).Scan(&text, &number); err != nil || text != "中" || number != want {
			return fmt.Errorf("read %s and %d, %w", text, number, err)
		}
	}
	if err := p.db.QueryRowContext(ctx, `SELECT key FROM rows`).Scan(&text); !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("a statement without a recorded result: %s, %w", text, err)
	}
	key, err := p.rsa.Verifier([]byte("no key"))
	if err != nil {
		return err
	}
	if ok, err := key.Verify(ctx, []byte("text"), []byte("no signature")); err != nil || !ok {
		return fmt.Errorf("a signature is %v, %w", ok, err)
	}
	fmt.Fprintln(p.log, "a line of the warm-up", rand.Text(), time.Now())
	p.queued.Send(`"warm"`)
	if text, err := p.post(ctx, "http://127.0.0.1:1/", "x"); err != nil || text != "" { // nothing listens there
		return fmt.Errorf("a fetch returned %q, %w", text, err)
	}
	switch setting("WARMUP") {
	case "error":
		return errors.New("on demand")
	case "panic":
		panic("on demand")
	case "sleep":
		time.Sleep(time.Hour)
	}
	return nil
}
