package server

import (
	"context"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/payment"
)

// viewLink returns the payment link of a token. Anybody who has the token may see the link.
func (s *Server) viewLink(w http.ResponseWriter, r *http.Request) error {
	l, err := s.payment.Link(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, l)
}

// orderByLink makes an order of a payment link, for a user or a guest.
func (s *Server) orderByLink(w http.ResponseWriter, r *http.Request) error {
	who, err := s.caller(r)
	if err != nil {
		return err
	}
	var req api.LinkOrderRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	o, err := s.payment.PlaceByLink(context.WithoutCancel(r.Context()), payment.LinkRequest{
		Token: r.PathValue("token"), Amount: req.Amount, ClientKey: req.ClientKey, Owner: who.owner(), Network: networkOf(r),
	})
	if err != nil {
		return err
	}
	if who.OpenID == "" { // the guest's session is extended with each order
		if err := s.session.set(w, who, guestLife); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, api.LinkOrder{Status: o.Status, Path: api.PathCustomer + o.Token})
}
