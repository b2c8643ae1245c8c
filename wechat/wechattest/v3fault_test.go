package wechattest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Each fault of responses affects one call, and whether the work was done is as
// documented.
func TestV3ResponseFaults(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct {
		status   int
		problem  string
		unsigned bool
		done     bool // the order was placed
		text     string
	}{
		FaultV3Probe:       {status: 200, problem: "no base64", done: true},
		FaultV3ClockAhead:  {status: 200, problem: "stale", done: true},
		FaultV3ClockBehind: {status: 200, problem: "stale", done: true},
		FaultV3WrongSerial: {status: 200, problem: "unknown serial", done: true},
		FaultV3Rotate:      {status: 200, problem: "unknown serial", done: true},
		FaultV3EmptyBody:   {status: 200, problem: "wrong signature", done: true},
		FaultBadReplySign:  {status: 200, problem: "wrong signature", done: true},
		FaultNoReplySign:   {status: 200, unsigned: true, done: true, text: "code_url"},
		FaultV3Accepted:    {status: 202},
		FaultV3Unsigned:    {status: 500, unsigned: true, text: "SYSTEM_ERROR"},
		FaultSystemError:   {status: 500, text: "SYSTEM_ERROR"},
		FaultV3TooMany:     {status: 429, text: "FREQUENCY_LIMITED"},
		FaultBadGateway:    {status: 502, unsigned: true, text: "<html>"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t, tame)
			if err := m.AddFault(Fault{Kind: kind, Path: PathV3Native}); err != nil {
				t.Fatal(err)
			}
			m.place("fault-0", "APP") // another path
			a := m.send(m.request("POST", PathV3Native, m.body("fault-1", "NATIVE")))
			if a.Code != c.status || a.problem != c.problem || (a.signedBy == "") != c.unsigned || !strings.Contains(a.Body.String(), c.text) {
				t.Errorf("%d, signed by %q, %q: %s", a.Code, a.signedBy, a.problem, a.Body)
			}
			if done := len(m.Ledger().Orders) == 2; done != c.done {
				t.Errorf("the order was placed: %t, want %t", done, c.done)
			}
			if !strings.Contains(m.last().Note, "fault "+kind) {
				t.Errorf("note %q", m.last().Note)
			}
			if len(m.Faults()) != 0 {
				t.Errorf("left: %v", m.Faults())
			}
			m.refresh()
			m.place("fault-1", "NATIVE")
		})
	}
}

// An error in the spelling of 2020, which the next error that has one uses up.
func TestV3OldCodes(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	for _, c := range []struct {
		want string
		call func() map[string]any
	}{
		{"ORDERNOTEXIST", func() map[string]any { return m.v3("GET", m.queryURI("old-none"), "", http.StatusNotFound) }},
		{"RATELIMIT_EXCEEDED", func() map[string]any {
			if err := m.AddFault(Fault{Kind: FaultV3TooMany}); err != nil {
				t.Fatal(err)
			}
			return m.v3("GET", m.queryURI("old-none"), "", http.StatusTooManyRequests)
		}},
	} {
		if err := m.AddFault(Fault{Kind: FaultV3OldCodes}); err != nil {
			t.Fatal(err)
		}
		if got := m.v3("GET", m.queryURI("12345"), "", http.StatusBadRequest)["code"]; got != "PARAM_ERROR" || len(m.Faults()) == 0 {
			t.Errorf("a code without an old spelling: %v, left: %v", got, m.Faults())
		}
		if got := c.call()["code"]; got != c.want {
			t.Errorf("%v, want %s", got, c.want)
		}
	}
	if got := m.v3("GET", m.queryURI("old-none"), "", http.StatusNotFound)["code"]; got != "ORDER_NOT_EXIST" {
		t.Errorf("afterwards: %v", got)
	}
}

// The faults of callbacks affect one send; the repeat is a good one.
func TestV3CallbackFaults(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		FaultV3Probe: "no base64", FaultV3ClockAhead: "stale", FaultV3ClockBehind: "stale", FaultV3WrongSerial: "unknown serial", FaultV3Rotate: "unknown serial",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			shop := &v3Shop{}
			m := newMerchant(t, withShop(shop), tame)
			shop.status = func(n int) int { return []int{500, 204}[min(n, 2)-1] }
			if err := m.AddFault(Fault{Kind: kind, Path: V3Callback}); err != nil {
				t.Fatal(err)
			}
			m.scanAndPay("cfault-1")
			m.Advance(16 * time.Second)
			requests, bodies := shop.callbacks()
			if len(bodies) != 2 {
				t.Fatalf("%d callbacks", len(bodies))
			}
			if strings.HasPrefix(requests[0].Header.Get("Wechatpay-Signature"), "WECHATPAY/SIGNTEST/") != (kind == FaultV3Probe) {
				t.Error("a probe is one, and nothing else")
			}
			// The first message was sent 15 s ago, so a message behind is at least as stale.
			if got := m.verify(requests[0].Header, bodies[0]); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			m.refresh()
			if got := m.verify(requests[1].Header, bodies[1]); got != "" {
				t.Errorf("the repeat: %s", got)
			}
		})
	}
	shop := &v3Shop{}
	m := newMerchant(t, withShop(shop))
	if err := m.AddFault(Fault{Kind: FaultV3NoAssociated}); err != nil {
		t.Fatal(err)
	}
	m.scanAndPay("cfault-2")
	m.Advance(0)
	_, bodies := shop.callbacks()
	if _, there := decode(t, bodies[0])["resource"].(map[string]any)["associated_data"]; there {
		t.Error("associated_data is there")
	}
	if _, problem := open(t, bodies[0], DefaultAPIv3Key); problem != "" {
		t.Error(problem)
	}
}

// A query that is late, and one that someone else answers.
func TestV3QueryFaults(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	m.scanAndPay("qfault-1")
	m.place("qfault-2", "NATIVE")
	if err := m.AddFault(Fault{Kind: FaultQueryLate, DelayMS: 60_000}); err != nil {
		t.Fatal(err)
	}
	if got := m.v3("GET", m.queryURI("qfault-1"), "", http.StatusOK)["trade_state"]; got != "NOTPAY" {
		t.Errorf("late: %v", got)
	}
	if err := m.AddFault(Fault{Kind: FaultForgedReply}); err != nil {
		t.Fatal(err)
	}
	a := m.send(m.request("GET", m.queryURI("qfault-2"), ""))
	if a.problem != "wrong signature" || decode(t, a.Body.String())["trade_state"] != "SUCCESS" {
		t.Errorf("forged: %q %s", a.problem, a.Body)
	}
	if err := m.AddFault(Fault{Kind: FaultMWEBMissing}); err != nil {
		t.Fatal(err)
	}
	if got := m.v3("POST", PathV3H5, m.body("qfault-3", "MWEB"), http.StatusForbidden)["code"]; got != "NO_AUTH" {
		t.Errorf("no permission: %v", got)
	}
	for kind, bad := range map[string]string{FaultV3Probe: pathUnifiedOrder, FaultV3OldCodes: V3Callback, FaultV3NoAssociated: V3Callback} {
		if m.AddFault(Fault{Kind: kind, Path: bad}) == nil {
			t.Errorf("%s accepted the path %s", kind, bad)
		}
	}
}

// A call that is never answered, with and without its work.
func TestV3Timeouts(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	server := httptest.NewServer(m.h)
	defer server.Close()
	for i, kind := range []string{FaultTimeoutBefore, FaultTimeoutAfter} {
		if err := m.AddFault(Fault{Kind: kind, Path: PathOrder}); err != nil {
			t.Fatal(err)
		}
		// The call is cancelled when the fault is in the log.
		ctx, cancel := context.WithCancel(t.Context())
		events, unsubscribe := m.Subscribe()
		go func() {
			for e := range events {
				if e.Message != nil && strings.Contains(e.Message.Note, "fault "+kind) {
					cancel()
				}
			}
		}()
		r := m.request("POST", PathV3Native, m.body("timeout-1", "NATIVE")).Clone(ctx)
		r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", strings.TrimPrefix(server.URL, "http://")
		if res, err := http.DefaultClient.Do(r); !errors.Is(err, context.Canceled) {
			if err == nil {
				res.Body.Close()
			}
			t.Errorf("%s: %v", kind, err)
		}
		unsubscribe()
		cancel()
		if n := len(m.Ledger().Orders); n != i {
			t.Errorf("%s: %d orders", kind, n)
		}
	}
}
