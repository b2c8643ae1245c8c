//go:build !js

package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/paytest"
)

// A panic in a timer is logged, and the next tick runs.
func TestTimersSurviveAPanic(t *testing.T) {
	t.Parallel()
	log := &paytest.Log{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ticks atomic.Int32
	tick := func(context.Context) error {
		switch ticks.Add(1) {
		case 1:
			panic(errors.New("a mistake with a secret"))
		case 2:
			var none []int
			none[ticks.Load()] = 1
		case 3:
			return errors.New("an error")
		}
		return nil
	}
	go runEvery(ctx, time.Millisecond, func() { runSafely(ctx, slog.New(slog.NewTextHandler(log, nil)), "reconciling", tick) })
	eventually(t, "the timer goes on", func() bool { return ticks.Load() > 5 })
	b := newDeliverySignal()
	var rings atomic.Int32
	go b.run(ctx, time.Hour, func() {
		runSafely(ctx, slog.New(slog.NewTextHandler(log, nil)), "delivering", func(context.Context) error {
			rings.Add(1)
			panic("again")
		})
	})
	eventually(t, "the bell is answered again", func() bool { b.notify(); return rings.Load() > 2 })
	text := log.String()
	for _, want := range []string{`msg=panic job=reconciling value=*errors.errorString`, "index out of range", "an error", "msg=panic job=delivering value=again", "jobs_test.go"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the log", want)
		}
	}
	if strings.Contains(text, "secret") {
		t.Error("the log holds what the panic held")
	}
}
