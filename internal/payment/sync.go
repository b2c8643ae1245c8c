package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat"
)

// Where news of an order comes from, for the log and the stored payment.
const (
	sourcePage         = "page" // the buyer's request
	sourceNotify       = "notify"
	sourcePoll         = "poll"
	sourcePrepay       = "prepay"
	sourceCron         = "cron"
	sourceClose        = "close"
	sourceExpiry       = "expiry"
	sourceAdmin        = "admin"
	sourceRefundNotify = "refund_notify"
	sourceBill         = "bill"
)

// queryWindow is the least time between two queries of one order at WeChat,
// however many pages wait for it.
const queryWindow = 3 * time.Second

// Report is what WeChat reports of an order that is not paid.
type Report int

const (
	Settled Report = iota // paid or closed, or somebody is paying
	Unpaid                // WeChat waits for the payment
	Unknown               // WeChat does not know the order
)

// Sync is how everybody here gets news of an order. It queries WeChat, settles the
// response, and closes the order at WeChat and here when that is due. It calls nobody
// who calls Sync.
//
// It returns the order with the status and the payment that are stored then; an order
// of which WeChat reports nothing new is returned as it is passed. Report says what
// WeChat said before the order was closed. The error is a Mismatch, WeChat's or the
// database's.
func (s *Service) Sync(ctx context.Context, o order.Order, source string) (order.Order, Report, error) {
	o, report, err := s.query(ctx, o, source)
	// A notification says that somebody has paid, and WeChat's query may report it
	// later (confirmLag): the timer closes such an order, not the notification.
	if err != nil || source == sourceNotify || !s.mayClose(o, report) {
		return o, report, err
	}
	o, err = s.closeAtWeChat(ctx, o, report)
	return o, report, err
}

// query queries WeChat about an order and settles the response.
func (s *Service) query(ctx context.Context, o order.Order, source string) (order.Order, Report, error) {
	if o.MchID != s.cfg.MchID {
		return o, Settled, fmt.Errorf("order %s was made for another merchant: WeChat does not report it to this one", o.ID)
	}
	timeout := queryTimeout
	if source == sourceNotify {
		timeout = confirmTimeout
	}
	callCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pay, err := s.api(o.APIVersion)
	if err != nil {
		return o, Settled, fmt.Errorf("querying order %s: %w", o.ID, err)
	}
	trade, err := pay.QueryOrder(callCtx, o.OutTradeNo)
	var e *wechat.Error
	switch {
	case errors.As(err, &e) && e.Code == wechat.CodeOrderNotExist:
		return o, Unknown, nil
	case err != nil:
		return o, Settled, fmt.Errorf("querying order %s: %w", o.ID, err)
	case trade.OutTradeNo != o.OutTradeNo:
		return o, Settled, fmt.Errorf("querying order %s: the response is about another", o.ID)
	case trade.State == wechat.StateRefund:
		o, err = s.settleRefunded(ctx, o, trade, source)
		return o, Settled, err
	}
	o, err = s.settle(ctx, o, trade, source)
	if trade.State == wechat.StateNotPay {
		return o, Unpaid, err
	}
	return o, Settled, err
}

// mayClose reports whether an order of which WeChat has just reported is to be closed
// at WeChat: nobody has paid, and either its time is over, or it was cancelled and is
// old enough.
func (s *Service) mayClose(o order.Order, report Report) bool {
	return report != Settled && !order.WasPaid(o.Status) && s.closeDue(o)
}

// closeDue reports whether the time of an order is over, or it was cancelled and is old
// enough for WeChat to close it (docs/wechat.md 8.2).
func (s *Service) closeDue(o order.Order) bool {
	now := s.now()
	return !now.Before(o.ExpiresAt.Add(order.ExpiryGrace)) ||
		o.Status == api.StatusClosing && !now.Before(o.SentAt.Add(order.MinCloseAge))
}

// closeAtWeChat closes an order that WeChat has just reported as not paid, at WeChat and
// then here. When WeChat calls it paid after all, it is queried again.
func (s *Service) closeAtWeChat(ctx context.Context, o order.Order, report Report) (order.Order, error) {
	source := sourceExpiry
	if o.Status == api.StatusClosing {
		source = sourceClose
	}
	if report == Unknown {
		if o.Status == api.StatusClosing && s.now().Before(o.UpdatedAt.Add(claimLife)) {
			return o, nil // a unifiedorder that began before may still reach WeChat
		}
		return s.close(ctx, o, source)
	}
	// Past its time_expire WeChat takes no payment; closing makes sure of
	// that before anything here relies on it.
	pay, err := s.api(o.APIVersion)
	if err == nil {
		callCtx, cancel := context.WithTimeout(ctx, queryTimeout)
		defer cancel()
		err = pay.CloseOrder(callCtx, o.OutTradeNo, o.SentAt)
	}
	var e *wechat.Error
	errors.As(err, &e)
	switch {
	case err == nil, e != nil && (e.Code == wechat.CodeOrderClosed || e.Code == wechat.CodeOrderNotExist):
		return s.close(ctx, o, source)
	case e != nil && e.Code == wechat.CodeOrderPaid:
		o, _, err = s.query(ctx, o, source)
		return o, err
	}
	return o, fmt.Errorf("closing order %s: %w", o.ID, err)
}

// refresh is Sync for somebody who waits. It queries WeChat at most once per queryWindow,
// however many wait, and logs what goes wrong. The order is returned as it is stored.
// notPaid reports that WeChat was queried and said that nobody has paid.
func (s *Service) refresh(ctx context.Context, o order.Order) (latest order.Order, notPaid bool) {
	log := s.logger(ctx).With("order", o.ID)
	claimed, err := s.cfg.Store.ClaimQuery(ctx, o.ID, queryWindow, s.now())
	if err != nil {
		log.Error("claiming a query failed", "error", err)
	}
	if !claimed {
		return o, false
	}
	synced, report, err := s.Sync(ctx, o, sourcePoll)
	var mismatch Mismatch
	if err != nil && !errors.As(err, &mismatch) {
		log.Warn("querying WeChat about an order failed", "error", err)
	}
	notPaid = err == nil && report != Settled
	// Another request may have changed the order while WeChat was queried.
	if latest, err = s.cfg.Store.Get(ctx, o.ID, o.Owner); err != nil {
		log.Error("reading an order again failed", "error", err)
		return synced, notPaid
	}
	return latest, notPaid
}

// closeUnsent closes an order that was never sent to WeChat, without a call, and reports
// whether it did. If not, the order was sent or has ended meanwhile.
func (s *Service) closeUnsent(ctx context.Context, o order.Order, source string) (bool, error) {
	closed, err := s.cfg.Store.CloseUnsent(ctx, o.ID, s.now())
	if closed {
		s.logChange(ctx, o, api.StatusClosed, source)
	}
	return closed, err
}

// stale reports whether WeChat may know more of an order than it said last, to a query
// or to unifiedorder: queryWindow has passed since then. WeChat knows nothing of an order
// that was never sent. It saves a poll the statement of a claim that would fail.
func (s *Service) stale(o order.Order) bool {
	if o.SentAt.IsZero() {
		return false
	}
	last := o.QueriedAt
	if o.PrepayAt.After(last) {
		last = o.PrepayAt
	}
	return (o.Open() || o.Status == api.StatusClosing) && !s.now().Before(last.Add(queryWindow))
}
