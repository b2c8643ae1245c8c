package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat"
)

// Where news of a refund comes from, beside the sources of news of a trade.
const sourceAdmin = "admin"

// sendRefund asks WeChat to take a refund that is stored, and returns it as it
// stands then. It may be called any number of times, also when it is not known
// what became of the call before: the call is the same to the letter, but for the
// account that the money comes from, and WeChat pays one out_refund_no once.
//
// The error is the database's. What WeChat says goes to the refund and the log.
func (s *Server) sendRefund(ctx context.Context, r order.Refund, source string) (order.Refund, error) {
	claimed, err := s.cfg.Store.ClaimRefund(ctx, r, resendWindow, s.now())
	if err != nil {
		return r, err
	}
	if claimed {
		if err := s.submitRefund(ctx, r, source); err != nil {
			return r, err
		}
	}
	return s.cfg.Store.RefundByID(ctx, r.ID)
}

// submitRefund makes the call of a refund that the caller has claimed. When WeChat
// declines it because the source of the money does not suffice, it is sent once more
// from the other source, unless the operator chooses (docs/wechat.md 9.4). The error
// is the database's.
func (s *Server) submitRefund(ctx context.Context, r order.Refund, source string) error {
	log := s.refundLog(ctx, r, source)
	callCtx, cancel := context.WithTimeout(ctx, refundTimeout) // for both calls: no other claim begins sooner
	defer cancel()
	taken, err := s.cfg.WeChat.Refund(callCtx, refundRequest(r))
	var e *wechat.Error
	if errors.As(err, &e) && e.Code == wechat.CodeNotEnough && !s.cfg.ManualBalance {
		switched, dbErr := s.cfg.Store.SwitchSource(ctx, r, s.now())
		if dbErr != nil {
			return dbErr
		}
		if switched {
			r.FromBalance = !r.FromBalance
			log.Warn("a refund takes its money from the other source: the first does not suffice", "from_balance", r.FromBalance, "amount", int64(r.Amount))
			taken, err = s.cfg.WeChat.Refund(callCtx, refundRequest(r))
		}
	}
	if err == nil {
		err = s.settleRefund(ctx, r, taken, source)
	} else {
		err = s.refundRefused(ctx, log, r, err, source)
	}
	return s.quietly(ctx, r, source, err)
}

// refundRequest is the call of a refund. All of it was stored before.
func refundRequest(r order.Refund) wechat.RefundRequest {
	return wechat.RefundRequest{
		OutTradeNo:  r.OutTradeNo,
		OutRefundNo: r.ID,
		Total:       r.Total,
		Amount:      r.Amount,
		Reason:      r.Reason,
		NotifyURL:   r.NotifyURL,
		FromBalance: r.FromBalance,
	}
}

// refundRefused sorts out why WeChat did not take a refund.
func (s *Server) refundRefused(ctx context.Context, log *slog.Logger, r order.Refund, cause error, source string) error {
	var e *wechat.Error
	if !errors.As(cause, &e) {
		e = &wechat.Error{Kind: wechat.Retry}
	}
	failure := order.RefundFailure{Failure: e.Code, FailureText: e.Message, FromBalance: r.FromBalance}
	if e.Code == wechat.CodeNotEnough && !s.cfg.ManualBalance {
		failure.FromBalance = true // neither suffices: the operator has to pay in, or new takings come
	}
	switch {
	case e.Kind == wechat.Retry && e.Code == "", e.Kind == wechat.Untrusted:
		// WeChat may have it or not. It is sent again, unchanged.
		log.Warn("WeChat did not answer a refund", "error", cause)
		return nil
	case e.Kind == wechat.Retry:
		log.Warn("WeChat takes a refund later", "error", cause)
		return s.cfg.Store.NoteRefundFailure(ctx, r, failure, s.now())
	case e.Kind == wechat.Operator, e.Code == "":
		// The merchant's balance, certificate or key is not the refund's fault: it
		// is taken once that is right. Neither is a refusal without a code, which
		// comes unsigned. A retry does not cure either, so that it is sent less often.
		log.Error("WeChat refused the shop a refund", "error", cause)
		failure.Stuck = true
		return s.cfg.Store.NoteRefundFailure(ctx, r, failure, s.now())
	}
	// A call that was lost before this one may have been taken.
	if found, err := s.queryRefund(ctx, r, source); err != nil || found {
		return err
	}
	log.Error("WeChat refused a refund", "error", cause)
	if _, err := s.cfg.Store.FailRefund(ctx, r.ID, failure, s.now()); err != nil {
		return err
	}
	// Perhaps because of refunds that were not made here.
	o, err := s.cfg.Store.ByID(ctx, r.OrderID)
	if err != nil {
		return err
	}
	return s.findRefunds(ctx, o, source)
}

// queryRefund asks WeChat where a refund of ours stands, settles the answer, and
// reports whether WeChat knows the refund.
func (s *Server) queryRefund(ctx context.Context, r order.Refund, source string) (found bool, err error) {
	callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	got, err := s.cfg.WeChat.QueryRefund(callCtx, r.ID)
	var e *wechat.Error
	switch {
	case errors.As(err, &e) && e.Code == wechat.CodeRefundNotExist:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("querying refund %s: %w", r.ID, err)
	}
	return true, s.settleRefund(ctx, r, got, source)
}

// settleRefund brings a refund to where WeChat says that it is. The word must be
// WeChat's own, signature checked, and agree with the refund in order, payment
// and amounts. Like settle it may be called any number of times and in any order.
//
// A refusal means that nothing was changed and an operator has to look; other
// errors are the database's.
func (s *Server) settleRefund(ctx context.Context, r order.Refund, told wechat.Refund, source string) error {
	log := s.refundLog(ctx, r, source)
	err := s.applyRefund(ctx, log, r, told)
	var why refusal
	if errors.As(err, &why) {
		log.Error("refund refused", "reason", string(why), "state", string(told.State), "refund_id", told.RefundID,
			"amount", int64(r.Amount), "told_amount", int64(told.Amount), "told_total", int64(told.Total))
	}
	return err
}

func (s *Server) applyRefund(ctx context.Context, log *slog.Logger, r order.Refund, told wechat.Refund) error {
	switch {
	case told.OutRefundNo != r.ID || told.OutTradeNo != r.OutTradeNo:
		return refusal("it is about another refund")
	case told.TransactionID != r.TransactionID:
		return refusal("transaction differs")
	case told.Total != r.Total:
		return refusal("the order's amount differs")
	case told.Amount != r.Amount:
		return refusal("amount differs")
	}
	to, ok := refundStatus(told.State)
	if !ok {
		return refusal("unknown refund state")
	}
	if r.Status == api.RefundFailed && to != api.RefundProcessing {
		// It takes its share of the order again first.
		if err := s.moveRefund(ctx, log, r, api.RefundProcessing, told); err != nil {
			return err
		}
		r.Status = api.RefundProcessing
	}
	return s.moveRefund(ctx, log, r, to, told)
}

// moveRefund makes one change of a refund's status. That it is there already is
// no error, nor that it has come further meanwhile.
func (s *Server) moveRefund(ctx context.Context, log *slog.Logger, r order.Refund, to api.RefundStatus, told wechat.Refund) error {
	moved, err := s.cfg.Store.MoveRefund(ctx, r.ID, to, told.RefundID, told.RefundedAt, s.now())
	if err != nil {
		return err
	}
	if moved {
		level := slog.LevelInfo
		switch {
		case to == api.RefundAbnormal:
			level = slog.LevelError // until an operator acts the money is nowhere
		case r.Status == api.RefundFailed, to == api.RefundClosed:
			level = slog.LevelWarn
		}
		if to == api.RefundSucceeded {
			s.cfg.Announce()
		}
		log.Log(ctx, level, "refund "+string(to), "was", string(r.Status), "refund_id", told.RefundID, "amount", int64(r.Amount))
		return nil
	}
	now, err := s.cfg.Store.RefundByID(ctx, r.ID)
	switch {
	case err != nil:
		return err
	case now.RefundID != "" && now.RefundID != told.RefundID:
		return refusal("WeChat has it under another number")
	case now.Status == to || order.RefundCanBecome(to, now.Status):
		return nil // told before
	case now.Status == api.RefundFailed:
		return refusal("more than was paid would go back")
	case now.Status == api.RefundAbnormal && to == api.RefundProcessing:
		return nil // an operator has set it going again
	}
	return refusal("it has ended as " + string(now.Status))
}

// refreshRefund asks WeChat about a refund of ours, or sends it again when it is
// not known to have been taken, at most once per resendWindow. What goes wrong is
// logged; the error is the database's.
func (s *Server) refreshRefund(ctx context.Context, r order.Refund, source string) error {
	claimed, err := s.cfg.Store.ClaimRefund(ctx, r, resendWindow, s.now())
	if err != nil || !claimed {
		return err
	}
	if r.Status == api.RefundCreated {
		return s.submitRefund(ctx, r, source)
	}
	found, err := s.queryRefund(ctx, r, source)
	if err == nil && !found {
		s.refundLog(ctx, r, source).Error("WeChat does not know a refund that it has taken")
	}
	return s.quietly(ctx, r, source, err)
}

// quietly logs what WeChat made go wrong with a refund, which a later try may
// mend, and passes on what the database did.
func (s *Server) quietly(ctx context.Context, r order.Refund, source string, err error) error {
	var e *wechat.Error
	var why refusal
	switch {
	case errors.As(err, &e):
		s.refundLog(ctx, r, source).Warn("asking WeChat about a refund failed", "error", err)
		return nil
	case errors.As(err, &why):
		return nil // logged
	}
	return err
}

// refundLog names a refund on every line.
func (s *Server) refundLog(ctx context.Context, r order.Refund, source string) *slog.Logger {
	return s.logger(ctx).With("source", source, "order", r.OrderID, "refund", r.ID)
}

// refundStatus is the status here for a state at WeChat.
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

// refundTooOld reports whether WeChat takes no refund of an order any more. A payment
// whose time is not known was made before the order expired.
func refundTooOld(o order.Order, now time.Time) bool {
	paidAt := o.PaidAt
	if paidAt.IsZero() {
		paidAt = o.ExpiresAt
	}
	return now.After(paidAt.AddDate(order.RefundYears, 0, 1)) // on the day itself WeChat decides
}
