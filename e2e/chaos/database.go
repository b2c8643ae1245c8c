package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"

	"h5pay/internal/paytest/campaign"
	"h5pay/internal/stack"
)

// storage is the database. It may crash at any time and then restarts on its files.
type storage interface {
	kill()
	await() // as Host.Await
	close()
	restarts() int
	name() string
	// query is Host.Query.
	query(statement string, args ...any) (json.RawMessage, error)
}

// database is D1. It may be killed at any time and then restarts on its files.
type database struct {
	*deployment
	dir    string // the project's root
	folder string // folder of the files

	mu        sync.Mutex
	current   *stack.D1     // nil while it is down
	restarted chan struct{} // closed after the restart
	closed    bool
	deaths    int
}

// startDatabase starts an empty D1 and runs SQL files on it.
func (w *deployment) startDatabase(ctx context.Context, dir string, sql ...string) (*database, error) {
	folder, err := os.MkdirTemp("", "h5pay-chaos-d1")
	if err != nil {
		return nil, err
	}
	d := &database{deployment: w, dir: dir, folder: folder, restarted: make(chan struct{})}
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
	d.worker.allow500(campaign.AtDatabase)
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
		d.Note(campaign.Wrong, "", "D1 does not restart: %v", err)
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
	w := d.deployment
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
			w.worker.allow500(campaign.AtDatabase)
			panic(http.ErrAbortHandler)
		},
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		address := d.address()
		if address == "" {
			w.worker.allow500(campaign.AtDatabase)
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
		return nil, campaign.ErrNoResponse
	}
	defer res.Body.Close()
	var text json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&text); err != nil {
		return nil, campaign.ErrNoResponse
	}
	var answer []struct{ Results json.RawMessage }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer) != 1 {
		return nil, fmt.Errorf("reading D1: %.300s", text)
	}
	return answer[0].Results, nil
}
