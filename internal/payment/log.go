package payment

import (
	"context"
	"log/slog"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// logChange writes the line of a change of an order: which order, from which status to
// which, and where the news comes from. What a refund means for its order is in the
// lines of the refund.
func (s *Service) logChange(ctx context.Context, o order.Order, to api.OrderStatus, source string, more ...any) {
	level, what := slog.LevelInfo, "order "+string(to)
	if to == api.StatusPaid && (o.Status == api.StatusClosing || o.Status == api.StatusClosed || o.Status == api.StatusFailed) {
		level, what = slog.LevelWarn, "order paid late" // the shop had closed it
	}
	s.logger(ctx).With("order", o.ID, "out_trade_no", o.OutTradeNo, "from", string(o.Status), "to", string(to), "source", source).
		Log(ctx, level, what, more...)
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
	return s.logger(ctx).With("source", source, "order", r.OrderID, "refund", r.ID)
}
