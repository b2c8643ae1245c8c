package campaign

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Failure is a failure of one call of the signer to the database, to WeChat or to the merchant's back end, or
// of its response.
type Failure struct {
	Kind Kind
	Site Site
	Call string        // the name of the call, "" for any
	Nth  int           // which of those calls, counted from arm
	Done bool          // the call takes effect; only the response is lost
	Wait time.Duration // of slow and freeze; 0 for a freeze until the end of the round
}

type Kind string

// The kinds.
const (
	Kill    Kind = "kill"    // SIGKILL to the machine during the call
	Restart Kind = "restart" // the database crashes, and restarts on its files
	Freeze  Kind = "freeze"  // SIGSTOP to a node during the call, for a while or until time has leapt
	Cut     Kind = "cut"     // the connection breaks
	Fail    Kind = "fail"    // the database or the back end responds with an error
	Slow    Kind = "slow"    // the call is delayed, so that others overtake it
)

type Site string

// The sites.
const (
	AtDatabase Site = "the database"
	AtWeChat   Site = "WeChat"
	AtBackend  Site = "the back end" // the merchant's, which receives webhooks
	AtSigner   Site = "the signer"   // a request to it; the failure comes after a moment, whatever the signer does then
)

// Failures holds the failures that wait for their calls, and counts those that occurred.
type Failures struct {
	mu    sync.Mutex
	armed []Failure
	seen  map[string]int // by description, for the report
}

// arm adds failures, which then wait for their calls.
func (m *Failures) arm(all ...Failure) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = append(m.armed, all...)
}

// disarm removes failures that have not occurred.
func (m *Failures) disarm() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = nil
}

// Next counts a call and returns its failure.
func (m *Failures) Next(at Site, call string) (Failure, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	hit := -1
	for i := range m.armed {
		a := &m.armed[i]
		if a.Site != at || a.Call != "" && a.Call != call {
			continue
		}
		if a.Nth--; a.Nth <= 0 && hit < 0 {
			hit = i
		}
	}
	if hit < 0 {
		return Failure{}, false
	}
	found := m.armed[hit]
	m.armed = slices.Delete(m.armed, hit, hit+1)
	if m.seen == nil {
		m.seen = map[string]int{}
	}
	when := "before"
	if found.Done {
		when = "after"
	}
	m.seen[strings.Join([]string{string(found.Kind), when, call}, " ")]++
	return found, true
}

// siteOf returns where calls of this name are made.
func siteOf(call string) Site {
	switch {
	case strings.HasPrefix(call, WebhookPath):
		return AtBackend
	case strings.HasPrefix(call, "/"):
		return AtWeChat
	}
	return AtDatabase
}
