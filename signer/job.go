package main

import (
	"context"
	"fmt"

	"h5pay/internal/job"
)

// runCron runs the job of a cron trigger in wrangler.toml.
func (a app) runCron(ctx context.Context, cron string) error {
	switch job.ByCron(cron) {
	case job.Reconcile:
		return a.reconcile(ctx)
	case job.Deliver:
		return a.deliver(ctx)
	case job.CheckBills:
		return a.checkBills(ctx)
	}
	return fmt.Errorf("unknown cron trigger %q", cron)
}
