package wechattest

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// TB is the part of testing.TB that Start needs; every *testing.T is one. It
// keeps package testing out of the simulator's binary.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Server is a simulator that listens on ports of the loopback.
type Server struct {
	*WeChat
	URL    string // of Handler: the base URL for SDKs
	TLSURL string // of Handler over TLS, where refund is open to Certificate; "" without Config.TLSAddr

	servers []*http.Server
	serving sync.WaitGroup // the listeners and the calls under way
}

// Start runs a simulator for one test and ends it with the test. WeChatURL of
// cfg is set to that of the listener, with the host name localhost.
func Start(t TB, cfg Config) *Server {
	t.Helper()
	if cfg.TLSAddr == "" {
		cfg.TLSAddr = "localhost:0"
	}
	s, err := Listen(cfg, "localhost:0")
	if err != nil {
		t.Fatalf("starting the simulated WeChat: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Listen runs a simulator on the given address, host:port with port 0 for any. The error names the
// address that cannot be used.
func Listen(cfg Config, addr string) (*Server, error) {
	s := &Server{}
	var listeners []net.Listener
	fail := func(err error) (*Server, error) {
		for _, l := range listeners {
			_ = l.Close() // nothing was served on it
		}
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fail(err)
	}
	listeners = append(listeners, l)
	if s.URL, err = listenerURL(addr, l); err != nil {
		return fail(err)
	}
	cfg.WeChatURL = s.URL
	if cfg.TLSAddr != "" {
		l, err := net.Listen("tcp", cfg.TLSAddr)
		if err != nil {
			return fail(err)
		}
		listeners = append(listeners, l)
		if s.TLSURL, err = listenerURL(cfg.TLSAddr, l); err != nil {
			return fail(err)
		}
		s.TLSURL = "https" + strings.TrimPrefix(s.TLSURL, "http")
	}
	w, err := New(cfg)
	if err != nil {
		return fail(err)
	}
	handlers := []http.Handler{w.Handler()}
	if cfg.TLSAddr != "" {
		settings, err := w.TLSConfig()
		if err != nil {
			w.Close()
			return fail(err)
		}
		listeners[1] = tls.NewListener(listeners[1], settings)
		handlers = append(handlers, w.Handler())
	}
	s.WeChat = w
	for i, h := range handlers {
		srv := &http.Server{Handler: s.counted(h), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(w.cfg.Log.Handler(), slog.LevelDebug)}
		s.servers = append(s.servers, srv)
		s.serving.Go(func() {
			if err := srv.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				w.cfg.Log.Error("wechattest: serving ended", "error", err)
			}
		})
	}
	return s, nil
}

// Client is what a merchant's server calls TLSURL with: it trusts the listener,
// presents Certificate and follows no redirect. A test that ends with a check
// for goroutines closes its idle connections.
func (s *Server) Client() (*http.Client, error) {
	settings, err := s.ClientTLS()
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: settings, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// counted lets Close wait for the calls under way.
func (s *Server) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.serving.Add(1)
		defer s.serving.Done()
		h.ServeHTTP(rw, r)
	})
}

// listenerURL is the origin of a listener under the host name of its address.
func listenerURL(addr string, l net.Listener) (string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", err
	}
	if host == "" {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// Close ends the simulator and its listeners; it waits for their goroutines.
func (s *Server) Close() {
	s.stop() // ends the calls that hang or wait
	for _, srv := range s.servers {
		_ = srv.Close() // the listener is closed; a broken connection does not matter
	}
	s.serving.Wait()
	s.WeChat.Close()
}
