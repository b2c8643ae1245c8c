package server

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseAddr(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"203.0.113.7":             "203.0.113.7", // from the Worker's entry
		"203.0.113.7:4711":        "203.0.113.7", // from net/http
		"2001:db8::7":             "2001:db8::7",
		"[2001:db8::7]":           "2001:db8::7",
		"[2001:db8::7]:80":        "2001:db8::7",
		"::ffff:203.0.113.7":      "203.0.113.7",
		"[::ffff:203.0.113.7]:80": "203.0.113.7",
		"64:ff9b::203.0.113.7":    "203.0.113.7",
		"64:ff9b:1::7":            "64:ff9b:1::7",
		"fe80::1%eth0":            "fe80::1",
		"[fe80::1%eth0]:80":       "fe80::1",
		"127.0.0.1":               "127.0.0.1",

		"": "", "localhost": "", "unknown": "", "_hidden": "", "_SEVKISEK": "", "203.0.113.7, 10.0.0.1": "", "203.0.113": "", "203.0.113.007": "",
		"203.0.113.7:": "", "203.0.113.7:99999": "", "203.0.113.7:_port": "", "[2001:db8::7]:": "", "2001:db8::7::": "", "0.0.0.0": "", "::": "", " 203.0.113.7": "",
	} {
		addr, ok := parseAddr(text)
		if ok != (want != "") || ok && addr.String() != want {
			t.Errorf("%q: %v, %v, want %q", text, addr, ok, want)
		}
	}
}

// The client's address, for each setting and the headers that clients and proxies send.
func TestFindAddress(t *testing.T) {
	t.Parallel()
	const xff = "X-Forwarded-For"
	for name, c := range map[string]struct {
		at     Addresses
		remote string
		header map[string][]string
		want   string
		seen   sighting
	}{
		"the Worker":              {Addresses{}, "203.0.113.7", map[string][]string{xff: {"198.51.100.1"}, "Cf-Connecting-Ip": {"198.51.100.2"}}, "203.0.113.7", addressKnown},
		"the Worker, none":        {Addresses{}, "", map[string][]string{xff: {"198.51.100.1"}}, "", addressUnknown},
		"no proxy":                {Addresses{Connection: true}, "203.0.113.7:1", nil, "203.0.113.7", addressKnown},
		"this machine":            {Addresses{Connection: true}, "127.0.0.1:1", nil, "127.0.0.1", addressKnown},
		"a proxy not named":       {Addresses{Connection: true}, "127.0.0.1:1", map[string][]string{xff: {"198.51.100.1"}}, "127.0.0.1", addressShared},
		"named by Forwarded":      {Addresses{Connection: true}, "10.0.0.2:1", map[string][]string{"Forwarded": {"for=198.51.100.1"}}, "10.0.0.2", addressShared},
		"named by X-Real-IP":      {Addresses{Connection: true}, "[fd00::2]:1", map[string][]string{"X-Real-Ip": {"198.51.100.1"}}, "fd00::2", addressShared},
		"in a network of its own": {Addresses{Connection: true}, "198.18.0.2:1", map[string][]string{xff: {"198.51.100.1"}}, "198.18.0.2", addressShared},
		"a forged header":         {Addresses{Connection: true}, "203.0.113.7:1", map[string][]string{xff: {"198.51.100.1"}}, "203.0.113.7", addressDoubted},
		"X-Real-IP":               {Addresses{Header: "X-Real-Ip", Connection: true}, "127.0.0.1:1", map[string][]string{"X-Real-Ip": {"203.0.113.7"}, xff: {"198.51.100.1"}}, "203.0.113.7", addressKnown},
		"not sent":                {Addresses{Header: "X-Real-Ip", Connection: true}, "127.0.0.1:1", nil, "", addressUnknown},
		"empty":                   {Addresses{Header: "X-Real-Ip"}, "127.0.0.1:1", map[string][]string{"X-Real-Ip": {""}}, "", addressUnknown},
		"sent twice":              {Addresses{Header: "X-Real-Ip"}, "127.0.0.1:1", map[string][]string{"X-Real-Ip": {"198.51.100.1", "203.0.113.7"}}, "203.0.113.7", addressKnown},
		"a list":                  {Addresses{Header: xff}, "127.0.0.1:1", map[string][]string{xff: {"198.51.100.1, 203.0.113.7"}}, "203.0.113.7", addressKnown},
		"a list of one":           {Addresses{Header: xff}, "127.0.0.1:1", map[string][]string{xff: {"203.0.113.7"}}, "203.0.113.7", addressKnown},
		"two proxies":             {Addresses{Header: xff, Proxies: 2}, "127.0.0.1:1", map[string][]string{xff: {"198.51.100.1,203.0.113.7,10.0.0.9"}}, "203.0.113.7", addressKnown},
		"two proxies, apart":      {Addresses{Header: xff, Proxies: 2}, "127.0.0.1:1", map[string][]string{xff: {"198.51.100.1, 203.0.113.7", "10.0.0.9"}}, "203.0.113.7", addressKnown},
		"three, past two lines":   {Addresses{Header: xff, Proxies: 3}, "127.0.0.1:1", map[string][]string{xff: {"198.51.100.1, 203.0.113.7", "10.0.0.8", "10.0.0.9"}}, "203.0.113.7", addressKnown},
		"a proxy too few":         {Addresses{Header: xff, Proxies: 2}, "127.0.0.1:1", map[string][]string{xff: {"203.0.113.7"}}, "", addressUnknown},
		"unknown":                 {Addresses{Header: xff}, "127.0.0.1:1", map[string][]string{xff: {"203.0.113.7, unknown"}}, "", addressUnknown},
		"hidden":                  {Addresses{Header: xff}, "127.0.0.1:1", map[string][]string{xff: {"203.0.113.7, _hidden"}}, "", addressUnknown},
		"a comma at the end":      {Addresses{Header: xff}, "127.0.0.1:1", map[string][]string{xff: {"203.0.113.7,"}}, "", addressUnknown},
		"with a port":             {Addresses{Header: xff}, "127.0.0.1:1", map[string][]string{xff: {"[2001:db8::7]:4711"}}, "2001:db8::7", addressKnown},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/api/orders", nil)
			r.RemoteAddr = c.remote
			for name, values := range c.header {
				r.Header[name] = values
			}
			addr, seen := c.at.find(r)
			got := ""
			if addr.IsValid() {
				got = addr.String()
			}
			if got != c.want || seen != c.seen {
				t.Errorf("%q, %d, want %q, %d", got, seen, c.want, c.seen)
			}
		})
	}
}

// One stranger who bypasses the proxy causes no warning. The health page fails while most calls
// lack an address.
func TestAddressCheckTurnsWithTheCalls(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	var c sightings
	note := func(seen sighting, n int) (warned int) {
		for range n {
			if c.note(seen, now) {
				warned++
			}
		}
		return warned
	}
	type state struct{ ok, problem bool }
	look := func() state {
		check := c.check(now)
		return state{check.OK, check.Problem != ""}
	}
	if got := look(); got != (state{true, false}) {
		t.Errorf("without calls: %v", got)
	}
	if n := note(addressKnown, 10); n != 0 {
		t.Errorf("warned of known addresses %d times", n)
	}
	if n := note(addressUnknown, 10); n != 1 || look() != (state{true, true}) {
		t.Errorf("warned %d times; %v", n, look())
	}
	if n := note(addressUnknown, 1); n != 0 || look() != (state{false, true}) {
		t.Errorf("warned again; %v", look())
	}
	now = now.Add(sightingPeriod + time.Second)
	if look() != (state{false, true}) {
		t.Errorf("the last period is ignored: %v", look())
	}
	now = now.Add(sightingPeriod + time.Second)
	if look() != (state{true, false}) {
		t.Errorf("the period before the last one counts: %v", look())
	}
	note(addressShared, 6)
	if got := c.check(now); got.OK || got.Problem != addressProblem(addressShared) {
		t.Errorf("%+v", got)
	}
	now = now.Add(3 * sightingPeriod)
	if d := cmp.Diff(state{true, false}, look(), cmp.AllowUnexported(state{})); d != "" {
		t.Error(d)
	}
}
