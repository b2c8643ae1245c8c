package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/wechat"
)

// checkout brings an order to where the page can pay it and returns it with
// freshly signed parameters: over the prepay_id it has while that lives and
// renew does not ask for another, over a new one otherwise. Nil parameters without an error mean that it is paid.
func (s *Server) checkout(ctx context.Context, o order.Order, renew bool) (order.Order, *api.PayParams, error) {
	now := s.now()
	switch {
	case order.WasPaid(o.Status):
		return o, nil, nil
	case o.Status != api.StatusCreated && o.Status != api.StatusPending, o.Expired(now):
		return o, nil, errNotPayable()
	}
	if o.PrepayAlive(now) && !renew {
		params, err := s.cfg.WeChat.PayParams(o.PrepayID)
		if err != nil {
			return o, nil, fmt.Errorf("signing the payment of order %s: %w", o.ID, err)
		}
		if string(params.SignType) != o.SignType {
			// The operator changed WECHAT_SIGN_TYPE. The page has to sign as
			// unifiedorder was signed, and a repeated call would differ.
			return o, nil, errNotPayable()
		}
		return o, publicParams(params), nil
	}
	if o.ExpiresAt.Sub(now) < order.MinPrepay {
		return o, nil, errNotPayable()
	}
	return s.prepay(ctx, o)
}

// prepay asks WeChat to take the order. Whatever the order went through before,
// the call is the same to the letter: WeChat takes a repeated out_trade_no only
// then, and answers with a prepay_id that works.
func (s *Server) prepay(ctx context.Context, o order.Order) (order.Order, *api.PayParams, error) {
	callCtx, cancel := context.WithTimeout(ctx, prepayTimeout)
	defer cancel()
	prepay, err := s.cfg.WeChat.UnifiedOrder(callCtx, wechat.Order{
		OutTradeNo: o.OutTradeNo,
		Body:       o.Body,
		TotalFee:   wechat.Fen(o.Total),
		TradeType:  wechat.TradeType(o.TradeType),
		OpenID:     o.Owner,
		ClientIP:   o.ClientIP,
		NotifyURL:  o.NotifyURL,
		TimeStart:  o.CreatedAt,
		TimeExpire: o.ExpiresAt,
	})
	if err != nil {
		return s.prepayFailed(ctx, o, err)
	}
	params, err := s.cfg.WeChat.PayParams(prepay.PrepayID)
	if err != nil {
		return o, nil, fmt.Errorf("signing the payment of order %s: %w", o.ID, err)
	}
	now := s.now()
	ok, err := s.cfg.Store.SetPrepay(ctx, o.ID, order.Prepay{ID: prepay.PrepayID, SignType: string(params.SignType)}, now)
	if err != nil {
		return o, nil, err
	}
	if !ok {
		// It was paid, closed or refused while WeChat answered.
		return s.reload(ctx, o)
	}
	o.Status, o.PrepayID, o.PrepayAt, o.SignType, o.UpdatedAt = api.StatusPending, prepay.PrepayID, now, string(params.SignType), now
	s.logger(ctx).Info("order pending", "order", o.ID)
	return o, publicParams(params), nil
}

// prepayFailed decides what becomes of an order that WeChat did not take.
func (s *Server) prepayFailed(ctx context.Context, o order.Order, cause error) (order.Order, *api.PayParams, error) {
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
			return o, nil, refuse(api.CodeWeChatBusy, "WeChat calls the order paid, ask again")
		}
		return s.reload(ctx, o)
	case e.Code == wechat.CodeOrderClosed:
		if _, err := s.cfg.Store.Close(ctx, o.ID, s.now()); err != nil {
			return o, nil, err
		}
		log.Info("order closed", "source", sourcePrepay)
		return s.reload(ctx, o)
	case e.Kind == wechat.Retry, e.Kind == wechat.Untrusted:
		// WeChat may have it or not. It stays as it is and is sent again
		// unchanged when the page retries.
		log.Warn("WeChat did not answer an order", "error", cause)
		return o, nil, refuse(api.CodeWeChatBusy, "WeChat did not answer, try again")
	case e.Kind == wechat.Operator, e.Code == "":
		// A wrong key or number is not the order's fault: it can be paid once
		// the setting is right. Neither is a refusal without a code, which
		// comes unsigned.
		log.Error("WeChat refused the shop", "error", cause)
		if err := s.cfg.Store.NoteFailure(ctx, o.ID, cmp.Or(e.Code, "FAIL"), s.now()); err != nil {
			return o, nil, err
		}
		return o, nil, refuse(api.CodeWeChatRefused, "WeChat refused the shop")
	}
	log.Error("WeChat refused an order", "error", cause)
	failed, err := s.cfg.Store.Fail(ctx, o.ID, e.Code, s.now())
	if err == nil && !failed {
		// Pending: the prepay_id it has may still be paid.
		err = s.cfg.Store.NoteFailure(ctx, o.ID, e.Code, s.now())
	}
	if err != nil {
		return o, nil, err
	}
	return o, nil, refuse(api.CodeWeChatRefused, "WeChat refused the order")
}

// reload returns an order that was just changed by somebody else. It never
// goes to WeChat, so that checkout cannot go round in circles.
func (s *Server) reload(ctx context.Context, o order.Order) (order.Order, *api.PayParams, error) {
	o, err := s.cfg.Store.Get(ctx, o.ID, o.Owner)
	switch {
	case err != nil:
		return o, nil, err
	case order.WasPaid(o.Status):
		return o, nil, nil
	case o.Status == api.StatusCreated, o.Status == api.StatusPending:
		return o, nil, refuse(api.CodeWeChatBusy, "WeChat has not settled the order yet, ask again")
	}
	return o, nil, errNotPayable()
}

func errNotPayable() error {
	return refuse(api.CodeOrderNotPayable, "the order is closed, refused or too old")
}

func publicParams(p wechat.PayParams) *api.PayParams {
	return &api.PayParams{
		AppID:     p.AppID,
		TimeStamp: p.TimeStamp,
		NonceStr:  p.NonceStr,
		Package:   p.Package,
		SignType:  string(p.SignType),
		PaySign:   p.PaySign,
	}
}
