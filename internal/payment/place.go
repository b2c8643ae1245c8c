package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
)

// BasketRequest is an order that a buyer wants to make in the shop.
type BasketRequest struct {
	api.CreateOrderRequest
	Owner   string // the openid of the buyer, or the id of a guest
	Network string // the network of a guest, whose orders are bounded; "" if unknown: then only the bound of all guests applies
}

// PlaceBasket prices a basket and stores its order, unless the buyer saw another total. A repeated request returns the order of the
// first one, with its prices, even if an item is no longer for sale.
func (s *Service) PlaceBasket(ctx context.Context, r BasketRequest) (order.Order, error) {
	if !validClientKey(r.ClientKey) {
		return order.Order{}, reject(api.CodeBadRequest, "client_key: want 16 to 64 letters, digits, '-' or '_'")
	}
	if r.Total < 0 {
		return order.Order{}, reject(api.CodeBadRequest, "total: want 0 or more fen")
	}
	basket, err := order.NewBasket(r.Items)
	if err != nil {
		return order.Order{}, basketError(err)
	}
	o := order.Order{Source: order.SourceShop, Owner: r.Owner, Network: r.Network, ClientKey: r.ClientKey, Fingerprint: basket.Fingerprint()}
	if s.cfg.SellingOff {
		return s.placedBefore(ctx, o, errNotSelling())
	}
	o, err = s.placePriced(ctx, o, basket, r) // the statement that stores the order checks the operator's switch
	return o, stockError(err, "items", len(r.Items), func(i int) string { return r.Items[i].ProductID })
}

// maxPriced is how often PlaceBasket computes a price if the catalogue changes meanwhile.
const maxPriced = 3

// placePriced prices a basket and stores its order. The first price may be that of a catalogue which
// was read before. If the catalogue has changed, the price is computed again.
func (s *Service) placePriced(ctx context.Context, o order.Order, basket order.Basket, r BasketRequest) (order.Order, error) {
	changed := reject(api.CodePriceChanged, "total: the prices have changed")
	for try := range maxPriced {
		products, known := s.catalogue.get(s.now())
		known = known && try == 0
		var err error
		if !known {
			products, err = s.Products(ctx)
		}
		if err == nil {
			o.Lines, o.Total, err = basket.Price(products)
		}
		if err == nil && r.Total != 0 && r.Total != o.Total {
			err = changed
		}
		if err != nil && known {
			continue
		}
		if err != nil {
			return s.placedBefore(ctx, o, err)
		}
		o.Description = order.Body(s.cfg.ShopName, o.Lines)
		placed, err := s.place(ctx, o, order.Lifetime, s.cfg.Store.InsertPriced)
		if !errors.Is(err, store.ErrPrices) {
			return placed, err
		}
	}
	return order.Order{}, changed
}

// Place stores an order of any source. WeChat gets nothing before a call of Pay. o has the source,
// the lines, the total and the description. Other zero fields get the shop's values. A repeated
// ClientKey returns the order of the first call, whatever its status is, or CodeConflict if the
// Fingerprint differs. If another order has the Reference, the error is a *ReferenceUsed.
func (s *Service) Place(ctx context.Context, o order.Order) (order.Order, error) {
	if err := s.Selling(ctx); err != nil {
		return s.placedBefore(ctx, o, err)
	}
	return s.place(ctx, o, order.Lifetime, s.cfg.Store.Insert)
}

// place is Place without the check of Selling. The order can be paid for life, and insert stores it.
func (s *Service) place(ctx context.Context, o order.Order, life time.Duration, insert func(context.Context, order.Order) (order.Order, error)) (order.Order, error) {
	id, err := order.NewID(s.rand)
	if err != nil {
		return order.Order{}, err
	}
	o.ID, o.Shop, o.AppID, o.MchID, o.Currency, o.Simulated = id, s.origin, s.cfg.AppID, s.cfg.MchID, order.Currency, s.cfg.Simulated
	o.CreatedAt = s.now()
	o.ExpiresAt = o.CreatedAt.Add(life)
	stored, err := insert(ctx, o)
	switch {
	case errors.Is(err, store.ErrReference):
		return order.Order{}, &ReferenceUsed{stored.ID}
	case err != nil:
		return order.Order{}, insertError(err)
	case stored.ID != o.ID:
		return repeated(stored, o.Fingerprint)
	}
	s.logOrder(ctx, o.ID, stored.Status, sourcePage, "made_by", string(o.Source), "total", int64(o.Total), "owner", reqlog.Mask(o.Owner))
	return stored, nil
}

// placedBefore returns the order that an earlier request made with the key of o, or reason if there
// is none.
func (s *Service) placedBefore(ctx context.Context, o order.Order, reason error) (order.Order, error) {
	var old order.Order
	var err error
	switch {
	case o.ClientKey == "":
		err = store.ErrNotFound
	case o.Owner != "":
		old, err = s.cfg.Store.ByClientKey(ctx, o.Owner, o.ClientKey)
	default:
		old, err = s.cfg.Store.ByAPIKey(ctx, o.KeyID, o.ClientKey)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return order.Order{}, basketError(reason)
	case err != nil:
		return order.Order{}, err
	}
	return repeated(old, o.Fingerprint)
}

// repeated returns the order that a client_key made, if its request was the same.
func repeated(o order.Order, fingerprint string) (order.Order, error) {
	if o.Fingerprint != fingerprint {
		return order.Order{}, reject(api.CodeConflict, "client_key was used for another order")
	}
	return o, nil
}

// stockError turns an *order.OutOfStock into the error of the caller, which names the position of the
// product in a list of n.
func stockError(err error, list string, n int, productID func(int) string) error {
	var short *order.OutOfStock
	if !errors.As(err, &short) {
		return err
	}
	field := list
	for i := range n {
		if productID(i) == short.ProductID {
			field = fmt.Sprintf("%s[%d].quantity", list, i)
			break
		}
	}
	return &api.Error{Code: api.CodeOutOfStock, Field: field, Message: field + ": " + short.Error()}
}

// insertError translates the store's reason for rejecting an order.
func insertError(err error) error {
	switch {
	case errors.Is(err, store.ErrNotSelling):
		return errNotSelling()
	case errors.Is(err, store.ErrFull):
		return reject(api.CodeShopFull, "the database is nearly full, the shop takes no new orders")
	case errors.Is(err, store.ErrBusy):
		return reject(api.CodeBusy, "other orders take the last places, repeat this one in a second")
	case errors.Is(err, store.ErrBuyerBound):
		return reject(api.CodeTooManyOrders, "too many of your orders are unpaid: pay or cancel one")
	case errors.Is(err, store.ErrNetworkBound):
		return reject(api.CodeTooManyOrders, "too many orders of guests at your address are unpaid: cancel one, or wait an hour")
	case errors.Is(err, store.ErrLinkEnded):
		return reject(api.CodeLinkEnded, "the payment link takes no orders: it is withdrawn, expired or sold out")
	case errors.Is(err, store.ErrGuestsBound):
		return reject(api.CodeTooManyOrders, "too many orders of guests are unpaid: wait an hour, or sign in")
	}
	return err
}

// basketError translates errors of a basket. It returns an error that the caller may see unchanged.
func basketError(err error) error {
	var e *api.Error
	var field *order.FieldError
	switch {
	case errors.As(err, &e), errors.As(err, &field):
		return err
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
