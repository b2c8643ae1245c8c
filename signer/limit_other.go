//go:build !js

package main

import (
	"context"
	"sync"
	"time"
)

// Calls that may be made in a limitPeriod; wrangler.toml has the same numbers
// for the Worker.
const (
	addressLimit = 300
	ownerLimit   = 60
	limitPeriod  = time.Minute
)

// maxKeys bounds the memory of a limiter: with more callers than that in one
// period it begins to count anew.
const maxKeys = 100_000

// limiter counts calls in periods, as Cloudflare's binding does.
type limiter struct {
	limit int
	now   func() time.Time

	mu        sync.Mutex
	startedAt time.Time // the period
	counts    map[string]int
}

func newLimiter(limit int) *limiter { return &limiter{limit: limit, now: time.Now} }

// Allow counts a call under key and reports whether it is within the limit.
func (l *limiter) Allow(_ context.Context, key string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); l.counts == nil || now.Sub(l.startedAt) >= limitPeriod || len(l.counts) >= maxKeys {
		l.startedAt, l.counts = now, map[string]int{}
	}
	l.counts[key]++
	return l.counts[key] <= l.limit, nil
}
