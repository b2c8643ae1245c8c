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
// of a payment. A timer calls it every ten minutes. It does nothing until WeChat has a bill, at ten
// in the morning. It may be stopped anywhere: only a finished run counts, and a later call begins
// the day again.
func (s *Service) CheckBills(ctx context.Context) error {
	day, err := s.dueBill(ctx)
	first := err == nil && !day.IsZero()
	if err == nil && !first {
		day, err = s.incompleteBill(ctx)
	}
	if err != nil || day.IsZero() {
		return err
	}
	_, err = s.checkBill(ctx, day, first)
	if errors.Is(err, errBillUnderWay) {
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
		delay := s.now().Sub(day.AddDate(0, 0, 1).Add(billHour * time.Hour))
		wait = min(max(wait, delay/2), billSeldom)
		return api.BillCheck{Date: run.Date, Status: status}, s.cfg.Store.PostponeBill(ctx, run, status, s.now().Add(wait))
	}
	c := comparison{s: s, date: run.Date, from: day, to: day.AddDate(0, 0, 1).Add(-billSlack)}
	if before, err := s.cfg.Store.BillChecks(ctx, day.AddDate(0, 0, -1).Format(time.DateOnly), 1, 0); err != nil {
		return api.BillCheck{}, err
	} else if len(before) == 1 && before[0].CheckedAt != 0 {
		c.from = day.Add(-billSlack) // the previous day's bill was compared
	}
	if err := c.compare(ctx, bill); err != nil {
		return api.BillCheck{}, fmt.Errorf("comparing the bill of %s: %w", run.Date, err)
	}
	now := s.now()
	ended, err := s.cfg.Store.EndBill(ctx, run, c.check, now)
	if err != nil {
		return api.BillCheck{}, err
	}
	if !ended {
		return api.BillCheck{}, errBillUnderWay
	}
	check := c.check
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
	if errors.Is(err, errBillUnderWay) {
		return api.BillCheck{}, reject(api.CodeRateLimited, errBillUnderWay.Error())
	}
	return check, err
}

const (
	billMonths = 3 // for which WeChat keeps bills
)
