package server

import (
	"context"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/cst"
)

// Bounds of the operator's lists of bills.
const (
	listedBills       = 31
	listedDifferences = 100    // of each day in the list
	allDifferences    = 20_000 // of one day
)

// adminBills lists the results of comparing the bills.
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

// adminCheckBill compares the bill of a day now, even if it was compared before.
func (s *Server) adminCheckBill(w http.ResponseWriter, r *http.Request) error {
	var req api.BillRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	check, err := s.payment.CheckBill(context.WithoutCancel(r.Context()), req.Date)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, check)
}
