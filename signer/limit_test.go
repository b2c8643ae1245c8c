//go:build !js

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestLimiterCountsInPeriods(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newLimiter(2)
	l.now = func() time.Time { return now }
	allowed := func(key string) bool {
		ok, err := l.Allow(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for i, want := range []bool{true, true, false, false} {
		if allowed("a") != want {
			t.Errorf("call %d: %v", i, !want)
		}
	}
	if !allowed("b") {
		t.Error("one caller's calls count for another")
	}
	now = now.Add(limitPeriod / 4)
	for key, want := range map[string]int{"a": 0, "b": 1, "c": 2} {
		if left, reset := l.Left(key); left != want || reset != limitPeriod*3/4 {
			t.Errorf("%s: %d calls left for %s, want %d for %s", key, left, reset, want, limitPeriod*3/4)
		}
	}
	now = now.Add(limitPeriod * 3 / 4)
	if !allowed("a") {
		t.Error("a period does not end")
	}
	for i := range 2 * maxKeys {
		allowed(fmt.Sprint(i))
	}
	if len(l.counts) > maxKeys {
		t.Errorf("%d callers kept", len(l.counts))
	}
}

// The Worker and the native server have the same limits.
func TestLimitsMatchTheWorker(t *testing.T) {
	t.Parallel()
	config, err := os.ReadFile("../wrangler.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, limit := range map[string]int{"ADDRESS_LIMIT": addressLimit, "OWNER_LIMIT": ownerLimit, "KEY_LIMIT": keyLimitCalls} {
		_, rest, ok := strings.Cut(string(config), "name = \""+name+"\"\n")
		if want := fmt.Sprintf("simple = { limit = %d, period = %d }", limit, int(limitPeriod.Seconds())); !ok || !strings.Contains(strings.SplitN(rest, "[[", 2)[0], want) {
			t.Errorf("wrangler.toml has no %s with %s", name, want)
		}
	}
}
