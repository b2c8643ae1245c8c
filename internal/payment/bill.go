package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/order"
	"h5pay/wechat"
)

// The check of a day's bill.
const (
	billTimeout = 30 * time.Second
	billLease   = 10 * time.Minute // of one run; much longer than a run
	billLater   = 10 * time.Minute // until the next try, if WeChat has no bill yet; later half of its delay
	billFailed  = time.Hour        // until the next try, if a bill cannot be downloaded or read; later half of its delay
	billSeldom  = 12 * time.Hour   // at most
	billHour    = 10               // of the next day in Beijing: from then on there is a bill

	// billSlack is the largest difference between the shop's clock and WeChat's. A payment that is
	// so close to midnight may be in the bill of either day.
	billSlack = 10 * time.Minute

	// billPage is the number of rows that one statement compares.
	billPage = 2000
	// maxRepaired is the largest number of a bill's differences about which one run queries WeChat.
	maxRepaired = 5
)

// CheckBills compares one bill of the last days with the shop's books: the oldest that was not
// compared yet. If there is none, it compares a bill again that may have the missing payer or time
// of a payment, or whose fund-flow bill is missing. A timer calls it every ten minutes. It does nothing until WeChat has a bill, at ten
// in the morning. It may be stopped anywhere: only a finished run counts, and a later call begins
// the day again.
func (s *Service) CheckBills(ctx context.Context) error {
	day, err := s.dueBill(ctx)
	first := err == nil && !day.IsZero()
	if err == nil && !first {
		day, err = s.incompleteBill(ctx)
	}
	if err == nil && day.IsZero() {
		day, err = s.pendingFunds(ctx)
	}
	if err != nil || day.IsZero() {
		return err
	}
	_, err = s.checkBill(ctx, day, first)
	if errors.Is(err, errBillUnderWay) || errors.Is(err, errBillStopped) {
		return nil
	}
	return err
}

// dueBill returns the first of the last days whose bill must be compared, the zero time if there is
// none.
func (s *Service) dueBill(ctx context.Context) (time.Time, error) {
	last := s.lastBill()
	first := last.AddDate(0, 0, 1-order.BillDays)
	known, err := s.cfg.Store.BillsKnown(ctx, first.Format(time.DateOnly), s.now())
	if err != nil {
		return time.Time{}, err
	}
	if len(known) == order.BillDays {
		return time.Time{}, nil
	}
	began, err := s.cfg.Store.FirstOrder(ctx)
	if err != nil || began.IsZero() {
		return time.Time{}, err
	}
	if day := cst.Day(began); day.After(first) {
		first = day
	}
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		if !known[day.Format(time.DateOnly)] {
			return day, nil
		}
	}
	return time.Time{}, nil
}

// incompleteBill returns a day whose bill must be compared again, the zero time if there is none.
func (s *Service) incompleteBill(ctx context.Context) (time.Time, error) {
	now := s.now()
	found, err := s.cfg.Store.IncompleteBill(ctx, now.AddDate(0, 0, -order.BillDays), now, billLease)
	if err != nil || found == "" {
		return time.Time{}, err
	}
	return cst.ParseDay(found)
}

// pendingFunds returns a day whose fund-flow bill must be fetched again, the zero time if there is
// none.
func (s *Service) pendingFunds(ctx context.Context) (time.Time, error) {
	found, err := s.cfg.Store.PendingFunds(ctx, s.lastBill().AddDate(0, 0, 1-order.BillDays).Format(time.DateOnly), s.now())
	if err != nil || found == "" {
		return time.Time{}, err
	}
	return cst.ParseDay(found)
}

// lastBill returns the last day that has a bill.
func (s *Service) lastBill() time.Time {
	return cst.Day(s.now().Add(-billHour*time.Hour)).AddDate(0, 0, -1)
}

// errBillUnderWay is returned when another call compares the bill of that day.
var errBillUnderWay = errors.New("a check of that day is running")

// checkBill compares the bill of a day with the shop's books and stores the differences.
func (s *Service) checkBill(ctx context.Context, day time.Time, timer bool) (api.BillCheck, error) {
	id, err := order.NewID(s.rand)
	if err != nil {
		return api.BillCheck{}, err
	}
	run := order.BillRun{Date: day.Format(time.DateOnly), ID: id}
	claimed, err := s.cfg.Store.ClaimBill(ctx, run, billLease, s.now(), timer)
	switch {
	case err != nil:
		return api.BillCheck{}, err
	case !claimed:
		return api.BillCheck{}, errBillUnderWay
	}
	log := s.logger(ctx).With("source", sourceBill, "date", run.Date)
	callCtx, cancel := context.WithTimeout(ctx, billTimeout)
	defer cancel()
	bill, err := s.downloadBill(callCtx, day)
	if err != nil {
		status, wait := order.BillFailed, billFailed
		var e *wechat.Error
		if errors.As(err, &e) && e.Kind == wechat.Retry {
			status, wait = order.BillWaiting, billLater
			log.Warn("no bill yet", "error", err)
		} else {
			log.Error("the bill cannot be downloaded or read", "error", err)
		}
		return api.BillCheck{Date: run.Date, Status: status}, s.cfg.Store.PostponeBill(ctx, run, status, s.nextTry(day, wait))
	}
	c := comparison{s: s, run: run, from: day, to: day.AddDate(0, 0, 1).Add(-billSlack)}
	if before, err := s.cfg.Store.BillChecks(ctx, day.AddDate(0, 0, -1).Format(time.DateOnly), 1, 0); err != nil {
		return api.BillCheck{}, err
	} else if len(before) == 1 && before[0].CheckedAt != 0 {
		c.from = day.Add(-billSlack) // the previous day's bill was compared
	}
	if err := c.compare(ctx, bill); err != nil {
		return api.BillCheck{}, fmt.Errorf("comparing the bill of %s: %w", run.Date, err)
	}
	c.check.Trade = tradeMoney(bill)
	next := s.now()
	if c.check.Funds, err = s.downloadFunds(ctx, day); err != nil {
		log.Warn("no fund-flow bill yet", "error", err)
		c.check.FundsPending, next = true, s.nextTry(day, billFailed)
	}
	now := s.now()
	ended, err := s.cfg.Store.EndBill(ctx, run, c.check, now, next)
	if err != nil {
		return api.BillCheck{}, err
	}
	if !ended {
		return api.BillCheck{}, errBillStopped
	}
	check := c.check
	if check.FundsPending { // an earlier run may have read it
		stored, err := s.cfg.Store.BillChecks(ctx, run.Date, 1, 0)
		if err != nil || len(stored) == 0 {
			return api.BillCheck{}, err
		}
		check.Funds, check.FundsPending = stored[0].Funds, stored[0].FundsPending
	}
	if f := check.Funds; f != nil && f.Settlement() != check.Trade.Settlement() {
		log.Warn("the fund-flow bill has another settlement", "trade", check.Trade.Settlement().String(), "funds", f.Settlement().String())
	}
	check.Date, check.CheckedAt, check.Status = run.Date, now.UnixMilli(), order.BillAgrees
	for _, d := range check.Differences {
		check.Status = order.BillDiffers
		log.Error("the bill differs", "kind", d.Kind, "out_trade_no", d.OutTradeNo, "refund", d.OutRefundNo, "ours", d.Ours, "theirs", d.Theirs)
	}
	log.Info("bill checked", "status", check.Status, "payments", check.Payments, "refunds", check.Refunds, "differences", len(check.Differences))
	return check, nil
}

// downloadBill fetches a bill with the version of new payments. A bill has the payments
// of the merchant in all versions.
func (s *Service) downloadBill(ctx context.Context, day time.Time) (wechat.Bill, error) {
	pay, err := s.cfg.WeChat.For(s.cfg.WeChat.Version())
	if err != nil {
		return wechat.Bill{}, err
	}
	return pay.DownloadBill(ctx, day)
}

// nextTry returns when a bill of a day is fetched again: after wait, or after half of its delay.
func (s *Service) nextTry(day time.Time, wait time.Duration) time.Time {
	now := s.now()
	delay := now.Sub(day.AddDate(0, 0, 1).Add(billHour * time.Hour))
	return now.Add(min(max(wait, delay/2), billSeldom))
}

// tradeMoney returns what a trade bill comes to. A refund that WeChat closed moved no money.
func tradeMoney(bill wechat.Bill) api.BillMoney {
	m, fee := api.BillMoney{Income: bill.Settled, Refunded: bill.SettledBack}, bill.Fee
	for _, row := range bill.Rows {
		if row.OutRefundNo != "" && row.RefundState == wechat.RefundClosed {
			m.Refunded -= row.SettledBack
			fee -= row.Fee
		}
	}
	m.Fees = fee.Fen()
	return m
}

// downloadFunds fetches the fund-flow bill of a day. It returns nil if the version of new payments
// does not offer one.
func (s *Service) downloadFunds(ctx context.Context, day time.Time) (*api.BillFunds, error) {
	pay, err := s.cfg.WeChat.For(s.cfg.WeChat.Version())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, billTimeout)
	defer cancel()
	var flow wechat.FundFlow
	file, err := pay.FundFlowBill(ctx, day)
	if err == nil {
		flow, err = wechat.ReadFundFlow(file)
		file.Close()
	}
	var e *wechat.Error
	switch {
	case err == nil:
	case errors.As(err, &e) && e.Code == wechat.CodeNotOffered:
		return nil, nil
	case errors.As(err, &e) && e.Code == wechat.CodeNoBill: // nothing moved
	default:
		return nil, err
	}
	return &api.BillFunds{
		BillMoney: api.BillMoney{Income: flow.Payments, Refunded: flow.Refunds, Fees: flow.Fees}, Other: flow.Other, Balance: flow.Balance,
	}, nil
}

// CheckBill compares the bill of a day now, even if it was compared before.
func (s *Service) CheckBill(ctx context.Context, date string) (api.BillCheck, error) {
	day, err := cst.ParseDay(date)
	switch {
	case err != nil:
		return api.BillCheck{}, &api.Error{Code: api.CodeBadRequest, Field: "date", Message: "date: " + err.Error()}
	case !day.Before(cst.Day(s.now())):
		return api.BillCheck{}, &api.Error{Code: api.CodeBadRequest, Field: "date", Message: "the day is not over"}
	case day.AddDate(0, billMonths, 0).Before(cst.Day(s.now())):
		return api.BillCheck{}, &api.Error{Code: api.CodeBadRequest, Field: "date", Message: "WeChat keeps bills for three months"}
	}
	check, err := s.checkBill(ctx, day, false)
	switch {
	case errors.Is(err, errBillUnderWay):
		return api.BillCheck{}, reject(api.CodeRateLimited, errBillUnderWay.Error())
	case errors.Is(err, errBillStopped):
		return api.BillCheck{}, reject(api.CodeConflict, errBillStopped.Error())
	}
	return check, err
}

// StopBill stops the comparison of a day that is under way, whoever began it. An earlier result
// stays. The timer compares a day again later if its result or its fund-flow bill is missing.
func (s *Service) StopBill(ctx context.Context, date string) error {
	now := s.now()
	stopped, err := s.cfg.Store.StopBill(ctx, date, now, now.Add(billFailed))
	if err == nil && stopped {
		s.logger(ctx).Warn("the comparison of a bill was stopped", "source", sourceBill, "date", date)
	}
	return err
}

const (
	billMonths = 3 // for which WeChat keeps bills
)
