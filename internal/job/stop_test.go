package job

import (
	"context"
	"testing"
)

func TestStopping(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	jobs := WithStop(context.WithoutCancel(ctx), stop)
	if Stopping(ctx) || Stopping(jobs) {
		t.Error("stopping at the start")
	}
	close(stop)
	if !Stopping(jobs) || jobs.Err() != nil || Stopping(ctx) {
		t.Error("after stop only jobs should begin nothing new, and their context should go on")
	}
	cancel()
	if !Stopping(ctx) {
		t.Error("the context has ended, and its job goes on")
	}
}
