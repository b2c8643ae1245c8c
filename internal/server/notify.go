package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/payment"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
)

// notifyPay receives WeChat's notifications of payments, of both API versions. It
// acknowledges a payment that is confirmed and settled, now or before. Otherwise it
// responds with a short reason, and WeChat repeats the notification.
func (s *Server) notifyPay(w http.ResponseWriter, r *http.Request) error {
	n, ok := s.readNotification(w, r, v1.NotifiedPayment)
	if !ok {
		return nil
	}
	trade, err := s.cfg.WeChat.PaymentNotification(n.ctx, r.Header.Get, n.body)
	if err != nil {
		s.rejectNotification(w, n, err)
		return nil
	}
	n.verified, n.outTradeNo = true, trade.OutTradeNo
	log := s.logger(n.ctx).With("source", "notify", "out_trade_no", trade.OutTradeNo)
	if trade.Downgraded {
		log.Warn("a notification is signed with MD5 though WECHAT_SIGN_TYPE is HMAC-SHA256")
	}
	n.kept, err = s.payment.ConfirmPayment(n.ctx, trade, s.notification(n, http.StatusOK, true, "OK"))
	var mismatch payment.Mismatch
	var e *wechat.Error
	switch {
	case err == nil:
		s.respond(w, n, http.StatusOK, true, "OK")
	case errors.As(err, &mismatch):
		s.respond(w, n, http.StatusOK, false, string(mismatch))
	case errors.Is(err, payment.ErrQueried):
		s.respondBusy(w, n)
	case errors.As(err, &e), errors.Is(err, payment.ErrUnconfirmed):
		log.Warn("a notification could not be confirmed", "error", err)
		s.respond(w, n, http.StatusServiceUnavailable, false, tryAgain)
	default:
		log.Error("settling a notification failed", "error", err)
		s.respond(w, n, http.StatusInternalServerError, false, tryAgain)
	}
	return nil
}

// notifyRefund receives WeChat's notifications of refunds, of both API versions. Each
// only causes a query, see ConfirmRefund. A notification is acknowledged when the
// stored refund agrees with it after the query. Otherwise WeChat repeats it.
func (s *Server) notifyRefund(w http.ResponseWriter, r *http.Request) error {
	n, ok := s.readNotification(w, r, v1.NotifiedRefund)
	if !ok {
		return nil
	}
	notified, err := s.cfg.WeChat.RefundNotification(n.ctx, r.Header.Get, n.body)
	var e *wechat.Error
	if errors.As(err, &e) && e.Code == wechat.CodeNotConfigured && n.version == wechat.V2 {
		// WeChat reports refunds that were made by hand in the form of APIv2, also to a
		// shop without its key, which cannot read it. The bill has the refund, and
		// WeChat would repeat the message for a day for nothing. It changes nothing here.
		s.logSeldom(n.ctx, slog.LevelWarn, "a refund notification of APIv2 is not read, because WECHAT_API_KEY is not set: the bill of the day has the refund",
			"menu", "商户平台: 交易中心 > 退款管理 > 退款配置")
		s.respond(w, n, http.StatusOK, true, "OK")
		return nil
	}
	if err != nil {
		s.rejectNotification(w, n, err)
		return nil
	}
	n.verified, n.outTradeNo, n.outRefundNo = true, notified.OutTradeNo, notified.OutRefundNo
	log := s.logger(n.ctx).With("source", "refund_notify", "out_trade_no", notified.OutTradeNo, "refund", notified.OutRefundNo)
	err = s.payment.ConfirmRefund(n.ctx, notified)
	var mismatch payment.Mismatch
	switch {
	case err == nil:
		s.respond(w, n, http.StatusOK, true, "OK")
	case errors.As(err, &mismatch):
		log.Error("refund notification rejected", "reason", string(mismatch), "state", string(notified.State))
		s.respond(w, n, http.StatusOK, false, string(mismatch))
	case errors.Is(err, payment.ErrQueried):
		s.respondBusy(w, n)
	case errors.As(err, &e):
		log.Warn("a refund notification could not be confirmed", "error", err)
		s.respond(w, n, http.StatusServiceUnavailable, false, tryAgain)
	default:
		log.Error("settling a refund notification failed", "error", err)
		s.respond(w, n, http.StatusInternalServerError, false, tryAgain)
	}
	return nil
}

// incoming is a message that may be WeChat's. Nothing in it is verified yet.
type incoming struct {
	ctx     context.Context // does not end with the connection
	body    []byte
	version wechat.Version // of the message and of the response
	kind    v1.NotificationKind

	verified                bool   // whether it is WeChat's
	outTradeNo, outRefundNo string // once it is verified
	kept                    bool   // for the operator, as acknowledged
}

// readNotification reads a message. Without ok it has written the response.
func (s *Server) readNotification(w http.ResponseWriter, r *http.Request, kind v1.NotificationKind) (n incoming, ok bool) {
	n.kind = kind
	n.ctx = context.WithoutCancel(r.Context())
	body, err := readBody(r)
	if report, ok := s.probes.Answer(r.Header, body, s.now()); ok && err == nil {
		if err := writeJSON(w, http.StatusOK, report); err != nil {
			s.logger(n.ctx).Error("responding to a probe failed", "error", err)
		}
		return n, false
	}
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
		s.respond(w, n, e.Code.Status(), false, "body")
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
		n.kind, n.verified = v1.NotifiedEcho, true
		s.respond(w, n, http.StatusOK, true, "OK")
		return
	case wechat.IsProbe(err):
		// WeChat tests whether the shop verifies signatures. The correct message follows.
		s.logSeldom(n.ctx, slog.LevelInfo, "WeChat sent a probe, which was rejected")
	case known && e.Kind == wechat.Retry:
		s.logSeldom(n.ctx, slog.LevelWarn, "a notification could not be verified", "error", err)
		s.respond(w, n, http.StatusServiceUnavailable, false, tryAgain)
		return
	default:
		// Without the body, which may contain anything.
		s.logSeldom(n.ctx, slog.LevelError, "notification rejected", "error", err)
	}
	var problem *apiv3.Error
	if errors.As(err, &problem) && problem.Kind == apiv3.Undecryptable {
		// Its signature is WeChat's: the APIv3 key is wrong, and strangers cannot cause it.
		n.verified = true
		s.respond(w, n, http.StatusOK, false, "the message cannot be decrypted: is WECHAT_APIV3_KEY that of the merchant platform?")
		return
	}
	s.respond(w, n, http.StatusOK, false, "not a valid notification")
}

// respondBusy responds to a message about which another request queries WeChat.
func (s *Server) respondBusy(w http.ResponseWriter, n incoming) {
	status := http.StatusOK
	if n.version == wechat.V3 {
		status = http.StatusServiceUnavailable
	}
	s.respond(w, n, status, false, tryAgain)
}

// respond responds in the version of the message and stores the result. status is that of APIv2. In
// APIv3 the status decides whether a message is acknowledged: 200 acknowledges it with any body.
func (s *Server) respond(w http.ResponseWriter, n incoming, status int, ok bool, message string) {
	s.keepNotification(n, status, ok, message)
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
