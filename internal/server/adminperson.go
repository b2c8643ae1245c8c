package server

import (
	"context"
	"net/http"
	"time"

	"h5pay/internal/api"
)

// Bounds of one call about a person, and of one run of the timer.
const (
	exportedOrders = 15 // each takes three statements
)

// adminExportPerson shows what is stored about a person.
func (s *Server) adminExportPerson(w http.ResponseWriter, r *http.Request) error {
	var req api.PersonRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	ctx := r.Context()
	who, err := s.payment.Person(ctx, req)
	if err != nil {
		return err
	}
	var after time.Time
	var afterID string
	if req.Cursor != "" {
		if after, afterID, err = decodeCursor(req.Cursor); err != nil {
			return reject(api.CodeBadRequest, "cursor: "+err.Error())
		}
	}
	orders, err := s.cfg.Store.PersonOrders(ctx, who, after, afterID, exportedOrders+1)
	if err != nil {
		return err
	}
	export := api.PersonExport{Orders: []api.PersonOrder{}}
	if len(orders) > exportedOrders {
		orders = orders[:exportedOrders]
		last := orders[exportedOrders-1]
		export.Cursor = encodeCursor(last.CreatedAt, last.ID)
	}
	for _, o := range orders {
		view := api.PersonOrder{AdminOrder: adminView(o), IsOwner: o.Owner == who, IsPayer: o.Payment.Payer == who}
		payments, err := s.cfg.Store.PaymentsOf(ctx, o.ID)
		if err != nil {
			return err
		}
		view.Payments = adminPayments(payments)
		for _, p := range payments {
			if (view.IsOwner || p.OpenID == who) && p.ClientIP != "" {
				view.ClientIP = p.ClientIP
			}
			view.IsPayer = view.IsPayer || p.Payer == who
		}
		if view.Refunds, err = s.ownRefunds(ctx, o); err != nil {
			return err
		}
		events, err := s.cfg.Store.EventsOf(ctx, o.ID)
		if err != nil {
			return err
		}
		view.Events = publicEvents(events)
		export.Orders = append(export.Orders, view)
	}
	s.logger(ctx).Warn("operator exports a person", "orders", len(export.Orders))
	return writeJSON(w, http.StatusOK, export)
}

// adminErasePerson removes a person from some of their orders.
func (s *Server) adminErasePerson(w http.ResponseWriter, r *http.Request) error {
	var req api.PersonRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if req.Cursor != "" {
		return reject(api.CodeBadRequest, "cursor: erasing goes on by itself, send the same request again")
	}
	result, err := s.payment.Erase(context.WithoutCancel(r.Context()), req)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}
