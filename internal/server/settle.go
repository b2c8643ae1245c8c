package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/wechat"
)

// Where news of a trade comes from, for the log.
const (
	sourceNotify = "notify"
	sourcePoll   = "poll"
	sourcePrepay = "prepay"
)

// refusal is why settle believed a trade not to be this shop's business. The
// text is safe to show to whoever holds the key.
type refusal string

func (r refusal) Error() string { return string(r) }

// settle is the only way an order becomes paid: by a trade that WeChat itself
// told of, signature checked, that agrees with the order in appid, merchant,
// amount and currency. It may be called any number of times, at once or in
// any order, with the same trade; one of the calls changes the order.
//
// A refusal means that nothing was changed and an operator has to look; other
// errors are the database's, and the trade should be told again.
func (s *Server) settle(ctx context.Context, trade wechat.Trade, source string) error {
	log := s.logger(ctx).With("source", source, "out_trade_no", trade.OutTradeNo)
	o, err := s.cfg.Store.ByOutTradeNo(ctx, trade.OutTradeNo)
	if errors.Is(err, order.ErrNotFound) {
		log.Error("trade refused", "reason", "unknown order")
		return refusal("unknown order")
	}
	if err != nil {
		return err
	}
	log = log.With("order", o.ID)
	err = s.apply(ctx, log, o, trade)
	var why refusal
	switch {
	case errors.As(err, &why):
		log.Error("trade refused", "reason", string(why), "state", string(trade.State), "transaction_id", trade.TransactionID,
			"order_total", int64(o.Total), "trade_total", int64(trade.TotalFee), "currency", trade.Currency)
	case err == nil && trade.State == wechat.StateRefund:
		log.Warn("trade has a refund that was not made here", "transaction_id", trade.TransactionID)
	}
	return err
}

// apply changes the order as the trade says.
func (s *Server) apply(ctx context.Context, log *slog.Logger, o order.Order, trade wechat.Trade) error {
	if trade.AppID != o.AppID {
		return refusal("appid differs")
	}
	if trade.MchID != o.MchID {
		return refusal("mch_id differs")
	}
	switch trade.State {
	case wechat.StateSuccess, wechat.StateRefund: // refunded means that it was paid
		return s.applyPaid(ctx, log, o, trade)
	case wechat.StateClosed, wechat.StateRevoked:
		closed, err := s.cfg.Store.Close(ctx, o.ID, s.now())
		if closed {
			log.Info("order closed")
		}
		return err
	case wechat.StateNotPay, wechat.StateUserPaying, wechat.StateAccept, wechat.StatePayError:
		return nil // nothing final for an order that can be paid again
	}
	return refusal("unknown trade state")
}

func (s *Server) applyPaid(ctx context.Context, log *slog.Logger, o order.Order, trade wechat.Trade) error {
	switch {
	case int64(trade.TotalFee) != int64(o.Total):
		return refusal("amount differs")
	case trade.Currency != o.Currency:
		return refusal("currency differs")
	case trade.TransactionID == "" || trade.PaidAt.IsZero():
		return refusal("no transaction")
	}
	paid, err := s.cfg.Store.Pay(ctx, o.ID, trade.TransactionID, trade.PaidAt, s.now())
	if err != nil {
		return err
	}
	if paid {
		log = log.With("transaction_id", trade.TransactionID, "total", int64(o.Total))
		switch o.Status {
		case api.StatusClosed, api.StatusFailed:
			log.Warn("order paid late", "was", string(o.Status))
		default:
			log.Info("order paid")
		}
		return nil
	}
	now, err := s.cfg.Store.ByOutTradeNo(ctx, o.OutTradeNo)
	switch {
	case err != nil:
		return err
	case now.Status != api.StatusPaid:
		return refusal("the transaction belongs to another order")
	case now.TransactionID != trade.TransactionID:
		return refusal("the order is paid by another transaction")
	}
	return nil // told before
}

// refresh asks WeChat about an order that may have been paid without our
// knowing, at most once per queryWindow. What goes wrong is logged; the order
// is returned as it is known.
func (s *Server) refresh(ctx context.Context, o order.Order) order.Order {
	if o.Status != api.StatusCreated && o.Status != api.StatusPending {
		return o
	}
	if s.now().Before(o.QueriedAt.Add(queryWindow)) {
		return o // the claim would fail; saves a statement of every poll
	}
	log := s.logger(ctx).With("order", o.ID)
	claimed, err := s.cfg.Store.ClaimQuery(ctx, o.ID, queryWindow, s.now())
	if err != nil {
		log.Error("claiming a query failed", "error", err)
	}
	if !claimed {
		return o
	}
	var why refusal
	if err := s.query(ctx, o, sourcePoll); err != nil && !errors.As(err, &why) {
		log.Warn("asking WeChat about an order failed", "error", err)
	}
	if latest, err := s.cfg.Store.Get(ctx, o.ID, o.OpenID); err != nil {
		log.Error("reading an order again failed", "error", err)
	} else {
		o = latest
	}
	return o
}

// query asks WeChat about an order and settles the answer. An order that WeChat
// holds unpaid past its time_expire, or does not know, is closed: it cannot be
// paid any more, and if it was, a notification brings it back.
func (s *Server) query(ctx context.Context, o order.Order, source string) error {
	callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	trade, err := s.cfg.WeChat.QueryOrder(callCtx, o.OutTradeNo)
	var e *wechat.Error
	unknown := errors.As(err, &e) && e.Code == wechat.CodeOrderNotExist
	if err != nil && !unknown {
		return fmt.Errorf("querying order %s: %w", o.ID, err)
	}
	if !unknown {
		if trade.OutTradeNo != o.OutTradeNo {
			return fmt.Errorf("querying order %s: the answer is about another", o.ID)
		}
		if err := s.settle(ctx, trade, source); err != nil {
			return err
		}
	}
	if (unknown || trade.State == wechat.StateNotPay) && !s.now().Before(o.ExpiresAt.Add(order.ExpiryGrace)) {
		closed, err := s.cfg.Store.Close(ctx, o.ID, s.now())
		if closed {
			s.logger(ctx).Info("order closed", "order", o.ID, "source", "expiry")
		}
		return err
	}
	return nil
}
