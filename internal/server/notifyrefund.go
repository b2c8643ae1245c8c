package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

const sourceRefundNotify = "refund_notify"

// notifyRefund takes WeChat's refund notifications. They are encrypted but not
// signed, block by block, so that they prove nothing: all that one does is to make
// us ask WeChat about the refund, and the answer is what counts. It is
// acknowledged when the answer agrees with it; else WeChat will tell it again.
func (s *Server) notifyRefund(w http.ResponseWriter, r *http.Request) error {
	ctx := context.WithoutCancel(r.Context())
	body, err := readBody(r)
	if err != nil {
		var e *api.Error
		errors.As(err, &e)
		s.logSeldom(ctx, slog.LevelError, "refund notification refused", "reason", e.Message)
		answer(w, e.Code.Status(), false, "body")
		return nil
	}
	told, err := s.cfg.WeChat.ParseRefund(body)
	if err != nil {
		s.logSeldom(ctx, slog.LevelError, "refund notification refused", "error", err)
		answer(w, http.StatusOK, false, "not a valid notification")
		return nil
	}
	log := s.logger(ctx).With("source", sourceRefundNotify, "out_trade_no", told.OutTradeNo, "refund", told.OutRefundNo)
	err = s.confirmRefund(ctx, told)
	var why refusal
	var e *wechat.Error
	switch {
	case err == nil:
		answer(w, http.StatusOK, true, "OK")
	case errors.As(err, &why):
		log.Error("refund notification refused", "reason", string(why), "state", string(told.State))
		answer(w, http.StatusOK, false, string(why))
	case errors.As(err, &e), errors.Is(err, errAskedJustNow):
		log.Warn("a refund notification could not be confirmed", "error", err)
		answer(w, http.StatusServiceUnavailable, false, "try again")
	default:
		log.Error("settling a refund notification failed", "error", err)
		answer(w, http.StatusInternalServerError, false, "try again")
	}
	return nil
}

// errAskedJustNow is returned for a notification that comes in the very seconds
// after WeChat was asked about the refund.
var errAskedJustNow = errors.New("WeChat was asked about it just now")

// confirmRefund asks WeChat about a refund that a notification told of and
// settles the answer. It is nil when answer and notification agree, or when what
// is stored agreed before.
func (s *Server) confirmRefund(ctx context.Context, told wechat.Refund) error {
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
			return refusal("WeChat does not know the refund")
		}
	}
	if r, err = s.cfg.Store.RefundByID(ctx, r.ID); err != nil {
		return err
	}
	switch {
	case agrees(r, told):
		return nil
	case claimed || !order.RefundOpen(r.Status):
		return refusal("WeChat says otherwise")
	}
	return errAskedJustNow
}

// confirmUnknown is confirmRefund for a refund that was not made here.
func (s *Server) confirmUnknown(ctx context.Context, told wechat.Refund) error {
	o, err := s.cfg.Store.ByOutTradeNo(ctx, told.OutTradeNo)
	if errors.Is(err, store.ErrNotFound) {
		return refusal("unknown order")
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
		return refusal("WeChat does not know the refund")
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
		return refusal("WeChat says otherwise")
	}
	return err
}

// agrees reports whether a refund is stored as WeChat tells it.
func agrees(r order.Refund, told wechat.Refund) bool {
	status, ok := refundStatus(told.State)
	return ok && r.Status == status && r.RefundID == told.RefundID && r.Amount == told.Amount && r.Total == told.Total &&
		r.OutTradeNo == told.OutTradeNo && r.TransactionID == told.TransactionID
}
