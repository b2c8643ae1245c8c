package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"h5pay/internal/order"
)

// InsertNotification stores a message that claims to come from WeChat. The trigger
// notification_is_stored removes the oldest one.
func (s *Store) InsertNotification(ctx context.Context, n order.Notification) error {
	query, args := insertNotification(n)
	_, err := s.run(ctx, "storing a notification", query, args...)
	return err
}

func insertNotification(n order.Notification) (string, []any) {
	return `
		INSERT INTO notifications (verified, n, at, kind, version, verdict, reason, out_trade_no, out_refund_no, request_id, more)
		SELECT ?1, COALESCE((SELECT MAX(n) FROM notifications WHERE verified = ?1), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10`,
		[]any{flag(n.Verified), n.At.UnixMilli(), n.Kind, n.Version, n.Verdict, n.Reason, n.OutTradeNo, n.OutRefundNo, n.RequestID, n.More}
}

// noting is together with statements about the payment of a notification. At D1 the row of the
// notification is stored in the same round trip, if the transaction of the notification pays the
// payment after the statements. Without a Stored note the caller stores the row. No payment depends
// on the row: if the round trip fails with it, the statements run again without it.
func (s *Store) noting(ctx context.Context, n *order.Note, statements ...statement) error {
	if n != nil && s.batches() {
		query, args := insertNotification(n.Notification)
		with := append(slices.Clip(statements), writing(&n.Stored, "storing a notification", query+`
			WHERE EXISTS (SELECT 1 FROM payments WHERE payments.out_trade_no = ?11 AND transaction_id = ?12
			AND api_version = ?13 AND appid = ?14 AND mch_id = ?15 AND total = ?16 AND currency = ?17)`,
			append(args, n.Notified.OutTradeNo, n.TransactionID, n.APIVersion, n.AppID, n.MchID, int64(n.Total), n.Currency)...))
		if err := s.together(ctx, with...); err == nil || ctx.Err() != nil {
			return err
		}
		n.Stored = false
	}
	return s.together(ctx, statements...)
}

// Notifications returns at most limit messages, newest first. verdict and outTradeNo select
// some of them; "" selects all.
func (s *Store) Notifications(ctx context.Context, verdict, outTradeNo string, limit int) ([]order.Notification, error) {
	return readAll(ctx, s, "notifications", scanNotification, `
		SELECT verified, at, kind, version, verdict, reason, out_trade_no, out_refund_no, request_id, more FROM notifications
		WHERE ?1 IN ('', verdict) AND ?2 IN ('', out_trade_no) ORDER BY at DESC, verified, n DESC LIMIT ?3`, verdict, outTradeNo, limit)
}

// Unnotified reports whether the last payment that is older than grace was found without a
// notification. That is so if no notification of WeChat's has arrived since grace before it was
// found. A payment of more than a day ago does not count. It reads two rows.
func (s *Store) Unnotified(ctx context.Context, grace time.Duration, now time.Time) (bool, error) {
	var paid, settled, notified int64
	err := s.db.QueryRowContext(ctx, `
		SELECT COALESCE(paid_at, settled_at), settled_at, COALESCE((SELECT at FROM notifications WHERE verified = 1 ORDER BY n DESC LIMIT 1), 0)
		FROM payments INDEXED BY payments_by_time WHERE transaction_id IS NOT NULL AND COALESCE(paid_at, settled_at) <= ?
		ORDER BY COALESCE(paid_at, settled_at) DESC, out_trade_no DESC LIMIT 1`, now.Add(-grace).UnixMilli()).Scan(&paid, &settled, &notified)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading the last notification: %w", err)
	}
	return paid > now.AddDate(0, 0, -1).UnixMilli() && notified < settled-grace.Milliseconds(), nil
}

func scanNotification(rows *sql.Rows) (n order.Notification, err error) {
	var at int64
	err = rows.Scan(&n.Verified, &at, &n.Kind, &n.Version, &n.Verdict, &n.Reason, &n.OutTradeNo, &n.OutRefundNo, &n.RequestID, &n.More)
	n.At = fromMilli(at)
	return n, err
}
