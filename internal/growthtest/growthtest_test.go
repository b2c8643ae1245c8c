package growthtest

import (
	"bytes"
	"testing"
	"time"
)

func TestMeasureCountsCalls(t *testing.T) {
	calls := 0
	took := measure(nil, func([]byte) { calls++; time.Sleep(least / 4) })
	if calls < 1 || calls > 4 || took < least/4 {
		t.Errorf("%d calls of %v", calls, took)
	}
}

func TestLinearAcceptsLinearWork(t *testing.T) {
	Linear(t, 1<<20, func(n int) []byte { return make([]byte, n) }, func(b []byte) { bytes.Count(b, []byte{1}) })
}
