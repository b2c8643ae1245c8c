//go:build !js

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

// limitedServer is a loadLimiter on a real socket.
type limitedServer struct {
	*loadLimiter
	addr string
	log  *paytest.Log

	mu   sync.Mutex
	full map[string]int // rejections by limit
}

func (s *limitedServer) count(limit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full[limit]++
}

// wantRejections compares the rejections that are counted.
func (s *limitedServer) wantRejections(t *testing.T, want map[string]int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(want, s.full); diff != "" {
		t.Errorf("rejections by limit, -want +got:\n%s", diff)
	}
}

// serveLimited serves calls and the page until the test ends. change, if not nil, modifies the
// default capacity.
func serveLimited(t *testing.T, calls, page http.Handler, change func(*capacity)) *limitedServer {
	t.Helper()
	c := defaultCapacity
	if change != nil {
		change(&c)
	}
	s := &limitedServer{log: &paytest.Log{}, full: map[string]int{}}
	s.loadLimiter = newLoadLimiter(c, calls, page, s.count, slog.New(slog.NewTextHandler(s.log, nil)))
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	srv := s.server()
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.listener(l)) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return s
}

// dial opens a connection to the server and closes it when the test ends.
func (s *limitedServer) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

// send sends a request on a new connection and returns the response.
func (s *limitedServer) send(t *testing.T, method, path, body string) *http.Response {
	t.Helper()
	c := s.dial(t)
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", method, path, len(body), body)
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// eventually fails the test if ok is not true within a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timed out before %s", what)
		}
	}
}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// wantFull checks the response of a full server.
func wantFull(t *testing.T, res *http.Response) {
	t.Helper()
	var e api.Error
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("%s %v %s, %v, want 503 with Retry-After", res.Status, res.Header, b, err)
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && (json.Unmarshal(b, &e) != nil || e.Code != api.CodeOverloaded) {
		t.Errorf("%s", b)
	}
}

// When all call slots are in use, further calls get 503. Notifications use the reserve, and files
// are served.
func TestCallLimit(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var inside atomic.Int32
	calls := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inside.Add(1)
		<-release
	})
	s := serveLimited(t, calls, nothing, func(c *capacity) { c.calls, c.reserveCalls = 6, 2 })
	end := sync.OnceFunc(func() { close(release) })
	defer end()
	hold := func(method, path string) {
		c := s.dial(t)
		fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", method, path)
	}
	for range 4 {
		hold("POST", "/api/orders")
	}
	eventually(t, "four calls are served", func() bool { return inside.Load() == 4 })
	wantFull(t, s.send(t, "POST", "/api/orders", "{}"))
	wantFull(t, s.send(t, "GET", "/api/notify/pay", "")) // not a notification
	hold("POST", "/api/notify/pay")
	hold("POST", "/api/notify/refund")
	eventually(t, "two notifications are served", func() bool { return inside.Load() == 6 })
	wantFull(t, s.send(t, "POST", "/api/notify/pay", ""))
	if res := s.send(t, "GET", "/", ""); res.StatusCode != http.StatusOK {
		t.Errorf("a file: %s", res.Status)
	}
	for range 20 {
		wantFull(t, s.send(t, "POST", "/api/orders", "{}"))
	}
	if n := strings.Count(s.log.String(), "the server is full"); n != 1 {
		t.Errorf("%d lines in a minute:\n%s", n, s.log)
	}
	s.wantRejections(t, map[string]int{"calls": 23})
	// Finished calls release their slots.
	end()
	eventually(t, "slots come back", func() bool { return s.callSlots.used.Load() == 0 })
	if res := s.send(t, "POST", "/api/orders", "{}"); res.StatusCode != http.StatusOK {
		t.Errorf("after the others: %s", res.Status)
	}
}

// A client that sends its body slowly holds no call slot, however large the body is.
func TestSlowBodyHoldsNoSlot(t *testing.T) {
	t.Parallel()
	const large = 290_000
	for name, begin := range map[string]string{
		"small":             "POST /api/notify/pay HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<xml>",
		"large":             fmt.Sprintf("POST /v1/photos HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", large),
		"large, in chunks":  fmt.Sprintf("POST /v1/photos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", large, strings.Repeat("x", 64<<10+100)),
		"large, no picture": fmt.Sprintf("POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", large),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				if err == nil {
					w.Write(b)
				}
			})
			s := serveLimited(t, echo, nothing, func(c *capacity) { c.calls, c.reserveCalls, c.body = 1, 0, 2*time.Second })
			for range 10 {
				io.WriteString(s.dial(t), begin)
			}
			eventually(t, "the connections are open", func() bool { return s.connSlots.used.Load() == 10 })
			if begin[:15] == "POST /v1/photos" {
				eventually(t, "the handler reads them", func() bool { return s.bodySlots.used.Load() == 10 })
			}
			res := s.send(t, "POST", "/api/orders", "whole")
			if b, err := io.ReadAll(res.Body); err != nil || string(b) != "whole" {
				t.Errorf("%s %q, %v", res.Status, b, err)
			}
			// The server disconnects them.
			eventually(t, "slow clients are cut off", func() bool { return s.connSlots.used.Load() <= 1 && s.bodySlots.used.Load() == 0 })
		})
	}
}

// Calls with a large body have a limit of their own. A small picture counts as any call.
func TestLargeBodyLimit(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var inside atomic.Int32
	calls := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inside.Add(1)
		<-release
	})
	s := serveLimited(t, calls, nothing, func(c *capacity) { c.calls, c.reserveCalls, c.bodies = 1, 0, 2 })
	end := sync.OnceFunc(func() { close(release) })
	defer end()
	large := strings.Repeat("x", 70_000)
	hold := func(body string) {
		fmt.Fprintf(s.dial(t), "POST /v1/photos HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	hold(large)
	hold(large)
	eventually(t, "two pictures are stored", func() bool { return inside.Load() == 2 })
	wantFull(t, s.send(t, "POST", "/v1/photos", large))
	hold("{}")
	eventually(t, "a small one is stored", func() bool { return inside.Load() == 3 })
	wantFull(t, s.send(t, "POST", "/v1/photos", "{}"))
	s.wantRejections(t, map[string]int{"bodies": 1, "calls": 1})
	end()
	eventually(t, "slots come back", func() bool { return s.bodySlots.used.Load() == 0 && s.callSlots.used.Load() == 0 })
}

// The limiter finds the routes with a large body by their path, which must not have variables.
func TestRoutesWithALargeBody(t *testing.T) {
	t.Parallel()
	found := false
	for _, route := range v1.Routes {
		if route.MaxBody > 0 {
			found = true
			r := httptest.NewRequest(route.Method, "https://shop.example.com"+route.Path, nil)
			if route.MaxBody <= maxCallBody || strings.Contains(route.Path, "{") || !acceptsLargeBody(r) {
				t.Errorf("%s is not found", route.Name)
			}
		}
	}
	if !found || acceptsLargeBody(httptest.NewRequest("POST", "https://shop.example.com/v1/orders", nil)) {
		t.Error("want /v1/photos alone")
	}
}

// The handler gets a body as it was sent. It gets an error if the body breaks off or is larger than
// its route accepts.
func TestBodiesReachTheHandlerUnchanged(t *testing.T) {
	t.Parallel()
	bodies := make(chan error, 1)
	sent := ""
	calls := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err == nil && string(b) != sent {
			err = fmt.Errorf("got %d bytes of %d", len(b), len(sent))
		}
		bodies <- err
	})
	s := serveLimited(t, calls, nothing, nil)
	text := func(n int) string { return strings.Repeat("0123456789abcdef", n/16) }
	const small, large = 64 << 10, 192 << 10
	for _, test := range []struct {
		path string
		n    int
		ok   bool
	}{
		{"/api/orders", small, true}, {"/v1/photos", small, true}, {"/v1/photos", large, true},
		{"/api/orders", large, false}, {"/v1/orders", large, false},
	} {
		sent = text(test.n)
		whole := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", test.path, test.n, sent)
		chunked := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", test.path, test.n, sent)
		for _, request := range []string{whole, chunked} {
			c := s.dial(t)
			go io.WriteString(c, request) // a body that is not read would block it
			if err := <-bodies; (err == nil) != test.ok {
				t.Errorf("%.60q: %v", request, err)
			}
		}
		for _, request := range []string{whole, chunked} {
			c := s.dial(t)
			io.WriteString(c, request[:min(len(request)-10, 100_000)])
			c.CloseWrite()
			if err := <-bodies; err == nil || strings.HasPrefix(err.Error(), "got ") {
				t.Errorf("%.60q, broken off: %v", request, err)
			}
		}
	}
}

// Above the connection limit the server accepts only notifications. Above the reserve it answers
// 503 and closes the connection. Closed connections release their slots.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	s := serveLimited(t, nothing, nothing, func(c *capacity) { c.conns, c.reserveConns = 20, 4 })
	var held []*net.TCPConn
	for range 20 {
		held = append(held, s.dial(t)) // sends nothing
	}
	eventually(t, "20 connections are open", func() bool { return s.connSlots.used.Load() == 20 })
	wantFull(t, s.send(t, "GET", "/api/config", ""))
	wantFull(t, s.send(t, "GET", "/", ""))
	if res := s.send(t, "POST", "/api/notify/pay", "<xml></xml>"); res.StatusCode != http.StatusOK {
		t.Errorf("a notification: %s", res.Status)
	}
	eventually(t, "the reserve is free", func() bool { return s.connSlots.used.Load() == 20 })
	for range 4 {
		held = append(held, s.dial(t))
	}
	eventually(t, "all are taken", func() bool { return s.connSlots.used.Load() == 24 })
	for range 10 {
		res := s.send(t, "POST", "/api/notify/pay", "<xml></xml>")
		wantFull(t, res)
	}
	s.wantRejections(t, map[string]int{"connections": 12})
	// They never hold more slots than the limit.
	for range 200 {
		held = append(held, s.dial(t))
	}
	if n := s.connSlots.used.Load(); n > 24 {
		t.Errorf("%d connections are served", n)
	}
	for _, c := range held {
		c.Close()
	}
	eventually(t, "slots come back", func() bool { return s.connSlots.used.Load() == 0 })
	if res := s.send(t, "GET", "/api/config", ""); res.StatusCode != http.StatusOK {
		t.Errorf("at last: %s", res.Status)
	}
}

// Near the connection limit, the server closes connections after each response.
func TestIdleConnectionsAreClosedNearTheLimit(t *testing.T) {
	t.Parallel()
	s := serveLimited(t, nothing, nothing, func(c *capacity) { c.conns, c.reserveConns = 4, 1 })
	open := func() *http.Response {
		c := s.dial(t)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	for i := range 8 {
		if res := open(); res.StatusCode != http.StatusOK || res.Close != (i >= 3) {
			t.Errorf("connection %d: %s, closed: %v", i, res.Status, res.Close)
		}
		eventually(t, "it is closed", func() bool { return s.connSlots.used.Load() <= 3 })
	}
}

// The server disconnects a client that stops reading a file or the response of a call.
func TestStalledReadersAreDisconnected(t *testing.T) {
	t.Parallel()
	big := make([]byte, 32<<20) // more than the socket buffers hold
	var began atomic.Int32
	large := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began.Add(1)
		w.Write(big)
	})
	s := serveLimited(t, large, large, func(c *capacity) { c.pace, c.answer = 500*time.Millisecond, time.Second })
	for range 20 {
		for _, path := range []string{"/app.wasm", "/api/orders"} {
			c := s.dial(t)
			c.SetReadBuffer(4 << 10)
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		}
	}
	eventually(t, "40 clients are served", func() bool { return began.Load() == 40 })
	eventually(t, "they are cut off", func() bool {
		return s.connSlots.used.Load() == 0 && s.callSlots.used.Load() == 0 && s.pageSlots.used.Load() == 0
	})
}

// A client that reads slowly but steadily receives its file, for longer than a call may take. Even
// so, a file has a time limit.
func TestSlowReadersGetTheirFile(t *testing.T) {
	t.Parallel()
	const pieces = 64
	sent := make(chan struct{})
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range pieces {
			if i == pieces/2 {
				<-sent // longer than a call may take
			}
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				t.Errorf("piece %d: %v", i, err)
				return
			}
		}
	})
	s := serveLimited(t, nothing, page, func(c *capacity) { c.answer, c.pace = 200*time.Millisecond, 30*time.Second })
	time.AfterFunc(time.Second, func() { close(sent) })
	res := s.send(t, "GET", "/", "")
	if b, err := io.ReadAll(res.Body); err != nil || len(b) != pieces<<10 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	big := make([]byte, 64<<20)
	ended := make(chan error, 1)
	slow := serveLimited(t, nothing, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write(big)
		ended <- err
	}), func(c *capacity) { c.file = time.Second })
	c := slow.dial(t)
	c.SetReadBuffer(4 << 10)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	go func() { // steadily, but too slowly for 64 MiB
		for b := make([]byte, 1<<10); ; time.Sleep(10 * time.Millisecond) {
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	}()
	if err := <-ended; err == nil {
		t.Error("a file of 64 MiB was sent in a second to a client that reads 100 KiB in it")
	}
}

// Headers have a size limit, and an incomplete header times out.
func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	s := serveLimited(t, nothing, nothing, func(c *capacity) { c.header = 500 * time.Millisecond })
	header := func(n int) int {
		c := s.dial(t)
		fmt.Fprintf(c, "GET /api/config HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: %s\r\n\r\n", strings.Repeat("x", n))
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	if got := header(16 << 10); got != http.StatusOK {
		t.Errorf("16 KiB: %d", got)
	}
	if got := header(64 << 10); got != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KiB: %d", got)
	}
	c := s.dial(t)
	io.WriteString(c, "GET /api/config HTTP/1.1\r\nHost:")
	if _, err := io.ReadAll(c); err != nil { // until the server closes it
		t.Errorf("half a header: %v", err)
	}
}

// The default capacity sets every limit and allows for a call that waits for WeChat.
func TestDefaultCapacity(t *testing.T) {
	t.Parallel()
	if defaultCapacity.conns <= 0 || defaultCapacity.reserveConns <= 0 || defaultCapacity.calls <= defaultCapacity.reserveCalls || defaultCapacity.reserveCalls <= 0 || defaultCapacity.bodies <= 0 || defaultCapacity.pages <= 0 ||
		defaultCapacity.header <= 0 || defaultCapacity.body <= 0 || defaultCapacity.answer < 40*time.Second || defaultCapacity.pace <= 0 || defaultCapacity.file <= defaultCapacity.pace || defaultCapacity.idle <= 0 {
		t.Errorf("%+v", defaultCapacity)
	}
	srv := newLoadLimiter(defaultCapacity, nothing, nothing, func(string) {}, slog.New(slog.NewTextHandler(io.Discard, nil))).server()
	if srv.ReadHeaderTimeout != defaultCapacity.header || srv.ReadTimeout != defaultCapacity.body || srv.WriteTimeout != defaultCapacity.answer || srv.IdleTimeout != defaultCapacity.idle || srv.MaxHeaderBytes != 32<<10 {
		t.Errorf("%+v", srv)
	}
}
