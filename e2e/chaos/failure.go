package main

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// failure is something that befalls one call of the Worker on its way to D1, to
// WeChat or to the merchant's back end, or on the way of the answer back.
type failure struct {
	kind failureKind
	site site
	call string        // the name of the call, "" for any
	nth  int           // which of those calls, counted from when it is armed
	done bool          // the call has done its work; only the answer is lost
	wait time.Duration // of slow
}

type failureKind string

// The kinds.
const (
	kill    failureKind = "kill"    // SIGKILL to workerd in the middle of it
	restart failureKind = "restart" // SIGKILL to D1, which starts again on its files
	cut     failureKind = "cut"     // the connection breaks
	fail    failureKind = "fail"    // D1 or the back end answers with an error
	slow    failureKind = "slow"    // it takes a while, and others overtake it
)

type site string

// The sites.
const (
	atD1      site = "D1"
	atWeChat  site = "WeChat"
	atBackend site = "the back end" // the merchant's, which takes webhooks
)

// failures are those that wait for their call, and a record of those that
// found it.
type failures struct {
	mu    sync.Mutex
	armed []failure
	seen  map[string]int // what happened where, for the report
}

// arm lets mishaps wait for their calls.
func (m *failures) arm(all ...failure) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = append(m.armed, all...)
}

// disarm forgets those that have not happened.
func (m *failures) disarm() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = nil
}

// next counts a call and returns what befalls it.
func (m *failures) next(at site, call string) (failure, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	hit := -1
	for i := range m.armed {
		a := &m.armed[i]
		if a.site != at || a.call != "" && a.call != call {
			continue
		}
		if a.nth--; a.nth <= 0 && hit < 0 {
			hit = i
		}
	}
	if hit < 0 {
		return failure{}, false
	}
	found := m.armed[hit]
	m.armed = slices.Delete(m.armed, hit, hit+1)
	if m.seen == nil {
		m.seen = map[string]int{}
	}
	when := "before"
	if found.done {
		when = "after"
	}
	m.seen[strings.Join([]string{string(found.kind), when, call}, " ")]++
	return found, true
}
