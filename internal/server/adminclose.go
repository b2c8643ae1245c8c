package server

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
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

// adminCloseOrders closes the open orders of a product, or those made before a moment,
// a bounded part of them a call.
func (s *Server) adminCloseOrders(w http.ResponseWriter, r *http.Request) error {
	var req api.CloseOrdersRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	f := store.OpenFilter{Status: api.StatusCreated, ProductID: req.ProductID, Before: s.now().Add(time.Millisecond)}
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
		if f.Status, f.AfterTime, f.AfterID, err = decodeCloseCursor(req.Cursor); err != nil {
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
		res.Cursor = encodeCloseCursor(next.Status, next.AfterTime, next.AfterID)
	}
	return writeJSON(w, http.StatusOK, res)
}

// A cursor of adminCloseOrders names the status and the last order of a window.
func encodeCloseCursor(status api.OrderStatus, t time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(status) + " " + encodeCursor(t, id)))
}

func decodeCloseCursor(v string) (status api.OrderStatus, t time.Time, id string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(v)
	name, rest, ok := strings.Cut(string(b), " ")
	status = api.OrderStatus(name)
	if err != nil || !ok || status != api.StatusCreated && status != api.StatusPending {
		return "", time.Time{}, "", fmt.Errorf("not one of this call")
	}
	t, id, err = decodeCursor(rest)
	return status, t, id, err
}
