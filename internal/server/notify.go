package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/wechat"
)

// notifyPay takes WeChat's payment notifications. It answers in XML always:
// SUCCESS for what is settled, now or before, FAIL with a word of why for
// everything else, and WeChat will tell it again.
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
	err = s.settle(ctx, trade, sourceNotify)
	var why refusal
	switch {
	case err == nil:
		answer(w, http.StatusOK, true, "OK")
	case errors.As(err, &why):
		answer(w, http.StatusOK, false, string(why))
	default:
		s.logger(ctx).Error("settling a notification failed", "out_trade_no", trade.OutTradeNo, "error", err)
		answer(w, http.StatusInternalServerError, false, "try again")
	}
	return nil
}

func answer(w http.ResponseWriter, status int, ok bool, message string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	w.Write(wechat.Answer(ok, message))
}
