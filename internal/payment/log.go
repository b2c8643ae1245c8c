package payment

import (
	"context"
	"log/slog"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// logPayment logs a change of a payment: both statuses and the source. Effects of a refund on its
// order are in the lines of the refund.
func (s *Service) logPayment(ctx context.Context, p order.Payment, to api.PaymentStatus, source string, more ...any) {
	level, what := slog.LevelInfo, "payment "+string(to)
	if to == api.PaymentPaid && !order.PaymentLive(p.Status) {
		level, what = slog.LevelWarn, "payment paid late" // the shop had closed it
	}
	about := []any{"order", p.OrderID, "out_trade_no", p.OutTradeNo, "from", string(p.Status), "to", string(to), "source", source}
	s.logger(ctx).Log(ctx, level, what, append(about, more...)...)
}

// logOrder logs a change of an order that no payment caused.
func (s *Service) logOrder(ctx context.Context, id string, to api.OrderStatus, source string, more ...any) {
	s.logger(ctx).InfoContext(ctx, "order "+string(to), append([]any{"order", id, "to", string(to), "source", source}, more...)...)
}

// count adds to counters, for events without a row of their own. A failure is only logged. Events
// that a stranger can cause must not be counted, because a count is a write.
func (s *Service) count(ctx context.Context, counts map[string]int) {
	if err := s.cfg.Store.Count(ctx, counts); err != nil {
		s.logger(ctx).Warn("counting failed", "error", err)
	}
}

// refundLog returns a log that names a refund on every line.
func (s *Service) refundLog(ctx context.Context, r order.Refund, source string) *slog.Logger {
	return s.logger(ctx).With("source", source, "order", r.OrderID, "out_trade_no", r.OutTradeNo, "refund", r.ID, "duplicate", r.Duplicate)
}
