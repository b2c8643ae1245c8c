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

// database is D1. It may be killed at any time and then restarts on its files.
type database struct {
	*world
	dir    string // the project's root
	folder string // folder of the files

	mu        sync.Mutex
	current   *stack.D1     // nil while it is down
	restarted chan struct{} // closed after the restart
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

// kill kills D1 at once and restarts it. Of several concurrent calls only the first has an effect.
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
		d.note(wrong, "", "D1 does not restart: %v", err)
	case d.closed:
		started.Close()
	default:
		d.current = started
	}
	close(d.restarted)
}

// address returns D1's address, "" while it is down.
func (d *database) address() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil {
		return ""
	}
	return d.current.Address
}

// await returns when D1 is up or its restart has failed.
func (d *database) await() {
	d.mu.Lock()
	back := d.restarted
	d.mu.Unlock()
	<-back
}

// close stops D1 without a restart.
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

// proxyD1 forwards the Worker's calls to D1.
func (w *world) proxyD1() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: r.In.Header.Get(addressHeader)})
			r.Out.Header.Del(addressHeader)
			// A request that has left workerd arrives even if workerd is killed.
			r.Out = r.Out.WithContext(context.WithoutCancel(r.Out.Context()))
		},
		Transport: w.d1Client.Transport,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			// D1 was killed, or closed an idle connection.
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

// addressHeader passes D1's address through ReverseProxy.
const addressHeader = "Campaign-D1"

// read queries the database directly, without injected failures. The statement's columns are the
// fields of Row, in JSON. After a death of D1 it repeats the statement, so the statement must be
// idempotent.
func read[Row any](w *world, statement string, args ...any) ([]Row, error) {
	body, err := json.Marshal(map[string]any{"sql": statement, "params": args})
	if err != nil {
		return nil, err
	}
	for range tries {
		w.d1.await()
		var rows []Row
		if rows, err = readOnce[Row](w, body); !errors.Is(err, errNoResponse) {
			return rows, err
		}
		time.Sleep(50 * time.Millisecond) // until the end of D1 is noticed
	}
	return nil, fmt.Errorf("reading D1: %w", err)
}

// readOnce sends a statement once. It returns errNoAnswer if no complete response arrived.
func readOnce[Row any](w *world, body []byte) ([]Row, error) {
	res, err := w.d1Client.Post("http://"+w.d1.address()+"/query?resultsFormat=ARRAY_OF_OBJECTS", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, errNoResponse
	}
	defer res.Body.Close()
	var text json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&text); err != nil {
		return nil, errNoResponse
	}
	var answer []struct{ Results []Row }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer) != 1 {
		return nil, fmt.Errorf("reading D1: %.300s", text)
	}
	return answer[0].Results, nil
}

// numbersOf returns the out_trade_no of every payment of an order: first of the one that pays it,
// then of the others, the newest first.
func (w *world) numbersOf(id string) []string {
	if id == "" {
		return nil
	}
	rows, err := read[struct {
		Number string
	}](w, `SELECT COALESCE(out_trade_no, '') AS number FROM orders LEFT JOIN payments ON order_id = orders.id
		WHERE orders.id = ? ORDER BY out_trade_no IS paid_by DESC, payments.created_at DESC, out_trade_no DESC`, id)
	if err != nil || len(rows) == 0 {
		w.note(lost, id, "a buyer received the order, which is not stored: %v", err)
		return nil
	}
	var all []string
	for _, r := range rows {
		if r.Number != "" {
			all = append(all, r.Number)
		}
	}
	return all
}
