package demo

import (
	"net"
	"strconv"
	"testing"
)

func TestPortInUseIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	if flag, port := (Ports{Phone: taken}).InUse(); flag != "phone-port" || port != taken {
		t.Errorf("got -%s %d, want -phone-port %s", flag, port, strconv.Itoa(taken))
	}
	if flag, port := (Ports{}).InUse(); port != 0 {
		t.Errorf("got -%s %d, want none", flag, port)
	}
}
