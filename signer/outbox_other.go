//go:build !js

package main

import (
	"context"
	"time"
)

// retryEvery is how often events are looked for that are to be tried again. In
// the Worker a cron trigger does it every minute.
const retryEvery = 5 * time.Second

// deliverySignal tells the deliverer, which runs beside everything else, of an event. It
// keeps one ring, since one look finds all events there are.
type deliverySignal chan struct{}

func newDeliverySignal() deliverySignal { return make(deliverySignal, 1) }

// notify returns at once.
func (b deliverySignal) notify() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// run calls do whenever the bell rings, and every so often, until ctx ends.
func (b deliverySignal) run(ctx context.Context, every time.Duration, do func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b:
		case <-tick.C:
		}
		do()
	}
}
