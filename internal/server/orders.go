package server

import (
	"context"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
)

// maxList is how many orders a list holds.
const maxList = 50

// createOrder makes an order and returns it. It does not call WeChat: the page requests the payment
// parameters later.
func (s *Server) createOrder(w http.ResponseWriter, r *http.Request) error {
	who, err := s.caller(r)
	if err != nil {
		return err
	}
	var req api.CreateOrderRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	// From here on the call continues if the caller disconnects.
	ctx := context.WithoutCancel(r.Context())
	o, err := s.payment.PlaceBasket(ctx, payment.BasketRequest{CreateOrderRequest: req, Owner: who.owner(), Network: networkOf(r)})
	if err != nil {
		return err
	}
	if who.OpenID == "" {
		if err := s.session.set(w, who, guestLife); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, o.Public())
}

func (s *Server) listOrders(w http.ResponseWriter, r *http.Request) error {
	who, err := s.caller(r)
	if err != nil {
		return err
	}
	orders, err := s.cfg.Store.List(r.Context(), who.owner(), maxList)
	if err != nil {
		return err
	}
	list := api.OrderList{Orders: make([]api.Order, len(orders))}
	for i := range orders {
		list.Orders[i] = orders[i].Public()
	}
	return writeJSON(w, http.StatusOK, list)
}

// getOrder returns an order, after a query at WeChat if that is due.
func (s *Server) getOrder(w http.ResponseWriter, r *http.Request) error {
	who, err := s.caller(r)
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(r.Context())
	// Beyond the limits the stored order is returned without a query.
	o, notPaid, err := s.payment.Look(ctx, r.PathValue("id"), who.owner(), func() bool { return s.within(r, "look") })
	if err != nil {
		return err
	}
	public := wholeOrder(o)
	public.NotPaid = notPaid && !order.WasPaid(o.Status)
	return writeJSON(w, http.StatusOK, public)
}

// payOrder returns an order with its payment parameters.
func (s *Server) payOrder(w http.ResponseWriter, r *http.Request) error {
	who, err := s.caller(r)
	if err != nil {
		return err
	}
	var req api.PayRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	c, err := s.payment.PayOwn(context.WithoutCancel(r.Context()), r.PathValue("id"), who.owner(), payment.PayRequest{
		TradeTypes: req.TradeTypes, OpenID: who.OpenID, ClientIP: clientIP(r), Renew: req.Renew,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, c)
}

// closeOrder cancels an order for its owner.
func (s *Server) closeOrder(w http.ResponseWriter, r *http.Request) error {
	who, err := s.caller(r)
	if err != nil {
		return err
	}
	var req api.CloseRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	ctx := context.WithoutCancel(r.Context())
	o, err := s.payment.Cancel(ctx, r.PathValue("id"), who.owner())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, wholeOrder(o))
}
