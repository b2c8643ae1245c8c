package server

import (
	"context"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
)

// getCustomerOrder returns an order to whoever has its token, as WeChat sees it now.
func (s *Server) getCustomerOrder(w http.ResponseWriter, r *http.Request) error {
	ctx := context.WithoutCancel(r.Context())
	// Beyond the limits the order is returned as it is stored.
	o, notPaid, err := s.payment.LookAt(ctx, r.PathValue("token"), func() bool { return s.within(r, "look") })
	if err != nil {
		return err
	}
	c, err := s.payment.Customer(ctx, o, s.visitor(r).OpenID)
	if err != nil {
		return err
	}
	c.NotPaid = notPaid && !order.WasPaid(o.Status)
	return writeJSON(w, http.StatusOK, c)
}

// payCustomerOrder returns an order with what the page needs to pay it, to whoever has its
// token.
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
