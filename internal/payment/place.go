package payment

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
)

// PlaceRequest is an order that a buyer wants to make.
type PlaceRequest struct {
	api.CreateOrderRequest
	Owner    string // the openid of the buyer, or the id of a guest
	Guest    bool
	ClientIP string // the buyer's address, for WeChat
	Network  string // what the orders of guests are bounded by, "" when it is not known: then the bound of all guests counts alone
}

// Place prices a basket and stores the order. WeChat receives the order only when Pay is
// called. A repeated request returns the order that it made before, whatever has become
// of it.
func (s *Service) Place(ctx context.Context, r PlaceRequest) (order.Order, error) {
	if !slices.Contains(s.cfg.TradeTypes, r.TradeType) {
		return order.Order{}, reject(api.CodeBadRequest, "trade_type: this shop does not take it")
	}
	if r.TradeType == api.TradeJSAPI && r.Guest {
		return order.Order{}, reject(api.CodeUnauthenticated, "trade_type JSAPI needs a WeChat sign-in")
	}
	if !validClientKey(r.ClientKey) {
		return order.Order{}, reject(api.CodeBadRequest, "client_key: want 16 to 64 letters, digits, '-' or '_'")
	}
	basket, err := order.NewBasket(r.Items)
	if err != nil {
		return order.Order{}, basketError(err)
	}
	return s.place(ctx, r, basket, s.Selling(ctx))
}

// place stores a new order, or finds the one that the same client_key made before: at
// the prices of that time, and even if an item is no longer for sale. With an error of
// Selling it stores none.
func (s *Service) place(ctx context.Context, r PlaceRequest, basket order.Basket, selling error) (order.Order, error) {
	fingerprint := basket.Fingerprint(r.TradeType, r.Replaces)
	if selling != nil {
		old, err := s.cfg.Store.ByClientKey(ctx, r.Owner, r.ClientKey)
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
		if old, oldErr := s.cfg.Store.ByClientKey(ctx, r.Owner, r.ClientKey); oldErr == nil {
			return repeated(old, fingerprint)
		}
		return order.Order{}, basketError(err)
	}
	if err := s.checkPayerAddress(r.TradeType, r.ClientIP); err != nil {
		if old, oldErr := s.cfg.Store.ByClientKey(ctx, r.Owner, r.ClientKey); oldErr == nil {
			return repeated(old, fingerprint)
		}
		return order.Order{}, err
	}
	o.Owner, o.ClientKey, o.Fingerprint, o.Network = r.Owner, r.ClientKey, fingerprint, r.Network
	if r.Replaces != "" {
		if err := s.replace(ctx, o, r.CreateOrderRequest); err != nil {
			return order.Order{}, err
		}
	}
	// For NATIVE WeChat documents the caller's address instead
	// (docs/wechat.md 4.1). A Worker has none of its own, and WeChat compares
	// it with nothing.
	o.TradeType, o.ClientIP = r.TradeType, r.ClientIP
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
	s.logChange(ctx, o, stored.Status, sourcePage, "total", int64(o.Total), "owner", reqlog.Mask(r.Owner))
	return stored, nil
}

// replace cancels the order whose place a draft takes. Nothing is cancelled for a request
// that would make no order.
func (s *Service) replace(ctx context.Context, draft order.Order, req api.CreateOrderRequest) error {
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
	if o, err = s.cancel(ctx, o); err != nil {
		return err
	}
	// Somebody may be paying an order that WeChat could have closed by now: nothing takes
	// its place. Another request may be closing it.
	if o.Status == api.StatusClosing && o.PrepayID != "" && !s.now().Before(o.SentAt.Add(order.MinCloseAge)) {
		return errBusy()
	}
	return nil
}

// repeated returns the order that a client_key made before, if it was made for
// the same things.
func repeated(o order.Order, fingerprint string) (order.Order, error) {
	if o.Fingerprint != fingerprint {
		return order.Order{}, reject(api.CodeConflict, "client_key was used for another order")
	}
	return o, nil
}

// draft prices a basket and fills in what does not depend on the buyer.
func (s *Service) draft(ctx context.Context, basket order.Basket) (order.Order, error) {
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
		APIVersion: string(s.cfg.WeChat.Version()),
		Simulated:  s.cfg.Simulated,
		Total:      total,
		Currency:   order.Currency,
		Body:       order.Body(s.cfg.ShopName, lines),
		NotifyURL:  s.origin + api.PathNotifyPay,
		CreatedAt:  now,
		ExpiresAt:  now.Add(order.Lifetime),
	}, nil
}

// roomError translates why there is no room for an order.
func roomError(err error) error {
	switch {
	case errors.Is(err, store.ErrFull):
		return reject(api.CodeShopFull, "the database is nearly full, the shop takes no new orders")
	case errors.Is(err, store.ErrBuyerBound):
		return reject(api.CodeTooManyOrders, "too many of your orders are unpaid: pay or cancel one")
	case errors.Is(err, store.ErrNetworkBound):
		return reject(api.CodeTooManyOrders, "too many orders of guests at your address are unpaid: cancel one, or wait an hour")
	case errors.Is(err, store.ErrGuestsBound):
		return reject(api.CodeTooManyOrders, "too many orders of guests are unpaid: wait an hour, or sign in")
	}
	return err
}

// basketError translates what can be wrong with a basket.
func basketError(err error) error {
	switch {
	case errors.Is(err, order.ErrBasket):
		return reject(api.CodeBadRequest, err.Error())
	case errors.Is(err, order.ErrUnavailable):
		return reject(api.CodeProductGone, err.Error())
	}
	return fmt.Errorf("pricing a basket: %w", err)
}

func validClientKey(key string) bool {
	return alphabet.URLSafe.Valid(key, 16, 64)
}
