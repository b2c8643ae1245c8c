//go:build !unix

package postgres

import "net"

// closedByServer is known on Unix alone. Elsewhere an idle connection is tried by a statement.
func closedByServer(net.Conn) bool { return false }
