package server

import (
	"context"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
)

// getCustomerOrder returns an order to a caller with its token, after a query at WeChat if that is
// due.
func (s *Server) getCustomerOrder(w http.ResponseWriter, r *http.Request) error {
	ctx := context.WithoutCancel(r.Context())
	// Beyond the limits the stored order is returned without a query.
	o, notPaid, err := s.payment.LookAt(ctx, r.PathValue("token"), func() bool { return s.within(r, "look") })
	if err != nil {
		return err
	}
	c := s.payment.Customer(o, s.visitor(r).OpenID)
	c.NotPaid = notPaid && !order.WasPaid(o.Status)
	return writeJSON(w, http.StatusOK, c)
}

// payCustomerOrder returns an order with its payment parameters to a caller with its token.
func (s *Server) payCustomerOrder(w http.ResponseWriter, r *http.Request) error {
	var req api.PayRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	c, err := s.payment.PayWithToken(context.WithoutCancel(r.Context()), r.PathValue("token"), payment.PayRequest{
		TradeTypes: req.TradeTypes, OpenID: s.visitor(r).OpenID, ClientIP: clientIP(r), Renew: req.Renew,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, c)
}

// visitor returns the session of a caller who needs none.
func (s *Server) visitor(r *http.Request) session {
	who, err := s.caller(r)
	if err != nil {
		return session{}
	}
	return who
}
