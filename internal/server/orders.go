package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// maxList is how many orders a list holds.
const maxList = 50

// createOrder prices a basket, stores the order and only then tells WeChat, so
// that no notification can arrive for an order nobody knows.
func (s *Server) createOrder(w http.ResponseWriter, r *http.Request) error {
	who, err := s.caller(r)
	if err != nil {
		return err
	}
	var req api.CreateOrderRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if !slices.Contains(s.cfg.TradeTypes, req.TradeType) {
		return refuse(api.CodeBadRequest, "this shop does not take that trade_type")
	}
	if req.TradeType == api.TradeJSAPI && who.OpenID == "" {
		return refuse(api.CodeUnauthenticated, "JSAPI collects from the user who signed in, a guest has to first")
	}
	if !validClientKey(req.ClientKey) {
		return refuse(api.CodeBadRequest, "client_key needs 16 to 64 letters, digits, '-' or '_'")
	}
	basket, err := order.NewBasket(req.Items)
	if err != nil {
		return basketError(err)
	}
	// From here on a caller who hangs up changes nothing.
	ctx := context.WithoutCancel(r.Context())
	selling := s.selling(ctx)
	o, err := s.place(ctx, who.owner(), clientIP(r), networkOf(r), req, basket, selling)
	if err != nil {
		return err
	}
	if who.OpenID == "" {
		if err := s.session.set(w, who, guestLife); err != nil {
			return err
		}
	}
	// Nothing to pay is a success too: a repeated request finds the order paid.
	c, err := s.checkout(ctx, o, false, selling)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, c)
}

// place stores a new order, or finds the one that the same client_key made
// before: at the prices of that time, and even if an item has gone since. network is
// what the orders of guests are bounded by, "" when it is not known: then the bound of
// all guests counts alone. With an error of selling it stores none.
func (s *Server) place(ctx context.Context, owner, ip, network string, req api.CreateOrderRequest, basket order.Basket, selling error) (order.Order, error) {
	fingerprint := basket.Fingerprint(req.TradeType, req.Replaces)
	if selling != nil {
		old, err := s.cfg.Store.ByClientKey(ctx, owner, req.ClientKey)
		if errors.Is(err, store.ErrNotFound) {
			return order.Order{}, selling
		}
		if err != nil {
			return order.Order{}, err
		}
		return repeated(old, fingerprint)
	}
	o, err := s.draft(ctx, basket)
	if err != nil {
		if old, oldErr := s.cfg.Store.ByClientKey(ctx, owner, req.ClientKey); oldErr == nil {
			return repeated(old, fingerprint)
		}
		return order.Order{}, basketError(err)
	}
	if err := s.checkPayerAddress(ctx, req.TradeType, ip); err != nil {
		if old, oldErr := s.cfg.Store.ByClientKey(ctx, owner, req.ClientKey); oldErr == nil {
			return repeated(old, fingerprint)
		}
		return order.Order{}, err
	}
	o.Owner, o.ClientKey, o.Fingerprint, o.Network = owner, req.ClientKey, fingerprint, network
	if req.Replaces != "" {
		if err := s.replace(ctx, o, req); err != nil {
			return order.Order{}, err
		}
	}
	// For NATIVE WeChat documents the caller's address instead
	// (docs/wechat.md 4.1). A Worker has none of its own, and WeChat compares
	// it with nothing.
	o.TradeType, o.ClientIP = req.TradeType, ip
	if o.TradeType == api.TradeMWEB {
		o.ShopName = s.cfg.ShopName
	}
	stored, err := s.cfg.Store.Insert(ctx, o)
	if err != nil {
		return order.Order{}, roomError(err)
	}
	if stored.ID != o.ID {
		return repeated(stored, fingerprint)
	}
	s.logChange(ctx, o, stored.Status, sourcePage, "total", int64(o.Total), "owner", mask(owner))
	return stored, nil
}

// replace gives up the order whose place a draft takes. Nothing is given up
// for a request that would make nothing.
func (s *Server) replace(ctx context.Context, draft order.Order, req api.CreateOrderRequest) error {
	old, err := s.cfg.Store.ByClientKey(ctx, draft.Owner, req.ClientKey)
	if err == nil {
		_, err = repeated(old, draft.Fingerprint)
	}
	isNew := errors.Is(err, store.ErrNotFound)
	if err != nil && !isNew {
		return err
	}
	o, err := s.ownOrder(ctx, req.Replaces, draft.Owner)
	if err != nil {
		return err
	}
	if isNew {
		if err := s.cfg.Store.Room(ctx, draft, o.Open()); err != nil {
			return roomError(err)
		}
	}
	if o, err = s.giveUp(ctx, o); err != nil {
		return err
	}
	return s.awaitClosed(ctx, o)
}

// awaitClosed returns when an order that was given up is closed at WeChat, if it is
// old enough for that: another request may be about it. What could not be closed
// may be on its way to be paid, and nothing takes its place.
func (s *Server) awaitClosed(ctx context.Context, o order.Order) error {
	var err error
	for look, waited := firstLook, time.Duration(0); ; look = min(2*look, lastLook) {
		old := !s.now().Before(o.CreatedAt.Add(order.MinCloseAge))
		if o.Status != api.StatusClosing || !old || o.PrepayID == "" {
			_, err = unpaid(o)
			return err
		}
		if waited > queryWindow {
			return refuse(api.CodeWeChatBusy, "the order that is to be replaced could not be closed, try again")
		}
		time.Sleep(look)
		waited += look
		if o, err = s.cfg.Store.Get(ctx, o.ID, o.Owner); err != nil {
			return err
		}
	}
}

// repeated returns the order that a client_key made before, if it was made for
// the same things.
func repeated(o order.Order, fingerprint string) (order.Order, error) {
	if o.Fingerprint != fingerprint {
		return order.Order{}, refuse(api.CodeConflict, "client_key was used for another order")
	}
	return o, nil
}

// draft prices a basket and fills in what does not depend on who asks.
func (s *Server) draft(ctx context.Context, basket order.Basket) (order.Order, error) {
	products, err := s.cfg.Store.ProductsOf(ctx, basket)
	if err != nil {
		return order.Order{}, err
	}
	lines, total, err := basket.Price(products)
	if err != nil {
		return order.Order{}, err
	}
	id, err := order.NewID(s.rand)
	if err != nil {
		return order.Order{}, err
	}
	now := s.now()
	outTradeNo, err := order.NewOutTradeNo(s.rand, now)
	if err != nil {
		return order.Order{}, err
	}
	return order.Order{
		ID:         id,
		Lines:      lines,
		OutTradeNo: outTradeNo,
		AppID:      s.cfg.AppID,
		MchID:      s.cfg.MchID,
		Simulated:  s.cfg.Simulated,
		Total:      total,
		Currency:   order.Currency,
		Body:       order.Body(s.cfg.ShopName, lines),
		NotifyURL:  s.origin + api.PathNotifyPay,
		CreatedAt:  now,
		ExpiresAt:  now.Add(order.Lifetime),
	}, nil
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

// getOrder returns an order as WeChat sees it now: one that may still be paid
// is asked for there, so that a lost notification is not noticed by the buyer.
func (s *Server) getOrder(w http.ResponseWriter, r *http.Request) error {
	who, err := s.caller(r)
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(r.Context())
	o, err := s.ownOrder(ctx, r.PathValue("id"), who.owner())
	if err != nil {
		return err
	}
	notPaid := false
	if s.stale(o) && s.within(r, "look") { // beyond the limits it is told as it is known
		o, notPaid = s.refresh(ctx, o)
	}
	public, err := s.wholeOrder(ctx, o)
	if err != nil {
		return err
	}
	public.NotPaid = notPaid && !order.WasPaid(o.Status)
	return writeJSON(w, http.StatusOK, public)
}

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
			view.Failure, view.FailureText, view.Cure, view.FromBalance = "", "", "", false
			own = append(own, view)
		}
	}
	return own, err
}

// payOrder returns what the page needs to pay an order that exists.
func (s *Server) payOrder(w http.ResponseWriter, r *http.Request) error {
	who, err := s.caller(r)
	if err != nil {
		return err
	}
	var req api.PayRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	ctx := context.WithoutCancel(r.Context())
	o, err := s.ownOrder(ctx, r.PathValue("id"), who.owner())
	if err != nil {
		return err
	}
	c, err := s.checkout(ctx, o, req.Renew, s.selling(ctx))
	if err != nil {
		return err
	}
	if c.PayUntil == 0 {
		return refuse(api.CodeOrderPaid, "the order is paid")
	}
	return writeJSON(w, http.StatusOK, c)
}

// ownOrder returns an order to its owner. Somebody else's is as unknown as one
// that never was.
func (s *Server) ownOrder(ctx context.Context, id, owner string) (order.Order, error) {
	unknown := refuse(api.CodeNotFound, "no such order")
	if !order.ValidID(id) {
		return order.Order{}, unknown
	}
	o, err := s.cfg.Store.Get(ctx, id, owner)
	if errors.Is(err, store.ErrNotFound) {
		return order.Order{}, unknown
	}
	return o, err
}

// roomError translates why there is no room for an order.
func roomError(err error) error {
	switch {
	case errors.Is(err, store.ErrFull):
		return refuse(api.CodeShopFull, "the database is nearly full, the shop takes no new orders")
	case errors.Is(err, store.ErrBuyerBound):
		return refuse(api.CodeTooManyOrders, "too many of your orders are unpaid: pay or cancel one")
	case errors.Is(err, store.ErrNetworkBound):
		return refuse(api.CodeTooManyOrders, "too many orders of guests at your address are unpaid: cancel one, or wait an hour")
	case errors.Is(err, store.ErrGuestsBound):
		return refuse(api.CodeTooManyOrders, "too many orders of guests are unpaid: wait an hour, or sign in")
	}
	return err
}

// basketError translates what can be wrong with a basket.
func basketError(err error) error {
	switch {
	case errors.Is(err, order.ErrBasket):
		return refuse(api.CodeBadRequest, err.Error())
	case errors.Is(err, order.ErrUnavailable):
		return refuse(api.CodeProductGone, err.Error())
	}
	return fmt.Errorf("pricing a basket: %w", err)
}

func validClientKey(key string) bool {
	return alphabet.URLSafe.Valid(key, 16, 64)
}
