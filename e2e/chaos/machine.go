package main

import (
	"context"
	"h5pay/internal/paytest/campaign"
	"maps"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a program that serves the shop: workerd, or a node.
type process struct {
	url    string // of the shop
	events string // accepts events as stack.Workerd.EventsURL does
	pid    int
	close  func() // ends it at once
}

// machine runs one process after the other. It may be killed or stopped at any time.
type machine struct {
	*worker
	name       string
	launch     func(ctx context.Context, vars map[string]string) (*process, error)
	allowed500 atomic.Int64 // failures of this machine that explain a status 500

	// worker.mu guards the fields below.
	vars     map[string]string
	revision int           // of vars
	current  *process      // nil while it restarts
	running  int           // the revision of current
	stopped  bool          // by SIGSTOP
	halted   chan struct{} // closed when the process stops
}

// start starts a process, and starts another one if the settings change meanwhile.
func (m *machine) start(ctx context.Context) error {
	for {
		m.mu.Lock()
		vars, revision := maps.Clone(m.vars), m.revision
		m.mu.Unlock()
		p, err := m.launch(ctx, vars)
		if err != nil {
			return err
		}
		if m.use(p, revision) {
			return nil
		}
		p.close()
	}
}

// use makes a process the current one. It reports whether the settings are those with which the
// process started.
func (m *machine) use(p *process, revision int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.revision != revision:
		return false
	case m.closed:
		p.close()
		return true
	}
	m.current, m.running, m.halted = p, revision, make(chan struct{})
	m.broadcast()
	return true
}

// kill kills the process at once and starts another. Of several concurrent calls only the first has
// an effect.
func (m *machine) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil || m.closed {
		return
	}
	m.allow()                                    // before a request can notice it
	syscall.Kill(m.current.pid, syscall.SIGKILL) // at once; close below waits
	m.deaths++
	dead := m.current
	m.current, m.stopped = nil, false
	m.broadcast()
	go func() {
		dead.close()
		if err := m.start(context.Background()); err != nil {
			m.Note(campaign.Wrong, "", "%s does not restart: %v", m.name, err)
		}
	}()
}

// freeze stops the process, so that it does nothing until it is thawed: after a time, or with wait 0
// by thaw. No other machine stays stopped.
func (m *machine) freeze(wait time.Duration) {
	m.thaw()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil || m.closed {
		return
	}
	p := m.current
	syscall.Kill(p.pid, syscall.SIGSTOP)
	m.stopped = true
	m.freezes++
	close(m.halted)
	m.broadcast()
	if wait > 0 {
		time.AfterFunc(wait, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.current == p {
				m.continues()
			}
		})
	}
}

// continues lets a stopped process go on. The caller holds worker.mu.
func (m *machine) continues() {
	if !m.stopped {
		return
	}
	m.setLead()
	syscall.Kill(m.current.pid, syscall.SIGCONT)
	m.stopped, m.halted = false, make(chan struct{})
	m.broadcast()
}

// awaitThaw waits while the process is stopped.
func (m *machine) awaitThaw() {
	m.mu.Lock()
	for m.stopped && !m.closed {
		changed := m.changed
		m.mu.Unlock()
		<-changed
		m.mu.Lock()
	}
	m.mu.Unlock()
}

// allow records that the next status 500 of the machine may be correct.
func (m *machine) allow() { m.allowed500.Add(1) }

// excuses counts what explains a status 500 of the machine.
func (m *machine) excuses() int64 { return m.allowed500.Load() + m.worker.allowed500.Load() }
