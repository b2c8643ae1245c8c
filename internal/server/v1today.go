package server

import (
	"context"

	"h5pay/internal/cst"
	"h5pay/internal/v1"
)

// todayDays is how many days before today the takings include.
const todayDays = 30

// getToday runs two statements, and reads one row for each hour.
func (b backend) getToday(ctx context.Context, _ *v1Call) (any, error) {
	now := b.now()
	hours, err := b.cfg.Store.Takings(ctx, cst.Day(now).AddDate(0, 0, -todayDays), cst.Day(now).AddDate(0, 0, 2))
	if err != nil {
		return nil, err
	}
	waiting, err := b.cfg.Store.Waiting(ctx, !b.outbox.HasWebhook())
	if err != nil {
		return nil, err
	}
	today := v1.Today{At: now.UnixMilli(), Hours: make([]v1.Takings, len(hours)), Waiting: v1.Waiting{
		OpenOrders: waiting.OpenOrders, OpenRefunds: waiting.OpenRefunds, StuckRefunds: waiting.StuckRefunds, AbnormalRefunds: waiting.Abnormal,
		PendingEvents: waiting.PendingEvents, DeadEvents: waiting.DeadEvents}}
	for i, h := range hours {
		today.Hours[i] = v1.Takings{At: h.At.UnixMilli(), Payments: h.Payments, Paid: h.Paid, Refunds: h.Refunds, Refunded: h.Refunded}
	}
	return today, nil
}
