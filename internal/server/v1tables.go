package server

import (
	"context"
	"strconv"
	"strings"
	"time"

	"h5pay/internal/cst"
	"h5pay/internal/sheet"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// tableRows is the most rows of one call. It bounds the work of the call.
const tableRows = 500

var (
	refundsHead = []string{"id", "refund_id", "order_id", "out_trade_no", "transaction_id", "amount", "status", "reason", "created_at", "accepted_at", "ended_at", "failure", "duplicate"}
	// Without the fund-flow bill the last seven cells are empty.
	settlementsHead = []string{"date", "payments", "refunds", "income", "refunded", "fees", "settlement",
		"funds_income", "funds_refunded", "funds_fees", "funds_settlement", "funds_difference", "funds_other", "funds_balance"}
	billsHead = []string{"date", "status", "payments", "refunds", "checked_at", "difference", "out_trade_no", "out_refund_no", "ours", "theirs"}
)

// tableOrders returns orders as a table, newest first.
func (b backend) tableOrders(ctx context.Context, c *v1Call) (any, error) {
	q := c.query.(v1.TableQuery)
	f := store.WindowFilter{Limit: tableRows}
	f.From, f.To = tableTimes(q)
	if q.Cursor != "" {
		var err error
		if f.BeforeTime, f.BeforeID, err = decodeCursor(q.Cursor); err != nil {
			return nil, wrongField("cursor", "want the cursor of a previous response of this table")
		}
	}
	orders, next, err := b.cfg.Store.SearchWindow(ctx, f)
	if err != nil {
		return nil, err
	}
	t := v1.Table{N: len(orders)}
	if next != nil {
		t.Next = encodeCursor(next.BeforeTime, next.BeforeID)
	}
	t.Rows, err = ordersTable(orders)
	return t, err
}

// tableTimes returns the times of a query. Without To there is no end.
func tableTimes(q v1.TableQuery) (from, to time.Time) {
	if q.From > 0 {
		from = time.UnixMilli(q.From)
	}
	if q.To > 0 {
		to = time.UnixMilli(q.To)
	}
	return from, to
}

// tableRefunds returns the refunds that WeChat has accepted as a table, oldest first.
func (b backend) tableRefunds(ctx context.Context, c *v1Call) (any, error) {
	q := c.query.(v1.TableQuery)
	from, to := tableTimes(q)
	var after time.Time
	var afterID string
	if q.Cursor != "" {
		var err error
		if after, afterID, err = decodeCursor(q.Cursor); err != nil {
			return nil, wrongField("cursor", "want the cursor of a previous response of this table")
		}
	}
	refunds, err := b.cfg.Store.RefundsAcceptedBetween(ctx, from, to, after, afterID, tableRows)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, r := range refunds {
		rows = append(rows, []string{r.ID, r.RefundID, r.OrderID, r.OutTradeNo, r.TransactionID, r.Amount.String(), string(r.Status), r.Reason,
			cellTime(r.CreatedAt), cellTime(r.AcceptedAt), cellTime(r.EndedAt), r.Failure, strconv.FormatBool(r.Duplicate)})
	}
	t := v1.Table{N: len(rows)}
	if len(rows) == tableRows {
		last := refunds[len(refunds)-1]
		t.Next = encodeCursor(last.AcceptedAt, last.ID)
	}
	t.Rows, err = sheet.Table(refundsHead, rows)
	return t, err
}

// tableSettlements returns a row of fees and settlement for each compared day, oldest first. A day
// counts by its midnight in Beijing.
func (b backend) tableSettlements(ctx context.Context, c *v1Call) (any, error) {
	q := c.query.(v1.TableQuery)
	from, before := dayFrom(q.From), dayFrom(q.To)
	if q.Cursor != "" {
		if _, err := cst.ParseDay(q.Cursor); err != nil {
			return nil, wrongField("cursor", "want the cursor of a previous response of this table")
		}
	}
	days, err := b.cfg.Store.Settlements(ctx, from, before, q.Cursor, tableRows)
	if err != nil {
		return nil, err
	}
	rows := make([][]string, len(days))
	for i, day := range days {
		bill := publicBill(day)
		rows[i] = append([]string{bill.Date, strconv.Itoa(bill.Payments), strconv.Itoa(bill.Refunds)}, moneyCells(*bill.Trade)...)
		if f := bill.Funds; f != nil {
			rows[i] = append(append(rows[i], moneyCells(f.BillMoney)...), bill.FundsDifference.String(), f.Other.String(), f.Balance.String())
		} else {
			rows[i] = append(rows[i], make([]string, 7)...)
		}
	}
	t := v1.Table{N: len(rows)}
	if len(rows) == tableRows {
		t.Next = days[len(days)-1].Date
	}
	t.Rows, err = sheet.Table(settlementsHead, rows)
	return t, err
}

// dayFrom returns the first day that begins at or after a time in Unix ms, "" for 0.
func dayFrom(ms int64) string {
	if ms == 0 {
		return ""
	}
	t := time.UnixMilli(ms)
	day := cst.Day(t)
	if day.Before(t) {
		day = day.AddDate(0, 0, 1)
	}
	return day.Format(time.DateOnly)
}

func moneyCells(m v1.BillMoney) []string {
	return []string{m.Income.String(), m.Refunded.String(), m.Fees.String(), m.Settlement.String()}
}

// tableBills returns the compared days as a table, newest first, with a row for each difference.
func (b backend) tableBills(ctx context.Context, c *v1Call) (any, error) {
	date, after := "", -1
	if cursor := c.query.(v1.TableQuery).Cursor; cursor != "" {
		day, n, _ := strings.Cut(cursor, ".")
		_, err := cst.ParseDay(day)
		if err == nil {
			after, err = strconv.Atoi(n)
		}
		if err != nil {
			return nil, wrongField("cursor", "want the cursor of a previous response of this table")
		}
		date = day
	}
	found, err := b.cfg.Store.BillRows(ctx, date, after, tableRows)
	if err != nil {
		return nil, err
	}
	rows := make([][]string, len(found))
	for i, r := range found {
		checked := ""
		if r.Check.CheckedAt > 0 {
			checked = cellTime(time.UnixMilli(r.Check.CheckedAt))
		}
		d := r.Difference
		rows[i] = []string{r.Check.Date, r.Check.Status, strconv.Itoa(r.Check.Payments), strconv.Itoa(r.Check.Refunds), checked, d.Kind, d.OutTradeNo, d.OutRefundNo, d.Ours, d.Theirs}
	}
	t := v1.Table{N: len(rows)}
	if len(rows) == tableRows {
		last := found[len(found)-1]
		t.Next = last.Check.Date + "." + strconv.Itoa(last.N)
	}
	t.Rows, err = sheet.Table(billsHead, rows)
	return t, err
}
