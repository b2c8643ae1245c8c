package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// syncRefund queries WeChat about one refund and applies the response. found is false
// when WeChat does not know the refund. The error is a Mismatch, WeChat's or the
// database's.
func (s *Service) syncRefund(ctx context.Context, r order.Refund, source string) (found bool, err error) {
	callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	pay, err := s.api(r.APIVersion)
	if err != nil {
		return false, fmt.Errorf("querying refund %s: %w", r.ID, err)
	}
	report, err := pay.QueryRefund(callCtx, r.ID)
	var e *wechat.Error
	switch {
	case errors.As(err, &e) && e.Code == wechat.CodeRefundNotExist:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("querying refund %s: %w", r.ID, err)
	}
	return true, s.applyRefund(ctx, r, report, source)
}

// syncRefunds queries WeChat about all refunds of a paid order, records those that were
// not made here, and applies the responses. That is how refunds of the merchant platform
// become known here.
func (s *Service) syncRefunds(ctx context.Context, o order.Order, source string) error {
	reports, err := s.queryRefunds(ctx, o)
	if err != nil {
		return err
	}
	return s.applyRefunds(ctx, o, reports, source)
}

// settleRefunded settles a trade of which money has gone back, and its refunds. The
// refunds are queried first: once the order is paid, nobody queries it again.
//
// WeChat promises no more of such a trade than its state. The refunds name the
// transaction and the amount. The payer and the time may stay unknown until the
// bill of that day is compared.
func (s *Service) settleRefunded(ctx context.Context, o order.Order, trade wechat.Trade, source string) (order.Order, error) {
	reports, err := s.queryRefunds(ctx, o)
	if err != nil {
		return o, err
	}
	if len(reports) > 0 && (trade.TransactionID == "" || trade.TotalFee == 0) {
		trade.TransactionID, trade.TotalFee = reports[0].TransactionID, reports[0].Total
	}
	if trade.OpenID == "" && o.TradeType == api.TradeJSAPI {
		trade.OpenID = o.Owner // nobody else can pay inside WeChat
	}
	if o, err = s.settle(ctx, o, trade, source); err != nil {
		return o, err
	}
	return o, s.applyRefunds(ctx, o, reports, source)
}

// queryRefunds queries WeChat about all refunds of an order. APIv3 has no such query: of
// an order of APIv3 it asks APIv2, whose ledger is the same, if its key is there.
// Otherwise the list is empty. Refunds that were not made here then become known by the
// notification or the bill that names them.
func (s *Service) queryRefunds(ctx context.Context, o order.Order) ([]wechat.Refund, error) {
	callCtx, cancel := context.WithTimeout(ctx, refundTimeout)
	defer cancel()
	pay, err := s.api(o.APIVersion)
	if o.APIVersion == string(wechat.V3) {
		if pay, err = s.cfg.WeChat.For(wechat.V2); err != nil {
			return nil, nil
		}
	}
	var reports []wechat.Refund
	if err == nil {
		reports, err = pay.QueryRefunds(callCtx, o.OutTradeNo)
	}
	if err == nil {
		return reports, nil
	}
	// A key of APIv2 that WeChat takes no longer must not hold up an order of APIv3.
	if e := wechatError(err); o.APIVersion == string(wechat.V3) && e.Kind != wechat.Retry && e.Kind != wechat.Untrusted {
		s.logger(ctx).Warn("APIv2 does not list the refunds of an order of APIv3", "order", o.ID, "error", err)
		return nil, nil
	}
	return nil, fmt.Errorf("querying the refunds of order %s: %w", o.ID, err)
}

// syncNamed syncs an order and its refunds when a notification or a bill names one of
// them that is not stored as it says. outRefundNo is "" when the news is about the
// payment.
func (s *Service) syncNamed(ctx context.Context, o order.Order, outRefundNo, source string) error {
	var err error
	if order.WasPaid(o.Status) {
		err = s.syncRefunds(ctx, o, source)
	} else {
		o, _, err = s.Sync(ctx, o, source) // its refunds too
	}
	if err != nil || outRefundNo == "" || o.APIVersion != string(wechat.V3) || !order.WasPaid(o.Status) {
		return err
	}
	switch r, err := s.cfg.Store.RefundByID(ctx, outRefundNo); {
	case err == nil && order.RefundOpen(r.Status):
		_, err = s.syncRefund(ctx, r, source)
		return err
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	pay, err := s.api(o.APIVersion)
	if err != nil {
		return err
	}
	callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	report, err := pay.QueryRefund(callCtx, outRefundNo)
	switch {
	case err != nil && wechatError(err).Code == wechat.CodeRefundNotExist:
		return nil
	case err != nil:
		return fmt.Errorf("querying refund %s: %w", outRefundNo, err)
	}
	return s.applyRefunds(ctx, o, []wechat.Refund{report}, source)
}

// applyRefunds applies what WeChat reports of the refunds of an order. A Mismatch of one
// leaves the others to be applied.
func (s *Service) applyRefunds(ctx context.Context, o order.Order, reports []wechat.Refund, source string) error {
	if len(reports) == 0 {
		return nil
	}
	stored, err := s.cfg.Store.Refunds(ctx, o.ID)
	if err != nil {
		return err
	}
	known := map[string]order.Refund{}
	for _, r := range stored {
		known[r.ID] = r
	}
	var bad error
	for _, report := range reports {
		r, ok := known[report.OutRefundNo]
		var err error
		if !ok {
			r, err = s.recordRefund(ctx, o, report, source)
		}
		if err == nil && !agrees(r, report) { // most agree, and cost no more statements
			err = s.applyRefund(ctx, r, report, source)
		}
		var mismatch Mismatch
		switch {
		case errors.As(err, &mismatch):
			bad = err
		case err != nil:
			return err
		}
	}
	return bad
}

// recordRefund stores a refund that was not made here.
func (s *Service) recordRefund(ctx context.Context, o order.Order, report wechat.Refund, source string) (order.Refund, error) {
	log := s.logger(ctx).With("source", source, "order", o.ID, "refund", report.OutRefundNo, "refund_id", report.RefundID, "amount", int64(report.Amount))
	var problem Mismatch
	switch {
	case report.OutTradeNo != o.OutTradeNo:
		problem = "it is about another order"
	case !order.WasPaid(o.Status) || report.TransactionID != o.TransactionID:
		problem = "transaction differs"
	case report.Total != o.Total:
		problem = "the order's amount differs"
	}
	if problem != "" {
		log.Error("refund mismatch", "reason", string(problem))
		return order.Refund{}, problem
	}
	now := s.now()
	created := now
	if !report.RefundedAt.IsZero() && report.RefundedAt.Before(now) {
		created = report.RefundedAt // or earlier: WeChat does not say
	}
	record := s.cfg.Store.RecordRefund
	if report.State == wechat.RefundClosed {
		record = s.cfg.Store.RecordClosedRefund
	}
	recorded, err := record(ctx, order.Refund{
		ID: report.OutRefundNo, OrderID: o.ID, Amount: report.Amount, RefundID: report.RefundID, CreatedAt: created, TakenAt: now,
	})
	if err != nil {
		return order.Refund{}, err
	}
	r, err := s.cfg.Store.RefundByID(ctx, report.OutRefundNo)
	switch {
	case errors.Is(err, store.ErrNotFound):
		problem = "more than was paid has gone back"
		log.Error("refund mismatch", "reason", string(problem), "order_total", int64(o.Total))
		return r, problem
	case err == nil && recorded:
		log.Warn("refund found that was not made here")
	}
	return r, err
}

// applyRefund brings a refund to where WeChat reports it. The report must be
// WeChat's own, signature checked, and agree with the refund in order, payment
// and amounts. Like settle it may be called any number of times and in any order.
//
// The error is a Mismatch, which is logged, or the database's.
func (s *Service) applyRefund(ctx context.Context, r order.Refund, report wechat.Refund, source string) error {
	log := s.refundLog(ctx, r, source)
	err := s.moveTo(ctx, log, r, report)
	var mismatch Mismatch
	if errors.As(err, &mismatch) {
		log.Error("refund mismatch", "reason", string(mismatch), "state", string(report.State), "refund_id", report.RefundID,
			"amount", int64(r.Amount), "reported_amount", int64(report.Amount), "reported_total", int64(report.Total))
	}
	return err
}

func (s *Service) moveTo(ctx context.Context, log *slog.Logger, r order.Refund, report wechat.Refund) error {
	switch {
	case report.OutRefundNo != r.ID || report.OutTradeNo != r.OutTradeNo:
		return Mismatch("it is about another refund")
	case report.TransactionID != r.TransactionID:
		return Mismatch("transaction differs")
	case report.Total != r.Total:
		return Mismatch("the order's amount differs")
	case report.Amount != r.Amount:
		return Mismatch("amount differs")
	}
	to, ok := refundStatus(report.State)
	if !ok {
		return Mismatch("unknown refund state")
	}
	if r.Status == api.RefundFailed && to != api.RefundProcessing {
		// The refund takes its share of the order again first.
		if err := s.move(ctx, log, r, api.RefundProcessing, report); err != nil {
			return err
		}
		r.Status = api.RefundProcessing
	}
	return s.move(ctx, log, r, to, report)
}

// move makes one change of a refund's status. It is no error if the refund has that
// status, or has gone further, by then. The trigger refund_goes_on continues: it writes
// the order's status and what has gone back.
func (s *Service) move(ctx context.Context, log *slog.Logger, r order.Refund, to api.RefundStatus, report wechat.Refund) error {
	moved, err := s.cfg.Store.MoveRefund(ctx, r.ID, to, report.RefundID, report.RefundedAt, s.now())
	if err != nil {
		return err
	}
	if moved {
		level := slog.LevelInfo
		switch {
		case to == api.RefundAbnormal:
			level = slog.LevelError // until an operator acts the buyer does not get the money
		case r.Status == api.RefundFailed, to == api.RefundClosed:
			level = slog.LevelWarn
		}
		if to == api.RefundSucceeded {
			s.cfg.Announce()
		}
		log.Log(ctx, level, "refund "+string(to), "was", string(r.Status), "refund_id", report.RefundID, "amount", int64(r.Amount))
		return nil
	}
	stored, err := s.cfg.Store.RefundByID(ctx, r.ID)
	switch {
	case err != nil:
		return err
	case stored.RefundID != "" && stored.RefundID != report.RefundID:
		return Mismatch("WeChat has it under another number")
	case stored.Status == to || order.RefundCanBecome(to, stored.Status):
		return nil // reported before
	case stored.Status == api.RefundFailed:
		return Mismatch("more than was paid would go back")
	case stored.Status == api.RefundAbnormal && to == api.RefundProcessing:
		return nil // an operator has started it again
	}
	return Mismatch("it has ended as " + string(stored.Status))
}

// agrees reports whether a refund is stored as WeChat reports it.
func agrees(r order.Refund, report wechat.Refund) bool {
	status, ok := refundStatus(report.State)
	return ok && r.Status == status && r.RefundID == report.RefundID && r.Amount == report.Amount && r.Total == report.Total &&
		r.OutTradeNo == report.OutTradeNo && r.TransactionID == report.TransactionID
}

// refundStatus returns the status here for a state at WeChat.
func refundStatus(state wechat.RefundState) (status api.RefundStatus, ok bool) {
	switch state {
	case wechat.RefundProcessing:
		return api.RefundProcessing, true
	case wechat.RefundSuccess:
		return api.RefundSucceeded, true
	case wechat.RefundClosed:
		return api.RefundClosed, true
	case wechat.RefundAbnormal:
		return api.RefundAbnormal, true
	}
	return "", false
}
