// Package reqlog carries the log of a request in its context, so that every line of
// the request has its ID, and logs panics.
package reqlog

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
)

type key struct{}

type request struct {
	id  string
	log *slog.Logger
}

// With returns a context whose log writes the request's ID on every line.
func With(ctx context.Context, id string, log *slog.Logger) context.Context {
	return context.WithValue(ctx, key{}, request{id, log.With("request_id", id)})
}

// From returns the log of the request, and log when ctx belongs to none.
func From(ctx context.Context, log *slog.Logger) *slog.Logger {
	if r, ok := ctx.Value(key{}).(request); ok {
		return r.log
	}
	return log
}

// ID returns the ID of the request, "" when ctx belongs to none.
func ID(ctx context.Context) string {
	r, _ := ctx.Value(key{}).(request)
	return r.id
}

// Panic logs a panic that was recovered, with its stack.
func Panic(log *slog.Logger, p any) {
	log.Error("panic", "value", panicText(p), "stack", string(debug.Stack()))
}

// panicText returns the text of a panic. A value of another type than these may hold
// anything, secrets too: only its type is logged.
func panicText(p any) string {
	switch p := p.(type) {
	case runtime.Error:
		return p.Error()
	case string:
		return p
	}
	return fmt.Sprintf("%T", p)
}

// Mask shortens an openid for people and logs: "oUpF…Mg3I".
func Mask(openid string) string {
	if len(openid) < 12 {
		return "…"
	}
	return openid[:4] + "…" + openid[len(openid)-4:]
}
