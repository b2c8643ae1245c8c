package order

import (
	"context"
	"strings"
	"time"

	"h5pay/internal/api"
)

// Filter says which orders an operator looks for. What is zero filters nothing.
type Filter struct {
	Status     api.OrderStatus
	Number     string    // an order's ID, OutTradeNo or TransactionID, the whole of it
	From, To   time.Time // made at From or after it, and before To
	BeforeTime time.Time // after the order with this CreatedAt and ID in the list
	BeforeID   string
	Limit      int // at most; has to be set
}

// Search returns the orders that f lets through, newest first, whoever's they
// are.
func (s *Store) Search(ctx context.Context, f Filter) ([]Order, error) {
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if f.Status != "" {
		column := `status`
		if f.Number != "" {
			column = `+status` // keeps the planner from the index, which has a part of all orders under each status
		}
		add(column+` = ?`, string(f.Status))
	}
	if f.Number != "" {
		add(`(id = ? OR out_trade_no = ? OR transaction_id = ?)`, f.Number, f.Number, f.Number)
	}
	if !f.From.IsZero() {
		add(`created_at >= ?`, f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		add(`created_at < ?`, f.To.UnixMilli())
	}
	if f.BeforeID != "" {
		add(`(created_at, id) < (?, ?)`, f.BeforeTime.UnixMilli(), f.BeforeID)
	}
	clause := ``
	if len(where) > 0 {
		clause = `WHERE ` + strings.Join(where, ` AND `)
	}
	return s.query(ctx, clause+` ORDER BY created_at DESC, id DESC LIMIT ?`, append(args, f.Limit)...)
}

// ByID returns an order whoever's it is: for the operator.
func (s *Store) ByID(ctx context.Context, id string) (Order, error) {
	return s.one(ctx, `WHERE id = ?`, id)
}
