package pgtest

import (
	"os"
	"testing"
)

// A server that ends before it has begun leaves no process: Stop returns, which waits for it.
func TestStopAtOnce(t *testing.T) {
	s, err := Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for range 5 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := s.launch(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}
