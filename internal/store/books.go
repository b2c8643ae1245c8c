package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"h5pay/internal/order"
)

const (
	selectPaymentEntries = `SELECT out_trade_no, '' AS out_refund_no, COALESCE(transaction_id, '') AS number, total AS amount, status, COALESCE(paid_at, settled_at, 0) AS at,
		transaction_id IS NOT NULL AND (paid_at IS NULL OR payer IS NULL) AS incomplete
		FROM payments `
	selectRefundEntries = `SELECT out_trade_no, id AS out_refund_no, COALESCE(refund_id, '') AS number, amount, status, COALESCE(accepted_at, 0) AS at, 0 AS incomplete
		FROM refunds `
)

// PaymentEntries returns the payments with these numbers, paid or not, by out_trade_no.
func (s *Store) PaymentEntries(ctx context.Context, outTradeNos []string) (map[string]order.Entry, error) {
	return s.entries(ctx, selectPaymentEntries+`WHERE out_trade_no IN (SELECT value FROM json_each(?))`, outTradeNos)
}

// RefundEntries returns the refunds with these numbers, accepted by WeChat or not, by
// out_refund_no.
func (s *Store) RefundEntries(ctx context.Context, outRefundNos []string) (map[string]order.Entry, error) {
	return s.entries(ctx, selectRefundEntries+`WHERE id IN (SELECT value FROM json_each(?))`, outRefundNos)
}

func (s *Store) entries(ctx context.Context, query string, numbers []string) (map[string]order.Entry, error) {
	entries := map[string]order.Entry{}
	if len(numbers) == 0 {
		return entries, nil
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, err
	}
	all, err := s.queryEntries(ctx, query, string(list))
	for _, e := range all {
		number := e.OutTradeNo
		if e.OutRefundNo != "" {
			number = e.OutRefundNo
		}
		entries[number] = e
	}
	return entries, err
}

// PaymentsBetween returns at most limit payments between from and to that belong to the bill
// of date, because no other bill has them. A payment without paid_at counts at the time when
// it became known. after is the last entry of the previous page.
func (s *Store) PaymentsBetween(ctx context.Context, from, to time.Time, date string, after order.Entry, limit int) ([]order.Entry, error) {
	return s.queryEntries(ctx, selectPaymentEntries+`
		WHERE transaction_id IS NOT NULL AND COALESCE(paid_at, settled_at) >= ? AND COALESCE(paid_at, settled_at) < ?
		AND COALESCE(billed, ?) = ? AND (COALESCE(paid_at, settled_at), out_trade_no) > (?, ?)
		ORDER BY COALESCE(paid_at, settled_at), out_trade_no LIMIT ?`,
		from.UnixMilli(), to.UnixMilli(), date, date, pageStart(after, from), after.OutTradeNo, limit)
}

// RefundsBetween is PaymentsBetween for refunds. It leaves out refunds that were not
// made here: it is not known when WeChat accepted them.
func (s *Store) RefundsBetween(ctx context.Context, from, to time.Time, date string, after order.Entry, limit int) ([]order.Entry, error) {
	return s.queryEntries(ctx, selectRefundEntries+`
		WHERE accepted_at IS NOT NULL AND accepted_at >= ? AND accepted_at < ? AND COALESCE(billed, ?) = ? AND refund_key IS NOT NULL
		AND (accepted_at, id) > (?, ?)
		ORDER BY accepted_at, id LIMIT ?`,
		from.UnixMilli(), to.UnixMilli(), date, date, pageStart(after, from), after.OutRefundNo, limit)
}

// MarkBilled stores date as the day of the bill for payments and refunds whose own times are
// of another day.
func (s *Store) MarkBilled(ctx context.Context, date string, outTradeNos, outRefundNos []string) error {
	for _, part := range []struct {
		numbers []string
		query   string
	}{
		{outTradeNos, `UPDATE payments SET billed = ? WHERE billed IS NULL AND out_trade_no IN (SELECT value FROM json_each(?))`},
		{outRefundNos, `UPDATE refunds SET billed = ? WHERE billed IS NULL AND id IN (SELECT value FROM json_each(?))`},
	} {
		if len(part.numbers) == 0 {
			continue
		}
		list, err := json.Marshal(part.numbers)
		if err != nil {
			return err
		}
		if _, err := s.run(ctx, "marking the entries of the bill of "+date, part.query, date, string(list)); err != nil {
			return err
		}
	}
	return nil
}

// CompletePayments stores the payer and the time of payments that lack them. It changes only
// payments that these transactions paid, and replaces no value.
func (s *Store) CompletePayments(ctx context.Context, payments []order.KnownPayment) error {
	if len(payments) == 0 {
		return nil
	}
	list, err := json.Marshal(payments)
	if err != nil {
		return err
	}
	_, err = s.run(ctx, "completing payments", `
		UPDATE payments SET paid_at = COALESCE(payments.paid_at, NULLIF(known.paid_at, 0)), payer = COALESCE(payments.payer, IIF(`+erased+`, '', NULLIF(known.payer, '')))
		FROM (SELECT value ->> 'out_trade_no' AS number, value ->> 'transaction_id' AS transaction_id, CAST(value ->> 'paid_at' AS INTEGER) AS paid_at,
			value ->> 'payer' AS payer FROM json_each(?)) AS known
		WHERE out_trade_no = known.number AND payments.transaction_id = known.transaction_id AND (payments.paid_at IS NULL OR payments.payer IS NULL)`,
		string(list))
	return err
}

func (s *Store) queryEntries(ctx context.Context, query string, args ...any) ([]order.Entry, error) {
	return readAll(ctx, s, "the books", scanEntry, query, args...)
}

func scanEntry(rows *sql.Rows) (e order.Entry, err error) {
	var at int64
	err = rows.Scan(&e.OutTradeNo, &e.OutRefundNo, &e.Number, &e.Amount, &e.Status, &at, &e.Incomplete)
	e.At = fromMilli(at)
	return e, err
}

// pageStart returns the time of the last entry of the previous page in Unix ms, or a time
// before from without one.
func pageStart(after order.Entry, from time.Time) int64 {
	if after.At.IsZero() {
		return from.UnixMilli() - 1
	}
	return after.At.UnixMilli()
}
