package server

import (
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

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
