package payment

import (
	"context"
	"errors"
	"fmt"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// settleRefunded settles a trade of which money has gone back, and its refunds. The
// refunds are queried first: once the order is paid, nobody queries it again.
//
// WeChat promises no more of such a trade than its state. The refunds name the
// transaction and the amount. The payer and the time may stay unknown until the
// bill of that day is compared.
func (s *Service) settleRefunded(ctx context.Context, o order.Order, trade wechat.Trade, source string) error {
	refunds, err := s.refundsAtWeChat(ctx, o)
	if err != nil {
		return err
	}
	if len(refunds) > 0 && (trade.TransactionID == "" || trade.TotalFee == 0) {
		trade.TransactionID, trade.TotalFee = refunds[0].TransactionID, refunds[0].Total
	}
	if trade.OpenID == "" && o.TradeType == api.TradeJSAPI {
		trade.OpenID = o.Owner // nobody else can pay inside WeChat
	}
	if err := s.settle(ctx, trade, source); err != nil {
		return err
	}
	return s.foundRefunds(ctx, o.OutTradeNo, refunds, source)
}

// findRefunds asks WeChat for all refunds of an order and settles them. That is
// how refunds made by hand on the merchant platform come to be known here.
func (s *Service) findRefunds(ctx context.Context, o order.Order, source string) error {
	refunds, err := s.refundsAtWeChat(ctx, o)
	if err != nil {
		return err
	}
	return s.foundRefunds(ctx, o.OutTradeNo, refunds, source)
}

func (s *Service) refundsAtWeChat(ctx context.Context, o order.Order) ([]wechat.Refund, error) {
	callCtx, cancel := context.WithTimeout(ctx, refundTimeout)
	defer cancel()
	refunds, err := s.cfg.WeChat.QueryRefunds(callCtx, o.OutTradeNo)
	if err != nil {
		return nil, fmt.Errorf("querying the refunds of order %s: %w", o.ID, err)
	}
	return refunds, nil
}

// foundRefunds settles all refunds of an order. One that is refused leaves the
// others to be settled.
func (s *Service) foundRefunds(ctx context.Context, outTradeNo string, refunds []wechat.Refund, source string) error {
	o, err := s.cfg.Store.ByOutTradeNo(ctx, outTradeNo)
	if err != nil {
		return err
	}
	var bad error
	for _, told := range refunds {
		err := s.foundRefund(ctx, o, told, source)
		var mismatch Mismatch
		switch {
		case errors.As(err, &mismatch):
			bad = err
		case err != nil:
			return err
		}
	}
	return bad
}

// foundRefund settles a refund of an order that WeChat told of, signature checked.
// One that was not made here is recorded first.
func (s *Service) foundRefund(ctx context.Context, o order.Order, told wechat.Refund, source string) error {
	r, err := s.cfg.Store.RefundByID(ctx, told.OutRefundNo)
	if errors.Is(err, store.ErrNotFound) {
		r, err = s.recordRefund(ctx, o, told, source)
	}
	if err != nil || agrees(r, told) {
		return err // most are known, and cost no more statements
	}
	return s.settleRefund(ctx, r, told, source)
}

// recordRefund stores a refund that was not made here.
func (s *Service) recordRefund(ctx context.Context, o order.Order, told wechat.Refund, source string) (order.Refund, error) {
	log := s.logger(ctx).With("source", source, "order", o.ID, "refund", told.OutRefundNo, "refund_id", told.RefundID, "amount", int64(told.Amount))
	problem := ""
	switch {
	case told.OutTradeNo != o.OutTradeNo:
		problem = "it is about another order"
	case !order.WasPaid(o.Status) || told.TransactionID != o.TransactionID:
		problem = "transaction differs"
	case told.Total != o.Total:
		problem = "the order's amount differs"
	}
	if problem != "" {
		log.Error("refund refused", "reason", problem)
		return order.Refund{}, Mismatch(problem)
	}
	now := s.now()
	created := now
	if !told.RefundedAt.IsZero() && told.RefundedAt.Before(now) {
		created = told.RefundedAt // or earlier: WeChat does not say
	}
	recorded, err := s.cfg.Store.RecordRefund(ctx, order.Refund{
		ID: told.OutRefundNo, OrderID: o.ID, Amount: told.Amount, RefundID: told.RefundID, CreatedAt: created, TakenAt: now,
	})
	if err != nil {
		return order.Refund{}, err
	}
	r, err := s.cfg.Store.RefundByID(ctx, told.OutRefundNo)
	switch {
	case errors.Is(err, store.ErrNotFound):
		log.Error("refund refused", "reason", "more than was paid has gone back", "order_total", int64(o.Total))
		return r, Mismatch("more than was paid has gone back")
	case err == nil && recorded:
		log.Warn("refund found that was not made here")
	}
	return r, err
}
