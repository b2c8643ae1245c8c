package server

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
)

// Bounds of the operator's lists.
const (
	adminList    = 50 // when the query does not say
	maxAdminList = 500
)

// adminOrders lists orders, in JSON or as a table for a spreadsheet.
func (s *Server) adminOrders(w http.ResponseWriter, r *http.Request) error {
	filter, format, err := readOrderFilter(r.URL.RawQuery)
	if err != nil {
		return err
	}
	limit := filter.Limit
	filter.Limit++ // one more tells whether there is a next page
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

// adminOrder shows one order with its refunds, as WeChat sees them now, and its
// events.
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

// adminView is an order as the operator sees it in a list.
func adminView(o order.Order) api.AdminOrder {
	view := api.AdminOrder{Order: o.Public(), OutTradeNo: o.OutTradeNo, Owner: reqlog.Mask(o.Owner), Failure: o.Failure}
	if order.IsErased(o.Owner) {
		view.Owner = "erased"
	}
	if o.Payer != "" {
		view.Payer = reqlog.Mask(o.Payer)
	}
	view.PayerUnknown, view.Simulated = o.PayerUnknown, o.Simulated
	if !o.QueriedAt.IsZero() {
		view.QueriedAt = o.QueriedAt.UnixMilli()
	}
	return view
}

// orderStatuses are what the filter takes.
var orderStatuses = []api.OrderStatus{api.StatusCreated, api.StatusPending, api.StatusPaid, api.StatusClosing,
	api.StatusClosed, api.StatusFailed, api.StatusRefunding, api.StatusRefunded}

// readOrderFilter reads the query of adminOrders as strictly as a body: what is
// misspelt would otherwise filter nothing.
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

// readQuery hands each parameter of a query to its reader. An unknown or a
// repeated one is refused.
func readQuery(query string, readers map[string]func(string) error) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return refuse(api.CodeBadRequest, "the query is malformed")
	}
	for name, all := range values {
		read, ok := readers[name]
		switch {
		case !ok:
			return refuse(api.CodeBadRequest, "a parameter of the query is unknown")
		case len(all) != 1:
			return refuse(api.CodeBadRequest, name+" is repeated")
		case all[0] == "":
			return refuse(api.CodeBadRequest, name+" is empty")
		}
		if err := read(all[0]); err != nil {
			return refuse(api.CodeBadRequest, name+": "+err.Error())
		}
	}
	return nil
}

// parseLimit reads how many entries a page of an operator's list has.
func parseLimit(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxAdminList {
		return 0, fmt.Errorf("want 1 to %d", maxAdminList)
	}
	return n, nil
}

func parseMilli(v string) (time.Time, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 || n > 1<<48 {
		return time.Time{}, fmt.Errorf("want Unix milliseconds")
	}
	return time.UnixMilli(n), nil
}

// A cursor names the last entry of a page: lists are ordered by time and ID.
func encodeCursor(t time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(t.UnixMilli(), 10) + " " + id))
}

func decodeCursor(v string) (t time.Time, id string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(v)
	if err != nil || len(b) > 200 {
		return time.Time{}, "", fmt.Errorf("not one of this list")
	}
	ms, id, ok := strings.Cut(string(b), " ")
	if t, err = parseMilli(ms); err != nil || !ok || id == "" {
		return time.Time{}, "", fmt.Errorf("not one of this list")
	}
	return t, id, nil
}

// adminRefund pays money back.
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
