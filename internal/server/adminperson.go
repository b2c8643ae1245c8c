package server

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
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
		payments, err := s.cfg.Store.PaymentsOf(ctx, o.ID)
		if err != nil {
			return err
		}
		isPayer := hideOtherPayers(payments, who)
		if o.Payment.Payer != who {
			o.Payment.Payer = ""
		}
		view := api.PersonOrder{AdminOrder: adminView(o), IsOwner: o.Owner == who, IsPayer: isPayer}
		if !view.IsOwner {
			view.Owner = ""
		}
		view.Payments = adminPayments(payments)
		for _, p := range payments {
			if (view.IsOwner || p.OpenID == who) && p.ClientIP != "" {
				view.ClientIP = p.ClientIP
			}
		}
		refunds, err := s.cfg.Store.Refunds(ctx, o.ID)
		if err != nil {
			return err
		}
		view.Refunds = ownRefunds(o, refunds)
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

// hideOtherPayers removes the payers of some payments who are not a person, and reports
// whether that person is one of the payers.
func hideOtherPayers(payments []order.Payment, person string) (isPayer bool) {
	for i := range payments {
		if payments[i].Payer == person {
			isPayer = true
		} else {
			payments[i].Payer = ""
		}
	}
	return isPayer
}

// hideOtherPayer returns the data of an event without its payer, if that is not a person.
// The payer of an event may differ from that of another event of the same order: see
// payment.duplicate. Data that cannot be read is left out.
func hideOtherPayer(data json.RawMessage, person string) json.RawMessage {
	var fields, payment map[string]json.RawMessage
	var payer *string
	if err := json.Unmarshal(data, &fields); err != nil {
		return json.RawMessage(`{}`)
	}
	if len(fields["payment"]) == 0 {
		return data
	}
	if json.Unmarshal(fields["payment"], &payment) != nil {
		return json.RawMessage(`{}`)
	}
	if len(payment["payer"]) == 0 {
		return data
	}
	if json.Unmarshal(payment["payer"], &payer) != nil {
		return json.RawMessage(`{}`)
	}
	if payer == nil || *payer == "" || *payer == person {
		return data
	}
	payment["payer"] = json.RawMessage(`null`)
	var err error
	if fields["payment"], err = json.Marshal(payment); err == nil {
		data, err = json.Marshal(fields)
	}
	if err != nil {
		return json.RawMessage(`{}`)
	}
	return data
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
