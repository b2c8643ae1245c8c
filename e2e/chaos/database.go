package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"

	"h5pay/internal/stack"
)

// database is D1, which may be killed at any moment and is started again on its files.
type database struct {
	*world
	dir    string // the project's root
	folder string // of the files

	mu        sync.Mutex
	current   *stack.D1     // nil while there is none
	restarted chan struct{} // closed when there is one again
	closed    bool
	deaths    int
}

// startDatabase starts an empty D1 and runs SQL files on it.
func (w *world) startDatabase(ctx context.Context, dir string, sql ...string) (*database, error) {
	folder, err := os.MkdirTemp("", "h5pay-chaos-d1")
	if err != nil {
		return nil, err
	}
	d := &database{world: w, dir: dir, folder: folder, restarted: make(chan struct{})}
	if d.current, err = stack.StartD1In(ctx, dir, folder, sql...); err != nil {
		os.RemoveAll(folder)
		return nil, err
	}
	close(d.restarted)
	return d, nil
}

// kill ends D1 in the middle of whatever it does, and starts it again. Of several
// calls at once the first counts.
func (d *database) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil || d.closed {
		return
	}
	dead := d.current
	d.current, d.restarted = nil, make(chan struct{})
	d.deaths++
	d.worker.allow500(atD1)
	dead.Kill()
	go d.restart()
}

func (d *database) restart() {
	var started *stack.D1
	var err error
	for range 3 {
		if started, err = stack.StartD1In(context.Background(), d.dir, d.folder); err == nil {
			break
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err != nil:
		d.note(wrong, "", "D1 does not start again: %v", err)
	case d.closed:
		started.Close()
	default:
		d.current = started
	}
	close(d.restarted)
}

// address returns where D1 is, "" while it is not there.
func (d *database) address() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil {
		return ""
	}
	return d.current.Address
}

// await returns when D1 is there, or does not come back.
func (d *database) await() {
	d.mu.Lock()
	back := d.restarted
	d.mu.Unlock()
	<-back
}

// close ends D1 for good.
func (d *database) close() {
	d.await()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.current != nil {
		d.current.Close()
	}
	os.RemoveAll(d.folder)
}

// proxyD1 passes the Worker's calls on to D1.
func (w *world) proxyD1() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: r.In.Header.Get(addressHeader)})
			r.Out.Header.Del(addressHeader)
			// What has left workerd arrives, whatever becomes of workerd.
			r.Out = r.Out.WithContext(context.WithoutCancel(r.Out.Context()))
		},
		Transport: w.d1Client.Transport,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			// D1 was killed, or has just closed a connection that was idle.
			w.worker.allow500(atD1)
			panic(http.ErrAbortHandler)
		},
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		address := w.d1.address()
		if address == "" {
			w.worker.allow500(atD1)
			panic(http.ErrAbortHandler)
		}
		r.Header.Set(addressHeader, address)
		proxy.ServeHTTP(rw, r)
	})
}

// addressHeader carries the address of D1 through ReverseProxy.
const addressHeader = "Campaign-D1"

// read returns what is stored, past everything that goes wrong. The columns of
// the statement are those of Row, in JSON. A statement that D1's death left without
// an answer is sent again, so it has to do no harm when it runs twice.
func read[Row any](w *world, statement string, args ...any) ([]Row, error) {
	body, err := json.Marshal(map[string]any{"sql": statement, "params": args})
	if err != nil {
		return nil, err
	}
	for range tries {
		w.d1.await()
		var rows []Row
		if rows, err = readOnce[Row](w, body); !errors.Is(err, errNoAnswer) {
			return rows, err
		}
		time.Sleep(50 * time.Millisecond) // until the death is known
	}
	return nil, fmt.Errorf("reading D1: %w", err)
}

// readOnce sends a statement once. The error is errNoAnswer if no whole answer came.
func readOnce[Row any](w *world, body []byte) ([]Row, error) {
	res, err := w.d1Client.Post("http://"+w.d1.address()+"/query?resultsFormat=ARRAY_OF_OBJECTS", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, errNoAnswer
	}
	defer res.Body.Close()
	var text json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&text); err != nil {
		return nil, errNoAnswer
	}
	var answer []struct{ Results []Row }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer) != 1 {
		return nil, fmt.Errorf("reading D1: %.300s", text)
	}
	return answer[0].Results, nil
}
