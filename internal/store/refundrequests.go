package store

import (
	"context"
	"database/sql"
	"time"

	"h5pay/internal/order"
)

// MaxRefundRequests bounds the waiting requests.
const MaxRefundRequests = 100

const refundRequestColumns = `id, order_id, out_trade_no, amount, reason, from_balance, key_id, key_name, created_at, status,
	COALESCE(decided_by, ''), COALESCE(decided_name, ''), COALESCE(decided_at, 0)`

// InsertRefundRequest stores a request. It reports false and stores nothing if the ID exists,
// if another request of the order waits, or if MaxRefundRequests wait.
func (s *Store) InsertRefundRequest(ctx context.Context, r order.RefundRequest) (bool, error) {
	return s.run(ctx, "storing a refund request", `
		INSERT INTO refund_requests (id, order_id, out_trade_no, amount, reason, from_balance, key_id, key_name, created_at, status)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting'
		WHERE (SELECT COUNT(*) FROM (SELECT 1 FROM refund_requests WHERE status = 'waiting' LIMIT ?)) < ?
		ON CONFLICT DO NOTHING`,
		r.ID, r.OrderID, r.OutTradeNo, r.Amount, r.Reason, flag(r.FromBalance), r.KeyID, r.KeyName, r.CreatedAt.UnixMilli(), MaxRefundRequests, MaxRefundRequests)
}

// RefundRequest returns a request. The error is ErrNotFound if there is none.
func (s *Store) RefundRequest(ctx context.Context, id string) (order.RefundRequest, error) {
	return one(s.refundRequests(ctx, `WHERE id = ?`, id))
}

// RefundRequests returns the waiting requests, oldest first.
func (s *Store) RefundRequests(ctx context.Context) ([]order.RefundRequest, error) {
	return s.refundRequests(ctx, `WHERE status = 'waiting' ORDER BY created_at, id LIMIT ?`, MaxRefundRequests)
}

// DecideRefundRequest confirms or declines a waiting request, and reports whether it did. The
// key that requested a refund cannot confirm it.
func (s *Store) DecideRefundRequest(ctx context.Context, id, status, keyID, keyName string, now time.Time) (bool, error) {
	return s.run(ctx, "deciding a refund request", `
		UPDATE refund_requests SET status = ?2, decided_by = ?3, decided_name = ?4, decided_at = MAX(created_at, ?5)
		WHERE id = ?1 AND status = 'waiting' AND (?2 = 'declined' OR key_id <> ?3)`, id, status, keyID, keyName, now.UnixMilli())
}

func (s *Store) refundRequests(ctx context.Context, where string, args ...any) ([]order.RefundRequest, error) {
	return readAll(ctx, s, "refund requests", func(rows *sql.Rows) (r order.RefundRequest, err error) {
		var created, decided int64
		err = rows.Scan(&r.ID, &r.OrderID, &r.OutTradeNo, &r.Amount, &r.Reason, &r.FromBalance, &r.KeyID, &r.KeyName, &created, &r.Status,
			&r.DecidedBy, &r.DecidedName, &decided)
		r.CreatedAt, r.DecidedAt = fromMilli(created), fromMilli(decided)
		return r, err
	}, `SELECT `+refundRequestColumns+` FROM refund_requests `+where, args...)
}
