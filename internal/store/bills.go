package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// chunk is how many differences one statement stores.
const chunk = 500

// ClaimBill begins a run and reports whether it did. It does not begin one while another run
// of the day holds the lease. A run of the timer also waits until the time of the next try,
// and does not repeat a comparison that has a result.
func (s *Store) ClaimBill(ctx context.Context, run order.BillRun, lease time.Duration, now time.Time, timer bool) (bool, error) {
	where := `bill_checks.leased_until <= ?`
	args := []any{run.Date, run.ID, now.Add(lease).UnixMilli(), now.UnixMilli()}
	if timer {
		where += ` AND bill_checks.result IS NULL AND bill_checks.next_at <= ?`
		args = append(args, now.UnixMilli())
	}
	return s.run(ctx, "claiming the bill of "+run.Date, `
		INSERT INTO bill_checks (date, status, run, leased_until, next_at) VALUES (?, 'waiting', ?, ?, 0)
		ON CONFLICT (date) DO UPDATE SET run = excluded.run, leased_until = excluded.leased_until, compared = 0, rows_of_bill = 0 WHERE `+where, args...)
}

// ProgressBill stores how many rows of a bill a run has compared. It reports false if the run was
// stopped, or has lost the lease.
func (s *Store) ProgressBill(ctx context.Context, run order.BillRun, compared, of int) (bool, error) {
	return s.run(ctx, "storing the progress of the bill of "+run.Date, `
		UPDATE bill_checks SET compared = ?, rows_of_bill = ? WHERE date = ? AND run = ?`, compared, of, run.Date, run.ID)
}

// StopBill ends the run of a day that is under way, which stores no result any more. The timer
// tries again at next at the earliest. It reports false if no run is under way.
func (s *Store) StopBill(ctx context.Context, date string, now, next time.Time) (bool, error) {
	return s.run(ctx, "stopping the bill of "+date, `
		UPDATE bill_checks SET run = 'stopped', leased_until = 0, next_at = MAX(next_at, ?) WHERE date = ? AND leased_until > ?`,
		next.UnixMilli(), date, now.UnixMilli())
}

// PostponeBill ends a run without a comparison. An earlier result stays.
func (s *Store) PostponeBill(ctx context.Context, run order.BillRun, status string, next time.Time) error {
	_, err := s.run(ctx, "postponing the bill of "+run.Date, `
		UPDATE bill_checks SET status = IIF(result IS NULL, ?, status), next_at = ?, leased_until = 0 WHERE date = ? AND run = ?`,
		status, next.UnixMilli(), run.Date, run.ID)
	return err
}

// EndBill stores the result of a run. The differences and the sums count only after the UPDATE
// of bill_checks names the run. With c.FundsPending the next try is at next, and the funds of an
// earlier run stay. It reports whether the run still had the lease.
func (s *Store) EndBill(ctx context.Context, run order.BillRun, c api.BillCheck, now, next time.Time) (bool, error) {
	for n := 0; n < len(c.Differences); n += chunk {
		part, err := json.Marshal(c.Differences[n:min(n+chunk, len(c.Differences))])
		if err != nil {
			return false, fmt.Errorf("encoding the differences of %s: %w", run.Date, err)
		}
		if _, err := s.run(ctx, "storing the differences of "+run.Date, `
			INSERT INTO bill_differences (date, run, n, kind, out_trade_no, out_refund_no, ours, theirs)
			SELECT ?, ?, ? + CAST(key AS INTEGER), value ->> 'kind', value ->> 'out_trade_no', COALESCE(value ->> 'out_refund_no', ''),
				COALESCE(value ->> 'ours', ''), COALESCE(value ->> 'theirs', '')
			FROM json_each(?) WHERE EXISTS (SELECT 1 FROM bill_checks WHERE date = ? AND run = ?)`,
			run.Date, run.ID, n, string(part), run.Date, run.ID); err != nil {
			return false, err
		}
	}
	status := order.BillAgrees
	if len(c.Differences) > 0 {
		status = order.BillDiffers
	}
	ended, err := s.run(ctx, "ending the bill of "+run.Date, `
		UPDATE bill_checks SET status = ?1, payments = ?2, refunds = ?3, checked_at = ?4, result = run, leased_until = 0, next_at = ?5,
			income = ?6, refunded = ?7, fees = ?8, settlement = ?6 - ?7 - ?8, funds = IIF(?9 = 'pending' AND funds = 'read', 'read', ?9),
			funds_income = COALESCE(?10, funds_income), funds_refunded = COALESCE(?11, funds_refunded), funds_fees = COALESCE(?12, funds_fees),
			funds_settlement = COALESCE(?10 - ?11 - ?12, funds_settlement), funds_other = COALESCE(?13, funds_other), funds_balance = COALESCE(?14, funds_balance)
		WHERE date = ?15 AND run = ?16`, append(append([]any{status, c.Payments, c.Refunds, now.UnixMilli(), next.UnixMilli(),
		int64(c.Trade.Income), int64(c.Trade.Refunded), int64(c.Trade.Fees)}, fundsArgs(c)...), run.Date, run.ID)...)
	if err != nil || !ended {
		return false, err
	}
	_, err = s.run(ctx, "deleting earlier differences of "+run.Date, `
		DELETE FROM bill_differences WHERE date = ?1 AND run NOT IN (SELECT run FROM bill_checks WHERE date = ?1 UNION ALL SELECT result FROM bill_checks WHERE date = ?1)`, run.Date)
	return true, err
}

// fundsArgs returns the state of the fund-flow bill and its sums.
func fundsArgs(c api.BillCheck) []any {
	switch f := c.Funds; {
	case f != nil:
		return []any{"read", int64(f.Income), int64(f.Refunded), int64(f.Fees), int64(f.Other), int64(f.Balance)}
	case c.FundsPending:
		return []any{"pending", nil, nil, nil, nil, nil}
	}
	return []any{"none", nil, nil, nil, nil, nil}
}

// BillsKnown returns the days from first on that need no comparison now: they have a
// result, a run is under way, or the next try is later.
func (s *Store) BillsKnown(ctx context.Context, first string, now time.Time) (map[string]bool, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT date FROM bill_checks WHERE date >= ? AND (result IS NOT NULL OR next_at > ? OR leased_until > ?)`,
		first, now.UnixMilli(), now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("reading which bills were checked: %w", err)
	}
	defer rows.Close()
	known := map[string]bool{}
	for rows.Next() {
		var date string
		if err := rows.Scan(&date); err != nil {
			return nil, err
		}
		known[date] = true
	}
	return known, rows.Err()
}

// IncompleteBill returns a day whose bill should be compared again, "" if there is none. The
// bill may name the payer or the time of a payment that lacks it. The payment became known
// after the last comparison, or less than slack before it. Payments that became known before
// first do not count.
func (s *Store) IncompleteBill(ctx context.Context, first, now time.Time, slack time.Duration) (date string, err error) {
	// The payment was made between the day of created_at and the day of settled_at, both in
	// Beijing.
	err = s.db.QueryRowContext(ctx, `
		SELECT COALESCE(MIN(bill_checks.date), '') FROM payments JOIN bill_checks
		ON bill_checks.date BETWEEN strftime('%Y-%m-%d', created_at / 1000, 'unixepoch', '+8 hours') AND strftime('%Y-%m-%d', settled_at / 1000, 'unixepoch', '+8 hours')
		WHERE transaction_id IS NOT NULL AND (paid_at IS NULL OR payer IS NULL) AND settled_at >= ?1
		AND result IS NOT NULL AND checked_at < settled_at + ?2 AND next_at <= ?3 AND leased_until <= ?3`,
		first.UnixMilli(), slack.Milliseconds(), now.UnixMilli()).Scan(&date)
	if err != nil {
		return "", fmt.Errorf("looking for payments that lack their payer or time: %w", err)
	}
	return date, nil
}

// BillRow is a row of the table of bills: a difference of a day, or a day without one.
type BillRow struct {
	Check      api.BillCheck // without its differences
	N          int           // of the difference, -1 for none
	Difference api.BillDifference
}

// BillRows returns at most limit rows, newest day first, after the row of a day with the number
// n. "" begins with the newest day.
func (s *Store) BillRows(ctx context.Context, date string, n, limit int) ([]BillRow, error) {
	if date == "" {
		date = "9999"
	}
	return readAll(ctx, s, "rows of bills", func(rows *sql.Rows) (r BillRow, err error) {
		err = rows.Scan(&r.Check.Date, &r.Check.Status, &r.Check.Payments, &r.Check.Refunds, &r.Check.CheckedAt,
			&r.N, &r.Difference.Kind, &r.Difference.OutTradeNo, &r.Difference.OutRefundNo, &r.Difference.Ours, &r.Difference.Theirs)
		return r, err
	}, `
		SELECT bill_checks.date, status, payments, refunds, COALESCE(checked_at, 0), COALESCE(n, -1), COALESCE(kind, ''), COALESCE(out_trade_no, ''),
			COALESCE(out_refund_no, ''), COALESCE(ours, ''), COALESCE(theirs, '')
		FROM bill_checks LEFT JOIN bill_differences ON bill_differences.date = bill_checks.date AND bill_differences.run = result
		WHERE bill_checks.date <= ?1 AND (bill_checks.date < ?1 OR n > ?2) ORDER BY bill_checks.date DESC, n LIMIT ?3`, date, n, limit)
}

// PendingFunds returns the first day from first on whose fund-flow bill should be fetched again,
// "" if there is none.
func (s *Store) PendingFunds(ctx context.Context, first string, now time.Time) (date string, err error) {
	err = s.db.QueryRowContext(ctx, `
		SELECT COALESCE(MIN(date), '') FROM bill_checks WHERE date >= ?1 AND result IS NOT NULL AND funds = 'pending' AND next_at <= ?2 AND leased_until <= ?2`,
		first, now.UnixMilli()).Scan(&date)
	if err != nil {
		return "", fmt.Errorf("looking for fund-flow bills that are missing: %w", err)
	}
	return date, nil
}

// billColumns are read by scanBill.
const billColumns = `date, status, payments, refunds, COALESCE(checked_at, 0) AS checked_at, income, refunded, fees, funds,
	leased_until, compared, rows_of_bill, COALESCE(funds_income, 0) AS funds_income, COALESCE(funds_refunded, 0) AS funds_refunded, COALESCE(funds_fees, 0) AS funds_fees,
	COALESCE(funds_other, 0) AS funds_other, COALESCE(funds_balance, 0) AS funds_balance`

func scanBill(rows *sql.Rows) (c api.BillCheck, err error) {
	var state string
	var funds api.BillFunds
	err = rows.Scan(&c.Date, &c.Status, &c.Payments, &c.Refunds, &c.CheckedAt, &c.Trade.Income, &c.Trade.Refunded, &c.Trade.Fees, &state,
		&c.LeasedUntil, &c.Compared, &c.RowsOfBill, &funds.Income, &funds.Refunded, &funds.Fees, &funds.Other, &funds.Balance)
	switch state {
	case "read":
		c.Funds = &funds
	case "pending":
		c.FundsPending = true
	}
	return c, err
}

// Settlements returns at most limit days with a result, without their differences, oldest
// first: from a day on, before another one ("" for no end), and after that of the previous page.
func (s *Store) Settlements(ctx context.Context, from, before, after string, limit int) ([]api.BillCheck, error) {
	return readAll(ctx, s, "the settlements", scanBill, `SELECT `+billColumns+` FROM bill_checks
		WHERE result IS NOT NULL AND date >= ?1 AND (?2 = '' OR date < ?2) AND date > ?3 ORDER BY date LIMIT ?4`, from, before, after, limit)
}

// BillChecks returns at most limit comparisons, newest day first, each with at most
// maxDifferences differences. An empty date selects all days.
func (s *Store) BillChecks(ctx context.Context, date string, limit, maxDifferences int) ([]api.BillCheck, error) {
	checks, err := readAll(ctx, s, "bill checks", scanBill, `
		SELECT `+billColumns+` FROM bill_checks WHERE ? IN ('', date) ORDER BY date DESC LIMIT ?`, date, limit)
	if err != nil || len(checks) == 0 {
		return checks, err
	}
	at := map[string]int{}
	for i, c := range checks {
		at[c.Date] = i
	}
	found, err := s.db.QueryContext(ctx, `
		SELECT bill_differences.date, kind, out_trade_no, out_refund_no, ours, theirs
		FROM bill_differences JOIN bill_checks ON bill_checks.date = bill_differences.date AND result = bill_differences.run
		WHERE bill_differences.date BETWEEN ? AND ? AND n < ? ORDER BY bill_differences.date, n`,
		checks[len(checks)-1].Date, checks[0].Date, maxDifferences)
	if err != nil {
		return nil, fmt.Errorf("reading bill differences: %w", err)
	}
	defer found.Close()
	for found.Next() {
		var day string
		var d api.BillDifference
		if err := found.Scan(&day, &d.Kind, &d.OutTradeNo, &d.OutRefundNo, &d.Ours, &d.Theirs); err != nil {
			return nil, fmt.Errorf("reading a bill difference: %w", err)
		}
		if i, ok := at[day]; ok {
			checks[i].Differences = append(checks[i].Differences, d)
		}
	}
	return checks, found.Err()
}
