package payment

import (
	"context"
	"errors"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// Bounds of the query that confirms a notification of a payment.
const (
	// confirmTimeout bounds the query. WeChat waits about five seconds for the response to a
	// notification.
	confirmTimeout = 3 * time.Second
	// confirmWindow is the least time between two of these queries about one payment.
	confirmWindow = time.Second
	// confirmLag is how long after a payment orderquery may still report NOTPAY.
	confirmLag = time.Minute
)

// Causes for which a valid notification is not acknowledged. WeChat repeats it, so nothing is lost.
var (
	// ErrUnconfirmed means that WeChat does not confirm the payment yet. The timer queries such
	// payments first.
	ErrUnconfirmed = errors.New("WeChat does not confirm the payment yet")
	// ErrQueried means that another request queries WeChat about the payment, or has just done so.
	// The repeated notification costs two statements and finds the payment paid. An acknowledgement
	// now would rely on the other request. Waiting would keep a Worker's instance busy.
	ErrQueried = errors.New("another request queries WeChat about it")
)

// ConfirmPayment settles a payment that a notification reports. The notification
// is only a hint, because its signature proves no more than that the sender has the
// APIv2 key. WeChat is queried about the payment, and its response is settled. The error is
// nil when the payment is paid by the transaction of the notification.
//
// These notifications cause no query: one that differs from the stored payment or names no
// transaction, one of a paid payment, and a duplicate.
//
// row is what the operator's list shows if the error is nil. It may be stored here, in the same round
// trip as the settlement. Otherwise the caller stores it.
func (s *Service) ConfirmPayment(ctx context.Context, notified wechat.Trade, row order.Notification) (stored bool, err error) {
	of := order.Notified{
		APIVersion: string(notified.Version),
		OutTradeNo: notified.OutTradeNo, AppID: notified.AppID, MchID: notified.MchID, Total: notified.TotalFee, Currency: notified.Currency,
	}
	note := &order.Note{Notification: row, Notified: of, TransactionID: notified.TransactionID}
	err = s.confirmPayment(ctx, notified, of, note)
	return err == nil && note.Stored, err
}

func (s *Service) confirmPayment(ctx context.Context, notified wechat.Trade, of order.Notified, note *order.Note) error {
	if !notified.Paid() { // a failed attempt changes nothing
		p, err := s.paymentOf(ctx, notified, sourceNotify)
		if err == nil {
			_, err = s.settle(ctx, p, notified, sourceNotify, nil)
		}
		return err
	}
	if notified.PaidAt.IsZero() {
		note = nil // compare rejects it
	}
	p, claimed, err := s.cfg.Store.ClaimNotified(ctx, of, note, confirmWindow, s.now())
	if errors.Is(err, store.ErrNotFound) {
		return s.noteMismatch(ctx, order.Payment{}, notified, sourceNotify, Mismatch("unknown order"))
	}
	if err != nil {
		return err
	}
	if err := compare(p, notified); err != nil {
		return s.noteMismatch(ctx, p, notified, sourceNotify, err)
	}
	report := Settled
	if claimed {
		// WeChat's query may report the payment later than its notification (confirmLag). So the timer
		// closes such a payment, and a notification does not.
		if p, report, err = s.query(ctx, p, sourceNotify, note); err != nil {
			return err
		}
	}
	return s.noteMismatch(ctx, p, notified, sourceNotify, s.confirms(ctx, p, notified, claimed, report))
}

// confirms returns why a payment is not paid by the transaction of a notification about it, nil if it
// is. queried means that WeChat was just queried about it.
func (s *Service) confirms(ctx context.Context, p order.Payment, notified wechat.Trade, queried bool, report Report) error {
	switch {
	case p.Status == api.PaymentPaid && p.TransactionID == notified.TransactionID:
		return nil
	case p.Status == api.PaymentPaid && queried:
		return Mismatch("WeChat names another transaction")
	case p.Status == api.PaymentPaid:
		return Mismatch("the order is paid by another transaction")
	case !queried:
		return ErrQueried
	case report == Unknown:
		return Mismatch("WeChat does not know the order")
	case report == Unpaid && s.now().Sub(notified.PaidAt).Abs() <= confirmLag:
		// Shortly after a payment that is normal. Later it may mean that the APIv2 key was stolen.
		s.count(ctx, map[string]int{"notify.unconfirmed": 1})
		return ErrUnconfirmed
	}
	return Mismatch("WeChat does not confirm the payment")
}

// ConfirmRefund syncs a refund that a notification reports. Notifications of refunds are encrypted
// block by block and not signed. So one proves nothing and only causes a query. The error is nil if
// the stored refund then agrees with the notification.
func (s *Service) ConfirmRefund(ctx context.Context, notified wechat.Refund) error {
	status, _ := refundStatus(notified.State)
	r, claimed, err := s.cfg.Store.ClaimNotifiedRefund(ctx, notified.OutRefundNo, status, notified.RefundID, queryWindow, s.now())
	var stored order.Refund // without an ID if it has to be read
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = s.syncPaymentOf(ctx, notified)
	case err != nil:
		return err
	case agrees(r, notified):
		return nil
	default:
		stored, err = s.syncNotified(ctx, r, claimed)
	}
	var mismatch Mismatch
	if err != nil && !errors.As(err, &mismatch) && !errors.Is(err, ErrQueried) {
		return err
	}
	var readErr error
	if err != nil || stored.ID == "" {
		stored, readErr = s.cfg.Store.RefundByID(ctx, notified.OutRefundNo)
	}
	switch {
	case readErr != nil && !errors.Is(readErr, store.ErrNotFound):
		return readErr
	case readErr == nil && agrees(stored, notified):
		return nil // whatever the other differences of the payment are
	case mismatch != "":
		return mismatch
	case readErr != nil:
		return Mismatch("WeChat does not know the refund")
	case err != nil && order.RefundOpen(stored.Status):
		return err
	}
	return Mismatch("WeChat says otherwise")
}

// syncNotified syncs a stored refund that a notification reports, and returns it as it is afterwards.
func (s *Service) syncNotified(ctx context.Context, r order.Refund, claimed bool) (stored order.Refund, err error) {
	if !claimed {
		claimed, err = s.cfg.Store.ClaimRefund(ctx, r, queryWindow, s.now())
	}
	switch {
	case err != nil:
		return stored, err
	case !claimed:
		return stored, ErrQueried
	}
	stored, found, err := s.syncRefund(ctx, r, sourceRefundNotify)
	if err == nil && !found {
		return stored, Mismatch("WeChat does not know the refund")
	}
	return stored, err
}

// syncPaymentOf syncs the payment of a notified refund that is not stored, because it was made at
// the merchant platform. The payment may not be stored as paid either.
func (s *Service) syncPaymentOf(ctx context.Context, notified wechat.Refund) error {
	p, err := s.cfg.Store.Payment(ctx, notified.OutTradeNo)
	if errors.Is(err, store.ErrNotFound) {
		return Mismatch("unknown order")
	}
	if err != nil {
		return err
	}
	return s.syncNamed(ctx, p, notified.OutRefundNo, sourceRefundNotify)
}
