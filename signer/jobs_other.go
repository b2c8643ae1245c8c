//go:build !js && !campaign

package main

import (
	"context"
	"log/slog"
	"time"

	"h5pay/internal/job"
	"h5pay/internal/telemetry"
)

// adapt changes nothing. In a build for the fault campaign it does, see campaign_other.go.
func adapt(*platform) {}

// startJobs runs the timers until stop ends. A run that is under way then is not cancelled. One
// node of a shop runs each job. The delivery job is an exception: a node delivers its own events at
// once, and each event has a claim.
func startJobs(stop context.Context, a app, events deliverySignal, db *database, t *telemetry.Telemetry, log *slog.Logger) *jobs {
	ctx, cancel := context.WithCancel(job.WithStop(context.WithoutCancel(stop), stop.Done()))
	w := &jobs{cancel: cancel}
	reconcile := db.once("reconcile", time.Minute, t.Job("reconcile", a.reconcile))
	checkBills := db.once("check-bills", 10*time.Minute, t.Job("check-bills", a.checkBills))
	deliver := t.Job("deliver", a.deliver)
	w.running.Go(func() {
		runEvery(stop, db.every(time.Minute), func() { runSafely(ctx, log, "reconciling", reconcile) })
	})
	w.running.Go(func() {
		runEvery(stop, db.every(10*time.Minute), func() { runSafely(ctx, log, "checking bills", checkBills) })
	})
	w.running.Go(func() {
		events.run(stop, retryEvery, func() { runSafely(ctx, log, "delivering events", deliver) })
	})
	return w
}
