package server

import (
	"context"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

func (b backend) getSelling(ctx context.Context, _ *v1Call) (any, error) {
	state, err := b.payment.SellingState(ctx)
	return v1.Selling(state), err
}

// putSelling stops selling, or resumes it.
func (b backend) putSelling(ctx context.Context, c *v1Call) (any, error) {
	if err := b.payment.SetSelling(ctx, *c.body.(v1.PutSelling).Selling); err != nil {
		return nil, err
	}
	return b.getSelling(ctx, c)
}

func (b backend) getCounters(ctx context.Context, _ *v1Call) (any, error) {
	counters, err := b.cfg.Store.Counters(ctx)
	return v1.Counters{Counters: counters}, err
}

// listChecks returns the checks. The status is 200 also if one fails.
func (b backend) listChecks(ctx context.Context, _ *v1Call) (any, error) {
	began := b.now()
	all := v1.Checks{OK: true, CheckedAt: began.UnixMilli(), Checks: []v1.CheckResult{}}
	for _, h := range b.checkHealth(ctx) {
		all.OK = all.OK && h.OK
		all.Checks = append(all.Checks, v1.CheckResult{ID: h.Name, Status: checkStatus(h), Detail: h.Problem})
	}
	all.TookMS = b.now().Sub(began).Milliseconds()
	return all, nil
}

// checkStatus returns the status of a check of the health page.
func checkStatus(h api.HealthCheck) v1.CheckStatus {
	switch {
	case !h.OK:
		return v1.CheckFail
	case h.Problem != "":
		return v1.CheckWarn
	}
	return v1.CheckOK
}
