package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
)

// InsertRefund stores a new refund and reports whether it did. The payment must be paid and
// have at least the amount left. A Key belongs to one refund of the order. With a bound, in
// fen, the sum of the order's refunds stays below it, without those of duplicates; 0 is no
// bound.
//
// One statement checks all of this and stores the refund. So of any number of calls at
// once only those succeed for which the payment has enough left. The trigger refund_begins
// makes the order refunding.
func (s *Store) InsertRefund(ctx context.Context, r order.Refund, bound fen.Fen) (bool, error) {
	return s.run(ctx, "storing refund "+r.ID, `
		INSERT INTO refunds (id, order_id, out_trade_no, api_version, refund_key, fingerprint, amount, reason, notify_url, created_at, from_balance, status, updated_at)
		SELECT ?1, order_id, out_trade_no, api_version, ?2, ?11, ?3, ?4, ?5, MAX(updated_at, ?6), ?7, 'created', MAX(updated_at, ?6) FROM payments
		WHERE out_trade_no = ?8 AND order_id = ?9 AND status = 'paid'
		AND total >= ?3 + (SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE order_id = ?9 AND refunds.out_trade_no = ?8 AND refunds.status NOT IN ('failed', 'closed'))
		AND ?10 > (SELECT COUNT(*) FROM refunds WHERE order_id = ?9 AND refunds.out_trade_no = ?8 AND refunds.status <> 'failed')
		AND (?12 = 0 OR ?12 > ?3 + (SELECT COALESCE(SUM(amount), 0) FROM refunds JOIN payments AS of_refund ON of_refund.out_trade_no = refunds.out_trade_no
			WHERE refunds.order_id = ?9 AND of_refund.duplicate = 0 AND refunds.status NOT IN ('failed', 'closed')))
		ON CONFLICT DO NOTHING`,
		r.ID, r.Key, int64(r.Amount), r.Reason, r.NotifyURL, r.CreatedAt.UnixMilli(), flag(r.FromBalance), r.OutTradeNo, r.OrderID, order.MaxRefunds, r.Fingerprint, int64(bound))
}

// RefundConditions are those of PlaceRefund that depend on the settings.
type RefundConditions struct {
	V2, V3    bool      // whether refunds of payments of an API version can be sent
	PaidAfter time.Time // the payment is younger
	Bound     fen.Fen   // see InsertRefund
	// Confirm is the confirmation of the request that the refund needs. nil: it needs none.
	Confirm *Confirmation
}

// Placed is the result of PlaceRefund.
type Placed struct {
	Order  order.Order  // without an ID if there is none
	Refund order.Refund // with the key; without an ID if there is none
	Stored bool         // the refund is new, and claimed as by ClaimRefund

	// With Stored: the refund's payment and amount in fen, and the total of the payment. PostgreSQL
	// commits each statement by itself, so these are also set if the reading of the refund failed.
	OutTradeNo    string
	Amount, Total fen.Fen
}

// PlaceRefund reads an order, and its refund with the key of r. In the same round trip it stores r as
// InsertRefund does, if the conditions hold. Otherwise the caller decides what follows. Without an
// OutTradeNo r is of the payment that pays the order, and without an Amount of all that is left of
// the payment.
//
// With a confirmation r is only stored if the request waits and may be confirmed. The next statement
// marks the request as confirmed because there is a refund with the key of r. If it does not run, at
// PostgreSQL, a repeated call runs it, and DeclineRefundRequest changes nothing.
//
// intent, if not nil, is stored before the refund.
func (s *Store) PlaceRefund(ctx context.Context, r order.Refund, c RefundConditions, intent *order.AuditIntent) (p Placed, err error) {
	var orders []order.Order
	var refunds []order.Refund
	args := []any{r.ID, r.Key, r.Fingerprint, int64(r.Amount), r.Reason, r.NotifyURL, r.CreatedAt.UnixMilli(), flag(r.FromBalance), r.OrderID, r.OutTradeNo,
		c.PaidAfter.UnixMilli(), flag(c.V3), flag(c.V2), order.MaxRefunds, int64(c.Bound)}
	confirmable := ``
	if c.Confirm != nil {
		confirmable = `AND EXISTS (SELECT 1 FROM refund_requests WHERE ` + mayConfirm(`?16`, `?17`) + `)`
		args = append(args, c.Confirm.RequestID, c.Confirm.By.KeyID)
	}
	var confirmed bool
	err = s.together(ctx, append(append(beginning(intent),
		statement{"storing refund " + r.ID, `
			INSERT INTO refunds (id, order_id, out_trade_no, api_version, refund_key, fingerprint, amount, reason, notify_url, created_at, from_balance, status, queried_at, updated_at)
			SELECT ?1, order_id, out_trade_no, api_version, ?2, ?3, IIF(?4 = 0, rest, ?4), ?5, ?6, MAX(updated_at, ?7), ?8, 'created', ?7, MAX(updated_at, ?7)
			FROM (SELECT payments.order_id, payments.out_trade_no, payments.api_version, payments.updated_at,
					total - (SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE order_id = ?9 AND refunds.out_trade_no = payments.out_trade_no AND refunds.status NOT IN ('failed', 'closed')) AS rest
				FROM payments WHERE payments.out_trade_no = IIF(?10 = '', (SELECT paid_by FROM orders WHERE orders.id = ?9), ?10) AND payments.order_id = ?9
				AND payments.status = 'paid' AND COALESCE(paid_at, expires_at) > ?11 AND IIF(api_version = 'v3', ?12, ?13) = 1) AS paid
			WHERE rest > 0 AND rest >= ?4
			AND ?14 > (SELECT COUNT(*) FROM refunds WHERE order_id = ?9 AND refunds.out_trade_no = paid.out_trade_no AND refunds.status <> 'failed')
			AND (?15 = 0 OR ?15 > IIF(?4 = 0, rest, ?4) + (SELECT COALESCE(SUM(amount), 0) FROM refunds JOIN payments AS of_refund ON of_refund.out_trade_no = refunds.out_trade_no
				WHERE refunds.order_id = ?9 AND of_refund.duplicate = 0 AND refunds.status NOT IN ('failed', 'closed')))
			` + confirmable + `
			ON CONFLICT DO NOTHING
			RETURNING out_trade_no, amount, (SELECT payments.total FROM payments WHERE payments.out_trade_no = refunds.out_trade_no) AS total`,
			args,
			func(rows *sql.Rows) error {
				p.Stored = true
				return rows.Scan(&p.OutTradeNo, &p.Amount, &p.Total)
			}}),
		append(confirming(&confirmed, c.Confirm, r.Key, r.CreatedAt),
			reading(&orders, "orders", scan, selectOrders+`WHERE orders.id = ?`, r.OrderID),
			reading(&refunds, "refunds", scanRefund, selectRefunds+`WHERE refunds.order_id = ? AND refund_key = ?`, r.OrderID, r.Key))...)...)
	if len(orders) > 0 {
		p.Order = orders[0]
	}
	if len(refunds) > 0 {
		p.Refund = refunds[0]
	}
	return p, err
}

// RecordRefund stores a refund that WeChat has accepted and that was not made here, as
// processing, and reports whether it did. All refunds that WeChat has accepted may not
// exceed the total of the payment. Refunds that WeChat has not accepted do not count,
// because WeChat will decline them. The trigger refund_begins makes the order refunding.
func (s *Store) RecordRefund(ctx context.Context, r order.Refund) (bool, error) {
	return s.run(ctx, "storing refund "+r.ID, `
		INSERT INTO refunds (id, order_id, out_trade_no, api_version, amount, reason, notify_url, created_at, status, refund_id, accepted_at, updated_at)
		SELECT ?1, order_id, out_trade_no, api_version, ?2, '', '', ?3, 'processing', ?4, MAX(updated_at, ?5), MAX(updated_at, ?5) FROM payments
		WHERE out_trade_no = ?6 AND order_id = ?7 AND status = 'paid'
		AND total >= ?2 + (SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE order_id = ?7 AND refunds.out_trade_no = ?6 AND refunds.status IN ('processing', 'succeeded', 'abnormal'))
		ON CONFLICT DO NOTHING`,
		r.ID, int64(r.Amount), r.CreatedAt.UnixMilli(), r.RefundID, r.AcceptedAt.UnixMilli(), r.OutTradeNo, r.OrderID)
}

// RecordClosedRefund stores a refund that was not made here and that WeChat closed without
// paying it, and reports whether it did. It does not count against the payment, and changes
// neither the payment nor the order. So the payment may already be refunded in full.
func (s *Store) RecordClosedRefund(ctx context.Context, r order.Refund) (bool, error) {
	return s.run(ctx, "storing refund "+r.ID, `
		INSERT INTO refunds (id, order_id, out_trade_no, api_version, amount, reason, notify_url, created_at, status, refund_id, accepted_at, ended_at, updated_at)
		SELECT ?1, order_id, out_trade_no, api_version, ?2, '', '', ?3, 'closed', ?4, MAX(updated_at, ?5), MAX(updated_at, ?5), MAX(updated_at, ?5) FROM payments
		WHERE out_trade_no = ?6 AND order_id = ?7 AND status = 'paid'
		ON CONFLICT DO NOTHING`,
		r.ID, int64(r.Amount), r.CreatedAt.UnixMilli(), r.RefundID, r.AcceptedAt.UnixMilli(), r.OutTradeNo, r.OrderID)
}

const selectRefunds = `SELECT refunds.id, refunds.order_id, refunds.out_trade_no, refunds.api_version, COALESCE(refund_key, '') AS refund_key, fingerprint, amount, reason, refunds.notify_url,
	refunds.created_at, refunds.status, COALESCE(refund_id, '') AS refund_id, COALESCE(accepted_at, 0) AS accepted_at,
	from_balance, COALESCE(refunds.failure, '') AS failure, COALESCE(failure_text, '') AS failure_text, stuck,
	COALESCE(refunds.queried_at, 0) AS queried_at, COALESCE(ended_at, 0) AS ended_at,
	refunds.updated_at, COALESCE(transaction_id, '') AS transaction_id, total, duplicate
	FROM refunds JOIN payments ON payments.out_trade_no = refunds.out_trade_no `

// RefundByID returns the refund with an out_refund_no.
func (s *Store) RefundByID(ctx context.Context, id string) (order.Refund, error) {
	return s.oneRefund(ctx, `WHERE refunds.id = ?`, id)
}

// RefundByKey returns the refund of an order with a refund_key.
func (s *Store) RefundByKey(ctx context.Context, orderID, key string) (order.Refund, error) {
	return s.oneRefund(ctx, `WHERE refunds.order_id = ? AND refund_key = ?`, orderID, key)
}

// Refunds returns the refunds of an order, oldest first.
func (s *Store) Refunds(ctx context.Context, orderID string) ([]order.Refund, error) {
	return s.queryRefunds(ctx, `WHERE refunds.order_id = ? ORDER BY refunds.created_at, refunds.id`, orderID)
}

// RefundsAcceptedBetween returns at most limit refunds that WeChat accepted at from or later
// and before to, the earliest first. after and afterID, if set, are of the last refund of the
// previous page. A zero time is no bound.
func (s *Store) RefundsAcceptedBetween(ctx context.Context, from, to, after time.Time, afterID string, limit int) ([]order.Refund, error) {
	until := int64(1) << 52
	if !to.IsZero() {
		until = to.UnixMilli()
	}
	return s.queryRefunds(ctx, `WHERE refunds.accepted_at >= ? AND refunds.accepted_at < ? AND (refunds.accepted_at, refunds.id) > (?, ?) ORDER BY refunds.accepted_at, refunds.id LIMIT ?`,
		bound(from), until, bound(after), afterID, limit)
}

// refundQueried is SQL for the time of the last call about a refund.
const refundQueried = `COALESCE(refunds.queried_at, refunds.created_at)`

// dueRefunds reads at most limit refunds that are to be sent again or queried. They have not
// ended, and their last call was at least a minute ago. The pause is half the age that the refund
// had then. It is at most half an hour in the first week of a refund, and grows with the age after
// it. For a refund that waits for the operator it is at most a day. For an abnormal refund it is
// six hours, or a tenth of its age if that is longer.
//
// The longest pause comes first. Refunds that WeChat has accepted take turns with those
// that it has not.
func dueRefunds(now time.Time, limit int) (string, []any) {
	return selectRefunds + `WHERE ` + dueRefund() + `
		ORDER BY ROW_NUMBER() OVER (PARTITION BY refunds.status = 'created' ORDER BY ` + refundQueried + `), ` + refundQueried + ` LIMIT ?2`,
		[]any{now.UnixMilli(), limit}
}

// dueRefund is SQL for the refunds of dueRefunds. ?1 is the time.
func dueRefund() string {
	const age = `(` + refundQueried + ` - refunds.created_at)`
	return fmt.Sprintf(`refunds.status IN ('created', 'processing', 'abnormal') AND `+refundQueried+` <= ?1 - %d
		AND `+refundQueried+` + CASE WHEN refunds.status = 'abnormal' THEN MAX(%d, `+age+` / 10)
			WHEN refunds.status = 'created' AND stuck = 1 THEN MIN(`+age+` / 2, %d)
			ELSE MIN(`+age+` / 2, MAX(%d, `+age+` / 336)) END <= ?1`,
		time.Minute.Milliseconds(), (6 * time.Hour).Milliseconds(), (24 * time.Hour).Milliseconds(), (30 * time.Minute).Milliseconds())
}

func (s *Store) oneRefund(ctx context.Context, where string, args ...any) (order.Refund, error) {
	refunds, err := s.queryRefunds(ctx, where, args...)
	if err != nil {
		return order.Refund{}, err
	}
	if len(refunds) == 0 {
		return order.Refund{}, ErrNotFound
	}
	return refunds[0], nil
}

func (s *Store) queryRefunds(ctx context.Context, where string, args ...any) ([]order.Refund, error) {
	return readAll(ctx, s, "refunds", scanRefund, selectRefunds+where, args...)
}

func scanRefund(rows *sql.Rows) (order.Refund, error) {
	var r order.Refund
	var created, accepted, queried, ended, updated int64
	err := rows.Scan(&r.ID, &r.OrderID, &r.OutTradeNo, &r.APIVersion, &r.Key, &r.Fingerprint, &r.Amount, &r.Reason, &r.NotifyURL, &created, &r.Status, &r.RefundID, &accepted,
		&r.FromBalance, &r.Failure, &r.FailureText, &r.Stuck, &queried, &ended, &updated, &r.TransactionID, &r.Total, &r.Duplicate)
	r.CreatedAt, r.AcceptedAt, r.QueriedAt = fromMilli(created), fromMilli(accepted), fromMilli(queried)
	r.EndedAt, r.UpdatedAt = fromMilli(ended), fromMilli(updated)
	return r, err
}

// The changes of a refund. As for an order, each is one conditional statement, with
// the table of internal/order/refundstatus.go. The trigger refund_goes_on changes the
// payment, and the order that it pays, in the same statement.

// MoveRefund stores the status of a refund that WeChat reports, and WeChat's number for
// it. ended is when the refund ended, zero if WeChat does not report it. WeChat reports
// whole seconds, and its clock may be behind the one that wrote created_at: a refund
// never ends before it was created.
//
// The amount of a failed refund is free for other refunds. A failed refund changes only if
// the payment still has that amount left.
//
// The trigger event_order_refunded makes the event of a refund that succeeded, and
// takings_of_refund adds it to the takings.
//
// MoveRefund returns the refund as it is afterwards, and whether it changed. Both are one round trip.
func (s *Store) MoveRefund(ctx context.Context, id string, to api.RefundStatus, refundID string, ended, now time.Time) (r order.Refund, moved bool, err error) {
	return s.moveRefund(ctx, id, to, refundID, ended, now, nil)
}

// AcceptRefund is MoveRefund to processing. In the same round trip it appends the entry of the call
// that made r to the audit list, if the intent has what that takes. A nil intent has not.
func (s *Store) AcceptRefund(ctx context.Context, r order.Refund, refundID string, now time.Time, intent *order.AuditIntent) (stored order.Refund, moved bool, err error) {
	return s.moveRefund(ctx, r.ID, api.RefundProcessing, refundID, time.Time{}, now, accepting(intent, r, refundID))
}

// moveRefund is MoveRefund with statements that run after the change.
func (s *Store) moveRefund(ctx context.Context, id string, to api.RefundStatus, refundID string, ended, now time.Time, then []statement) (r order.Refund, moved bool, err error) {
	from, args := refundFrom(to)
	var refunds []order.Refund
	statements := []statement{writing(&moved, "changing refund "+id, `
		UPDATE refunds SET status = ?, refund_id = ?, accepted_at = COALESCE(accepted_at, MAX(updated_at, ?)), failure = NULL, failure_text = NULL, stuck = 0,
			ended_at = IIF(? IN ('succeeded', 'closed'), MAX(created_at, COALESCE(?, MAX(updated_at, ?))), NULL),
			updated_at = MAX(updated_at, ?)
		WHERE id = ? AND (refund_id IS NULL OR refund_id = ?) AND status IN (`+from+`)
		AND (status <> 'failed' OR (SELECT total FROM payments WHERE payments.out_trade_no = refunds.out_trade_no) >= amount +
			(SELECT COALESCE(SUM(amount), 0) FROM refunds AS other WHERE other.order_id = refunds.order_id AND other.out_trade_no = refunds.out_trade_no AND other.status IN ('processing', 'succeeded', 'abnormal')))`,
		append([]any{string(to), refundID, now.UnixMilli(), string(to), milli(ended), now.UnixMilli(), now.UnixMilli(), id, refundID}, args...)...)}
	err = s.together(ctx, append(append(statements, then...),
		reading(&refunds, "refunds", scanRefund, selectRefunds+`WHERE refunds.id = ?`, id))...)
	if err == nil {
		r, err = one(refunds, nil)
	}
	return r, moved, err
}

// FailRefund ends a refund that WeChat declined, with WeChat's code and message: created
// -> failed.
func (s *Store) FailRefund(ctx context.Context, id string, f order.RefundFailure, now time.Time) (bool, error) {
	from, args := refundFrom(api.RefundFailed)
	return s.run(ctx, "changing refund "+id, `
		UPDATE refunds SET status = ?, failure = ?, failure_text = ?, stuck = 0, ended_at = MAX(updated_at, ?), updated_at = MAX(updated_at, ?)
		WHERE id = ? AND status IN (`+from+`)`,
		append([]any{string(api.RefundFailed), cmp.Or(f.Failure, "FAIL"), f.FailureText, now.UnixMilli(), now.UnixMilli(), id}, args...)...)
}

// NoteRefundFailure stores why WeChat declined a refund that is to be sent again. r is
// the refund as it was sent. If the refund takes its money from another source by now,
// nothing happens: the failure is not that of the next call.
func (s *Store) NoteRefundFailure(ctx context.Context, r order.Refund, f order.RefundFailure, now time.Time) error {
	_, err := s.run(ctx, "changing refund "+r.ID, `
		UPDATE refunds SET failure = ?, failure_text = ?, stuck = ?, from_balance = ?, updated_at = MAX(updated_at, ?)
		WHERE id = ? AND status = 'created' AND from_balance = ?`,
		cmp.Or(f.Failure, "FAIL"), f.FailureText, flag(f.Stuck), flag(f.FromBalance), now.UnixMilli(), r.ID, flag(r.FromBalance))
	return err
}

// SwitchSource lets a refund that WeChat has not accepted take its money from the other
// source, the available balance or unsettled takings. r is the refund as it was sent. It
// reports whether it changed the refund.
func (s *Store) SwitchSource(ctx context.Context, r order.Refund, now time.Time) (bool, error) {
	return s.run(ctx, "changing refund "+r.ID, `
		UPDATE refunds SET from_balance = ?, stuck = 0, updated_at = MAX(updated_at, ?) WHERE id = ? AND status = 'created' AND from_balance = ?`,
		flag(!r.FromBalance), now.UnixMilli(), r.ID, flag(r.FromBalance))
}

// UseBalance lets a refund that WeChat has not accepted take its money from the
// available balance. It reports whether it changed the refund.
func (s *Store) UseBalance(ctx context.Context, id string, now time.Time) (bool, error) {
	return s.run(ctx, "changing refund "+id, `
		UPDATE refunds SET from_balance = 1, stuck = 0, updated_at = MAX(updated_at, ?) WHERE id = ? AND status = 'created' AND from_balance = 0`,
		now.UnixMilli(), id)
}

// ClaimRefund claims the right to send a refund that has not ended, or to query it, now.
// One caller gets true, and none until window has passed. A caller whose FromBalance is
// out of date gets false.
func (s *Store) ClaimRefund(ctx context.Context, r order.Refund, window time.Duration, now time.Time) (bool, error) {
	return s.run(ctx, "changing refund "+r.ID, `
		UPDATE refunds SET queried_at = ?
		WHERE id = ? AND from_balance = ? AND status NOT IN ('succeeded', 'closed') AND (queried_at IS NULL OR queried_at <= ?)`,
		now.UnixMilli(), r.ID, flag(r.FromBalance), now.Add(-window).UnixMilli())
}

// ClaimNotifiedRefund claims the right to query WeChat about a refund that a notification reports with
// a status and WeChat's number. It writes nothing if the refund has both, or has ended. One caller
// gets true, and none until window has passed.
//
// The refund is read in the same round trip, after the claim. The error is ErrNotFound if there is
// none.
func (s *Store) ClaimNotifiedRefund(ctx context.Context, id string, status api.RefundStatus, refundID string, window time.Duration, now time.Time) (r order.Refund, claimed bool, err error) {
	var refunds []order.Refund
	err = s.together(ctx, writing(&claimed, "changing refund "+id, `
		UPDATE refunds SET queried_at = ?
		WHERE id = ? AND status NOT IN ('succeeded', 'closed') AND (status <> ? OR COALESCE(refund_id, '') <> ?) AND (queried_at IS NULL OR queried_at <= ?)`,
		now.UnixMilli(), id, string(status), refundID, now.Add(-window).UnixMilli()),
		reading(&refunds, "refunds", scanRefund, selectRefunds+`WHERE refunds.id = ?`, id))
	if err == nil {
		r, err = one(refunds, nil)
	}
	return r, claimed, err
}

// refundFrom returns the statuses that lead to a status, as the list of an IN.
func refundFrom(to api.RefundStatus) (list string, args []any) {
	var marks []string
	for _, status := range order.RefundSources(to) {
		marks = append(marks, `?`)
		args = append(args, string(status))
	}
	return strings.Join(marks, `, `), args
}
