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

// Mismatch is why what WeChat reports does not agree with what is stored. Nothing was
// changed, and an operator has to look. The text is safe to show to whoever holds the
// API key.
type Mismatch string

func (m Mismatch) Error() string { return string(m) }

// settle is the only way to "paid". It applies a trade to its order: WeChat itself
// reported the trade, the signature is checked, and it must agree with the order in
// appid, merchant, amount and currency. settle may be called any number of times, at
// once and in any order, with the same trade; one of the calls changes the order.
//
// It returns the order with the status and the payment that are stored then. The error
// is a Mismatch, which is logged and counted, or the database's: then the trade should
// be reported again.
func (s *Service) settle(ctx context.Context, o order.Order, trade wechat.Trade, source string) (order.Order, error) {
	settled, err := s.applyTrade(ctx, o, trade, source)
	return settled, s.noteMismatch(ctx, o, trade, source, err)
}

// orderOf returns the order of a trade that WeChat reports. The Mismatch that there is no
// such order is logged and counted.
func (s *Service) orderOf(ctx context.Context, trade wechat.Trade, source string) (order.Order, error) {
	o, err := s.cfg.Store.ByOutTradeNo(ctx, trade.OutTradeNo)
	if errors.Is(err, store.ErrNotFound) {
		return o, s.noteMismatch(ctx, order.Order{}, trade, source, Mismatch("unknown order"))
	}
	return o, err
}

// noteMismatch logs and counts err if it is a Mismatch, and returns it.
func (s *Service) noteMismatch(ctx context.Context, o order.Order, trade wechat.Trade, source string, err error) error {
	var mismatch Mismatch
	if errors.As(err, &mismatch) {
		s.count(ctx, map[string]int{"mismatch." + strings.ReplaceAll(string(mismatch), " ", "_"): 1})
		s.logger(ctx).Error("payment mismatch", "reason", string(mismatch), "source", source, "out_trade_no", trade.OutTradeNo, "order", o.ID,
			"state", string(trade.State), "transaction_id", trade.TransactionID,
			"order_total", int64(o.Total), "trade_total", int64(trade.TotalFee), "currency", trade.Currency)
	}
	return err
}

// applyTrade changes the order as the trade says.
func (s *Service) applyTrade(ctx context.Context, o order.Order, trade wechat.Trade, source string) (order.Order, error) {
	if err := sameAccount(o, trade); err != nil {
		return o, err
	}
	switch trade.State {
	case wechat.StateSuccess, wechat.StateRefund: // refunded means that it was paid
		return s.applyPayment(ctx, o, trade, source)
	case wechat.StateClosed, wechat.StateRevoked:
		return s.close(ctx, o, source)
	case wechat.StateNotPay, wechat.StateUserPaying, wechat.StateAccept, wechat.StatePayError:
		return o, nil // nothing final for an order that can be paid again
	}
	return o, Mismatch("unknown trade state")
}

// sameAccount returns a Mismatch for a trade of another appid or merchant than the
// order's, and for a message of another API version: who has the key of one version
// cannot forge messages about the orders of the other.
func sameAccount(o order.Order, trade wechat.Trade) error {
	if string(trade.Version) != o.APIVersion {
		return Mismatch("API version differs")
	}
	if trade.AppID != o.AppID {
		return Mismatch("appid differs")
	}
	if trade.MchID != o.MchID {
		return Mismatch("mch_id differs")
	}
	return nil
}

// samePayment returns a Mismatch for a trade that does not pay for the order.
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

// applyPayment marks the order paid. Triggers continue the statement of Store.Pay: the
// step, the bounds of guests, the counters and the event order.paid.
func (s *Service) applyPayment(ctx context.Context, o order.Order, trade wechat.Trade, source string) (order.Order, error) {
	if err := samePayment(o, trade); err != nil {
		return o, err
	}
	paid, err := s.cfg.Store.Pay(ctx, o.ID, order.Payment{
		TransactionID: trade.TransactionID, Payer: trade.OpenID, PaidAt: trade.PaidAt, Source: source, Simulated: s.cfg.Simulated,
	}, s.now())
	if err != nil {
		return o, err
	}
	if paid {
		s.cfg.Announce()
		s.logChange(ctx, o, api.StatusPaid, source, "transaction_id", trade.TransactionID, "total", int64(o.Total))
		o.Status, o.TransactionID, o.PaidAt, o.ClientIP = api.StatusPaid, trade.TransactionID, trade.PaidAt, ""
		return o, nil
	}
	stored, err := s.cfg.Store.ByOutTradeNo(ctx, o.OutTradeNo)
	switch {
	case err != nil:
		return o, err
	case !order.WasPaid(stored.Status):
		return stored, Mismatch("the transaction belongs to another order")
	case stored.TransactionID != trade.TransactionID:
		return stored, Mismatch("the order is paid by another transaction")
	case stored.PaidAt.IsZero() && !trade.PaidAt.IsZero(), stored.PayerUnknown && trade.OpenID != "":
		return stored, s.cfg.Store.CompletePayments(ctx, []order.KnownPayment{knownPayment(trade)})
	}
	return stored, nil // reported before
}

// knownPayment returns what a trade says of its payment.
func knownPayment(trade wechat.Trade) order.KnownPayment {
	p := order.KnownPayment{OutTradeNo: trade.OutTradeNo, TransactionID: trade.TransactionID, Payer: trade.OpenID}
	if !trade.PaidAt.IsZero() {
		p.PaidAt = trade.PaidAt.UnixMilli()
	}
	return p
}

// close marks the order closed, unless it is paid, closed or failed by then.
func (s *Service) close(ctx context.Context, o order.Order, source string) (order.Order, error) {
	closed, err := s.cfg.Store.Close(ctx, o.ID, s.now())
	switch {
	case err != nil:
		return o, err
	case !closed:
		return s.cfg.Store.ByID(ctx, o.ID)
	}
	s.logChange(ctx, o, api.StatusClosed, source)
	o.Status, o.ClientIP = api.StatusClosed, ""
	return o, nil
}
