package wechat

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// A call that is lost at the connection goes to the backup host once, with the
// same bytes; nothing else does.
func TestBackupHost(t *testing.T) {
	dial := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://x", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"refused":                {dial(errors.New("connection refused")), true},
		"time-out while dialing": {dial(os.ErrDeadlineExceeded), true},
		"no such host":           {dial(&net.DNSError{Err: "no such host", IsNotFound: true}), true},
		"DNS time-out":           {dial(&net.DNSError{Err: "i/o timeout", IsTimeout: true}), true},
		"reset":                  {&url.Error{Op: "Post", Err: &net.OpError{Op: "read", Err: errors.New("connection reset")}}, true},
		"EOF":                    {io.EOF, true},
		"fetch failed":           {errors.New("Network connection lost."), true},
		"time-out":               {&url.Error{Op: "Post", Err: &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}}, false},
		"deadline":               {context.DeadlineExceeded, false},
		"cancelled":              {context.Canceled, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newClient(t, func(*http.Request, []byte) (*http.Response, error) { return nil, tt.err })
			for op, call := range calls(c) {
				s.urls, s.bodies = nil, nil
				e := wantError(t, call(t.Context()), Retry, "")
				if e.Op != op {
					t.Errorf("op is %q, want %q", e.Op, op)
				}
				if s.urls[0].Host == "api.weixin.qq.com" || !tt.want {
					if len(s.urls) != 1 {
						t.Errorf("%s was sent %d times", op, len(s.urls))
					}
					continue
				}
				if len(s.urls) != 2 || s.urls[0].Host != "api.mch.weixin.qq.com" || s.urls[1].Host != "api2.mch.weixin.qq.com" ||
					s.urls[0].Path != s.urls[1].Path || s.bodies[0] != s.bodies[1] || s.bodies[0] == "" {
					t.Errorf("%s was sent to %v", op, s.urls)
				}
			}
		})
	}
}

func TestBackupHostAnswers(t *testing.T) {
	first := func(then answer) answer {
		return func(r *http.Request, body []byte) (*http.Response, error) {
			if r.URL.Host == "api.mch.weixin.qq.com" {
				return nil, io.EOF
			}
			return then(r, body)
		}
	}
	c, _ := newClient(t, first(says(paid().with("trade_state", "SUCCESS").signed(SignHMAC))))
	if trade, err := c.QueryOrder(t.Context(), testNo); err != nil || !trade.Paid() {
		t.Errorf("%+v, %v", trade, err)
	}
	// Its responses are verified like those of the other host.
	c, _ = newClient(t, first(says(paid().with("trade_state", "SUCCESS").xml())))
	_, err := c.QueryOrder(t.Context(), testNo)
	wantError(t, err, Untrusted, "")
	c, _ = newClient(t, first(status(503, "")))
	_, err = c.QueryOrder(t.Context(), testNo)
	wantError(t, err, Retry, "")
}

func TestBackupHostIsForTheOwnHostOnly(t *testing.T) {
	for _, tt := range []struct{ mch, backup, want string }{
		{"", "", "https://api2.mch.weixin.qq.com"},
		{"https://api.mch.weixin.qq.com/", "", "https://api2.mch.weixin.qq.com"},
		{"http://localhost:8800", "", ""},
		{"https://apihk.mch.weixin.qq.com", "", ""},
		{"http://localhost:8800", "http://localhost:8801/", "http://localhost:8801"},
		{"", "https://proxy.example", "https://proxy.example"},
	} {
		c, _ := newClient(t, unread(t), func(cfg *Config) { cfg.MchURL, cfg.MchBackupURL = tt.mch, tt.backup })
		if c.cfg.MchBackupURL != tt.want {
			t.Errorf("backup of %q is %q, want %q", tt.mch, c.cfg.MchBackupURL, tt.want)
		}
	}
	c, s := newClient(t, func(*http.Request, []byte) (*http.Response, error) { return nil, io.EOF }, func(cfg *Config) { cfg.MchURL = "http://localhost:8800" })
	_, err := c.QueryOrder(t.Context(), testNo)
	wantError(t, err, Retry, "")
	if len(s.urls) != 1 {
		t.Errorf("sent to %v", s.urls)
	}
}

// There is no second try after the caller's time has ended.
func TestBackupHostIsNotCalledAfterTheDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, s := newClient(t, func(*http.Request, []byte) (*http.Response, error) { cancel(); return nil, io.EOF })
	_, err := c.QueryOrder(ctx, testNo)
	if wantError(t, err, Retry, ""); !errors.Is(err, context.Canceled) || len(s.urls) != 1 {
		t.Errorf("%v, sent to %v", err, s.urls)
	}
}

// The errors of the standard library's client are distinguished.
func TestBackupHostOverHTTP(t *testing.T) {
	var bodies []string
	backup := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(b))
		io.WriteString(w, closed().signed(SignHMAC))
	}))
	defer backup.Close()
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer slow.Close()
	defer close(hang)
	dropping := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer dropping.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, tt := range map[string]struct {
		url  string
		want bool
	}{"gone": {gone.URL, true}, "drops it": {dropping.URL, true}, "slow": {slow.URL, false}} {
		bodies = nil
		c, _ := newClient(t, nil, func(cfg *Config) {
			cfg.Doer, cfg.MchURL, cfg.MchBackupURL = &http.Client{Timeout: 200 * time.Millisecond}, tt.url, backup.URL
		})
		err := c.CloseOrder(t.Context(), testNo, time.Time{})
		if (err == nil) != tt.want || (len(bodies) == 1) != tt.want {
			t.Errorf("%s: %v, %d at the backup", name, err, len(bodies))
		}
		if err != nil && strings.Contains(err.Error(), tt.url) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
