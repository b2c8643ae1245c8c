package main

import (
	"net"
	"net/http"
	"sync"
	"time"

	"h5pay/e2e/pages"
)

// The link of the emulated phone. It is made at the server rather than in the
// browser, so that service workers are on it, too.
const (
	bandwidth = 9_000_000 / 8 // down, bytes a second
	roundTrip = 165 * time.Millisecond

	// A sleep takes longer than it should; so much of it is made up for.
	oversleep = 10 * time.Millisecond
)

// link is what all connections of a phone share.
type link struct {
	mu   sync.Mutex
	free time.Time // when the last byte so far has arrived
}

// send waits until n bytes have passed.
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

// slow puts the connections of a server on the link.
func (l *link) slow(s *pages.Server) {
	s.Connections(func(c net.Conn) net.Conn { return &slowConn{Conn: c, link: l} })
}

// delayed lets a request and its answer take a round trip.
func delayed(http.ResponseWriter, *http.Request) { time.Sleep(roundTrip) }

// slowConn takes a round trip to open and shares the bandwidth.
type slowConn struct {
	net.Conn
	link *link
	open sync.Once
}

func (c *slowConn) Read(b []byte) (int, error) {
	c.open.Do(func() { time.Sleep(roundTrip) })
	return c.Conn.Read(b)
}

// Write passes small pieces, as a link does, so that many answers can share it.
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
