package wechat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// calls are the operations that talk to WeChat, with good arguments.
func calls(c *Client) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"access_token": func(ctx context.Context) error { _, err := c.ExchangeCode(ctx, "THECODE"); return err },
		"userinfo": func(ctx context.Context) error {
			_, err := c.UserInfo(ctx, Token{AccessToken: "TOKEN", OpenID: testOpenID, Scope: "snsapi_userinfo"}, "zh_CN")
			return err
		},
		"unifiedorder": func(ctx context.Context) error { _, err := c.UnifiedOrder(ctx, testOrder()); return err },
		"orderquery":   func(ctx context.Context) error { _, err := c.QueryOrder(ctx, testNo); return err },
		"closeorder":   func(ctx context.Context) error { return c.CloseOrder(ctx, testNo, time.Time{}) },
		"refund":       func(ctx context.Context) error { _, err := c.Refund(ctx, testRefund()); return err },
		"refundquery":  func(ctx context.Context) error { _, err := c.QueryRefund(ctx, testRefundNo); return err },
	}
}

func TestResponsesThatAreNoMessages(t *testing.T) {
	const nginx = "<html>\r\n<head><title>502 Bad Gateway</title></head><body></body></html>"
	fails := func(err error) answer {
		return func(*http.Request, []byte) (*http.Response, error) { return nil, err }
	}
	breaks := func(err error) answer {
		return func(*http.Request, []byte) (*http.Response, error) {
			res := respond(200, "")
			res.Body = io.NopCloser(io.MultiReader(strings.NewReader("<xml>"), iotest.ErrReader(err)))
			return res, nil
		}
	}
	for name, tt := range map[string]struct {
		answer answer
		kind   Kind
	}{
		"refused connection": {fails(errors.New(`Get "https://api.weixin.qq.com/sns?secret=` + testSecret + `": connection refused`)), Retry},
		"timeout":            {fails(context.DeadlineExceeded), Retry},
		"500":                {status(500, nginx), Retry},
		"502":                {status(502, nginx), Retry},
		"502, endless":       {status(502, strings.Repeat(nginx, 1<<11)), Retry},
		"503, empty":         {status(503, ""), Retry},
		"408":                {status(408, ""), Retry},
		"429":                {status(429, ""), Retry},
		"204":                {status(204, ""), Retry},
		"302":                {status(302, ""), Operator},
		"400":                {status(400, nginx), Operator},
		"404":                {status(404, nginx), Operator},
		"empty":              {says(""), Retry},
		"white space":        {says("\ufeff \r\n"), Retry},
		"HTML":               {says(nginx), Retry},
		"HTML with doctype":  {says("\n<!DOCTYPE HTML PUBLIC \"-//IETF\"><html>"), Retry},
		"text":               {says("upstream connect error"), Retry},
		"a number":           {says("0"), Retry},
		"breaks off":         {breaks(io.ErrUnexpectedEOF), Retry},
		"oversize XML":       {says("<xml>" + strings.Repeat(" ", maxMessage)), Untrusted},
		"oversize JSON":      {says("{" + strings.Repeat(" ", maxMessage)), Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newClient(t, tt.answer)
			for op, call := range calls(c) {
				s.urls = nil
				e := wantError(t, call(t.Context()), tt.kind, "")
				if e.Op != op {
					t.Errorf("op is %q, want %q", e.Op, op)
				}
				want := 1 // nothing is retried here, but for the backup host
				if name == "refused connection" && strings.HasPrefix(s.urls[0].Host, "api.mch.") {
					want = 2
				}
				if len(s.urls) != want {
					t.Errorf("%s: %d requests, want %d", op, len(s.urls), want)
				}
			}
		})
	}
}

func TestDeadlineAndCancellationEndACall(t *testing.T) {
	hang := make(chan struct{})
	arrived := make(chan struct{}, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // answers half, then hangs
			io.WriteString(w, "<xml>")
			w.(http.Flusher).Flush()
		}
		arrived <- struct{}{}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(hang) })
	c, _ := newClient(t, nil, func(cfg *Config) {
		cfg.APIURL, cfg.MchURL, cfg.Doer, cfg.CertDoer = srv.URL, srv.URL, srv.Client(), srv.Client()
	})
	for op, call := range calls(c) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := call(ctx)
		cancel()
		if wantError(t, err, Retry, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the cause is not the deadline: %v", op, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		for len(arrived) > 0 {
			<-arrived
		}
		go func() { <-arrived; cancel() }()
		err = call(ctx)
		cancel()
		if wantError(t, err, Retry, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the cause is not the cancellation: %v", op, err)
		}
	}
}

func TestRequestsAreWhole(t *testing.T) {
	c, _ := newClient(t, func(r *http.Request, body []byte) (*http.Response, error) {
		if r.Header.Get("User-Agent") == "" || r.Header.Get("Accept") == "" {
			t.Errorf("headers are %v", r.Header)
		}
		if r.Method == http.MethodGet {
			if len(body) > 0 || r.ContentLength != 0 {
				t.Errorf("GET with %d bytes", len(body))
			}
			return respond(500, ""), nil
		}
		if got := r.Header.Get("Content-Type"); got != "text/xml; charset=utf-8" {
			t.Errorf("content type is %q", got)
		}
		if r.ContentLength != int64(len(body)) || len(r.TransferEncoding) > 0 || r.GetBody == nil {
			t.Fatalf("length %d of %d, %v, GetBody %t", r.ContentLength, len(body), r.TransferEncoding, r.GetBody != nil)
		}
		again, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(again); err != nil || string(b) != string(body) {
			t.Errorf("GetBody gives other bytes: %v", err)
		}
		return respond(500, ""), nil
	})
	for _, call := range calls(c) {
		wantError(t, call(t.Context()), Retry, "")
	}
}

// The reader of an unused body is closed too.
func TestBodiesAreClosed(t *testing.T) {
	for _, status := range []int{200, 302, 502} {
		closed := 0
		c, _ := newClient(t, func(*http.Request, []byte) (*http.Response, error) {
			res := respond(status, "x")
			res.Body = &countedCloser{Reader: strings.NewReader("x"), closed: &closed}
			return res, nil
		})
		for _, call := range calls(c) {
			if call(t.Context()) == nil {
				t.Error("no error")
			}
		}
		if n := len(calls(c)); closed != n {
			t.Errorf("status %d: %d of %d bodies closed", status, closed, n)
		}
	}
}

type countedCloser struct {
	io.Reader
	closed *int
}

func (c *countedCloser) Close() error { *c.closed++; return nil }
