package server

import (
	"context"
	"net/http"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// adminClose closes an order for the operator.
func (s *Server) adminClose(w http.ResponseWriter, r *http.Request) error {
	if err := readJSON(r, &api.CloseRequest{}); err != nil {
		return err
	}
	o, err := s.payment.Close(context.WithoutCancel(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, adminView(o))
}

// adminCloseOrders closes the open orders of a product, or those made before a time, a bounded
// number per call.
func (s *Server) adminCloseOrders(w http.ResponseWriter, r *http.Request) error {
	var req api.CloseOrdersRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	f := store.OpenFilter{ProductID: req.ProductID, Before: s.now().Add(time.Millisecond)}
	switch {
	case req.ProductID == "" && req.Before == 0:
		return reject(api.CodeBadRequest, "product_id or before is missing")
	case req.ProductID != "" && !order.ValidProductID(req.ProductID):
		return reject(api.CodeBadRequest, "product_id: want 1 to 64 letters, digits, '-' or '_'")
	case req.Before < 0 || req.Before > 1<<48:
		return reject(api.CodeBadRequest, "before: want Unix milliseconds")
	case req.Before != 0:
		f.Before = time.UnixMilli(req.Before)
	}
	if req.Cursor != "" {
		var err error
		if f.AfterTime, f.AfterID, err = decodeCursor(req.Cursor); err != nil {
			return reject(api.CodeBadRequest, "cursor: "+err.Error())
		}
	}
	ctx := context.WithoutCancel(r.Context())
	closing, next, err := s.payment.CloseOrders(ctx, f)
	if err != nil {
		return err
	}
	res := api.CloseOrdersResponse{Closing: closing}
	if next != nil {
		res.Cursor = encodeCursor(next.AfterTime, next.AfterID)
	}
	return writeJSON(w, http.StatusOK, res)
}
