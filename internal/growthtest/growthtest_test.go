//go:build unix

package growthtest

import (
	"bytes"
	"testing"
	"time"
)

// work uses CPU time in proportion to n.
func work(n int) {
	b := make([]byte, 1<<10)
	for range n {
		bytes.Count(b, []byte{1})
	}
}

func TestLinearAcceptsLinearWork(t *testing.T) {
	Linear(t, 8000, func(n int) []byte { return make([]byte, n) }, func(b []byte) { work(len(b)) })
}

// Quadratic work exceeds the margin. Waiting is not work.
func TestMeasureDetectsQuadraticWork(t *testing.T) {
	quadratic := func(b []byte) { work(len(b) * len(b) / 100) }
	short, long := measure(make([]byte, 500), quadratic), measure(make([]byte, 500*factor), quadratic)
	if long <= short*factor*margin {
		t.Errorf("%v and %v: quadratic work passes for linear", short, long)
	}
	calls := 0
	waited := measure(nil, func([]byte) {
		if calls++; calls == 1 {
			time.Sleep(100 * time.Millisecond)
		}
		work(1000)
	})
	if waited > 50*time.Millisecond {
		t.Errorf("a call that waits took %v of CPU", waited)
	}
}
