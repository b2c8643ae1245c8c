package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"h5pay/internal/fen"
)

// Taking has the payments and refunds of an hour.
type Taking struct {
	At       time.Time // when the hour begins
	Payments int
	Paid     fen.Fen
	Refunds  int
	Refunded fen.Fen
}

// Takings returns the hours between two times that have a payment or a refund, oldest first.
// to is excluded. It reads one row for each hour.
func (s *Store) Takings(ctx context.Context, from, to time.Time) ([]Taking, error) {
	const hour = int64(time.Hour / time.Millisecond)
	return readAll(ctx, s, "the takings", scanTaking, `
		SELECT hour, payments, paid, refunds, refunded FROM takings WHERE hour >= ? AND hour < ? ORDER BY hour`,
		from.UnixMilli()/hour, to.UnixMilli()/hour)
}

func scanTaking(rows *sql.Rows) (t Taking, err error) {
	var hour int64
	err = rows.Scan(&hour, &t.Payments, &t.Paid, &t.Refunds, &t.Refunded)
	t.At = time.UnixMilli(hour * int64(time.Hour/time.Millisecond)).UTC()
	return t, err
}

// MaxWaiting is the largest count of Waiting.
const MaxWaiting = 100

// Waiting counts the work that has not ended, MaxWaiting of each kind at most.
type Waiting struct {
	OpenOrders    int // that can be paid
	OpenRefunds   int // that have not ended; includes StuckRefunds and Abnormal
	StuckRefunds  int // that WeChat declined until the operator acts
	Abnormal      int // that have to be paid out at the merchant platform
	PendingEvents int // deliveries at endpoints that may get them (waitsAt)
	DeadEvents    int
}

// Waiting counts the work that has not ended, in one statement. unset is true if the settings have no
// endpoint. The limit is a number in its text:
// PostgreSQL plans a limit that is a parameter as a tenth of the rows, and would read all open orders.
func (s *Store) Waiting(ctx context.Context, unset bool) (w Waiting, err error) {
	most := strconv.Itoa(MaxWaiting)
	err = s.db.QueryRowContext(ctx, `SELECT
		(SELECT COUNT(*) FROM (SELECT 1 FROM orders INDEXED BY orders_by_status WHERE status = 'open' AND status <> 'paid' LIMIT `+most+`)),
		(SELECT COUNT(*) FROM (SELECT 1 FROM refunds INDEXED BY open_refunds WHERE status IN ('created', 'processing', 'abnormal') LIMIT `+most+`)),
		(SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE status = 'created' AND stuck = 1 LIMIT `+most+`)),
		(SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE status = 'abnormal' LIMIT `+most+`)),
		`+pendingAt(`?1`, most)+`,
		(SELECT COUNT(*) FROM (SELECT 1 FROM deliveries INDEXED BY failed_deliveries WHERE status = 'dead' AND attempts > 0 LIMIT `+most+`))`, flag(unset)).
		Scan(&w.OpenOrders, &w.OpenRefunds, &w.StuckRefunds, &w.Abnormal, &w.PendingEvents, &w.DeadEvents)
	if err != nil {
		return w, fmt.Errorf("counting the work that has not ended: %w", err)
	}
	return w, nil
}
