//go:build !js

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/telemetry"
	"h5pay/internal/v1"
)

// capacity limits the resources that clients can use on the native server. Requests above a limit
// get status 503 with Retry-After. A reserve is kept for WeChat's notifications.
type capacity struct {
	conns, reserveConns int // connections; reserveConns come on top, for notifications only
	calls, reserveCalls int // concurrent calls of the API; reserveCalls are part of them
	bodies              int // concurrent calls with a large body, besides calls
	pages               int // concurrent files of the page

	header, body time.Duration // to send a request's header, and the whole request
	answer       time.Duration // from then on, to read the response of a call
	pace         time.Duration // to read each 32 KiB of a file
	file         time.Duration // to read a whole file
	idle         time.Duration // between requests of a connection
}

// defaultCapacity is the capacity of the server. A call may wait 30 s for WeChat. A phone that
// reads 2 KiB per second receives its file.
var defaultCapacity = capacity{
	conns: 2048, reserveConns: 128, calls: 512, reserveCalls: 64, bodies: 16, pages: 512,
	header: 10 * time.Second, body: 30 * time.Second, answer: time.Minute,
	pace: 15 * time.Second, file: 10 * time.Minute, idle: time.Minute,
}

const (
	maxHeader    = 32 << 10 // bytes of a request's header
	maxCallBody  = 64 << 10 // bytes of a call's body; few routes accept a larger one
	writeChunk   = 32 << 10 // bytes
	maxRejecting = 64       // concurrent connections that receive a 503 outside net/http
	retryAfter   = "5"      // seconds
)

// slots is a counter with a limit.
type slots struct {
	max, reserve int64
	used         atomic.Int64
}

// acquire reserves a slot and reports whether one was free. Only privileged callers get slots of
// the reserve.
func (s *slots) acquire(privileged bool) bool {
	limit := s.max
	if !privileged {
		limit -= s.reserve
	}
	if s.used.Add(1) <= limit {
		return true
	}
	s.used.Add(-1)
	return false
}

func (s *slots) release() { s.used.Add(-1) }

// loadLimiter passes requests to calls and page while slots are free.
type loadLimiter struct {
	capacity
	calls, page          http.Handler
	callSlots, bodySlots slots
	pageSlots            slots
	connSlots, rejecting slots
	log                  *slog.Logger
	overloaded           func(limit string)

	mu       sync.Mutex
	warnedAt time.Time
	rejected int // since warnedAt
}

// newLoadLimiter returns a loadLimiter. overloaded counts each rejection by the limit that was reached.
func newLoadLimiter(c capacity, calls, page http.Handler, overloaded func(limit string), log *slog.Logger) *loadLimiter {
	g := &loadLimiter{capacity: c, calls: calls, page: page, log: log, overloaded: overloaded}
	g.callSlots.max, g.callSlots.reserve = int64(c.calls), int64(c.reserveCalls)
	g.bodySlots.max, g.pageSlots.max = int64(c.bodies), int64(c.pages)
	g.connSlots.max, g.connSlots.reserve = int64(c.conns+c.reserveConns), int64(c.reserveConns)
	g.rejecting.max = maxRejecting
	return g
}

// server returns an HTTP server. Pass it the listener of the same loadLimiter.
func (g *loadLimiter) server() *http.Server {
	return &http.Server{
		Handler:           g,
		ReadHeaderTimeout: g.header,
		ReadTimeout:       g.body,
		WriteTimeout:      g.answer,
		IdleTimeout:       g.idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
}

// connKey is the context key of a request's connection.
type connKey struct{}

func (g *loadLimiter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	notification := r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/api/notify/")
	if c, ok := r.Context().Value(connKey{}).(*countedConn); ok && c.reserved && !notification {
		w.Header().Set("Connection", "close")
		g.rejectFull(w, r, telemetry.LimitConnections)
		return
	}
	if g.connSlots.used.Load() > int64(g.conns)*3/4 {
		w.Header().Set("Connection", "close") // idle connections would use up the slots
	}
	if !isCall(r) {
		if !g.pageSlots.acquire(false) {
			g.rejectFull(w, r, telemetry.LimitFiles)
			return
		}
		defer g.pageSlots.release()
		g.page.ServeHTTP(&pacedWriter{ResponseWriter: w, control: http.NewResponseController(w), pace: g.pace, end: time.Now().Add(g.file)}, r)
		return
	}
	slots, limit := &g.callSlots, telemetry.LimitCalls
	if bufferBody(r) { // before acquiring a slot, because a client may send slowly
		slots, limit = &g.bodySlots, telemetry.LimitBodies
	}
	if !slots.acquire(notification) {
		g.rejectFull(w, r, limit)
		return
	}
	defer slots.release()
	g.calls.ServeHTTP(w, r)
}

// isCall reports whether a request is for the API and not for a file. A ServeMux would redirect
// unclean paths, and a redirected POST loses its body.
func isCall(r *http.Request) bool {
	p := strings.TrimLeft(r.URL.Path, "/")
	return p == "api" || strings.HasPrefix(p, "api/") || strings.HasPrefix(p, "photos/") || strings.HasPrefix(p, "v1/") && p != "v1/openapi.json" && !strings.HasPrefix(p, "v1/docs")
}

// errLargeBody is the error of a body above maxCallBody whose route accepts no such body.
var errLargeBody = errors.New("the body is too large")

// bufferBody reads the body of a call into memory, at most maxCallBody bytes and one more. It reports
// whether the body is larger and its route accepts that. Then the handler reads the rest from the
// client, once it knows the caller. On other routes the rest is errLargeBody.
func bufferBody(r *http.Request) (large bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return false
	}
	var start []byte
	if r.ContentLength <= maxCallBody {
		var err error
		start, err = io.ReadAll(io.LimitReader(r.Body, maxCallBody+1))
		if err == nil && len(start) <= maxCallBody {
			err = io.EOF
		}
		if err != nil {
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(start), errReader{err}))
			return false
		}
	}
	rest := io.Reader(errReader{errLargeBody})
	if large = acceptsLargeBody(r); large {
		rest = r.Body
	}
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(start), rest))
	return large
}

// acceptsLargeBody reports whether the route of a call accepts a body above maxCallBody. Such a
// route reads the body after the API key.
func acceptsLargeBody(r *http.Request) bool {
	return slices.ContainsFunc(v1.Routes, func(route v1.Route) bool {
		return route.MaxBody > maxCallBody && route.Method == r.Method && route.Path == r.URL.Path
	})
}

// errReader returns an error from every Read.
type errReader struct{ err error }

func (b errReader) Read([]byte) (int, error) { return 0, b.err }

// rejectFull responds with 503.
func (g *loadLimiter) rejectFull(w http.ResponseWriter, r *http.Request, limit string) {
	g.note(limit)
	w.Header().Set("Retry-After", retryAfter)
	w.Header().Set("Cache-Control", "no-store")
	if !isCall(r) {
		http.Error(w, "人太多了，请稍后再试\nThe shop is busy. Please try again in a moment.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(api.CodeOverloaded.Status())
	json.NewEncoder(w).Encode(api.Error{Code: api.CodeOverloaded, Message: "the server is full, try again in a moment"})
}

// note counts a rejected request, and logs rejected requests at most once a minute.
func (g *loadLimiter) note(limit string) {
	g.overloaded(limit)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rejected++
	if time.Since(g.warnedAt) < time.Minute {
		return
	}
	g.log.Warn("the server is full", "limit", limit, "rejected", g.rejected)
	g.warnedAt, g.rejected = time.Now(), 0
}

// pacedWriter disconnects a client that stops reading a file. A slow client may continue as long as
// it reads.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	pace    time.Duration
	end     time.Time
}

func (w *pacedWriter) Write(p []byte) (n int, err error) {
	for {
		deadline := time.Now().Add(w.pace)
		if deadline.After(w.end) {
			deadline = w.end
		}
		w.control.SetWriteDeadline(deadline) // fails only on a connection without deadlines
		piece := p[n:min(n+writeChunk, len(p))]
		m, err := w.ResponseWriter.Write(piece)
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}

// listener counts connections. It responds with 503 to connections above all limits and closes them.
type listener struct {
	net.Listener
	limiter *loadLimiter
}

func (g *loadLimiter) listener(l net.Listener) net.Listener { return &listener{l, g} }

func (l *listener) Accept() (net.Conn, error) {
	slots := &l.limiter.connSlots
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		switch {
		case slots.acquire(false):
			return &countedConn{Conn: c, slots: slots}, nil
		case slots.acquire(true):
			return &countedConn{Conn: c, slots: slots, reserved: true}, nil
		}
		l.limiter.note(telemetry.LimitConnections)
		l.rejectConn(c)
	}
}

const fullResponse = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: " + retryAfter + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// rejectConn responds with 503 and closes the connection in the background.
func (l *listener) rejectConn(c net.Conn) {
	if !l.limiter.rejecting.acquire(false) {
		c.Close()
		return
	}
	go func() {
		defer l.limiter.rejecting.release()
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Second))
		io.WriteString(c, fullResponse)
		if partial, ok := c.(interface{ CloseWrite() error }); ok {
			partial.CloseWrite()
		}
		// Unread data would reset the connection and lose the response.
		io.Copy(io.Discard, io.LimitReader(c, maxCallBody))
	}()
}

// countedConn is a connection that holds a slot.
type countedConn struct {
	net.Conn
	slots    *slots
	reserved bool // only the reserve was free
	once     sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(c.slots.release)
	return c.Conn.Close()
}

// CloseWrite lets net/http close its half of the connection first.
func (c *countedConn) CloseWrite() error {
	if partial, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return partial.CloseWrite()
	}
	return nil
}
