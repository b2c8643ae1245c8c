package main

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// failure is a failure of one call of the signer to the database, to WeChat or to the merchant's back end, or
// of its response.
type failure struct {
	kind failureKind
	site site
	call string        // the name of the call, "" for any
	nth  int           // which of those calls, counted from arm
	done bool          // the call takes effect; only the response is lost
	wait time.Duration // of slow and freeze; 0 for a freeze until the end of the round
}

type failureKind string

// The kinds.
const (
	kill    failureKind = "kill"    // SIGKILL to the machine during the call
	restart failureKind = "restart" // the database crashes, and restarts on its files
	freeze  failureKind = "freeze"  // SIGSTOP to a node during the call, for a while or until time has leapt
	cut     failureKind = "cut"     // the connection breaks
	fail    failureKind = "fail"    // the database or the back end responds with an error
	slow    failureKind = "slow"    // the call is delayed, so that others overtake it
)

type site string

// The sites.
const (
	atDatabase site = "the database"
	atWeChat   site = "WeChat"
	atBackend  site = "the back end" // the merchant's, which receives webhooks
	atSigner   site = "the signer"   // a request to it; the failure comes after a moment, whatever the signer does then
)

// failures holds the failures that wait for their calls, and counts those that occurred.
type failures struct {
	mu    sync.Mutex
	armed []failure
	seen  map[string]int // by description, for the report
}

// arm adds failures, which then wait for their calls.
func (m *failures) arm(all ...failure) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = append(m.armed, all...)
}

// disarm removes failures that have not occurred.
func (m *failures) disarm() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = nil
}

// next counts a call and returns its failure.
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

// siteOf returns where calls of this name are made.
func siteOf(call string) site {
	switch {
	case strings.HasPrefix(call, webhookPath):
		return atBackend
	case strings.HasPrefix(call, "/"):
		return atWeChat
	}
	return atDatabase
}
