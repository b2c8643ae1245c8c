package server

import (
	"context"
	"errors"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/cst"
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
			_, err := cst.ParseDay(v)
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
	day, err := cst.ParseDay(req.Date)
	switch {
	case err != nil:
		return refuse(api.CodeBadRequest, "date: "+err.Error())
	case !day.Before(cst.Day(s.now())):
		return refuse(api.CodeBadRequest, "the day is not over")
	case day.AddDate(0, billMonths, 0).Before(cst.Day(s.now())):
		return refuse(api.CodeBadRequest, "WeChat keeps bills for three months")
	}
	check, err := s.checkBill(context.WithoutCancel(r.Context()), day, false)
	if errors.Is(err, errBillUnderWay) {
		return refuse(api.CodeRateLimited, errBillUnderWay.Error())
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, check)
}
