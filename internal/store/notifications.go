package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/order"
)

// InsertNotification stores a message that claims to come from WeChat. The trigger
// notification_is_stored removes the oldest one.
func (s *Store) InsertNotification(ctx context.Context, n order.Notification) error {
	_, err := s.run(ctx, "storing a notification", `
		INSERT INTO notifications (verified, n, at, kind, version, verdict, reason, out_trade_no, out_refund_no, request_id, more)
		SELECT ?1, COALESCE((SELECT MAX(n) FROM notifications WHERE verified = ?1), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10`,
		flag(n.Verified), n.At.UnixMilli(), n.Kind, n.Version, n.Verdict, n.Reason, n.OutTradeNo, n.OutRefundNo, n.RequestID, n.More)
	return err
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
