package server

import (
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
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

// wholeOrder returns an order with all that its owner may know.
func wholeOrder(w store.Whole) api.Order {
	public := w.Public()
	public.Timeline, public.Refunds = w.Steps, ownRefunds(w.Order, w.Refunds)
	return public
}

// ownRefunds returns the refunds of an order as its owner may see them.
func ownRefunds(o order.Order, refunds []order.Refund) (own []api.Refund) {
	if !order.WasPaid(o.Status) {
		return nil
	}
	for _, r := range refunds {
		if r.Status != api.RefundFailed {
			view := r.Public()
			view.Failure, view.FailureText, view.Advice, view.FromBalance = "", "", "", false
			own = append(own, view)
		}
	}
	return own
}
