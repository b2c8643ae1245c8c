package main

import (
	"net"
	"net/http"
	"sync"
	"time"

	"h5pay/e2e/pages"
)

// The link of the emulated phone. The server emulates it, not the browser, so that service workers
// use it too.
const (
	bandwidth = 9_000_000 / 8 // down, bytes per second
	roundTrip = 165 * time.Millisecond

	// oversleep is the typical excess of a sleep; send subtracts it.
	oversleep = 10 * time.Millisecond
)

// link is shared by all connections of a phone.
type link struct {
	mu   sync.Mutex
	free time.Time // when the last byte so far arrives
}

// send waits until n bytes have been transmitted.
func (l *link) send(n int) {
	l.mu.Lock()
	l.free = later(l.free, time.Now().Add(-oversleep)).Add(time.Duration(n) * time.Second / bandwidth)
	until := l.free
	l.mu.Unlock()
	time.Sleep(time.Until(until))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// slow puts a server's connections on the link.
func (l *link) slow(s *pages.Server) {
	s.Connections(func(c net.Conn) net.Conn { return &slowConn{Conn: c, link: l} })
}

// delayed makes a request and its response take one round trip.
func delayed(http.ResponseWriter, *http.Request) { time.Sleep(roundTrip) }

// opening is what TCP and TLS 1.3 take until a connection can be used.
const opening = 2 * roundTrip

// slowConn takes time to open and shares the bandwidth.
type slowConn struct {
	net.Conn
	link *link
	open sync.Once
}

func (c *slowConn) Read(b []byte) (int, error) {
	c.open.Do(func() { time.Sleep(opening) })
	return c.Conn.Read(b)
}

// Write transmits small pieces, so that several responses share the link.
func (c *slowConn) Write(b []byte) (n int, err error) {
	const piece = 4 << 10
	for len(b) > 0 && err == nil {
		part := b[:min(piece, len(b))]
		c.link.send(len(part))
		var m int
		m, err = c.Conn.Write(part)
		n += m
		b = b[len(part):]
	}
	return n, err
}
