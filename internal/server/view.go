package server

import (
	"context"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

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
