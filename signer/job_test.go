package main

import (
	"context"
	"testing"

	"h5pay/internal/job"
)

// Each trigger runs its own job; an unknown trigger runs none.
func TestCronRunsItsJob(t *testing.T) {
	t.Parallel()
	var ran job.Job
	note := func(j job.Job) func(context.Context) error {
		return func(context.Context) error { ran = j; return nil }
	}
	a := app{reconcile: note(job.Reconcile), deliver: note(job.Deliver), checkBills: note(job.CheckBills)}
	for _, j := range job.All() {
		ran = ""
		if err := a.runCron(t.Context(), j.Cron()); err != nil || ran != j {
			t.Errorf("the trigger %s ran %q, %v; want %s", j.Cron(), ran, err, j)
		}
	}
	ran = ""
	if err := a.runCron(t.Context(), "0 0 * * *"); err == nil || ran != "" {
		t.Errorf("an unknown trigger ran %q, %v", ran, err)
	}
}
