package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/store"
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
func (s *Service) sendRefund(ctx context.Context, r order.Refund, source string) (order.Refund, error) {
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
func (s *Service) submitRefund(ctx context.Context, r order.Refund, source string) error {
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
func (s *Service) refundRefused(ctx context.Context, log *slog.Logger, r order.Refund, cause error, source string) error {
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
func (s *Service) queryRefund(ctx context.Context, r order.Refund, source string) (found bool, err error) {
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
func (s *Service) settleRefund(ctx context.Context, r order.Refund, told wechat.Refund, source string) error {
	log := s.refundLog(ctx, r, source)
	err := s.applyRefund(ctx, log, r, told)
	var mismatch Mismatch
	if errors.As(err, &mismatch) {
		log.Error("refund refused", "reason", string(mismatch), "state", string(told.State), "refund_id", told.RefundID,
			"amount", int64(r.Amount), "told_amount", int64(told.Amount), "told_total", int64(told.Total))
	}
	return err
}

func (s *Service) applyRefund(ctx context.Context, log *slog.Logger, r order.Refund, told wechat.Refund) error {
	switch {
	case told.OutRefundNo != r.ID || told.OutTradeNo != r.OutTradeNo:
		return Mismatch("it is about another refund")
	case told.TransactionID != r.TransactionID:
		return Mismatch("transaction differs")
	case told.Total != r.Total:
		return Mismatch("the order's amount differs")
	case told.Amount != r.Amount:
		return Mismatch("amount differs")
	}
	to, ok := refundStatus(told.State)
	if !ok {
		return Mismatch("unknown refund state")
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
func (s *Service) moveRefund(ctx context.Context, log *slog.Logger, r order.Refund, to api.RefundStatus, told wechat.Refund) error {
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
		return Mismatch("WeChat has it under another number")
	case now.Status == to || order.RefundCanBecome(to, now.Status):
		return nil // told before
	case now.Status == api.RefundFailed:
		return Mismatch("more than was paid would go back")
	case now.Status == api.RefundAbnormal && to == api.RefundProcessing:
		return nil // an operator has set it going again
	}
	return Mismatch("it has ended as " + string(now.Status))
}

// refreshRefund asks WeChat about a refund of ours, or sends it again when it is
// not known to have been taken, at most once per resendWindow. What goes wrong is
// logged; the error is the database's.
func (s *Service) refreshRefund(ctx context.Context, r order.Refund, source string) error {
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
func (s *Service) quietly(ctx context.Context, r order.Refund, source string, err error) error {
	var e *wechat.Error
	var mismatch Mismatch
	switch {
	case errors.As(err, &e):
		s.refundLog(ctx, r, source).Warn("asking WeChat about a refund failed", "error", err)
		return nil
	case errors.As(err, &mismatch):
		return nil // logged
	}
	return err
}

// refundLog names a refund on every line.
func (s *Service) refundLog(ctx context.Context, r order.Refund, source string) *slog.Logger {
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

// Refund pays money back. The refund is stored before it is sent to WeChat, so that
// whatever happens after is made good by a later call with the same key or by
// Reconcile: the refund is returned as it stands, created when WeChat could not
// take it yet.
func (s *Service) Refund(ctx context.Context, id string, req api.RefundRequest) (order.Refund, error) {
	switch {
	case !validClientKey(req.RefundKey):
		return order.Refund{}, reject(api.CodeBadRequest, "refund_key needs 16 to 64 letters, digits, '-' or '_'")
	case req.Amount < 1 || req.Amount > order.MaxTotal:
		return order.Refund{}, reject(api.CodeBadRequest, "amount is out of range")
	case len(req.Reason) > maxReason || strings.ContainsFunc(req.Reason, unicode.IsControl):
		return order.Refund{}, reject(api.CodeBadRequest, "reason is over 80 bytes or has control characters")
	case !s.cfg.WeChat.CanRefund():
		return order.Refund{}, reject(api.CodeMisconfigured, "refunds need the merchant's client certificate, which is not set up")
	}
	o, err := s.anyOrder(ctx, id)
	if err != nil {
		return order.Refund{}, err
	}
	refund, err := s.placeRefund(ctx, o, req)
	if err != nil {
		return order.Refund{}, err
	}
	if refund.Status == api.RefundCreated && req.FromBalance && !refund.FromBalance {
		if _, err := s.cfg.Store.UseBalance(ctx, refund.ID, s.now()); err != nil {
			return order.Refund{}, err
		}
		refund.FromBalance = true
	}
	if refund.Status == api.RefundCreated {
		if refund, err = s.sendRefund(ctx, refund, sourceAdmin); err != nil {
			return order.Refund{}, err
		}
	}
	if refund.Status == api.RefundFailed {
		return order.Refund{}, reject(api.CodeWeChatRefused, "WeChat refused the refund: "+refund.Failure+", "+refund.FailureText)
	}
	return refund, nil
}

// placeRefund stores a new refund, or finds the one that the same key made before.
func (s *Service) placeRefund(ctx context.Context, o order.Order, req api.RefundRequest) (order.Refund, error) {
	if old, err := s.cfg.Store.RefundByKey(ctx, o.ID, req.RefundKey); !errors.Is(err, store.ErrNotFound) {
		if err != nil {
			return order.Refund{}, err
		}
		return repeatedRefund(old, req)
	}
	if order.WasPaid(o.Status) && refundTooOld(o, s.now()) {
		return order.Refund{}, reject(api.CodeWeChatRefused, "WeChat takes no refund more than a year after the payment")
	}
	id, err := order.NewRefundID(s.rand, s.now())
	if err != nil {
		return order.Refund{}, err
	}
	stored, err := s.cfg.Store.InsertRefund(ctx, order.Refund{
		ID: id, OrderID: o.ID, Key: req.RefundKey, Amount: req.Amount, Reason: req.Reason,
		NotifyURL: s.origin + api.PathNotifyRefund, CreatedAt: s.now(), FromBalance: req.FromBalance,
	})
	if err != nil {
		return order.Refund{}, err
	}
	refund, err := s.cfg.Store.RefundByKey(ctx, o.ID, req.RefundKey)
	if errors.Is(err, store.ErrNotFound) {
		return order.Refund{}, s.noRoom(ctx, o, req.Amount)
	}
	if err != nil {
		return order.Refund{}, err
	}
	if !stored {
		return repeatedRefund(refund, req)
	}
	s.logger(ctx).Info("refund created", "order", o.ID, "refund", refund.ID, "amount", int64(refund.Amount), "total", int64(o.Total))
	return refund, nil
}

// repeatedRefund returns the refund that a key made before, if the request is the
// same.
func repeatedRefund(r order.Refund, req api.RefundRequest) (order.Refund, error) {
	switch {
	case r.Amount != req.Amount:
		return order.Refund{}, reject(api.CodeConflict, "refund_key was used for another amount")
	case r.Reason != req.Reason:
		return order.Refund{}, reject(api.CodeConflict, "refund_key was used with another reason")
	}
	return r, nil
}

// noRoom says why a refund could not be stored.
func (s *Service) noRoom(ctx context.Context, o order.Order, amount fen.Fen) error {
	o, err := s.cfg.Store.ByID(ctx, o.ID)
	if err != nil {
		return err
	}
	if !order.WasPaid(o.Status) {
		return reject(api.CodeOrderNotPaid, "the order is not paid")
	}
	refunds, err := s.cfg.Store.Refunds(ctx, o.ID)
	if err != nil {
		return err
	}
	left, live := o.Total, 0
	for _, r := range refunds {
		if r.Status == api.RefundFailed {
			continue
		}
		live++
		if r.Status != api.RefundClosed {
			left -= r.Amount
		}
	}
	switch {
	case amount <= left && live >= order.MaxRefunds:
		return reject(api.CodeRefundTooMuch, "the order has had as many refunds as WeChat takes")
	case amount <= left: // something has just come to nothing
		return reject(api.CodeWeChatBusy, "another refund of the order has just ended, try again")
	}
	return reject(api.CodeRefundTooMuch, "only "+left.String()+" yuan of the order are left")
}

// maxReason is the longest reason of a refund, in bytes.
const maxReason = 80
