//go:build !js

package main

import (
	"context"
	"sync"
	"time"
)

// Allowed calls per limitPeriod. wrangler.toml sets the same numbers for the Worker.
const (
	addressLimit = 300
	ownerLimit   = 60
	limitPeriod  = time.Minute // also that of keyLimit
)

// maxKeys limits the memory of a limiter. With more callers in one period it resets its counts.
const maxKeys = 100_000

// limiter counts calls per period, as Cloudflare's rate limit binding does.
type limiter struct {
	limit int
	now   func() time.Time

	mu        sync.Mutex
	startedAt time.Time // of the period
	counts    map[string]int
}

func newLimiter(limit int) *limiter { return &limiter{limit: limit, now: time.Now} }

// Allow counts a call of key and reports whether it is within the limit.
func (l *limiter) Allow(_ context.Context, key string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); l.counts == nil || now.Sub(l.startedAt) >= limitPeriod || len(l.counts) >= maxKeys {
		l.startedAt, l.counts = now, map[string]int{}
	}
	l.counts[key]++
	return l.counts[key] <= l.limit, nil
}

// Left returns how many calls of key the limit still allows, and when the next period begins.
func (l *limiter) Left(key string) (left int, reset time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.limit-l.counts[key]), max(0, l.startedAt.Add(limitPeriod).Sub(l.now()))
}
