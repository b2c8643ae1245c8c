//go:build !js

package main

import (
	"context"
	"sync"
	"time"

	"h5pay/internal/store"
)

// retryEvery is the interval of deliveries for events that are due for a retry. In the Worker a
// cron trigger runs them every minute.
const retryEvery = 5 * time.Second

// A delivery that takes longer than patience does not delay the next one: a receiver may hang. Each of
// them then waits for another endpoint, so there is always one left for an endpoint that works.
const (
	patience         = 250 * time.Millisecond
	deliveriesAtOnce = store.MaxEndpoints + 1
)

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

// run calls do after each signal and once per period, until ctx ends, and waits for all calls. The
// next call begins when the previous one ends, or after patience. deliveriesAtOnce is the most at the
// same time.
func (b deliverySignal) run(ctx context.Context, every time.Duration, do func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	places := make(chan struct{}, deliveriesAtOnce)
	for {
		select {
		case <-ctx.Done():
			return
		case <-b:
		case <-tick.C:
		}
		select {
		case <-ctx.Done():
			return
		case places <- struct{}{}:
		}
		ended := make(chan struct{})
		running.Go(func() {
			defer func() {
				close(ended)
				<-places
			}()
			do()
		})
		select {
		case <-ended:
		case <-time.After(patience):
		}
	}
}
