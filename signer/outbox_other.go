//go:build !js

package main

import (
	"context"
	"time"
)

// retryEvery is the interval of deliveries for events that are due for a retry. In the Worker a
// cron trigger runs them every minute.
const retryEvery = 5 * time.Second

// deliverySignal starts a delivery of events in another goroutine. One pending signal is enough,
// because one delivery handles all events.
type deliverySignal chan struct{}

func newDeliverySignal() deliverySignal { return make(deliverySignal, 1) }

// notify returns at once.
func (b deliverySignal) notify() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// run calls do after each signal and once per period, until ctx ends.
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
