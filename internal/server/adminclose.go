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
)

// closeWindow is how many open orders one call of adminCloseOrders looks at, of each
// status. It bounds what the call reads, and what its UPDATE and triggers write.
const closeWindow = 200

// adminClose closes an order for the operator.
func (s *Server) adminClose(w http.ResponseWriter, r *http.Request) error {
	if err := readJSON(r, &api.CloseRequest{}); err != nil {
		return err
	}
	o, err := s.Close(context.WithoutCancel(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, adminView(o))
}

// Close closes an order for the operator. It is closing from then on, whatever
// WeChat answers: nobody gets anything to pay it with. WeChat is queried at once; if
// it cannot be closed yet, Reconcile does the rest. A payment in between counts.
func (s *Server) Close(ctx context.Context, id string) (order.Order, error) {
	o, err := s.anyOrder(ctx, id)
	if err != nil {
		return o, err
	}
	now := s.now()
	began, err := s.cfg.Store.BeginClose(ctx, o.ID, now)
	if err != nil {
		return o, err
	}
	if began {
		s.logChange(ctx, o, api.StatusClosing, sourceAdmin)
	}
	if o, err = s.cfg.Store.ByID(ctx, o.ID); err != nil {
		return o, err
	}
	if o.Status == api.StatusClosing {
		o, _ = s.refreshNow(ctx, o)
	}
	return unpaid(o)
}

// adminCloseOrders closes the open orders of a product, or those made before a moment,
// a bounded part of them a call.
func (s *Server) adminCloseOrders(w http.ResponseWriter, r *http.Request) error {
	var req api.CloseOrdersRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	f := order.OpenFilter{Status: api.StatusCreated, ProductID: req.ProductID, Before: s.now().Add(time.Millisecond)}
	switch {
	case req.ProductID == "" && req.Before == 0:
		return refuse(api.CodeBadRequest, "product_id or before is missing")
	case req.ProductID != "" && !order.ValidProductID(req.ProductID):
		return refuse(api.CodeBadRequest, "product_id: want 1 to 64 letters, digits, '-' or '_'")
	case req.Before < 0 || req.Before > 1<<48:
		return refuse(api.CodeBadRequest, "before: want Unix milliseconds")
	case req.Before != 0:
		f.Before = time.UnixMilli(req.Before)
	}
	if req.Cursor != "" {
		var err error
		if f.Status, f.AfterTime, f.AfterID, err = decodeCloseCursor(req.Cursor); err != nil {
			return refuse(api.CodeBadRequest, "cursor: "+err.Error())
		}
	}
	ctx := context.WithoutCancel(r.Context())
	closing, next, err := s.CloseOrders(ctx, f)
	if err != nil {
		return err
	}
	res := api.CloseOrdersResponse{Closing: closing}
	if next != nil {
		res.Cursor = encodeCloseCursor(next.Status, next.AfterTime, next.AfterID)
	}
	return writeJSON(w, http.StatusOK, res)
}

// CloseOrders begins to close the open orders that f selects, from its position on and a
// bounded part of them a call. It returns how many are closing now, and the filter of
// the next call, nil when this was the last. Reconcile queries WeChat about each order
// and closes it there and here.
func (s *Server) CloseOrders(ctx context.Context, f order.OpenFilter) (closing int, next *order.OpenFilter, err error) {
	f.Limit = closeWindow
	for {
		window, err := s.cfg.Store.OpenOrders(ctx, f)
		if err != nil {
			return closing, nil, err
		}
		n, err := s.beginCloseAll(ctx, window)
		if err != nil {
			return closing, nil, err
		}
		closing += n
		switch {
		case len(window) == closeWindow:
			last := window[len(window)-1]
			f.AfterTime, f.AfterID = last.CreatedAt, last.ID
			next = &f
		case f.Status == api.StatusCreated:
			// An order that became pending meanwhile is still ahead.
			f.Status, f.AfterTime, f.AfterID = api.StatusPending, time.Time{}, ""
			continue
		}
		break
	}
	s.logger(ctx).Warn("operator closes orders", "product_id", f.ProductID, "before", f.Before, "closing", closing, "more", next != nil)
	return closing, next, nil
}

// beginCloseAll makes those orders closing that match, and returns how many.
func (s *Server) beginCloseAll(ctx context.Context, window []order.OpenOrder) (int, error) {
	var ids []string
	for _, o := range window {
		if o.Matches {
			ids = append(ids, o.ID)
		}
	}
	changed, err := s.cfg.Store.BeginCloseAll(ctx, ids, s.now())
	if err != nil {
		return 0, err
	}
	for _, o := range window {
		if changed[o.ID] {
			s.logChange(ctx, order.Order{ID: o.ID, OutTradeNo: o.OutTradeNo, Status: o.Status}, api.StatusClosing, sourceAdmin)
		}
	}
	return len(changed), nil
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

// errNotSelling is the answer to everything that would bring the shop a payment
// while it does not sell.
func errNotSelling() error {
	return refuse(api.CodeNotSelling, "the operator has stopped selling, try again later")
}

// selling returns errNotSelling when the shop does not sell: by the setting, or by
// the operator's call, which works at once.
func (s *Server) selling(ctx context.Context) error {
	if s.cfg.SellingOff {
		return errNotSelling()
	}
	selling, _, err := s.cfg.Store.Selling(ctx)
	if err == nil && !selling {
		return errNotSelling()
	}
	return err
}

// adminSelling says whether the shop sells.
func (s *Server) adminSelling(w http.ResponseWriter, r *http.Request) error {
	return s.writeSelling(r.Context(), w)
}

// adminSetSelling stops selling, or starts it again.
func (s *Server) adminSetSelling(w http.ResponseWriter, r *http.Request) error {
	var req api.SellingRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if req.Selling == nil {
		return refuse(api.CodeBadRequest, "selling: want true or false")
	}
	ctx := context.WithoutCancel(r.Context())
	if err := s.SetSelling(ctx, *req.Selling); err != nil {
		return err
	}
	return s.writeSelling(ctx, w)
}

// SetSelling stops selling, or starts it again.
func (s *Server) SetSelling(ctx context.Context, on bool) error {
	if err := s.cfg.Store.SetSelling(ctx, on, s.now()); err != nil {
		return err
	}
	s.logger(ctx).Warn("operator switches selling", "selling", on)
	return nil
}

func (s *Server) writeSelling(ctx context.Context, w http.ResponseWriter) error {
	state, err := s.SellingState(ctx)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, state)
}

// SellingState returns whether the shop sells, and who decided that.
func (s *Server) SellingState(ctx context.Context) (api.Selling, error) {
	selling, since, err := s.cfg.Store.Selling(ctx)
	if err != nil {
		return api.Selling{}, err
	}
	state := api.Selling{Selling: selling && !s.cfg.SellingOff, SettingOff: s.cfg.SellingOff}
	if !since.IsZero() {
		state.SwitchedAt = since.UnixMilli()
	}
	return state, nil
}
