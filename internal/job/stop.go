package job

import "context"

// stopKey is the context key of the channel of WithStop.
type stopKey struct{}

// WithStop returns a context for jobs. When stop is closed they finish what they began, and begin
// nothing new. The context itself does not end by it.
func WithStop(ctx context.Context, stop <-chan struct{}) context.Context {
	return context.WithValue(ctx, stopKey{}, stop)
}

// Stopping reports whether a job shall begin nothing new: its context has ended, or stop of WithStop
// is closed.
func Stopping(ctx context.Context) bool {
	stop, _ := ctx.Value(stopKey{}).(<-chan struct{})
	select {
	case <-stop:
		return true
	default:
		return ctx.Err() != nil
	}
}
