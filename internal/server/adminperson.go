package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// Bounds of one call about a person, and of one run of the timer.
const (
	exportedOrders = 20  // each takes two statements
	erasedOrders   = 200 // each is some rows
	forgottenOnce  = 500 // events
	payerDays      = 30  // that an event keeps its payer unless Config.PayerDays says otherwise
)

// person returns whom a request is about: the openid, or the owner or the payer of an
// order. It never comes back in an answer and is not logged.
func (s *Server) person(ctx context.Context, req api.PersonRequest) (string, error) {
	id := cmp.Or(req.OwnerOf, req.PayerOf)
	switch {
	case req.OpenID == "" && id == "", req.OpenID != "" && id != "", req.OwnerOf != "" && req.PayerOf != "":
		return "", refuse(api.CodeBadRequest, "openid, owner_of or payer_of: want one of them")
	case req.OpenID == "":
	case !alphabet.URLSafe.Valid(req.OpenID, 1, 128):
		return "", refuse(api.CodeBadRequest, "openid: want 1 to 128 letters, digits, '-' or '_'")
	default:
		return req.OpenID, nil
	}
	unknown := refuse(api.CodeNotFound, "no such order, or nobody is stored with it")
	if !order.ValidID(id) {
		return "", unknown
	}
	o, err := s.cfg.Store.ByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", unknown
	}
	if err != nil {
		return "", err
	}
	who := o.Owner
	if req.PayerOf != "" {
		who = o.Payer
	}
	if who == "" || order.IsErased(who) {
		return "", unknown
	}
	return who, nil
}

// adminExportPerson shows what is stored about a person.
func (s *Server) adminExportPerson(w http.ResponseWriter, r *http.Request) error {
	var req api.PersonRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	ctx := r.Context()
	who, err := s.person(ctx, req)
	if err != nil {
		return err
	}
	var after time.Time
	var afterID string
	if req.Cursor != "" {
		if after, afterID, err = decodeCursor(req.Cursor); err != nil {
			return refuse(api.CodeBadRequest, "cursor: "+err.Error())
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
		view := api.PersonOrder{AdminOrder: adminView(o), IsOwner: o.Owner == who, IsPayer: o.Payer == who}
		if view.IsOwner {
			view.ClientIP = o.ClientIP
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

// adminErasePerson removes a person from their orders, a bounded number of them a
// call. Open orders are closing from then on, as by adminClose.
func (s *Server) adminErasePerson(w http.ResponseWriter, r *http.Request) error {
	var req api.PersonRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if req.Cursor != "" {
		return refuse(api.CodeBadRequest, "cursor: erasing goes on by itself, send the same request again")
	}
	ctx := context.WithoutCancel(r.Context())
	who, err := s.person(ctx, req)
	if err != nil {
		return err
	}
	orders, err := s.cfg.Store.PersonOrders(ctx, who, time.Time{}, "", erasedOrders+1)
	if err != nil {
		return err
	}
	result := api.PersonErased{More: len(orders) > erasedOrders}
	orders = orders[:min(len(orders), erasedOrders)]
	var ids []string
	var open []store.OpenOrder
	for _, o := range orders {
		if result.More && (o.ID == req.OwnerOf || o.ID == req.PayerOf) {
			continue // the next call finds the person by it
		}
		ids = append(ids, o.ID)
		if o.Open() && o.Owner == who {
			open = append(open, store.OpenOrder{ID: o.ID, OutTradeNo: o.OutTradeNo, Status: o.Status, Matches: true})
		}
	}
	if _, err := s.beginCloseAll(ctx, open); err != nil {
		return err
	}
	if err := s.cfg.Store.ErasePerson(ctx, who, ids); err != nil {
		return err
	}
	result.Orders = len(ids)
	s.logger(ctx).Warn("operator erases a person", "orders", result.Orders, "more", result.More)
	return writeJSON(w, http.StatusOK, result)
}

// forgetPayers removes the payers from events that are old enough. Without a webhook
// every event stays pending, and loses its payer all the same.
func (s *Server) forgetPayers(ctx context.Context) error {
	return s.cfg.Store.ForgetPayers(ctx, s.now().AddDate(0, 0, -s.cfg.PayerDays), s.cfg.Webhook == nil, forgottenOnce)
}
