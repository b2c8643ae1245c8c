package proc

import (
	"os"
	"testing"
)

func TestOwnProcess(t *testing.T) {
	t.Parallel()
	before, err := CPUTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	after := before
	for n := 0; after == before; n++ {
		if after, err = CPUTime(os.Getpid()); err != nil || n > 1e6 {
			t.Fatalf("after %d readings %v, %v", n, after, err)
		}
	}
	if memory, err := PeakMemory(os.Getpid()); err != nil || memory < 1<<20 {
		t.Errorf("peak memory %d, %v", memory, err)
	}
	if _, err := CPUTime(-1); err == nil {
		t.Error("there is a process -1")
	}
}
