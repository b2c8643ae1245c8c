package paytest_test

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"h5pay/internal/paytest"
)

// The log is written and read at the same time, as by a server and its test.
func TestLog(t *testing.T) {
	t.Parallel()
	var log paytest.Log
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			for n := range 100 {
				fmt.Fprintf(&log, "writer %d, line %d\n", i, n)
				log.Lines("writer")
			}
		})
	}
	wg.Wait()
	io.WriteString(&log, "the end") // a line without an end
	if n := len(log.Lines("writer 7,")); n != 100 {
		t.Errorf("%d lines of one of the writers, want 100", n)
	}
	if got := log.Lines("end"); !slices.Equal(got, []string{"the end"}) {
		t.Errorf("%q", got)
	}
}
