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

// notifyPay receives WeChat's notifications of payments, of both API versions. It
// acknowledges a payment that is confirmed and settled, now or before. Otherwise it
// responds with a short reason, and WeChat repeats the notification.
func (s *Server) notifyPay(w http.ResponseWriter, r *http.Request) error {
	n, ok := s.readNotification(w, r)
	if !ok {
		return nil
	}
	trade, err := s.cfg.WeChat.PaymentNotification(n.ctx, r.Header.Get, n.body)
	if err != nil {
		s.rejectNotification(w, n, err)
		return nil
	}
	log := s.logger(n.ctx).With("source", "notify", "out_trade_no", trade.OutTradeNo)
	if trade.Downgraded {
		log.Warn("a notification is signed with MD5 though WECHAT_SIGN_TYPE is HMAC-SHA256")
	}
	err = s.payment.ConfirmPayment(n.ctx, trade)
	var mismatch payment.Mismatch
	var e *wechat.Error
	switch {
	case err == nil:
		n.respond(w, http.StatusOK, true, "OK")
	case errors.As(err, &mismatch):
		n.respond(w, http.StatusOK, false, string(mismatch))
	case errors.Is(err, payment.ErrQueried):
		n.respondBusy(w)
	case errors.As(err, &e), errors.Is(err, payment.ErrUnconfirmed):
		log.Warn("a notification could not be confirmed", "error", err)
		n.respond(w, http.StatusServiceUnavailable, false, "try again")
	default:
		log.Error("settling a notification failed", "error", err)
		n.respond(w, http.StatusInternalServerError, false, "try again")
	}
	return nil
}

// notifyRefund receives WeChat's notifications of refunds, of both API versions. Each
// only causes a query, see ConfirmRefund. A notification is acknowledged when the
// stored refund agrees with it after the query. Otherwise WeChat repeats it.
func (s *Server) notifyRefund(w http.ResponseWriter, r *http.Request) error {
	n, ok := s.readNotification(w, r)
	if !ok {
		return nil
	}
	notified, err := s.cfg.WeChat.RefundNotification(n.ctx, r.Header.Get, n.body)
	var e *wechat.Error
	if errors.As(err, &e) && e.Code == wechat.CodeNotConfigured && n.version == wechat.V2 {
		// WeChat reports refunds that were made by hand in the form of APIv2, also to a
		// shop without its key, which cannot read it. The bill has the refund.
		s.logSeldom(n.ctx, slog.LevelWarn, "a refund notification of APIv2 is not read, because WECHAT_API_KEY is not set: the bill of the day has the refund",
			"menu", "商户平台: 交易中心 > 退款管理 > 退款配置")
		n.respond(w, http.StatusOK, true, "OK")
		return nil
	}
	if err != nil {
		s.rejectNotification(w, n, err)
		return nil
	}
	log := s.logger(n.ctx).With("source", "refund_notify", "out_trade_no", notified.OutTradeNo, "refund", notified.OutRefundNo)
	err = s.payment.ConfirmRefund(n.ctx, notified)
	var mismatch payment.Mismatch
	switch {
	case err == nil:
		n.respond(w, http.StatusOK, true, "OK")
	case errors.As(err, &mismatch):
		log.Error("refund notification rejected", "reason", string(mismatch), "state", string(notified.State))
		n.respond(w, http.StatusOK, false, string(mismatch))
	case errors.Is(err, payment.ErrQueried):
		n.respondBusy(w)
	case errors.As(err, &e):
		log.Warn("a refund notification could not be confirmed", "error", err)
		n.respond(w, http.StatusServiceUnavailable, false, "try again")
	default:
		log.Error("settling a refund notification failed", "error", err)
		n.respond(w, http.StatusInternalServerError, false, "try again")
	}
	return nil
}

// incoming is a message that may be WeChat's. Nothing in it is verified yet.
type incoming struct {
	ctx     context.Context // does not end with the connection
	body    []byte
	version wechat.Version // of the message and of the response
}

// readNotification reads a message. Without ok it has written the response.
func (s *Server) readNotification(w http.ResponseWriter, r *http.Request) (n incoming, ok bool) {
	n.ctx = context.WithoutCancel(r.Context())
	body, err := readBody(r)
	n.body, n.version = body, wechat.NotificationVersion(body)
	if n.version == "" {
		n.version = wechat.V3
		if _, err := s.cfg.WeChat.For(wechat.V3); err != nil {
			n.version = wechat.V2
		}
	}
	if err != nil {
		var e *api.Error
		errors.As(err, &e)
		s.logSeldom(n.ctx, slog.LevelError, "notification rejected", "reason", e.Message)
		n.respond(w, e.Code.Status(), false, "body")
		return n, false
	}
	return n, true
}

// rejectNotification responds to a message that is not verified.
func (s *Server) rejectNotification(w http.ResponseWriter, n incoming, err error) {
	var e *wechat.Error
	known := errors.As(err, &e)
	switch {
	case known && e.Code == wechat.CodeEcho:
		s.logger(n.ctx).Info("WeChat's echo arrived")
		n.respond(w, http.StatusOK, true, "OK")
		return
	case wechat.IsProbe(err):
		// WeChat tests whether the shop verifies. The right message follows.
		s.logSeldom(n.ctx, slog.LevelInfo, "WeChat sent a probe, which was rejected")
	case known && e.Kind == wechat.Retry:
		s.logSeldom(n.ctx, slog.LevelWarn, "a notification could not be verified", "error", err)
		n.respond(w, http.StatusServiceUnavailable, false, "try again")
		return
	default:
		// Not the body: it may be anything at all.
		s.logSeldom(n.ctx, slog.LevelError, "notification rejected", "error", err)
	}
	n.respond(w, http.StatusOK, false, "not a valid notification")
}

// respondBusy responds to a message about which another request queries WeChat.
func (n incoming) respondBusy(w http.ResponseWriter) {
	status := http.StatusOK
	if n.version == wechat.V3 {
		status = http.StatusServiceUnavailable
	}
	n.respond(w, status, false, "try again")
}

// respond responds in the version of the message. status is the one that APIv2 gets. In
// APIv3 the status says whether a message is acknowledged: 200 acknowledges it with any body.
func (n incoming) respond(w http.ResponseWriter, status int, ok bool, message string) {
	acknowledged, contentType, body := wechat.Acknowledgement(n.version, ok, message)
	switch {
	case n.version == wechat.V3 && ok:
		status = acknowledged
	case n.version == wechat.V3 && status < 400:
		status = http.StatusBadRequest
	}
	if contentType != "" {
		w.Header().Set("Content-Type", contentType)
	}
	w.WriteHeader(status)
	w.Write(body)
}
