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

// Mismatch is the difference between WeChat's report and the stored payment or refund. Nothing was
// changed, and an operator must look at it. The text may be shown to anybody who has the APIv2 key.
type Mismatch string

func (m Mismatch) Error() string { return string(m) }

// settle is the only way to "paid". It applies a trade to its payment. The trade is WeChat's own
// report with a verified signature. It must agree with the payment in appid, merchant, amount and
// currency. settle may be called any number of times, concurrently and in any order, with the same
// trade. One of the calls changes the payment.
//
// It returns the payment with the stored status. The error is a Mismatch, which is logged and
// counted, or the database's. In the second case the trade should be reported again. note is that of
// the notification that reports the payment, or nil.
func (s *Service) settle(ctx context.Context, p order.Payment, trade wechat.Trade, source string, note *order.Note) (order.Payment, error) {
	settled, err := s.applyTrade(ctx, p, trade, source, note)
	return settled, s.noteMismatch(ctx, p, trade, source, err)
}

// paymentOf returns the payment of a trade that WeChat reports. If there is none, the error is a
// Mismatch, which is logged and counted.
func (s *Service) paymentOf(ctx context.Context, trade wechat.Trade, source string) (order.Payment, error) {
	p, err := s.cfg.Store.Payment(ctx, trade.OutTradeNo)
	if errors.Is(err, store.ErrNotFound) {
		return p, s.noteMismatch(ctx, order.Payment{}, trade, source, Mismatch("unknown order"))
	}
	return p, err
}

// noteMismatch logs and counts err if it is a Mismatch, and returns it.
func (s *Service) noteMismatch(ctx context.Context, p order.Payment, trade wechat.Trade, source string, err error) error {
	var mismatch Mismatch
	if errors.As(err, &mismatch) {
		s.count(ctx, map[string]int{"mismatch." + strings.ReplaceAll(string(mismatch), " ", "_"): 1})
		s.logger(ctx).Error("payment mismatch", "reason", string(mismatch), "source", source, "out_trade_no", trade.OutTradeNo, "order", p.OrderID,
			"state", string(trade.State), "transaction_id", trade.TransactionID,
			"order_total", int64(p.Total), "trade_total", int64(trade.TotalFee), "currency", trade.Currency)
	}
	return err
}

// applyTrade changes the payment to the state of the trade.
func (s *Service) applyTrade(ctx context.Context, p order.Payment, trade wechat.Trade, source string, note *order.Note) (order.Payment, error) {
	if err := compare(p, trade); err != nil {
		return p, err
	}
	switch trade.State {
	case wechat.StateSuccess, wechat.StateRefund: // refunded means that it was paid
		return s.applyPayment(ctx, p, trade, source, note)
	case wechat.StateClosed, wechat.StateRevoked:
		return s.close(ctx, p, source)
	case wechat.StateNotPay, wechat.StateUserPaying, wechat.StateAccept, wechat.StatePayError:
		return p, nil // not final: the buyer can try again
	}
	return p, Mismatch("unknown trade state")
}

// compare returns a Mismatch for a trade that is not about the stored payment, or does not pay it. A
// response of WeChat's is compared with it once, here, and so is a notification. A stolen key of one
// API version forges no messages about payments of the other.
func compare(p order.Payment, trade wechat.Trade) error {
	switch {
	case string(trade.Version) != p.APIVersion:
		return Mismatch("API version differs")
	case trade.AppID != p.AppID:
		return Mismatch("appid differs")
	case trade.MchID != p.MchID:
		return Mismatch("mch_id differs")
	case !trade.Paid():
		return nil
	case trade.TotalFee != p.Total:
		return Mismatch("amount differs")
	case trade.Currency != p.Currency:
		return Mismatch("currency differs")
	case trade.TransactionID == "" || trade.PaidAt.IsZero() && trade.State != wechat.StateRefund:
		return Mismatch("no transaction")
	}
	return nil
}

// applyPayment marks the payment paid by a trade that compare has accepted. Triggers continue the statement of Store.Pay: the
// payment pays its order, or it is a duplicate and its refund is stored.
func (s *Service) applyPayment(ctx context.Context, p order.Payment, trade wechat.Trade, source string, note *order.Note) (order.Payment, error) {
	paid, err := s.cfg.Store.Pay(ctx, p.OutTradeNo, order.Paid{
		TransactionID: trade.TransactionID, Payer: trade.OpenID, PaidAt: trade.PaidAt, Source: source, Simulated: s.cfg.Simulated, Note: note,
	}, s.now())
	if err != nil {
		return p, err
	}
	if paid {
		s.cfg.Announce()
		s.logPayment(ctx, p, api.PaymentPaid, source, "transaction_id", trade.TransactionID, "total", int64(p.Total))
		p.Status, p.TransactionID, p.PaidAt, p.ClientIP = api.PaymentPaid, trade.TransactionID, trade.PaidAt, ""
		return p, nil
	}
	stored, err := s.cfg.Store.Payment(ctx, p.OutTradeNo)
	switch {
	case err != nil:
		return p, err
	case stored.Status != api.PaymentPaid:
		return stored, Mismatch("the transaction belongs to another order")
	case stored.TransactionID != trade.TransactionID:
		return stored, Mismatch("the order is paid by another transaction")
	case stored.PaidAt.IsZero() && !trade.PaidAt.IsZero(), stored.PayerUnknown && trade.OpenID != "":
		return stored, s.cfg.Store.CompletePayments(ctx, []order.KnownPayment{knownPayment(trade)})
	}
	return stored, nil // reported before
}

// knownPayment returns the payer and the time of a trade.
func knownPayment(trade wechat.Trade) order.KnownPayment {
	p := order.KnownPayment{OutTradeNo: trade.OutTradeNo, TransactionID: trade.TransactionID, Payer: trade.OpenID}
	if !trade.PaidAt.IsZero() {
		p.PaidAt = trade.PaidAt.UnixMilli()
	}
	return p
}

// close marks the payment closed, unless it is already paid, closed or failed.
func (s *Service) close(ctx context.Context, p order.Payment, source string) (order.Payment, error) {
	closed, err := s.cfg.Store.Close(ctx, p.OutTradeNo, s.now())
	switch {
	case err != nil:
		return p, err
	case !closed:
		return s.cfg.Store.Payment(ctx, p.OutTradeNo)
	}
	s.logPayment(ctx, p, api.PaymentClosed, source)
	p.Status, p.ClientIP = api.PaymentClosed, ""
	return p, nil
}
