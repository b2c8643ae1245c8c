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

// Decider is who confirms or declines a request.
type Decider struct{ KeyID, KeyName string } // of the API key

// Confirmation says who confirms a request.
type Confirmation struct {
	RequestID string
	By        Decider
}

// mayConfirm is SQL for a waiting request that a key may confirm: another than the one that requested
// the refund. id and key are parameters.
func mayConfirm(id, key string) string {
	return `refund_requests.id = ` + id + ` AND refund_requests.status = 'waiting' AND refund_requests.key_id <> ` + key
}

// MayConfirmRefund reports whether a request waits and may be confirmed by a key.
func (s *Store) MayConfirmRefund(ctx context.Context, c Confirmation) (bool, error) {
	found, err := s.refundRequests(ctx, `WHERE `+mayConfirm(`?1`, `?2`), c.RequestID, c.By.KeyID)
	return len(found) > 0, err
}

// confirming returns the statement that marks a request as confirmed if there is a refund with its
// key, none without a confirmation.
func confirming(changed *bool, c *Confirmation, refundKey string, now time.Time) []statement {
	if c == nil {
		return nil
	}
	return []statement{writing(changed, "confirming a refund request", `
		UPDATE refund_requests SET status = 'confirmed', decided_by = ?2, decided_name = ?3, decided_at = MAX(created_at, ?4)
		WHERE `+mayConfirm(`?1`, `?2`)+` AND EXISTS (SELECT 1 FROM refunds WHERE refunds.order_id = refund_requests.order_id AND refund_key = ?5)`,
		c.RequestID, c.By.KeyID, c.By.KeyName, now.UnixMilli(), refundKey)}
}

// DeclineRefundRequest declines a waiting request, and reports whether it did. A request for which
// there is a refund, with refundKey, is not declined.
func (s *Store) DeclineRefundRequest(ctx context.Context, id, refundKey string, by Decider, now time.Time) (bool, error) {
	return s.run(ctx, "declining a refund request", `
		UPDATE refund_requests SET status = 'declined', decided_by = ?2, decided_name = ?3, decided_at = MAX(created_at, ?4)
		WHERE id = ?1 AND status = 'waiting' AND NOT EXISTS (SELECT 1 FROM refunds WHERE refunds.order_id = refund_requests.order_id AND refund_key = ?5)`,
		id, by.KeyID, by.KeyName, now.UnixMilli(), refundKey)
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
