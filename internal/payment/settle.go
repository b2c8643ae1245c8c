package payment

import (
	"context"
	"errors"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// Where news of a trade comes from, for the log.
const (
	sourcePage   = "page" // the buyer's order
	sourceNotify = "notify"
	sourcePoll   = "poll"
	sourcePrepay = "prepay"
	sourceCron   = "cron"
	sourceClose  = "close"
)

// Mismatch is why what WeChat reports does not agree with what is stored. The
// text is safe to show to whoever holds the key.
type Mismatch string

func (r Mismatch) Error() string { return string(r) }

// settle is the only way an order becomes paid: by a trade that WeChat itself
// told of, signature checked, that agrees with the order in appid, merchant,
// amount and currency. It may be called any number of times, at once or in
// any order, with the same trade; one of the calls changes the order.
//
// A refusal means that nothing was changed and an operator has to look; other
// errors are the database's, and the trade should be told again.
func (s *Service) settle(ctx context.Context, trade wechat.Trade, source string) error {
	return s.withOrder(ctx, trade, source, func(o order.Order) error { return s.apply(ctx, o, trade, source) })
}

// withOrder runs do with the order of a trade. A refusal, also that there is no
// such order, is logged and counted.
func (s *Service) withOrder(ctx context.Context, trade wechat.Trade, source string, do func(order.Order) error) error {
	log := s.logger(ctx).With("source", source, "out_trade_no", trade.OutTradeNo)
	o, err := s.cfg.Store.ByOutTradeNo(ctx, trade.OutTradeNo)
	if errors.Is(err, store.ErrNotFound) {
		log.Error("trade refused", "reason", "unknown order")
		s.count(ctx, map[string]int{"refused.unknown_order": 1})
		return Mismatch("unknown order")
	}
	if err != nil {
		return err
	}
	return s.judge(ctx, o, trade, source, do)
}

// settleOrder is settle for a trade of an order that was read before: the columns that
// a trade has to agree with never change.
func (s *Service) settleOrder(ctx context.Context, o order.Order, trade wechat.Trade, source string) error {
	return s.judge(ctx, o, trade, source, func(o order.Order) error { return s.apply(ctx, o, trade, source) })
}

// judge runs do with the order of a trade. A refusal is logged and counted.
func (s *Service) judge(ctx context.Context, o order.Order, trade wechat.Trade, source string, do func(order.Order) error) error {
	log := s.logger(ctx).With("source", source, "out_trade_no", trade.OutTradeNo, "order", o.ID)
	err := do(o)
	var mismatch Mismatch
	if errors.As(err, &mismatch) {
		s.count(ctx, map[string]int{"refused." + strings.ReplaceAll(string(mismatch), " ", "_"): 1})
		log.Error("trade refused", "reason", string(mismatch), "state", string(trade.State), "transaction_id", trade.TransactionID,
			"order_total", int64(o.Total), "trade_total", int64(trade.TotalFee), "currency", trade.Currency)
	}
	return err
}

// apply changes the order as the trade says.
func (s *Service) apply(ctx context.Context, o order.Order, trade wechat.Trade, source string) error {
	if err := sameAccount(o, trade); err != nil {
		return err
	}
	switch trade.State {
	case wechat.StateSuccess, wechat.StateRefund: // refunded means that it was paid
		return s.applyPaid(ctx, o, trade, source)
	case wechat.StateClosed, wechat.StateRevoked:
		closed, err := s.cfg.Store.Close(ctx, o.ID, s.now())
		if closed {
			s.logChange(ctx, o, api.StatusClosed, source)
		}
		return err
	case wechat.StateNotPay, wechat.StateUserPaying, wechat.StateAccept, wechat.StatePayError:
		return nil // nothing final for an order that can be paid again
	}
	return Mismatch("unknown trade state")
}

// sameAccount returns a refusal for a trade of another appid or merchant than the
// order's.
func sameAccount(o order.Order, trade wechat.Trade) error {
	if trade.AppID != o.AppID {
		return Mismatch("appid differs")
	}
	if trade.MchID != o.MchID {
		return Mismatch("mch_id differs")
	}
	return nil
}

// samePayment returns a refusal for a trade that does not pay for the order.
func samePayment(o order.Order, trade wechat.Trade) error {
	switch {
	case trade.TotalFee != o.Total:
		return Mismatch("amount differs")
	case trade.Currency != o.Currency:
		return Mismatch("currency differs")
	case trade.TransactionID == "" || trade.PaidAt.IsZero() && trade.State != wechat.StateRefund:
		return Mismatch("no transaction")
	}
	return nil
}

func (s *Service) applyPaid(ctx context.Context, o order.Order, trade wechat.Trade, source string) error {
	if err := samePayment(o, trade); err != nil {
		return err
	}
	paid, err := s.cfg.Store.Pay(ctx, o.ID, order.Payment{TransactionID: trade.TransactionID, Payer: trade.OpenID, PaidAt: trade.PaidAt, Source: source, Simulated: s.cfg.Simulated}, s.now())
	if err != nil {
		return err
	}
	if paid {
		s.cfg.Announce()
		s.logChange(ctx, o, api.StatusPaid, source, "transaction_id", trade.TransactionID, "total", int64(o.Total))
		return nil
	}
	now, err := s.cfg.Store.ByOutTradeNo(ctx, o.OutTradeNo)
	switch {
	case err != nil:
		return err
	case !order.WasPaid(now.Status):
		return Mismatch("the transaction belongs to another order")
	case now.TransactionID != trade.TransactionID:
		return Mismatch("the order is paid by another transaction")
	case now.PaidAt.IsZero() && !trade.PaidAt.IsZero(), now.PayerUnknown && trade.OpenID != "":
		return s.cfg.Store.CompletePayments(ctx, []order.KnownPayment{known(trade)})
	}
	return nil // told before
}

// known returns what a trade says of its payment.
func known(trade wechat.Trade) order.KnownPayment {
	p := order.KnownPayment{OutTradeNo: trade.OutTradeNo, TransactionID: trade.TransactionID, Payer: trade.OpenID}
	if !trade.PaidAt.IsZero() {
		p.PaidAt = trade.PaidAt.UnixMilli()
	}
	return p
}
