package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/payment"
	"h5pay/wechat"
)

// notifyPay receives WeChat's notifications of payments. It always answers in XML:
// SUCCESS for a payment that is confirmed and settled, now or before, and FAIL with a
// short reason otherwise. WeChat repeats a notification that is answered FAIL.
func (s *Server) notifyPay(w http.ResponseWriter, r *http.Request) error {
	ctx := context.WithoutCancel(r.Context())
	body, err := readBody(r)
	if err != nil {
		var e *api.Error
		errors.As(err, &e)
		s.logSeldom(ctx, slog.LevelError, "notification refused", "reason", e.Message)
		answer(w, e.Code.Status(), false, "body")
		return nil
	}
	trade, err := s.cfg.WeChat.ParsePayment(body)
	if err != nil {
		// Not the body: it may be anything at all.
		s.logSeldom(ctx, slog.LevelError, "notification refused", "error", err)
		answer(w, http.StatusOK, false, "not a valid notification")
		return nil
	}
	log := s.logger(ctx).With("source", "notify", "out_trade_no", trade.OutTradeNo)
	if trade.Downgraded {
		log.Warn("a notification is signed with MD5 though WECHAT_SIGN_TYPE is HMAC-SHA256")
	}
	err = s.payment.ConfirmPayment(ctx, trade)
	var mismatch payment.Mismatch
	var e *wechat.Error
	switch {
	case err == nil:
		answer(w, http.StatusOK, true, "OK")
	case errors.As(err, &mismatch):
		answer(w, http.StatusOK, false, string(mismatch))
	case errors.Is(err, payment.ErrQueried):
		answer(w, http.StatusOK, false, "try again")
	case errors.As(err, &e), errors.Is(err, payment.ErrUnconfirmed):
		log.Warn("a notification could not be confirmed", "error", err)
		answer(w, http.StatusServiceUnavailable, false, "try again")
	default:
		log.Error("settling a notification failed", "error", err)
		answer(w, http.StatusInternalServerError, false, "try again")
	}
	return nil
}

func answer(w http.ResponseWriter, status int, ok bool, message string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	w.Write(wechat.Answer(ok, message))
}

// notifyRefund receives WeChat's notifications of refunds. They prove nothing, see
// ConfirmRefund. A notification is acknowledged when what is stored after a query agrees
// with it, and repeated by WeChat otherwise.
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
	notified, err := s.cfg.WeChat.ParseRefund(body)
	if err != nil {
		s.logSeldom(ctx, slog.LevelError, "refund notification refused", "error", err)
		answer(w, http.StatusOK, false, "not a valid notification")
		return nil
	}
	log := s.logger(ctx).With("source", "refund_notify", "out_trade_no", notified.OutTradeNo, "refund", notified.OutRefundNo)
	err = s.payment.ConfirmRefund(ctx, notified)
	var mismatch payment.Mismatch
	var e *wechat.Error
	switch {
	case err == nil:
		answer(w, http.StatusOK, true, "OK")
	case errors.As(err, &mismatch):
		log.Error("refund notification refused", "reason", string(mismatch), "state", string(notified.State))
		answer(w, http.StatusOK, false, string(mismatch))
	case errors.Is(err, payment.ErrQueried):
		answer(w, http.StatusOK, false, "try again")
	case errors.As(err, &e):
		log.Warn("a refund notification could not be confirmed", "error", err)
		answer(w, http.StatusServiceUnavailable, false, "try again")
	default:
		log.Error("settling a refund notification failed", "error", err)
		answer(w, http.StatusInternalServerError, false, "try again")
	}
	return nil
}
