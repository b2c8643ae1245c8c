package payment

import (
	"context"
	"errors"
	"slices"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// comparison compares one day's bill with the shop's books, in both directions.
type comparison struct {
	s   *Service
	run order.BillRun
	// The period, by the shop's clock, whose payments must be in this bill or in one that was
	// compared before. It ends a little before midnight: WeChat may have the last payments in the
	// next bill, with which they are compared.
	from, to time.Time
	check    api.BillCheck

	seen     map[string]bool // numbers that are in the bill: of payments, and of refunds after a slash
	repaired int
	// Payers and times in the bill that the shop's books may lack.
	known []order.KnownPayment
	// Numbers in this bill whose time, by the shop's clock, belongs to another bill.
	otherPayments, otherRefunds []string
}

// errBillStopped is returned when a call has stopped the comparison.
var errBillStopped = errors.New("the comparison was stopped")

// compare fills in c.check. Between the pages of a large bill it stores its progress, and ends with
// errBillStopped if it was stopped.
func (c *comparison) compare(ctx context.Context, bill wechat.Bill) error {
	c.seen = make(map[string]bool, len(bill.Rows))
	compared := 0
	for rows := range slices.Chunk(bill.Rows, billPage) {
		if len(bill.Rows) > billPage {
			ours, err := c.s.cfg.Store.ProgressBill(ctx, c.run, compared, len(bill.Rows))
			if err != nil {
				return err
			}
			if !ours {
				return errBillStopped
			}
		}
		if err := c.theirs(ctx, rows); err != nil {
			return err
		}
		compared += len(rows)
	}
	// This must precede reading the shop's books and storing the result. A repeated run marks the
	// same rows again, which changes nothing.
	if err := c.s.cfg.Store.CompletePayments(ctx, c.known); err != nil {
		return err
	}
	if err := c.s.cfg.Store.MarkBilled(ctx, c.run.Date, c.otherPayments, c.otherRefunds); err != nil {
		return err
	}
	return c.ours(ctx)
}

// theirs compares rows of the bill with the shop's books.
func (c *comparison) theirs(ctx context.Context, rows []wechat.BillRow) error {
	payments, refunds, err := c.find(ctx, rows)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, known := payments[row.OutTradeNo]; !known && row.AppID != c.s.cfg.AppID {
			continue // the merchant has other shops, under other accounts
		}
		var err error
		if row.OutRefundNo == "" {
			err = c.payment(ctx, row, payments[row.OutTradeNo])
		} else {
			err = c.refund(ctx, row, refunds[row.OutRefundNo])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// find reads the payments and refunds of rows from the shop's books.
func (c *comparison) find(ctx context.Context, rows []wechat.BillRow) (payments, refunds map[string]order.Entry, err error) {
	var outTradeNos, outRefundNos []string
	for _, row := range rows {
		outTradeNos = append(outTradeNos, row.OutTradeNo)
		if row.OutRefundNo != "" {
			outRefundNos = append(outRefundNos, row.OutRefundNo)
		}
	}
	if payments, err = c.s.cfg.Store.PaymentEntries(ctx, outTradeNos); err != nil {
		return nil, nil, err
	}
	refunds, err = c.s.cfg.Store.RefundEntries(ctx, outRefundNos)
	return payments, refunds, err
}

// payment compares a payment of the bill with the shop's, which is the zero Entry if there is none.
func (c *comparison) payment(ctx context.Context, row wechat.BillRow, e order.Entry) error {
	c.check.Payments++
	theirs := row.Total.String() + " " + string(row.State)
	if c.twice(row.OutTradeNo) {
		c.differ("twice", row, "", theirs)
		return nil
	}
	if e.Number == "" {
		// The payment is not paid in the shop, or does not exist.
		c.differ("missing_here", row, e.Status, theirs)
		if e.OutTradeNo == "" {
			return nil
		}
		if err := c.repair(ctx, row); err != nil {
			return err
		}
		c.complete(row) // WeChat may have confirmed the payment without payer and time
		c.otherDay(row, e)
		return nil
	}
	switch {
	case row.State != wechat.StateSuccess:
		c.differ("status", row, e.Status, theirs)
	case row.Total != e.Amount:
		c.differ("amount", row, e.Amount.String(), row.Total.String())
	case row.TransactionID != e.Number:
		c.differ("number", row, e.Number, row.TransactionID)
	case e.Incomplete:
		c.complete(row)
	}
	c.otherDay(row, e)
	return nil
}

// complete notes the payer and the time of a payment from the bill. They change no amount and no
// status, so an unsigned bill suffices.
func (c *comparison) complete(row wechat.BillRow) {
	c.known = append(c.known, order.KnownPayment{
		OutTradeNo: row.OutTradeNo, TransactionID: row.TransactionID, PaidAt: row.Time.UnixMilli(), Payer: row.OpenID,
	})
}

// refund is payment for a refund.
func (c *comparison) refund(ctx context.Context, row wechat.BillRow, e order.Entry) error {
	c.check.Refunds++
	theirs := row.Refund.String() + " " + string(row.RefundState)
	if c.twice("/" + row.OutRefundNo) {
		c.differ("twice", row, "", theirs)
		return nil
	}
	status, ok := refundStatus(row.RefundState)
	// The bill is from this morning: the shop's refund may have a later status.
	behind := func() bool {
		return ok && e.Status != string(status) && !order.RefundCanBecome(status, api.RefundStatus(e.Status))
	}
	was := e
	if e.Number == "" || behind() {
		if err := c.repair(ctx, row); err != nil {
			return err
		}
		found, err := c.s.cfg.Store.RefundEntries(ctx, []string{row.OutRefundNo})
		if err != nil {
			return err
		}
		e = found[row.OutRefundNo]
	}
	switch {
	case was.OutRefundNo == "":
		c.differ("missing_here", row, "", theirs) // even if the shop has it now
	case e.OutTradeNo != row.OutTradeNo:
		c.differ("number", row, e.OutTradeNo, row.OutTradeNo)
	case row.Refund != e.Amount:
		c.differ("amount", row, e.Amount.String(), row.Refund.String())
	case e.Number == "" || !ok || behind():
		c.differ("status", row, e.Status, theirs)
	case row.RefundID != e.Number:
		c.differ("number", row, e.Number, row.RefundID)
	}
	c.otherDay(row, e)
	return nil
}

// twice notes that a number is in the bill and reports whether it was before.
func (c *comparison) twice(number string) bool {
	before := c.seen[number]
	c.seen[number] = true
	return before
}

// differ notes a difference.
func (c *comparison) differ(kind string, row wechat.BillRow, ours, theirs string) {
	c.check.Differences = append(c.check.Differences, api.BillDifference{
		Kind: kind, OutTradeNo: row.OutTradeNo, OutRefundNo: row.OutRefundNo, Ours: ours, Theirs: theirs,
	})
}

// repair queries WeChat about a row that differs, because a bill is not signed, and settles the
// response. One run makes a few of these queries. The timer or the next run makes the others.
func (c *comparison) repair(ctx context.Context, row wechat.BillRow) error {
	if c.repaired == maxRepaired {
		return nil
	}
	p, err := c.s.cfg.Store.Payment(ctx, row.OutTradeNo)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c.repaired++
	err = c.s.syncNamed(ctx, p, row.OutRefundNo, sourceBill)
	var e *wechat.Error
	var mismatch Mismatch
	if errors.As(err, &e) || errors.As(err, &mismatch) {
		c.s.logger(ctx).Warn("querying WeChat about a difference failed", "source", sourceBill, "out_trade_no", p.OutTradeNo, "error", err)
		return nil
	}
	return err
}

// otherDay notes a row whose time, by the shop's clock, belongs to another bill, so that it does
// not count as missing there.
func (c *comparison) otherDay(row wechat.BillRow, e order.Entry) {
	if !e.At.IsZero() && !e.At.Before(c.from) && e.At.Before(c.to) {
		return
	}
	if row.OutRefundNo == "" {
		c.otherPayments = append(c.otherPayments, row.OutTradeNo)
	} else {
		c.otherRefunds = append(c.otherRefunds, row.OutRefundNo)
	}
}

// ours checks that the bill has the payments and refunds of the day in the shop's books.
func (c *comparison) ours(ctx context.Context) error {
	for _, read := range []func(context.Context, time.Time, time.Time, string, order.Entry, int) ([]order.Entry, error){
		c.s.cfg.Store.PaymentsBetween, c.s.cfg.Store.RefundsBetween,
	} {
		var last order.Entry
		for {
			page, err := read(ctx, c.from, c.to, c.run.Date, last, billPage)
			if err != nil {
				return err
			}
			for _, e := range page {
				number := e.OutTradeNo
				if e.OutRefundNo != "" {
					number = "/" + e.OutRefundNo
				}
				if !c.seen[number] {
					c.check.Differences = append(c.check.Differences, api.BillDifference{
						Kind: "missing_there", OutTradeNo: e.OutTradeNo, OutRefundNo: e.OutRefundNo, Ours: e.Amount.String() + " " + e.Status,
					})
				}
			}
			if len(page) < billPage {
				break
			}
			last = page[len(page)-1]
		}
	}
	return nil
}
