package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"h5pay/internal/api"
	"h5pay/internal/store"
)

// adminOrders lists orders, in JSON or as a table for a spreadsheet.
func (s *Server) adminOrders(w http.ResponseWriter, r *http.Request) error {
	filter, format, err := readOrderFilter(r.URL.RawQuery)
	if err != nil {
		return err
	}
	limit := filter.Limit
	filter.Limit++ // one more shows whether there is a next page
	orders, err := s.cfg.Store.Search(r.Context(), filter)
	if err != nil {
		return err
	}
	cursor := ""
	if len(orders) > limit {
		orders = orders[:limit]
		last := orders[limit-1]
		cursor = encodeCursor(last.CreatedAt, last.ID)
	}
	if format == "csv" {
		return writeOrdersCSV(w, orders, cursor)
	}
	list := api.AdminOrderList{Orders: make([]api.AdminOrder, len(orders)), Cursor: cursor}
	for i := range orders {
		list.Orders[i] = adminView(orders[i])
	}
	return writeJSON(w, http.StatusOK, list)
}

// adminOrder returns an order with its payments, refunds and events. WeChat is queried about open
// refunds.
func (s *Server) adminOrder(w http.ResponseWriter, r *http.Request) error {
	ctx := context.WithoutCancel(r.Context())
	o, refunds, err := s.payment.LookAtRefunds(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	view := adminView(o)
	if view.Timeline, err = s.cfg.Store.Timeline(ctx, o.ID); err != nil {
		return err
	}
	payments, err := s.cfg.Store.PaymentsOf(ctx, o.ID)
	if err != nil {
		return err
	}
	view.Payments = adminPayments(payments)
	for i := range refunds {
		view.Refunds = append(view.Refunds, refunds[i].Public())
	}
	events, err := s.cfg.Store.EventsOf(ctx, o.ID)
	if err != nil {
		return err
	}
	view.Events = publicEvents(events)
	return writeJSON(w, http.StatusOK, view)
}

// orderStatuses are the values of the filter.
var orderStatuses = []api.OrderStatus{api.StatusOpen, api.StatusPaid, api.StatusClosing,
	api.StatusClosed, api.StatusRefunding, api.StatusRefunded}

// readOrderFilter reads the query of adminOrders as strictly as a body, because a misspelt
// parameter would otherwise filter nothing.
func readOrderFilter(query string) (f store.Filter, format string, err error) {
	f.Limit = adminList
	err = readQuery(query, map[string]func(string) error{
		"status": func(v string) error {
			f.Status = api.OrderStatus(v)
			if !slices.Contains(orderStatuses, f.Status) {
				return fmt.Errorf("unknown status")
			}
			return nil
		},
		"q": func(v string) error {
			f.Number = v
			if len(v) > 64 {
				return fmt.Errorf("too long")
			}
			return nil
		},
		"from":   func(v string) (err error) { f.From, err = parseMilli(v); return err },
		"to":     func(v string) (err error) { f.To, err = parseMilli(v); return err },
		"cursor": func(v string) (err error) { f.BeforeTime, f.BeforeID, err = decodeCursor(v); return err },
		"limit":  func(v string) (err error) { f.Limit, err = parseLimit(v); return err },
		"format": func(v string) error {
			if format = v; v != "csv" && v != "json" {
				return fmt.Errorf("json or csv")
			}
			return nil
		},
	})
	return f, format, err
}

// adminRefund makes a refund.
func (s *Server) adminRefund(w http.ResponseWriter, r *http.Request) error {
	var req api.RefundRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	refund, err := s.payment.Refund(context.WithoutCancel(r.Context()), r.PathValue("id"), req)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, refund.Public())
}
