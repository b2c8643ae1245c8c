package server

import (
	"context"

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
