package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// syncRefund queries WeChat about one refund, applies the response and returns the stored refund.
// found is false if WeChat does not know the refund. The error is a Mismatch, WeChat's or the
// database's.
func (s *Service) syncRefund(ctx context.Context, r order.Refund, source string) (stored order.Refund, found bool, err error) {
	callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	pay, err := s.api(r.APIVersion)
	if err != nil {
		return stored, false, fmt.Errorf("querying refund %s: %w", r.ID, err)
	}
	report, err := pay.QueryRefund(callCtx, r.ID)
	var e *wechat.Error
	switch {
	case errors.As(err, &e) && e.Code == wechat.CodeRefundNotExist:
		return stored, false, nil
	case err != nil:
		return stored, false, fmt.Errorf("querying refund %s: %w", r.ID, err)
	}
	stored, err = s.applyRefund(ctx, r, report, source, nil)
	return stored, true, err
}

// syncRefunds queries WeChat about all refunds of a paid payment and applies the responses. It also
// records refunds that were made at the merchant platform.
func (s *Service) syncRefunds(ctx context.Context, p order.Payment, source string) error {
	reports, err := s.queryRefunds(ctx, p)
	if err != nil {
		return err
	}
	return s.applyRefunds(ctx, p, reports, source)
}

// settleRefunded settles a trade in the state REFUND, and its refunds. The refunds are queried
// first, because a payment that is stored as paid is not queried again.
//
// WeChat guarantees only the state of such a trade. The refunds have the transaction and the
// amount. The payer and the time may be unknown until the bill of that day is compared.
//
// A restored database may lack which payment of an order was the duplicate. The id of a duplicate's
// refund shows it. Then the other payments are settled first, so that one of them, and not this
// one, pays the order.
func (s *Service) settleRefunded(ctx context.Context, p order.Payment, trade wechat.Trade, source string) (order.Payment, error) {
	reports, err := s.queryRefunds(ctx, p)
	if err != nil {
		return p, err
	}
	duplicate, err := s.findDuplicateRefund(ctx, p, reports)
	if err != nil {
		return p, err
	}
	if duplicate.OutRefundNo != "" {
		if len(reports) == 0 {
			reports = []wechat.Refund{duplicate}
		}
		if err := s.syncOthers(ctx, p, source); err != nil {
			return p, err
		}
	}
	if len(reports) > 0 && (trade.TransactionID == "" || trade.TotalFee == 0) {
		trade.TransactionID, trade.TotalFee = reports[0].TransactionID, reports[0].Total
	}
	if trade.OpenID == "" && p.TradeType == api.TradeJSAPI {
		trade.OpenID = p.OpenID // only this user can pay it inside WeChat
	}
	if p, err = s.settle(ctx, p, trade, source, nil); err != nil {
		return p, err
	}
	return p, s.applyRefunds(ctx, p, reports, source)
}

// findDuplicateRefund returns the refund of a payment that was a duplicate, as WeChat reports it,
// the zero one if there is none. Without a list of refunds, which APIv3 lacks, WeChat is queried by
// the refund's id.
func (s *Service) findDuplicateRefund(ctx context.Context, p order.Payment, reports []wechat.Refund) (wechat.Refund, error) {
	id := order.DuplicateRefundID(p.OutTradeNo)
	for _, r := range reports {
		if r.OutRefundNo == id {
			return r, nil
		}
	}
	if len(reports) > 0 {
		return wechat.Refund{}, nil
	}
	pay, err := s.api(p.APIVersion)
	if err != nil {
		return wechat.Refund{}, err
	}
	callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	report, err := pay.QueryRefund(callCtx, id)
	switch {
	case err != nil && wechatError(err).Code == wechat.CodeRefundNotExist:
		return wechat.Refund{}, nil
	case err != nil:
		return wechat.Refund{}, fmt.Errorf("querying refund %s: %w", id, err)
	case report.OutRefundNo != id || report.OutTradeNo != p.OutTradeNo:
		return wechat.Refund{}, fmt.Errorf("querying refund %s: the response is about another", id)
	}
	return report, nil
}

// syncOthers syncs the other payments of an order that are not stored as paid.
func (s *Service) syncOthers(ctx context.Context, p order.Payment, source string) error {
	payments, err := s.cfg.Store.PaymentsOf(ctx, p.OrderID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(payments, func(other order.Payment) bool { return other.Status == api.PaymentPaid }) {
		return nil // one of them pays the order
	}
	for _, other := range payments {
		if other.OutTradeNo == p.OutTradeNo || other.MchID != s.cfg.MchID {
			continue
		}
		paid, err := s.syncPaid(ctx, other, source)
		if err != nil || paid {
			return err
		}
	}
	return nil
}

// syncPaid settles a payment if WeChat reports it as paid, and reports whether it does.
func (s *Service) syncPaid(ctx context.Context, p order.Payment, source string) (bool, error) {
	pay, err := s.api(p.APIVersion)
	if err != nil {
		return false, err
	}
	callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	trade, err := pay.QueryOrder(callCtx, p.OutTradeNo)
	switch {
	case err != nil && wechatError(err).Code == wechat.CodeOrderNotExist:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("querying payment %s: %w", p.OutTradeNo, err)
	case trade.State != wechat.StateSuccess:
		return false, nil
	}
	_, err = s.settle(ctx, p, trade, source, nil)
	return err == nil, err
}

// queryRefunds queries WeChat about all refunds of a payment. APIv3 has no such query. For a
// payment of APIv3 it queries APIv2, which has the same ledger, if the shop has its key.
// Otherwise the list is empty, and refunds that were made at the merchant platform are found
// by the notification or the bill.
func (s *Service) queryRefunds(ctx context.Context, p order.Payment) ([]wechat.Refund, error) {
	callCtx, cancel := context.WithTimeout(ctx, refundTimeout)
	defer cancel()
	pay, err := s.api(p.APIVersion)
	if p.APIVersion == string(wechat.V3) {
		if pay, err = s.cfg.WeChat.For(wechat.V2); err != nil {
			return nil, nil
		}
	}
	var reports []wechat.Refund
	if err == nil {
		reports, err = pay.QueryRefunds(callCtx, p.OutTradeNo)
	}
	if err == nil {
		return reports, nil
	}
	// A key of APIv2 that WeChat no longer accepts must not delay a payment of APIv3.
	if e := wechatError(err); p.APIVersion == string(wechat.V3) && e.Kind != wechat.Retry && e.Kind != wechat.Untrusted {
		s.logger(ctx).Warn("APIv2 does not list the refunds of a payment of APIv3", "out_trade_no", p.OutTradeNo, "error", err)
		return nil, nil
	}
	return nil, fmt.Errorf("querying the refunds of payment %s: %w", p.OutTradeNo, err)
}

// syncNamed syncs a payment and its refunds if a notification or a bill differs from a stored one.
// outRefundNo is "" if the difference is in the payment.
func (s *Service) syncNamed(ctx context.Context, p order.Payment, outRefundNo, source string) error {
	var err error
	if p.Status == api.PaymentPaid {
		err = s.syncRefunds(ctx, p, source)
	} else {
		p, _, err = s.Sync(ctx, p, source) // its refunds too
	}
	if err != nil || outRefundNo == "" || p.APIVersion != string(wechat.V3) || p.Status != api.PaymentPaid {
		return err
	}
	switch r, err := s.cfg.Store.RefundByID(ctx, outRefundNo); {
	case err == nil && order.RefundOpen(r.Status):
		_, _, err = s.syncRefund(ctx, r, source)
		return err
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	pay, err := s.api(p.APIVersion)
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
	return s.applyRefunds(ctx, p, []wechat.Refund{report}, source)
}

// applyRefunds applies WeChat's reports of the refunds of a payment. After a Mismatch of one it
// still applies the others.
func (s *Service) applyRefunds(ctx context.Context, p order.Payment, reports []wechat.Refund, source string) error {
	if len(reports) == 0 {
		return nil
	}
	stored, err := s.cfg.Store.Refunds(ctx, p.OrderID)
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
			r, err = s.recordRefund(ctx, p, report, source)
		}
		if err == nil && !agrees(r, report) { // most agree, and need no more statements
			_, err = s.applyRefund(ctx, r, report, source, nil)
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

// recordRefund stores a refund that was made at the merchant platform.
func (s *Service) recordRefund(ctx context.Context, p order.Payment, report wechat.Refund, source string) (order.Refund, error) {
	log := s.logger(ctx).With("source", source, "order", p.OrderID, "out_trade_no", p.OutTradeNo, "refund", report.OutRefundNo, "refund_id", report.RefundID, "amount", int64(report.Amount))
	var problem Mismatch
	switch {
	case report.OutTradeNo != p.OutTradeNo:
		problem = "it is about another order"
	case p.Status != api.PaymentPaid || report.TransactionID != p.TransactionID:
		problem = "transaction differs"
	case report.Total != p.Total:
		problem = "the order's amount differs"
	}
	if problem != "" {
		log.Error("refund mismatch", "reason", string(problem))
		return order.Refund{}, problem
	}
	now := s.now()
	created := now
	if !report.RefundedAt.IsZero() && report.RefundedAt.Before(now) {
		created = report.RefundedAt // or earlier: WeChat does not report it
	}
	record := s.cfg.Store.RecordRefund
	if report.State == wechat.RefundClosed {
		record = s.cfg.Store.RecordClosedRefund
	}
	recorded, err := record(ctx, order.Refund{
		ID: report.OutRefundNo, OrderID: p.OrderID, OutTradeNo: p.OutTradeNo, Amount: report.Amount, RefundID: report.RefundID, CreatedAt: created, AcceptedAt: now,
	})
	if err != nil {
		return order.Refund{}, err
	}
	r, err := s.cfg.Store.RefundByID(ctx, report.OutRefundNo)
	switch {
	case errors.Is(err, store.ErrNotFound):
		problem = "more than was paid has gone back"
		log.Error("refund mismatch", "reason", string(problem), "order_total", int64(p.Total))
		return r, problem
	case err == nil && recorded:
		log.Warn("found a refund that was made at the merchant platform")
	}
	return r, err
}

// applyRefund changes a refund to the status that WeChat reports. The report is WeChat's own with a
// verified signature. It must agree with the refund in payment and amounts. Like settle it may be
// called any number of times and in any order.
//
// It returns the stored refund. The error is a Mismatch, which is logged, or the database's.
func (s *Service) applyRefund(ctx context.Context, r order.Refund, report wechat.Refund, source string, intent *order.AuditIntent) (order.Refund, error) {
	log := s.refundLog(ctx, r, source)
	stored, err := s.moveTo(ctx, log, r, report, intent)
	var mismatch Mismatch
	if errors.As(err, &mismatch) {
		log.Error("refund mismatch", "reason", string(mismatch), "state", string(report.State), "refund_id", report.RefundID,
			"amount", int64(r.Amount), "reported_amount", int64(report.Amount), "reported_total", int64(report.Total))
	}
	return stored, err
}

func (s *Service) moveTo(ctx context.Context, log *slog.Logger, r order.Refund, report wechat.Refund, intent *order.AuditIntent) (order.Refund, error) {
	switch {
	case report.OutRefundNo != r.ID || report.OutTradeNo != r.OutTradeNo:
		return r, Mismatch("it is about another refund")
	case report.TransactionID != r.TransactionID:
		return r, Mismatch("transaction differs")
	case report.Total != r.Total:
		return r, Mismatch("the order's amount differs")
	case report.Amount != r.Amount:
		return r, Mismatch("amount differs")
	}
	to, ok := refundStatus(report.State)
	if !ok {
		return r, Mismatch("unknown refund state")
	}
	if r.Status == api.RefundFailed && to != api.RefundProcessing {
		// First the refund counts against the payment again.
		if stored, err := s.move(ctx, log, r, api.RefundProcessing, report, nil); err != nil {
			return stored, err
		}
		r.Status = api.RefundProcessing
	}
	return s.move(ctx, log, r, to, report, intent)
}

// move makes one change of a refund's status. It is no error if the refund has that status or a
// later one already. The trigger refund_goes_on continues: it sets the status of the order and the
// refunded amounts. move returns the stored refund.
func (s *Service) move(ctx context.Context, log *slog.Logger, r order.Refund, to api.RefundStatus, report wechat.Refund, intent *order.AuditIntent) (stored order.Refund, err error) {
	var moved bool
	if to == api.RefundProcessing {
		stored, moved, err = s.cfg.Store.AcceptRefund(ctx, r, report.RefundID, s.now(), intent)
	} else {
		stored, moved, err = s.cfg.Store.MoveRefund(ctx, r.ID, to, report.RefundID, report.RefundedAt, s.now())
	}
	if err != nil {
		return stored, err
	}
	if moved {
		level := slog.LevelInfo
		switch {
		case to == api.RefundAbnormal:
			level = slog.LevelError // the buyer does not get the money until an operator acts
		case r.Status == api.RefundFailed, to == api.RefundClosed:
			level = slog.LevelWarn
		}
		if to == api.RefundSucceeded {
			s.cfg.Announce()
		}
		log.Log(ctx, level, "refund "+string(to), "was", string(r.Status), "refund_id", report.RefundID, "amount", int64(r.Amount))
		return stored, nil
	}
	switch {
	case stored.RefundID != "" && stored.RefundID != report.RefundID:
		return stored, Mismatch("WeChat has it under another number")
	case stored.Status == to || order.RefundCanBecome(to, stored.Status):
		return stored, nil // reported before
	case stored.Status == api.RefundFailed:
		return stored, Mismatch("more than was paid would go back")
	case stored.Status == api.RefundAbnormal && to == api.RefundProcessing:
		return stored, nil // an operator has restarted it
	}
	return stored, Mismatch("it has ended as " + string(stored.Status))
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
