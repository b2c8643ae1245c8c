package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat"
)

// notifyPay takes WeChat's payment notifications. It answers in XML always:
// SUCCESS for a payment that is confirmed and settled, now or before. For
// everything else it answers FAIL with a short reason, and WeChat repeats the
// notification.
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
	log := s.logger(ctx).With("source", sourceNotify, "out_trade_no", trade.OutTradeNo)
	if trade.Downgraded {
		log.Warn("a notification is signed with MD5 though WECHAT_SIGN_TYPE is HMAC-SHA256")
	}
	err = s.confirmPayment(ctx, trade)
	var why refusal
	var e *wechat.Error
	switch {
	case err == nil:
		answer(w, http.StatusOK, true, "OK")
	case errors.As(err, &why):
		answer(w, http.StatusOK, false, string(why))
	case errors.As(err, &e), errors.Is(err, errNotConfirmed):
		log.Warn("a notification could not be confirmed", "error", err)
		answer(w, http.StatusServiceUnavailable, false, "try again")
	default:
		log.Error("settling a notification failed", "error", err)
		answer(w, http.StatusInternalServerError, false, "try again")
	}
	return nil
}

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

// errNotConfirmed is returned for a payment that WeChat does not confirm now. WeChat
// repeats the notification, and the order is first in line for the timer.
var errNotConfirmed = errors.New("WeChat does not confirm the payment yet")

// confirmPayment settles a payment that a notification tells of. The notification
// is only a hint, because its signature proves no more than that the sender has the
// API key. WeChat is queried about the order, and its response is settled. It is
// nil when the order is paid by the transaction of the notification.
//
// A notification that differs from the stored order costs no query, nor does one of
// an order that is paid. Duplicates wait for the query of the first.
func (s *Server) confirmPayment(ctx context.Context, told wechat.Trade) error {
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
		return s.refuseTold(ctx, told, "WeChat does not know the order")
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
		return s.refuseTold(ctx, told, "WeChat names another transaction")
	}
	return nil
}

// notConfirmed sorts a notification of a payment that WeChat does not have. Shortly
// after the payment that is normal. Later it means that somebody else may have the
// API key.
func (s *Server) notConfirmed(ctx context.Context, told wechat.Trade, state wechat.TradeState) error {
	if state == wechat.StateNotPay && s.now().Sub(told.PaidAt).Abs() <= confirmLag {
		s.count(ctx, map[string]int{"notify.unconfirmed": 1})
		return errNotConfirmed
	}
	return s.refuseTold(ctx, told, "WeChat does not confirm the payment")
}

// refuseTold refuses what a notification tells, in the log and the counters too.
func (s *Server) refuseTold(ctx context.Context, told wechat.Trade, why refusal) error {
	return s.withOrder(ctx, told, sourceNotify, func(order.Order) error { return why })
}

// awaitPayment is confirmPayment for a notification that caused no query: the order
// is paid, or differs, or another notification of it is being confirmed.
func (s *Server) awaitPayment(ctx context.Context, told wechat.Trade) error {
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
				return errNotConfirmed
			case o.TransactionID != told.TransactionID:
				return refusal("the order is paid by another transaction")
			}
			return nil
		})
		if !errors.Is(err, errNotConfirmed) || waited >= confirmTimeout {
			return err
		}
		time.Sleep(look)
		waited += look
	}
}

func answer(w http.ResponseWriter, status int, ok bool, message string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	w.Write(wechat.Answer(ok, message))
}
