package server

import (
	"context"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
)

// adminView is an order as the operator sees it in a list.
func adminView(o order.Order) api.AdminOrder {
	p := o.Payment
	view := api.AdminOrder{
		Order: o.Public(), Source: string(o.Source), Reference: o.Reference, OutTradeNo: p.OutTradeNo, Failure: p.Failure,
		PayerUnknown: p.PayerUnknown, Simulated: o.Simulated,
	}
	switch {
	case order.IsErased(o.Owner):
		view.Owner = "erased"
	case o.Owner != "":
		view.Owner = reqlog.Mask(o.Owner)
	}
	if p.Payer != "" {
		view.Payer = reqlog.Mask(p.Payer)
	}
	if !p.QueriedAt.IsZero() {
		view.QueriedAt = p.QueriedAt.UnixMilli()
	}
	return view
}

// adminPayments are the payments of an order as the operator sees them.
func adminPayments(payments []order.Payment) []api.Payment {
	views := make([]api.Payment, len(payments))
	for i, p := range payments {
		views[i] = p.Public()
		if p.Payer != "" {
			views[i].Payer = reqlog.Mask(p.Payer)
		}
	}
	return views
}

func publicEvents(events []order.Event) []api.Event {
	public := make([]api.Event, len(events))
	for i := range events {
		public[i] = events[i].Public()
	}
	return public
}

// writeOrder answers about one order, with all that its owner may know.
func (s *Server) writeOrder(ctx context.Context, w http.ResponseWriter, o order.Order) error {
	public, err := s.wholeOrder(ctx, o)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, public)
}

// wholeOrder returns an order with all that its owner may know.
func (s *Server) wholeOrder(ctx context.Context, o order.Order) (public api.Order, err error) {
	public = o.Public()
	if public.Timeline, err = s.cfg.Store.Timeline(ctx, o.ID); err != nil {
		return public, err
	}
	public.Refunds, err = s.ownRefunds(ctx, o)
	return public, err
}

// ownRefunds returns the refunds of an order as its owner may see them.
func (s *Server) ownRefunds(ctx context.Context, o order.Order) ([]api.Refund, error) {
	if !order.WasPaid(o.Status) {
		return nil, nil
	}
	refunds, err := s.cfg.Store.Refunds(ctx, o.ID)
	var own []api.Refund
	for _, r := range refunds {
		if r.Status != api.RefundFailed {
			view := r.Public()
			view.Failure, view.FailureText, view.Advice, view.FromBalance = "", "", "", false
			own = append(own, view)
		}
	}
	return own, err
}
