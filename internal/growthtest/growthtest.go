//go:build unix

// Package growthtest checks how much work a parser does per byte of its input.
package growthtest

import (
	"syscall"
	"testing"
	"time"
)

const (
	factor      = 8                    // how much longer the long input is
	margin      = 3                    // how much more than factor the work may grow
	attempts    = 20                   // measurements before a test fails
	minMeasured = 2 * time.Millisecond // of one measurement, because the clock has a limited resolution

	// cheapPerByte is an acceptable cost per byte: 3 ms for 64 KiB. Below it, CPU caches can make a
	// long input cost more per byte than a short one.
	cheapPerByte = 50 * time.Nanosecond
)

// Linear fails the test if the work of do grows faster than its input. It compares the CPU time for
// size bytes with that for an eighth of them. Linear work takes 8 times as long, quadratic work 64
// times. The test fails above 24 times, unless the work costs less than cheapPerByte. CPU time
// excludes other programs, and the shortest of several measurements counts. input returns the worst
// input of about n bytes.
func Linear(t *testing.T, size int, input func(n int) []byte, do func([]byte)) {
	t.Helper()
	short, long := input(size/factor), input(size)
	if len(long) < len(short)*factor/2 || len(long) > len(short)*factor*2 {
		t.Fatalf("inputs of %d and %d bytes, want about 1 to %d", len(short), len(long), factor)
	}
	var shortest, longest time.Duration
	for range attempts {
		shortest, longest = shorter(shortest, measure(short, do)), shorter(longest, measure(long, do))
		if longest <= shortest*factor*margin || longest <= time.Duration(len(long))*cheapPerByte {
			return
		}
	}
	t.Errorf("%d bytes take %v, %d bytes take %v: the work grows %.0f times for %d times the input",
		len(short), shortest, len(long), longest, float64(longest)/float64(shortest), factor)
}

// shorter returns the shorter duration; zero means none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// measure returns the average CPU time of one call, over as many calls as take minMeasured.
func measure(b []byte, do func([]byte)) time.Duration {
	calls, began := 0, used()
	for {
		do(b)
		calls++
		if took := used() - began; took >= minMeasured {
			return max(took/time.Duration(calls), 1)
		}
	}
}

// used returns the CPU time of this program so far.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
