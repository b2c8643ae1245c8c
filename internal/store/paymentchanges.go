package store

import (
	"context"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// The changes of a payment. Each is one conditional statement with the table of
// internal/order/paymentstatus.go, and reports whether it changed the payment. If not, the
// payment had another status by then, and nothing was written. updated_at never decreases.

// SetPrepay stores WeChat's response to unifiedorder: created or pending -> pending. It
// ends the claim, and changes nothing if another request has the claim by then.
func (s *Store) SetPrepay(ctx context.Context, outTradeNo string, p order.Prepay, now time.Time) (bool, error) {
	return s.change(ctx, outTradeNo, api.PaymentPending, now, change{
		set:       `prepay_id = ?, prepay_at = ?, pay_url = ?, sign_type = ?, failure = NULL, claimed_until = NULL`,
		args:      []any{p.ID, now.UnixMilli(), p.URL, p.SignType},
		where:     `claimed_until IS ?`,
		whereArgs: []any{milli(p.Claim)},
	})
}

// ClaimPrepay claims the right to call unifiedorder again, in place of prepayID. One
// caller at a time gets true; the claim ends at until, or with SetPrepay or ReleasePrepay.
func (s *Store) ClaimPrepay(ctx context.Context, outTradeNo, prepayID string, until, now time.Time) (bool, error) {
	return s.exec(ctx, outTradeNo, `
		UPDATE payments SET claimed_until = ?1
		WHERE out_trade_no = ?2 AND status IN ('created', 'pending') AND COALESCE(prepay_id, '') = ?3 AND (claimed_until IS NULL OR claimed_until <= ?4)`,
		until.UnixMilli(), outTradeNo, prepayID, now.UnixMilli())
}

// ReleasePrepay ends a claim of ClaimPrepay or InsertPayment without a result.
func (s *Store) ReleasePrepay(ctx context.Context, outTradeNo string, claim time.Time) error {
	_, err := s.exec(ctx, outTradeNo, `UPDATE payments SET claimed_until = NULL WHERE out_trade_no = ? AND claimed_until = ?`, outTradeNo, claim.UnixMilli())
	return err
}

// Fail ends a payment that WeChat declined, with WeChat's code: created -> failed. The
// trigger payment_ends closes an order that is closing if it was the last one.
func (s *Store) Fail(ctx context.Context, outTradeNo, code string, now time.Time) (bool, error) {
	return s.change(ctx, outTradeNo, api.PaymentFailed, now, change{set: `failure = ?`, args: []any{code}})
}

// Close ends a payment that can no longer be paid at WeChat: created, pending or closing
// -> closed. The trigger payment_ends closes an order that is closing if it was the last
// one.
func (s *Store) Close(ctx context.Context, outTradeNo string, now time.Time) (bool, error) {
	return s.change(ctx, outTradeNo, api.PaymentClosed, now, change{})
}

// StopOffering marks a payment as closing: created or pending -> closing. prepayAt is the
// payment's PrepayAt as the caller read it. StopOffering changes nothing if that has changed,
// or if a request has a claim of ClaimPrepay. The timer queries WeChat about the payment at
// once.
func (s *Store) StopOffering(ctx context.Context, outTradeNo string, prepayAt, now time.Time) (bool, error) {
	return s.change(ctx, outTradeNo, api.PaymentClosing, now, change{
		set:       `due_at = ?`,
		args:      []any{now.UnixMilli()},
		where:     `prepay_at IS ? AND (claimed_until IS NULL OR claimed_until <= ?)`,
		whereArgs: []any{milli(prepayAt), now.UnixMilli()},
	})
}

// Pay marks a payment as paid. A payment is paid once, by one transaction: nothing happens
// if another payment has the transaction. No payer is stored for a person who was erased.
//
// The trigger payment_is_paid continues: the payment pays its order, or it is a duplicate and its
// refund is stored. In both cases there is an event, and the other payments of the order are
// closing. guest_order_paid frees the place of a guest's order among those of its hour.
// link_order_paid counts the order of a link as paid, and takings_of_payment adds the payment to
// the takings of its hour. stock_is_taken_late takes the pieces of an order that was closed.
func (s *Store) Pay(ctx context.Context, outTradeNo string, p order.Paid, now time.Time) (bool, error) {
	query, args := changePayment(outTradeNo, api.PaymentPaid, now, change{
		set: `transaction_id = ?, paid_at = ?, payer = IIF(` + erased + `, '', NULLIF(?, '')), settled_by = ?, settled_at = MAX(updated_at, ?),
			simulated = MAX(simulated, ?)`,
		args:      []any{p.TransactionID, milli(p.PaidAt), p.Payer, p.Source, now.UnixMilli(), flag(p.Simulated)},
		where:     `transaction_id IS NULL AND NOT EXISTS (SELECT 1 FROM payments AS other WHERE other.transaction_id = ?)`,
		whereArgs: []any{p.TransactionID},
	})
	if p.Note == nil {
		return s.exec(ctx, outTradeNo, query, args...)
	}
	var paid bool
	err := s.noting(ctx, p.Note, writing(&paid, "changing payment "+outTradeNo, query, args...))
	return paid, err
}

// erased is SQL for whether the person who was to pay a payment, or who owned its order,
// was erased.
const erased = `(trade_type = 'JSAPI' AND openid = '' OR EXISTS (SELECT 1 FROM orders WHERE id = order_id AND owner LIKE '` + order.ErasedPrefix + `%'))`

// ClaimPoll claims the right to query WeChat about an unpaid payment now, for a request. One
// caller gets true, and none until window has passed. The time of the timer's next query stays
// as it is, because that is in an index.
func (s *Store) ClaimPoll(ctx context.Context, outTradeNo string, window time.Duration, now time.Time) (bool, error) {
	return s.exec(ctx, outTradeNo, `
		UPDATE payments SET queried_at = ?1
		WHERE out_trade_no = ?2 AND status IN ('created', 'pending', 'closing') AND (queried_at IS NULL OR queried_at <= ?3)`,
		now.UnixMilli(), outTradeNo, now.Add(-window).UnixMilli())
}

// ClaimQuery is ClaimPoll for the timer. It sets the time of the timer's next query.
func (s *Store) ClaimQuery(ctx context.Context, outTradeNo string, window time.Duration, now time.Time) (bool, error) {
	return s.exec(ctx, outTradeNo, `
		UPDATE payments SET queried_at = ?1, due_at = `+due+`
		WHERE out_trade_no = ?6 AND status IN ('created', 'pending', 'closing') AND (queried_at IS NULL OR queried_at <= ?7)`,
		append(dueArgs(now), outTradeNo, now.Add(-window).UnixMilli())...)
}

// QueryAgain makes a payment due earlier, because WeChat did not respond to the timer's query.
func (s *Store) QueryAgain(ctx context.Context, outTradeNo string, now time.Time) error {
	_, err := s.exec(ctx, outTradeNo, `UPDATE payments SET due_at = `+dueAgain+` WHERE out_trade_no = ?3 AND status IN ('created', 'pending')`,
		now.UnixMilli(), minDue.Milliseconds(), outTradeNo)
	return err
}

// ClaimNotified claims the right to query WeChat about an unpaid payment that a notification
// reports as paid. It writes nothing if the payment is paid, or differs from the
// notification. One caller gets true, and none until window has passed. Until it is paid,
// the timer queries it before all others: see Minute.
//
// The payment is read in the same round trip, after the claim. The error is ErrNotFound if there is
// none. note is the row of the notification, or nil.
func (s *Store) ClaimNotified(ctx context.Context, t order.Notified, note *order.Note, window time.Duration, now time.Time) (p order.Payment, claimed bool, err error) {
	var payments []order.Payment
	err = s.noting(ctx, note, writing(&claimed, "changing payment "+t.OutTradeNo, `
		UPDATE payments SET notified_at = ?, queried_at = ?
		WHERE out_trade_no = ? AND transaction_id IS NULL AND api_version = ? AND appid = ? AND mch_id = ? AND total = ? AND currency = ?
		AND (notified_at IS NULL OR notified_at <= ?)`,
		now.UnixMilli(), now.UnixMilli(), t.OutTradeNo, t.APIVersion, t.AppID, t.MchID, int64(t.Total), t.Currency, now.Add(-window).UnixMilli()),
		reading(&payments, "payments", scanPayment, `SELECT `+paymentColumns+` FROM payments WHERE payments.out_trade_no = ?`, t.OutTradeNo))
	if err == nil {
		p, err = one(payments, nil)
	}
	return p, claimed, err
}

// ClaimDueNotified is ClaimNotified for a payment of Minute.
func (s *Store) ClaimDueNotified(ctx context.Context, outTradeNo string, window time.Duration, now time.Time) (bool, error) {
	return s.exec(ctx, outTradeNo, `
		UPDATE payments SET queried_at = ? WHERE out_trade_no = ? AND notified_at IS NOT NULL AND transaction_id IS NULL AND queried_at <= ?`,
		now.UnixMilli(), outTradeNo, now.Add(-window).UnixMilli())
}

// NoteFailure stores why WeChat declined an unpaid payment that stays as it is.
func (s *Store) NoteFailure(ctx context.Context, outTradeNo, code string, now time.Time) error {
	_, err := s.exec(ctx, outTradeNo, `UPDATE payments SET failure = ?, updated_at = MAX(updated_at, ?) WHERE out_trade_no = ? AND status IN ('created', 'pending')`,
		code, now.UnixMilli(), outTradeNo)
	return err
}

// change is what a change of status sets and requires besides the status.
type change struct {
	set       string
	args      []any
	where     string
	whereArgs []any
}

func (s *Store) change(ctx context.Context, outTradeNo string, to api.PaymentStatus, now time.Time, c change) (bool, error) {
	query, args := changePayment(outTradeNo, to, now, c)
	return s.exec(ctx, outTradeNo, query, args...)
}

// changePayment returns the statement of a change and its arguments.
func changePayment(outTradeNo string, to api.PaymentStatus, now time.Time, c change) (string, []any) {
	set := []string{`status = ?`, `updated_at = MAX(updated_at, ?)`}
	if to == api.PaymentClosing {
		set = append(set, `closing = 1`)
	}
	if order.PaymentEnded(to) {
		set = append(set, `due_at = NULL`, `client_ip = ''`) // unifiedorder is not called again
	}
	if c.set != "" {
		set = append(set, c.set)
	}
	args := append([]any{string(to), now.UnixMilli()}, c.args...)

	var from []string
	args = append(args, outTradeNo)
	for _, status := range order.PaymentSources(to) {
		from = append(from, `?`)
		args = append(args, string(status))
	}
	where := []string{`out_trade_no = ?`, `status IN (` + strings.Join(from, `, `) + `)`}
	if c.where != "" {
		where = append(where, c.where)
	}
	args = append(args, c.whereArgs...)
	return `UPDATE payments SET ` + strings.Join(set, `, `) + ` WHERE ` + strings.Join(where, ` AND `), args
}

func (s *Store) exec(ctx context.Context, outTradeNo, query string, args ...any) (bool, error) {
	return s.run(ctx, "changing payment "+outTradeNo, query, args...)
}
