//go:build unix

package postgres

import (
	"net"
	"syscall"
)

// closedByServer reports whether the server has closed an idle connection, or has sent something,
// such as why it ends. It costs no round trip.
func closedByServer(c net.Conn) bool {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = t.NetConn()
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	// Control does not wait for a reader of the connection. pgconn may have one in the background, and
	// raw.Read would wait for it for ever.
	err = raw.Control(func(fd uintptr) {
		var buf [1]byte
		_, _, err := syscall.Recvfrom(int(fd), buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = err != syscall.EAGAIN && err != syscall.EWOULDBLOCK
	})
	return closed || err != nil
}
