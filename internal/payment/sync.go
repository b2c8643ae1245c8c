package payment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat"
)

// The sources of a report about a payment, for the log and the stored payment.
const (
	sourcePage         = "page" // the buyer's request
	sourceNotify       = "notify"
	sourcePoll         = "poll"
	sourcePrepay       = "prepay"
	sourceCron         = "cron"
	sourceClose        = "close"
	sourceExpiry       = "expiry"
	sourceOperator     = "operator"
	sourceRefundNotify = "refund_notify"
	sourceBill         = "bill"
)

// queryWindow is the least time between two queries of one payment at WeChat, whatever the number
// of polling pages is.
const queryWindow = 3 * time.Second

// Report is WeChat's report of a payment that is not paid.
type Report int

const (
	Settled Report = iota // paid, closed, or being paid
	Unpaid                // WeChat waits for the payment
	Unknown               // WeChat does not know the payment
)

// Sync brings a payment up to date, for every caller in this package. It queries WeChat, settles
// the response, and closes a payment that is due to be closed, at WeChat and in the shop. It calls
// nobody back: settleRefunded makes its own query about other payments of the order.
//
// It returns the payment with the stored status. A payment without news is returned unchanged.
// Report is WeChat's report before the payment was closed. The error is a Mismatch, WeChat's or the
// database's.
func (s *Service) Sync(ctx context.Context, p order.Payment, source string) (order.Payment, Report, error) {
	p, report, err := s.query(ctx, p, source, nil)
	if err != nil || !s.mayClose(p, report) {
		return p, report, err
	}
	p, err = s.closeAtWeChat(ctx, p, report)
	return p, report, err
}

// query queries WeChat about a payment and settles the response. note is that of the notification
// that reports the payment, or nil.
func (s *Service) query(ctx context.Context, p order.Payment, source string, note *order.Note) (order.Payment, Report, error) {
	if p.MchID != s.cfg.MchID {
		return p, Settled, fmt.Errorf("payment %s was made for another merchant: WeChat does not report it to this one", p.OutTradeNo)
	}
	timeout := queryTimeout
	if source == sourceNotify {
		timeout = confirmTimeout
	}
	callCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pay, err := s.api(p.APIVersion)
	if err != nil {
		return p, Settled, fmt.Errorf("querying payment %s: %w", p.OutTradeNo, err)
	}
	trade, err := pay.QueryOrder(callCtx, p.OutTradeNo)
	var e *wechat.Error
	switch {
	case errors.As(err, &e) && e.Code == wechat.CodeOrderNotExist:
		return p, Unknown, nil
	case err != nil:
		return p, Settled, fmt.Errorf("querying payment %s: %w", p.OutTradeNo, err)
	case trade.OutTradeNo != p.OutTradeNo:
		return p, Settled, fmt.Errorf("querying payment %s: the response is about another", p.OutTradeNo)
	case trade.State == wechat.StateRefund:
		p, err = s.settleRefunded(ctx, p, trade, source)
		return p, Settled, err
	}
	p, err = s.settle(ctx, p, trade, source, note)
	if trade.State == wechat.StateNotPay {
		return p, Unpaid, err
	}
	return p, Settled, err
}

// mayClose reports whether a payment must be closed at WeChat after a report: it is unpaid, and
// closeDue holds.
func (s *Service) mayClose(p order.Payment, report Report) bool {
	return report != Settled && p.Status != api.PaymentPaid && s.closeDue(p)
}

// closeDue reports whether a payment has expired, or is closing and old enough for WeChat to close
// it (docs/wechat.md 8.2).
func (s *Service) closeDue(p order.Payment) bool {
	now := s.now()
	return !now.Before(p.ExpiresAt.Add(order.ExpiryGrace)) ||
		p.Status == api.PaymentClosing && !now.Before(p.CreatedAt.Add(order.MinCloseAge))
}

// closeAtWeChat closes a payment that WeChat has just reported as unpaid, at WeChat and then in the
// shop. If WeChat declines because it is paid, it is queried again.
func (s *Service) closeAtWeChat(ctx context.Context, p order.Payment, report Report) (order.Payment, error) {
	source := sourceClose
	if p.Expired(s.now()) {
		source = sourceExpiry
	}
	if report == Unknown {
		if p.Status == api.PaymentClosing && s.now().Before(p.UpdatedAt.Add(claimLife)) && !p.Expired(s.now()) {
			return p, nil // an earlier unifiedorder may still reach WeChat
		}
		return s.close(ctx, p, source)
	}
	// WeChat accepts no payment after time_expire. The close makes sure of that.
	pay, err := s.api(p.APIVersion)
	if err == nil {
		callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
		defer cancel()
		err = pay.CloseOrder(callCtx, p.OutTradeNo, p.CreatedAt)
	}
	var e *wechat.Error
	errors.As(err, &e)
	switch {
	case err == nil, e != nil && (e.Code == wechat.CodeOrderClosed || e.Code == wechat.CodeOrderNotExist):
		return s.close(ctx, p, source)
	case e != nil && e.Code == wechat.CodeOrderPaid:
		p, _, err = s.query(ctx, p, source, nil)
		return p, err
	}
	return p, fmt.Errorf("closing payment %s: %w", p.OutTradeNo, err)
}

// queryOrder calls Sync for the payments of an unpaid order that can be paid, the newest first and
// at most maxSynced. Its caller is a request that waits. It queries WeChat at most once per
// queryWindow about each payment, and logs errors. notPaid means that WeChat was queried about all
// of them and reported each as unpaid. news means that a payment has changed, so the order must be
// read again. Without news WeChat confirms the order as it was read before the query.
func (s *Service) queryOrder(ctx context.Context, o order.Order) (notPaid, news bool) {
	log := s.logger(ctx).With("order", o.ID)
	live, err := s.livePayments(ctx, o)
	if err != nil {
		log.Error("reading the payments of an order failed", "error", err)
		return false, false
	}
	unpaid := 0
	for _, p := range live[:min(len(live), maxSynced)] {
		claimed, err := s.cfg.Store.ClaimPoll(ctx, p.OutTradeNo, queryWindow, s.now())
		if err != nil {
			log.Error("claiming a query failed", "error", err)
		}
		if !claimed {
			continue
		}
		synced, report, err := s.Sync(ctx, p, sourcePoll)
		var mismatch Mismatch
		if err != nil && !errors.As(err, &mismatch) {
			log.Warn("querying WeChat about a payment failed", "out_trade_no", p.OutTradeNo, "error", err)
		}
		if err == nil && report != Settled {
			unpaid++
		}
		// Any result other than the report of an unpaid payment may come with a change, here or in
		// another request.
		news = news || err != nil || report == Settled || synced.Status != p.Status
		if synced.Status == api.PaymentPaid {
			break
		}
	}
	return unpaid > 0 && unpaid == len(live), news
}

// refresh is queryOrder that returns the stored order afterwards.
func (s *Service) refresh(ctx context.Context, o order.Order) order.Order {
	if _, news := s.queryOrder(ctx, o); !news {
		return o
	}
	latest, err := s.cfg.Store.ByID(ctx, o.ID)
	if err != nil {
		s.logger(ctx).Error("reading an order again failed", "order", o.ID, "error", err)
		return o
	}
	return latest
}

// maxSynced is the largest number of payments or refunds of an order about which one request
// queries WeChat.
const maxSynced = 3

// livePayments returns the payments of an order that can be paid at WeChat, the newest first.
func (s *Service) livePayments(ctx context.Context, o order.Order) ([]order.Payment, error) {
	switch {
	case o.Live == 0:
		return nil, nil
	case o.Live == 1 && !order.PaymentEnded(o.Payment.Status):
		return []order.Payment{o.Payment}, nil
	}
	payments, err := s.cfg.Store.PaymentsOf(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	slices.Reverse(payments)
	return slices.DeleteFunc(payments, func(p order.Payment) bool { return order.PaymentEnded(p.Status) }), nil
}

// stale reports whether WeChat may have news of an unpaid order: queryWindow has passed since its
// last response to a query or unifiedorder. It saves a poll the statement of a claim that would
// fail.
func (s *Service) stale(o order.Order) bool {
	switch {
	case order.WasPaid(o.Status) || o.Live == 0:
		return false
	case o.Live > 1 || order.PaymentEnded(o.Payment.Status):
		return true // the claims decide
	}
	last := o.Payment.QueriedAt
	if o.Payment.PrepayAt.After(last) {
		last = o.Payment.PrepayAt
	}
	return !s.now().Before(last.Add(queryWindow))
}
