// Package server runs the simulated WeChat with its phone and its desk on ports
// of this machine.
package server

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"h5pay/simulator/desk"
	"h5pay/simulator/phone"
	"h5pay/wechat/wechattest"
)

// Config describes a Server. The zero value is complete.
type Config struct {
	// WeChat describes the simulated WeChat. Its WeChatURL and PublicURL are set
	// to those of WeChat and of the phone.
	WeChat wechattest.Config
	// WeChatAddr, PhoneAddr and DeskAddr are where to listen, host:port with
	// port 0 for any. Default localhost:0.
	WeChatAddr, PhoneAddr, DeskAddr string
	// V3Dir is the folder into which Listen writes the keys of APIv3. The desk writes
	// them there again when it changes them. Default none.
	V3Dir string
	// BridgeDelay is that of the phone: see phone.Config.
	BridgeDelay time.Duration
}

// Server is a simulated WeChat, its phone and its desk that listen.
type Server struct {
	*wechattest.Server
	PhoneURL string // of the phone: the shop's public domain
	DeskURL  string // of the desk

	phone   *phone.Phone
	desk    *desk.Desk
	servers []*http.Server
	serving sync.WaitGroup // the listeners and the calls under way
}

// Start runs a Server for one test and ends it with the test, over TLS too.
func Start(t wechattest.TB, cfg Config) *Server {
	t.Helper()
	if cfg.WeChat.TLSAddr == "" {
		cfg.WeChat.TLSAddr = "localhost:0"
	}
	s, err := Listen(cfg)
	if err != nil {
		t.Fatalf("starting the simulated WeChat: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Listen runs a Server until Close. The error names the address that cannot be used, or the field
// of Config that is wrong.
func Listen(cfg Config) (*Server, error) {
	s := &Server{}
	var listeners []net.Listener
	fail := func(err error) (*Server, error) {
		for _, l := range listeners {
			_ = l.Close() // nothing was served on it
		}
		return nil, err
	}
	for _, a := range []struct {
		addr string
		urls []*string
	}{
		{cfg.PhoneAddr, []*string{&s.PhoneURL, &cfg.WeChat.PublicURL}},
		{cfg.DeskAddr, []*string{&s.DeskURL}},
	} {
		l, url, err := listen(a.addr)
		if err != nil {
			return fail(err)
		}
		listeners = append(listeners, l)
		for _, u := range a.urls {
			*u = url
		}
	}
	var err error
	if s.Server, err = wechattest.Listen(cfg.WeChat, orAny(cfg.WeChatAddr)); err != nil {
		return fail(err)
	}
	if s.phone, err = phone.New(s.WeChat, phone.Config{DeskURL: s.DeskURL, BridgeDelay: cfg.BridgeDelay}); err != nil {
		s.Server.Close()
		return fail(err)
	}
	if cfg.V3Dir != "" {
		if err := s.WriteV3(cfg.V3Dir); err != nil {
			s.phone.Close()
			s.Server.Close()
			return fail(err)
		}
	}
	s.desk = desk.New(s.WeChat, desk.Config{DeskURL: s.DeskURL, TLSURL: s.TLSURL, V3Dir: cfg.V3Dir})
	log := s.Config().Log
	for i, h := range []http.Handler{s.phone, s.desk} {
		srv := &http.Server{Handler: s.counted(h), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
		s.servers = append(s.servers, srv)
		s.serving.Go(func() {
			if err := srv.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				log.Error("simulator: serving ended", "error", err)
			}
		})
	}
	return s, nil
}

// Identity returns the settings for a shop: see desk.Identity.
func (s *Server) Identity() desk.Identity { return s.desk.Identity() }

// Close ends the listeners and the simulated WeChat. It waits for their
// goroutines.
func (s *Server) Close() {
	for _, srv := range s.servers {
		_ = srv.Close() // the listener is closed; a broken connection does not matter
	}
	s.serving.Wait()
	s.phone.Close()
	s.Server.Close()
}

// counted lets Close wait for the calls under way.
func (s *Server) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.serving.Add(1)
		defer s.serving.Done()
		h.ServeHTTP(rw, r)
	})
}

func orAny(addr string) string {
	if addr == "" {
		return "localhost:0"
	}
	return addr
}

// listen opens a listener. The URL has the host name of the address.
func listen(addr string) (net.Listener, string, error) {
	addr = orAny(addr)
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, "", errors.Join(err, l.Close())
	}
	if host == "" {
		host = "localhost"
	}
	return l, "http://" + net.JoinHostPort(host, port), nil
}
