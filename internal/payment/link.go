package payment

import (
	"context"
	"errors"
	"strconv"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// CreateLink stores a payment link. The caller has checked the bounds of its fields. A
// repeated request returns the link that it made before, or CodeConflict if the
// Fingerprint differs. The error is a *order.FieldError for a field that cannot be accepted.
func (s *Service) CreateLink(ctx context.Context, l order.Link) (order.Link, error) {
	switch {
	case l.Amount == 0 && (l.Min == 0 || l.Max == 0):
		return l, &order.FieldError{Field: "amount", Problem: "is required without min_amount and max_amount"}
	case l.Amount != 0 && (l.Min != 0 || l.Max != 0):
		return l, &order.FieldError{Field: "amount", Problem: "want none together with min_amount and max_amount"}
	case l.Min > l.Max:
		return l, &order.FieldError{Field: "max_amount", Problem: "is less than min_amount"}
	case order.Printable(l.Title) == "":
		return l, &order.FieldError{Field: "title", Problem: "want a character that WeChat accepts"}
	}
	if err := s.checkWhere(l.ReturnURL, l.TradeTypes); err != nil {
		return l, err
	}
	l.CreatedAt = s.now()
	if !l.ExpiresAt.IsZero() && !l.ExpiresAt.After(l.CreatedAt) {
		return l, &order.FieldError{Field: "expires_at", Problem: "want a time in the future"}
	}
	var err error
	if l.ID, err = order.NewID(s.rand); err != nil {
		return l, err
	}
	if l.Token, err = alphabet.Lower32.Random(s.rand, tokenLength); err != nil {
		return l, err
	}
	made, err := s.cfg.Store.InsertLink(ctx, l)
	if made || err != nil {
		return l, err
	}
	before, err := s.cfg.Store.LinkOfRequest(ctx, l.MadeBy, l.IdempotencyKey)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return l, insertError(store.ErrFull)
	case err == nil && before.Fingerprint != l.Fingerprint:
		return l, reject(api.CodeConflict, "the Idempotency-Key was used for another link")
	}
	return before, err
}

// ChangeLink changes a payment link and returns it. Its amount never changes, and orders
// that it made stay as they are.
func (s *Service) ChangeLink(ctx context.Context, id string, c store.LinkChange) (order.Link, error) {
	if c.Title != nil && order.Printable(*c.Title) == "" {
		if _, err := s.cfg.Store.LinkByID(ctx, id); err != nil {
			return order.Link{}, err
		}
		return order.Link{}, &order.FieldError{Field: "title", Problem: "want a character that WeChat accepts"}
	}
	return s.cfg.Store.ChangeLink(ctx, id, c, s.now())
}

// Link returns a payment link to a caller who has its token.
func (s *Service) Link(ctx context.Context, token string) (api.PaymentLink, error) {
	l, err := s.linkByToken(ctx, token)
	if err != nil {
		return api.PaymentLink{}, err
	}
	view := api.PaymentLink{ShopName: s.cfg.ShopName, Title: l.Title, Description: l.Description, State: l.State(s.now()), Amount: l.Amount}
	if l.Amount == 0 {
		view.Bounds = &api.AmountBounds{Min: l.Min, Max: l.Max}
	}
	o := order.Order{TradeTypes: l.TradeTypes}
	for _, t := range s.cfg.TradeTypes {
		if o.Takes(t) {
			view.TradeTypes = append(view.TradeTypes, t)
		}
	}
	return view, nil
}

func (s *Service) linkByToken(ctx context.Context, token string) (order.Link, error) {
	l, err := s.cfg.Store.LinkByToken(ctx, token)
	if errors.Is(err, store.ErrNotFound) {
		return l, reject(api.CodeNotFound, "no such payment link")
	}
	return l, err
}

// LinkRequest is an order that a payer wants to make by a payment link.
type LinkRequest struct {
	Token     string
	Amount    fen.Fen // 0 unless the payer names it
	ClientKey string
	Owner     string // the openid of the payer, or the id of a guest
	Network   string // as that of a BasketRequest
}

// PlaceByLink stores an order of a payment link, within the bounds of unpaid orders. The
// statement that stores it checks that the link takes orders. A repeated ClientKey returns
// the order that it made before. The order has a token, so that the customer's page pays it.
func (s *Service) PlaceByLink(ctx context.Context, r LinkRequest) (order.Order, error) {
	if !validClientKey(r.ClientKey) {
		return order.Order{}, reject(api.CodeBadRequest, "client_key: want 16 to 64 letters, digits, '-' or '_'")
	}
	l, err := s.linkByToken(ctx, r.Token)
	if err != nil {
		return order.Order{}, err
	}
	o := order.Order{Source: order.SourceLink, LinkID: l.ID, Owner: r.Owner, Network: r.Network, ClientKey: r.ClientKey,
		Metadata: l.Metadata, ReturnURL: l.ReturnURL, TradeTypes: l.TradeTypes, Description: order.Printable(l.Title)}
	var wrong *order.FieldError
	if o.Total, err = l.Price(r.Amount); errors.As(err, &wrong) {
		return order.Order{}, reject(api.CodeBadRequest, wrong.Error())
	}
	o.Fingerprint = "link " + l.ID + " " + strconv.FormatInt(int64(o.Total), 10)
	if s.cfg.SellingOff {
		return s.placedBefore(ctx, o, errNotSelling())
	}
	o.Lines = []order.Line{{Name: l.Title, Price: o.Total, Quantity: 1}}
	if o.Token, err = alphabet.Lower32.Random(s.rand, tokenLength); err != nil {
		return order.Order{}, err
	}
	return s.place(ctx, o, order.LinkLifetime, s.cfg.Store.Insert)
}
