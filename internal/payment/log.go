package payment

import (
	"context"
	"log/slog"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// logPayment writes the line of a change of a payment: which one, from which status to
// which, and where the news comes from. What a refund means for its order is in the lines
// of the refund.
func (s *Service) logPayment(ctx context.Context, p order.Payment, to api.PaymentStatus, source string, more ...any) {
	level, what := slog.LevelInfo, "payment "+string(to)
	if to == api.PaymentPaid && !order.PaymentLive(p.Status) {
		level, what = slog.LevelWarn, "payment paid late" // the shop had closed it
	}
	s.logger(ctx).With("order", p.OrderID, "out_trade_no", p.OutTradeNo, "from", string(p.Status), "to", string(to), "source", source).
		Log(ctx, level, what, more...)
}

// logOrder writes the line of a change of an order that no payment made.
func (s *Service) logOrder(ctx context.Context, id string, to api.OrderStatus, source string, more ...any) {
	s.logger(ctx).With("order", id, "to", string(to), "source", source).InfoContext(ctx, "order "+string(to), more...)
}

// count adds to counters, for what leaves no row of its own. A failure is logged only.
// What a stranger can cause at will must not be counted: a count is a write.
func (s *Service) count(ctx context.Context, counts map[string]int) {
	if err := s.cfg.Store.Count(ctx, counts); err != nil {
		s.logger(ctx).Warn("counting failed", "error", err)
	}
}

// refundLog names a refund on every line.
func (s *Service) refundLog(ctx context.Context, r order.Refund, source string) *slog.Logger {
	return s.logger(ctx).With("source", source, "order", r.OrderID, "out_trade_no", r.OutTradeNo, "refund", r.ID, "duplicate", r.Duplicate)
}
