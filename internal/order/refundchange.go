package order

import (
	"cmp"
	"context"
	"strings"
	"time"

	"h5pay/internal/api"
)

// The changes of a refund: like those of an order each is one conditional
// statement, through the table of refundstatus.go. What it means for the order
// is in the same statement, by a trigger.

// MoveRefund brings a refund to where WeChat says that it is, under WeChat's
// number for it. ended is when it came to an end, zero when WeChat does not say.
// WeChat's clock may be behind the one that wrote created_at, and WeChat reports
// whole seconds: a refund does not end before it was created.
//
// A refund that was thought to have failed gave up its share of the order: it is
// taken back only where there is room.
func (s *Store) MoveRefund(ctx context.Context, id string, to api.RefundStatus, refundID string, ended, now time.Time) (bool, error) {
	from, args := refundFrom(to)
	return s.run(ctx, "changing refund "+id, `
		UPDATE refunds SET status = ?, refund_id = ?, taken_at = COALESCE(taken_at, MAX(updated_at, ?)), failure = NULL, failure_text = NULL, stuck = 0,
			ended_at = IIF(? IN ('succeeded', 'closed'), MAX(created_at, COALESCE(?, MAX(updated_at, ?))), NULL),
			updated_at = MAX(updated_at, ?)
		WHERE id = ? AND (refund_id IS NULL OR refund_id = ?) AND status IN (`+from+`)
		AND (status <> 'failed' OR (SELECT total FROM orders WHERE id = order_id) >= amount +
			(SELECT COALESCE(SUM(amount), 0) FROM refunds AS other WHERE other.order_id = refunds.order_id AND other.status IN ('processing', 'succeeded', 'abnormal')))`,
		append([]any{string(to), refundID, now.UnixMilli(), string(to), milli(ended), now.UnixMilli(), now.UnixMilli(), id, refundID}, args...)...)
}

// FailRefund ends a refund that WeChat refused to take, with WeChat's code and words:
// created -> failed.
func (s *Store) FailRefund(ctx context.Context, id string, f RefundFailure, now time.Time) (bool, error) {
	from, args := refundFrom(api.RefundFailed)
	return s.run(ctx, "changing refund "+id, `
		UPDATE refunds SET status = ?, failure = ?, failure_text = ?, stuck = 0, ended_at = MAX(updated_at, ?), updated_at = MAX(updated_at, ?)
		WHERE id = ? AND status IN (`+from+`)`,
		append([]any{string(api.RefundFailed), cmp.Or(f.Failure, "FAIL"), f.FailureText, now.UnixMilli(), now.UnixMilli(), id}, args...)...)
}

// NoteRefundFailure stores why WeChat declined a refund that stays as it is, to be
// sent again. It does nothing when the money is to come from another source by now
// than in r, the refund as it was sent: the failure is not that of the next call.
func (s *Store) NoteRefundFailure(ctx context.Context, r Refund, f RefundFailure, now time.Time) error {
	_, err := s.run(ctx, "changing refund "+r.ID, `
		UPDATE refunds SET failure = ?, failure_text = ?, stuck = ?, from_balance = ?, updated_at = MAX(updated_at, ?)
		WHERE id = ? AND status = 'created' AND from_balance = ?`,
		cmp.Or(f.Failure, "FAIL"), f.FailureText, flag(f.Stuck), flag(f.FromBalance), now.UnixMilli(), r.ID, flag(r.FromBalance))
	return err
}

// SwitchSource lets a refund that WeChat has not taken take its money from the other
// source than in r, as it was sent: the available balance or unsettled takings. It
// reports whether it did.
func (s *Store) SwitchSource(ctx context.Context, r Refund, now time.Time) (bool, error) {
	return s.run(ctx, "changing refund "+r.ID, `
		UPDATE refunds SET from_balance = ?, stuck = 0, updated_at = MAX(updated_at, ?) WHERE id = ? AND status = 'created' AND from_balance = ?`,
		flag(!r.FromBalance), now.UnixMilli(), r.ID, flag(r.FromBalance))
}

// UseBalance lets a refund that WeChat has not taken take its money from the
// available balance from now on, and reports whether it did not before.
func (s *Store) UseBalance(ctx context.Context, id string, now time.Time) (bool, error) {
	return s.run(ctx, "changing refund "+id, `
		UPDATE refunds SET from_balance = 1, stuck = 0, updated_at = MAX(updated_at, ?) WHERE id = ? AND status = 'created' AND from_balance = 0`,
		now.UnixMilli(), id)
}

// ClaimRefund reports whether the caller is the one to send WeChat a refund whose
// end is not known, or to ask about it, now. Of any number of callers one gets
// to, and no other until window has passed. A caller whose FromBalance is out of
// date does not.
func (s *Store) ClaimRefund(ctx context.Context, r Refund, window time.Duration, now time.Time) (bool, error) {
	return s.run(ctx, "changing refund "+r.ID, `
		UPDATE refunds SET queried_at = ?
		WHERE id = ? AND from_balance = ? AND status NOT IN ('succeeded', 'closed') AND (queried_at IS NULL OR queried_at <= ?)`,
		now.UnixMilli(), r.ID, flag(r.FromBalance), now.Add(-window).UnixMilli())
}

// refundFrom returns the statuses that lead to one, as the list of an IN.
func refundFrom(to api.RefundStatus) (list string, args []any) {
	var marks []string
	for _, status := range RefundSources(to) {
		marks = append(marks, `?`)
		args = append(args, string(status))
	}
	return strings.Join(marks, `, `), args
}
