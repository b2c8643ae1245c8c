package stack

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestCheckPort(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckPort(port); err != nil {
		t.Errorf("a free port: %v", err)
	}
	l, err := net.Listen("tcp", "localhost:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := CheckPort(port); err == nil || err.Error() != fmt.Sprintf("port %d is in use", port) {
		t.Errorf("a port in use: %v", err)
	}
}

func TestUnbuiltTreeNamesTheCommand(t *testing.T) {
	if err := checkBuilt(t.TempDir()); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v", err)
	}
}
