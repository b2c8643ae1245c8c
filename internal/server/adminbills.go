package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"h5pay/internal/api"
)

// Bounds of what the operator sees of the bills.
const (
	listedBills       = 31
	listedDifferences = 100    // of each day in the list
	allDifferences    = 20_000 // of one day

	billMonths = 3 // for which WeChat keeps bills
)

// adminBills lists what came of comparing the bills.
func (s *Server) adminBills(w http.ResponseWriter, r *http.Request) error {
	day, differences := "", listedDifferences
	if err := readQuery(r.URL.RawQuery, map[string]func(string) error{
		"date": func(v string) error {
			day, differences = v, allDifferences
			_, err := parseDay(v)
			return err
		},
	}); err != nil {
		return err
	}
	checks, err := s.cfg.Store.BillChecks(r.Context(), day, listedBills, differences)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.BillCheckList{Checks: checks})
}

// adminCheckBill compares the bill of a day now, also when it was compared before.
func (s *Server) adminCheckBill(w http.ResponseWriter, r *http.Request) error {
	var req api.BillRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	check, err := s.CheckBill(context.WithoutCancel(r.Context()), req.Date)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, check)
}

// CheckBill compares the bill of a day now, also when it was compared before.
func (s *Server) CheckBill(ctx context.Context, date string) (api.BillCheck, error) {
	day, err := parseDay(date)
	switch {
	case err != nil:
		return api.BillCheck{}, refuse(api.CodeBadRequest, "date: "+err.Error())
	case !day.Before(beginOfDay(s.now())):
		return api.BillCheck{}, refuse(api.CodeBadRequest, "the day is not over")
	case day.AddDate(0, billMonths, 0).Before(beginOfDay(s.now())):
		return api.BillCheck{}, refuse(api.CodeBadRequest, "WeChat keeps bills for three months")
	}
	check, err := s.checkBill(ctx, day, false)
	if errors.Is(err, errBillUnderWay) {
		return api.BillCheck{}, refuse(api.CodeRateLimited, errBillUnderWay.Error())
	}
	return check, err
}

// parseDay reads a day in Beijing.
func parseDay(v string) (time.Time, error) {
	day, err := time.ParseInLocation(date, v, beijing)
	if err != nil || day.Format(date) != v {
		return time.Time{}, fmt.Errorf("want a day like 2026-03-01")
	}
	return day, nil
}
