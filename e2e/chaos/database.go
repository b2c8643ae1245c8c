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

// storage is the database. It may crash at any time and then restarts on its files.
type storage interface {
	kill()
	await() // returns when it is up or its restart has failed
	close()
	restarts() int
	name() string
	// query runs a statement without injected failures and returns its rows, a JSON list of objects. It
	// returns errNoResponse if no complete response arrived.
	query(statement string, args ...any) (json.RawMessage, error)
}

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
	d.worker.allow500(atDatabase)
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

// proxy forwards the Worker's calls to D1.
func (d *database) proxy() http.Handler {
	w := d.world
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
			w.worker.allow500(atDatabase)
			panic(http.ErrAbortHandler)
		},
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		address := d.address()
		if address == "" {
			w.worker.allow500(atDatabase)
			panic(http.ErrAbortHandler)
		}
		r.Header.Set(addressHeader, address)
		proxy.ServeHTTP(rw, r)
	})
}

// addressHeader passes D1's address through ReverseProxy.
const addressHeader = "Campaign-D1"

func (d *database) restarts() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.deaths
}

func (d *database) name() string { return "D1" }

func (d *database) query(statement string, args ...any) (json.RawMessage, error) {
	body, err := json.Marshal(map[string]any{"sql": statement, "params": args})
	if err != nil {
		return nil, err
	}
	res, err := d.d1Client.Post("http://"+d.address()+"/query?resultsFormat=ARRAY_OF_OBJECTS", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, errNoResponse
	}
	defer res.Body.Close()
	var text json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&text); err != nil {
		return nil, errNoResponse
	}
	var answer []struct{ Results json.RawMessage }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer) != 1 {
		return nil, fmt.Errorf("reading D1: %.300s", text)
	}
	return answer[0].Results, nil
}

// read queries the database directly, without injected failures. The statement's columns are the
// fields of Row, in JSON. After a death of the database it repeats the statement, so the statement
// must be idempotent.
func read[Row any](w *world, statement string, args ...any) ([]Row, error) {
	for range tries {
		w.db.await()
		text, err := w.db.query(statement, args...)
		if errors.Is(err, errNoResponse) {
			time.Sleep(50 * time.Millisecond) // until its end is noticed
			continue
		}
		var rows []Row
		if err == nil {
			if err = json.Unmarshal(text, &rows); err != nil {
				err = fmt.Errorf("reading the database: %w: %.300s", err, text)
			}
		}
		return rows, err
	}
	return nil, fmt.Errorf("reading the database: %w", errNoResponse)
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
		WHERE orders.id = ? ORDER BY IIF(out_trade_no = paid_by, 1, 0) DESC, payments.created_at DESC, out_trade_no`, id)
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
