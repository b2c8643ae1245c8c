package payment

import (
	"cmp"
	"context"
	"errors"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// PersonRequest identifies a person. Set exactly one of the first three fields.
type PersonRequest struct {
	OpenID  string `json:"openid,omitempty"`
	OwnerOf string `json:"owner_of,omitempty"` // the ID of an order that the person created
	PayerOf string `json:"payer_of,omitempty"` // the ID of an order that the person paid
}

// PersonErased reports in how many orders a person's data was erased. If More is set, send the same
// request again.
type PersonErased struct {
	Orders int  `json:"orders"`
	More   bool `json:"more,omitempty"`
}

// Erase removes a person from the orders that they own, paid or were asked to pay, a bounded number
// per call. Open orders become closing, as by Close.
func (s *Service) Erase(ctx context.Context, req PersonRequest) (PersonErased, error) {
	who, err := s.Person(ctx, req)
	if err != nil {
		return PersonErased{}, err
	}
	orders, err := s.cfg.Store.PersonOrders(ctx, who, time.Time{}, "", erasedOrders+1)
	if err != nil {
		return PersonErased{}, err
	}
	result := PersonErased{More: len(orders) > erasedOrders}
	orders = orders[:min(len(orders), erasedOrders)]
	var ids, open []string
	for _, o := range orders {
		if result.More && (o.ID == req.OwnerOf || o.ID == req.PayerOf) {
			continue // the next call needs it to find the person
		}
		ids = append(ids, o.ID)
		if o.Open() {
			open = append(open, o.ID)
		}
	}
	if _, err := s.beginCloseAll(ctx, open); err != nil {
		return PersonErased{}, err
	}
	if err := s.cfg.Store.ErasePerson(ctx, who, ids); err != nil {
		return PersonErased{}, err
	}
	result.Orders = len(ids)
	s.logger(ctx).Warn("the operator erases a person", "orders", result.Orders, "more", result.More)
	return result, nil
}

// Person returns the openid or the guest id of the person that a request names. The request has the
// id itself, or an order that the person owns or has paid. It must not be in a response or in the
// log.
func (s *Service) Person(ctx context.Context, req PersonRequest) (string, error) {
	id := cmp.Or(req.OwnerOf, req.PayerOf)
	switch {
	case req.OpenID == "" && id == "", req.OpenID != "" && id != "", req.OwnerOf != "" && req.PayerOf != "":
		return "", &api.Error{Code: api.CodeBadRequest, Field: "openid", Message: "openid, owner_of or payer_of: want one of them"}
	case req.OpenID == "":
	case !alphabet.URLSafe.Valid(req.OpenID, 1, 128):
		return "", &api.Error{Code: api.CodeBadRequest, Field: "openid", Message: "openid: want 1 to 128 letters, digits, '-' or '_'"}
	default:
		return req.OpenID, nil
	}
	unknown := reject(api.CodeNotFound, "no such order, or the order has no such person")
	if !order.ValidID(id) {
		return "", unknown
	}
	o, err := s.cfg.Store.ByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", unknown
	}
	if err != nil {
		return "", err
	}
	who := o.Owner
	if req.PayerOf != "" {
		who = o.Payment.Payer
	}
	if who == "" || order.IsErased(who) {
		return "", unknown
	}
	return who, nil
}

// Bounds of one call about a person.
const (
	erasedOrders = 200 // each is some rows
)
