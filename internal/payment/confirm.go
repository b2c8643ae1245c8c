package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// Bounds of the query that confirms a notification.
const (
	// confirmTimeout bounds the query, and how long a duplicate waits for it. WeChat
	// is said to wait five seconds for the response to a notification.
	confirmTimeout = 3 * time.Second
	// confirmWindow is the least time between two of these queries about one order.
	confirmWindow = time.Second
	// confirmLag is how long after a payment WeChat may still say that there is none
	// (orderquery, NOTPAY).
	confirmLag = time.Minute
)

// ErrNotConfirmed is returned for a payment that WeChat does not confirm now. WeChat
// repeats the notification, and the order is first in line for the timer.
var ErrNotConfirmed = errors.New("WeChat does not confirm the payment yet")

// ConfirmPayment settles a payment that a notification tells of. The notification
// is only a hint, because its signature proves no more than that the sender has the
// API key. WeChat is queried about the order, and its response is settled. It is
// nil when the order is paid by the transaction of the notification.
//
// A notification that differs from the stored order costs no query, nor does one of
// an order that is paid. Duplicates wait for the query of the first.
func (s *Service) ConfirmPayment(ctx context.Context, told wechat.Trade) error {
	if !told.Paid() {
		return s.settle(ctx, told, sourceNotify) // a failed attempt changes nothing
	}
	claimed, err := s.cfg.Store.ClaimTold(ctx, order.Told{
		OutTradeNo: told.OutTradeNo, AppID: told.AppID, MchID: told.MchID, Total: told.TotalFee, Currency: told.Currency,
	}, confirmWindow, s.now())
	switch {
	case err != nil:
		return err
	case !claimed:
		return s.awaitPayment(ctx, told)
	}
	callCtx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	got, err := s.cfg.WeChat.QueryOrder(callCtx, told.OutTradeNo)
	var e *wechat.Error
	switch {
	case errors.As(err, &e) && e.Code == wechat.CodeOrderNotExist:
		return s.rejectTold(ctx, told, "WeChat does not know the order")
	case err != nil:
		return fmt.Errorf("confirming a payment: %w", err)
	case got.State == wechat.StateRefund:
		o, err := s.cfg.Store.ByOutTradeNo(ctx, told.OutTradeNo)
		if err != nil {
			return err
		}
		if err := s.settleRefunded(ctx, o, got, sourceNotify); err != nil {
			return err
		}
	default:
		if err := s.settle(ctx, got, sourceNotify); err != nil {
			return err
		}
	}
	switch {
	case !got.Paid():
		return s.notConfirmed(ctx, told, got.State)
	case got.TransactionID != "" && got.TransactionID != told.TransactionID:
		return s.rejectTold(ctx, told, "WeChat names another transaction")
	}
	return nil
}

// notConfirmed sorts a notification of a payment that WeChat does not have. Shortly
// after the payment that is normal. Later it means that somebody else may have the
// API key.
func (s *Service) notConfirmed(ctx context.Context, told wechat.Trade, state wechat.TradeState) error {
	if state == wechat.StateNotPay && s.now().Sub(told.PaidAt).Abs() <= confirmLag {
		s.count(ctx, map[string]int{"notify.unconfirmed": 1})
		return ErrNotConfirmed
	}
	return s.rejectTold(ctx, told, "WeChat does not confirm the payment")
}

// rejectTold refuses what a notification tells, in the log and the counters too.
func (s *Service) rejectTold(ctx context.Context, told wechat.Trade, mismatch Mismatch) error {
	return s.withOrder(ctx, told, sourceNotify, func(order.Order) error { return mismatch })
}

// awaitPayment is ConfirmPayment for a notification that caused no query: the order
// is paid, or differs, or another notification of it is being confirmed.
func (s *Service) awaitPayment(ctx context.Context, told wechat.Trade) error {
	for look, waited := firstLook, time.Duration(0); ; look = min(2*look, lastLook) {
		err := s.withOrder(ctx, told, sourceNotify, func(o order.Order) error {
			if err := sameAccount(o, told); err != nil {
				return err
			}
			if err := samePayment(o, told); err != nil {
				return err
			}
			switch {
			case !order.WasPaid(o.Status):
				return ErrNotConfirmed
			case o.TransactionID != told.TransactionID:
				return Mismatch("the order is paid by another transaction")
			}
			return nil
		})
		if !errors.Is(err, ErrNotConfirmed) || waited >= confirmTimeout {
			return err
		}
		time.Sleep(look)
		waited += look
	}
}

// ErrAskedJustNow is returned for a notification that comes in the very seconds
// after WeChat was asked about the refund.
var ErrAskedJustNow = errors.New("WeChat was asked about it just now")

// ConfirmRefund asks WeChat about a refund that a notification told of and
// settles the answer. It is nil when answer and notification agree, or when what
// is stored agreed before.
func (s *Service) ConfirmRefund(ctx context.Context, told wechat.Refund) error {
	r, err := s.cfg.Store.RefundByID(ctx, told.OutRefundNo)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.confirmUnknown(ctx, told)
	case err != nil:
		return err
	case agrees(r, told):
		return nil
	}
	claimed, err := s.cfg.Store.ClaimRefund(ctx, r, queryWindow, s.now())
	if err != nil {
		return err
	}
	if claimed {
		if found, err := s.queryRefund(ctx, r, sourceRefundNotify); err != nil {
			return err
		} else if !found {
			return Mismatch("WeChat does not know the refund")
		}
	}
	if r, err = s.cfg.Store.RefundByID(ctx, r.ID); err != nil {
		return err
	}
	switch {
	case agrees(r, told):
		return nil
	case claimed || !order.RefundOpen(r.Status):
		return Mismatch("WeChat says otherwise")
	}
	return ErrAskedJustNow
}

// confirmUnknown is ConfirmRefund for a refund that was not made here.
func (s *Service) confirmUnknown(ctx context.Context, told wechat.Refund) error {
	o, err := s.cfg.Store.ByOutTradeNo(ctx, told.OutTradeNo)
	if errors.Is(err, store.ErrNotFound) {
		return Mismatch("unknown order")
	}
	if err != nil {
		return err
	}
	callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	got, err := s.cfg.WeChat.QueryRefund(callCtx, told.OutRefundNo)
	var e *wechat.Error
	switch {
	case errors.As(err, &e) && e.Code == wechat.CodeRefundNotExist:
		return Mismatch("WeChat does not know the refund")
	case err != nil:
		return fmt.Errorf("querying refund %s: %w", told.OutRefundNo, err)
	}
	if !order.WasPaid(o.Status) {
		// The payment is news too.
		if _, err := s.ask(ctx, o, sourceRefundNotify); err != nil {
			return err
		}
		if o, err = s.cfg.Store.ByOutTradeNo(ctx, o.OutTradeNo); err != nil {
			return err
		}
	}
	if err := s.foundRefund(ctx, o, got, sourceRefundNotify); err != nil {
		return err
	}
	r, err := s.cfg.Store.RefundByID(ctx, told.OutRefundNo)
	if err == nil && !agrees(r, told) {
		return Mismatch("WeChat says otherwise")
	}
	return err
}

// agrees reports whether a refund is stored as WeChat tells it.
func agrees(r order.Refund, told wechat.Refund) bool {
	status, ok := refundStatus(told.State)
	return ok && r.Status == status && r.RefundID == told.RefundID && r.Amount == told.Amount && r.Total == told.Total &&
		r.OutTradeNo == told.OutTradeNo && r.TransactionID == told.TransactionID
}

const sourceRefundNotify = "refund_notify"
