package payment

import (
	"cmp"
	"context"
	"errors"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat"
)

// prepayFailed decides what becomes of an order that WeChat did not take.
func (s *Service) prepayFailed(ctx context.Context, o order.Order, cause error) (api.Checkout, error) {
	log := s.logger(ctx).With("order", o.ID, "out_trade_no", o.OutTradeNo)
	var e *wechat.Error
	if !errors.As(cause, &e) {
		e = &wechat.Error{Kind: wechat.Retry}
	}
	switch {
	case e.Code == wechat.CodeOrderPaid:
		// Only a query says by which transaction.
		if err := s.query(ctx, o, sourcePrepay); err != nil {
			log.Error("an order that WeChat calls paid could not be settled", "error", err)
			return api.Checkout{}, reject(api.CodeWeChatBusy, "WeChat calls the order paid, ask again")
		}
		return s.reload(ctx, o)
	case e.Code == wechat.CodeOrderClosed:
		closed, err := s.cfg.Store.Close(ctx, o.ID, s.now())
		if err != nil {
			return api.Checkout{}, err
		}
		if closed {
			s.logChange(ctx, o, api.StatusClosed, sourcePrepay)
		}
		return s.reload(ctx, o)
	case e.Kind == wechat.Retry, e.Kind == wechat.Untrusted:
		// WeChat may have it or not. It stays as it is and is sent again
		// unchanged when the page retries.
		log.Warn("WeChat did not answer an order", "error", cause)
		return api.Checkout{}, reject(api.CodeWeChatBusy, "WeChat did not answer, try again")
	case e.Kind == wechat.Operator, e.Code == "":
		// A wrong key or number is not the order's fault: it can be paid once
		// the setting is right. Neither is a refusal without a code, which
		// comes unsigned.
		log.Error("WeChat refused the shop", "error", cause)
		if err := s.cfg.Store.NoteFailure(ctx, o.ID, cmp.Or(e.Code, "FAIL"), s.now()); err != nil {
			return api.Checkout{}, err
		}
		return api.Checkout{}, reject(api.CodeWeChatRefused, "WeChat refused the shop")
	}
	log.Error("WeChat refused an order", "error", cause)
	failed, err := s.cfg.Store.Fail(ctx, o.ID, e.Code, s.now())
	if failed {
		s.logChange(ctx, o, api.StatusFailed, sourcePrepay)
	}
	if err == nil && !failed {
		// Pending: the prepay_id it has may still be paid.
		err = s.cfg.Store.NoteFailure(ctx, o.ID, e.Code, s.now())
	}
	if err != nil {
		return api.Checkout{}, err
	}
	return api.Checkout{}, reject(api.CodeWeChatRefused, "WeChat refused the order")
}
