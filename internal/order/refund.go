package order

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"time"

	"h5pay/internal/api"
)

// WeChat's limits of refunds.
const (
	MaxRefunds  = 50 // of one order
	RefundYears = 1  // since the payment
)

// Refund is money on its way back to the payer, as it is stored.
type Refund struct {
	ID      string // WeChat's out_refund_no: 32 digits and upper-case letters, or whatever the merchant platform made
	OrderID string
	Key     string // unique for the order; "" of a refund that was not made here

	// The parameters of the call, which never change, but for FromBalance: WeChat
	// takes a repeated call for the same ID only when it is the same.
	Amount    api.Fen
	Reason    string
	NotifyURL string
	CreatedAt time.Time

	// FromBalance says that the money comes from the merchant's available balance,
	// instead of from takings that are not settled. UseBalance and SwitchSource change
	// it later.
	FromBalance bool

	Status   api.RefundStatus
	RefundID string    // WeChat's number, once it is known to have taken the refund
	TakenAt  time.Time // when that became known
	RefundFailure
	QueriedAt time.Time // zero when WeChat was never sent it nor asked
	EndedAt   time.Time
	UpdatedAt time.Time

	// Of the order.
	OutTradeNo    string
	TransactionID string
	Total         api.Fen
}

// RefundFailure is why WeChat last declined a refund that it has not taken.
type RefundFailure struct {
	Failure     string // WeChat's code, "FAIL" when it gave none
	FailureText string // WeChat's words, cleaned and bounded
	Stuck       bool   // a retry does not cure it: the operator has to act
	FromBalance bool   // whether the next call takes the available balance
}

// NewRefundID returns a number for WeChat, like NewOutTradeNo.
func NewRefundID(rand io.Reader, now time.Time) (string, error) { return NewOutTradeNo(rand, now) }

// Public returns the refund as the operator may see it.
func (r *Refund) Public() api.Refund {
	p := api.Refund{
		ID:        r.ID,
		Amount:    r.Amount,
		Reason:    r.Reason,
		Status:    r.Status,
		CreatedAt: r.CreatedAt.UnixMilli(),
		Failure:   r.Failure,

		FailureText: r.FailureText,
		FromBalance: r.FromBalance,
	}
	if r.Stuck || r.Status == api.RefundAbnormal {
		p.Cure = r.cure()
	}
	if !r.EndedAt.IsZero() {
		p.EndedAt = r.EndedAt.UnixMilli()
	}
	return p
}

// cure is what an operator can do about a refund that a retry does not help.
func (r *Refund) cure() string {
	switch {
	case r.Status == api.RefundAbnormal:
		return "pay it out at the merchant platform: the payer's account takes no money"
	case r.Failure != "NOT_ENOUGH":
		return "correct the API key, merchant number, permission or certificate that failure_text names, then repeat the call with the same refund_key"
	case r.FromBalance:
		return "pay in at the merchant platform, then repeat the call with the same refund_key"
	}
	return "repeat the call with the same refund_key and from_balance: true, to use the available balance"
}

// InsertRefund stores a new refund and reports whether it did: the order has to
// be paid, no more than what is left of it may go back, and its refund of that
// Key, if there is one, stays the only one. The order is refunding from then on.
//
// Everything is asked for in the one statement that stores the refund, so that
// of any number of calls at once those succeed for which there is room.
func (s *Store) InsertRefund(ctx context.Context, r Refund) (bool, error) {
	return s.run(ctx, "storing refund "+r.ID, `
		INSERT INTO refunds (id, order_id, refund_key, amount, reason, notify_url, created_at, from_balance, status, updated_at)
		SELECT ?, id, ?, ?, ?, ?, MAX(updated_at, ?), ?, 'created', MAX(updated_at, ?) FROM orders
		WHERE id = ? AND status IN ('paid', 'refunding')
		AND total >= ? + (SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE order_id = orders.id AND status NOT IN ('failed', 'closed'))
		AND ? > (SELECT COUNT(*) FROM refunds WHERE order_id = orders.id AND status <> 'failed')
		ON CONFLICT DO NOTHING`,
		r.ID, r.Key, int64(r.Amount), r.Reason, r.NotifyURL, r.CreatedAt.UnixMilli(), flag(r.FromBalance), r.CreatedAt.UnixMilli(),
		r.OrderID, int64(r.Amount), MaxRefunds)
}

// RecordRefund stores a refund that WeChat has taken and that was not made here,
// as processing, and reports whether it did. What WeChat has taken may not come
// to more than the order; refunds of ours that it has not taken do not count, it
// will refuse them.
func (s *Store) RecordRefund(ctx context.Context, r Refund) (bool, error) {
	return s.run(ctx, "storing refund "+r.ID, `
		INSERT INTO refunds (id, order_id, amount, reason, notify_url, created_at, status, refund_id, taken_at, updated_at)
		SELECT ?, id, ?, '', '', ?, 'processing', ?, MAX(updated_at, ?), MAX(updated_at, ?) FROM orders
		WHERE id = ? AND status IN ('paid', 'refunding')
		AND total >= ? + (SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE order_id = orders.id AND status IN ('processing', 'succeeded', 'abnormal'))
		ON CONFLICT DO NOTHING`,
		r.ID, int64(r.Amount), r.CreatedAt.UnixMilli(), r.RefundID, r.TakenAt.UnixMilli(), r.TakenAt.UnixMilli(),
		r.OrderID, int64(r.Amount))
}

const selectRefunds = `SELECT refunds.id, order_id, COALESCE(refund_key, '') AS refund_key, amount, reason, refunds.notify_url,
	refunds.created_at, refunds.status, COALESCE(refund_id, '') AS refund_id, COALESCE(taken_at, 0) AS taken_at,
	from_balance, COALESCE(refunds.failure, '') AS failure, COALESCE(failure_text, '') AS failure_text, stuck,
	COALESCE(refunds.queried_at, 0) AS queried_at, COALESCE(ended_at, 0) AS ended_at,
	refunds.updated_at, out_trade_no, COALESCE(transaction_id, '') AS transaction_id, total
	FROM refunds JOIN orders ON orders.id = order_id `

// RefundByID returns a refund by the number that WeChat knows it by.
func (s *Store) RefundByID(ctx context.Context, id string) (Refund, error) {
	return s.oneRefund(ctx, `WHERE refunds.id = ?`, id)
}

// RefundByKey returns the refund of an order that was made under a key.
func (s *Store) RefundByKey(ctx context.Context, orderID, key string) (Refund, error) {
	return s.oneRefund(ctx, `WHERE order_id = ? AND refund_key = ?`, orderID, key)
}

// Refunds returns the refunds of an order, oldest first.
func (s *Store) Refunds(ctx context.Context, orderID string) ([]Refund, error) {
	return s.queryRefunds(ctx, `WHERE order_id = ? ORDER BY refunds.created_at, refunds.id`, orderID)
}

// DueRefunds returns the refunds that WeChat is to be sent again or asked about:
// those that have not come to an end and were left alone for a minute or more.
// The older one was then the longer it is left alone, by half its age, but not
// beyond half an hour in its first week, which then grows with its age. One that waits
// for the operator is left alone by half its age up to a day; an abnormal one for six
// hours, or a tenth of its age. Those left alone longest come first, limit at most; but
// those that WeChat has not taken and those that it has come in turn.
func (s *Store) DueRefunds(ctx context.Context, now time.Time, limit int) ([]Refund, error) {
	const (
		asked = `COALESCE(refunds.queried_at, refunds.created_at)`
		age   = `(` + asked + ` - refunds.created_at)`
	)
	return s.queryRefunds(ctx, `
		WHERE refunds.status IN ('created', 'processing', 'abnormal') AND `+asked+` <= ?
		AND `+asked+` + CASE WHEN refunds.status = 'abnormal' THEN MAX(?, `+age+` / 10)
			WHEN refunds.status = 'created' AND stuck = 1 THEN MIN(`+age+` / 2, ?)
			ELSE MIN(`+age+` / 2, MAX(?, `+age+` / 336)) END <= ?
		ORDER BY ROW_NUMBER() OVER (PARTITION BY refunds.status = 'created' ORDER BY `+asked+`), `+asked+` LIMIT ?`,
		now.Add(-time.Minute).UnixMilli(), (6 * time.Hour).Milliseconds(), (24 * time.Hour).Milliseconds(), (30 * time.Minute).Milliseconds(), now.UnixMilli(), limit)
}

func (s *Store) oneRefund(ctx context.Context, where string, args ...any) (Refund, error) {
	refunds, err := s.queryRefunds(ctx, where, args...)
	if err != nil {
		return Refund{}, err
	}
	if len(refunds) == 0 {
		return Refund{}, ErrNotFound
	}
	return refunds[0], nil
}

func (s *Store) queryRefunds(ctx context.Context, where string, args ...any) ([]Refund, error) {
	rows, err := s.db.QueryContext(ctx, selectRefunds+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading refunds: %w", err)
	}
	defer rows.Close()
	var refunds []Refund
	for rows.Next() {
		r, err := scanRefund(rows)
		if err != nil {
			return nil, fmt.Errorf("reading a refund: %w", err)
		}
		refunds = append(refunds, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading refunds: %w", err)
	}
	return refunds, nil
}

func scanRefund(rows *sql.Rows) (Refund, error) {
	var r Refund
	var created, taken, queried, ended, updated int64
	err := rows.Scan(&r.ID, &r.OrderID, &r.Key, &r.Amount, &r.Reason, &r.NotifyURL, &created, &r.Status, &r.RefundID, &taken,
		&r.FromBalance, &r.Failure, &r.FailureText, &r.Stuck, &queried, &ended, &updated, &r.OutTradeNo, &r.TransactionID, &r.Total)
	r.CreatedAt, r.TakenAt, r.QueriedAt = fromMilli(created), fromMilli(taken), fromMilli(queried)
	r.EndedAt, r.UpdatedAt = fromMilli(ended), fromMilli(updated)
	return r, err
}
