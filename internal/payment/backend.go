package payment

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
)

// BackEndOrder is an order that a back end requests. The caller has checked the bounds of its
// fields.
type BackEndOrder struct {
	KeyID          string // of the API key
	IdempotencyKey string
	Fingerprint    string // of the request

	Amount      fen.Fen // 0: the sum of the items
	Items       []order.Item
	Products    []order.Product // of the items, from the catalogue
	Description string          // "": made from the items
	Reference   string
	Metadata    string // a JSON object, or ""
	ReturnURL   string
	ExpiresIn   time.Duration // 0: order.Lifetime
	TradeTypes  []api.TradeType
}

// ReferenceUsed is the error that another order has the reference of a new one.
type ReferenceUsed struct{ OrderID string }

func (e *ReferenceUsed) Error() string { return "order " + e.OrderID + " has this reference" }

// tokenLength is the number of characters of the token in a customer's URL: 130 bits.
const tokenLength = 26

// PlaceForBackEnd stores the order of a back end. It makes no call and runs one statement, which
// also checks whether the shop sells. A repeated IdempotencyKey returns the order of the first
// call, or CodeConflict if the Fingerprint differs. The error is a *order.FieldError for a field
// that cannot be accepted.
func (s *Service) PlaceForBackEnd(ctx context.Context, r BackEndOrder) (order.Order, error) {
	o, err := s.placeForBackEnd(ctx, r)
	return o, stockError(err, "lines", len(r.Items), func(i int) string { return r.Items[i].ProductID })
}

func (s *Service) placeForBackEnd(ctx context.Context, r BackEndOrder) (order.Order, error) {
	o := order.Order{
		Source: order.SourceAPI, KeyID: r.KeyID, ClientKey: r.IdempotencyKey, Fingerprint: r.Fingerprint,
		Reference: r.Reference, Metadata: r.Metadata, ReturnURL: r.ReturnURL, TradeTypes: r.TradeTypes,
	}
	err := s.complete(&o, r)
	switch {
	case err != nil: // the catalogue or the settings may have changed since the first call
		return s.placedBefore(ctx, o, err)
	case s.cfg.SellingOff:
		return s.placedBefore(ctx, o, errNotSelling())
	}
	if o.Token, err = alphabet.Lower32.Random(s.rand, tokenLength); err != nil {
		return order.Order{}, err
	}
	return s.place(ctx, o, cmp.Or(r.ExpiresIn, order.Lifetime), s.cfg.Store.Insert)
}

// complete prices an order and makes the checks that need more than one field or the settings.
func (s *Service) complete(o *order.Order, r BackEndOrder) (err error) {
	switch {
	case len(r.Items) == 0 && r.Amount == 0:
		return &order.FieldError{Field: "amount", Problem: "is required without lines"}
	case len(r.Items) == 0 && r.Description == "":
		return &order.FieldError{Field: "description", Problem: "is required without lines"}
	}
	if err := s.checkWhere(r.ReturnURL, r.TradeTypes); err != nil {
		return err
	}
	if most := s.cfg.KeepUnpaid - (order.MinKeepUnpaid - order.Lifetime); r.ExpiresIn > most {
		return &order.FieldError{Field: "expires_in", Problem: fmt.Sprintf("want at most %d, because the shop deletes unpaid orders (KEEP_UNPAID_DAYS)", int64(most/time.Second))}
	}
	items := r.Items
	if len(items) == 0 {
		items = []order.Item{{Name: r.Description, Price: r.Amount, Quantity: 1}}
	}
	if o.Lines, o.Total, err = order.PriceItems(items, r.Products); err != nil {
		return err
	}
	if r.Amount != 0 && r.Amount != o.Total {
		return &order.FieldError{Field: "amount", Problem: fmt.Sprintf("the sum of the lines is %d fen", int64(o.Total))}
	}
	if r.Description == "" {
		o.Description = order.Body(s.cfg.ShopName, o.Lines)
	} else if o.Description = order.Printable(r.Description); o.Description == "" {
		return &order.FieldError{Field: "description", Problem: "want a character that WeChat accepts"}
	}
	return nil
}

// checkWhere rejects a return_url that is not the merchant's, and trade types that the shop
// does not accept.
func (s *Service) checkWhere(returnURL string, types []api.TradeType) error {
	if err := s.checkReturnURL(returnURL); err != nil {
		return err
	}
	for i, t := range types {
		if !slices.Contains(s.cfg.TradeTypes, t) {
			return &order.FieldError{Field: fmt.Sprintf("trade_types[%d]", i), Problem: "this shop does not accept it"}
		}
		if slices.Contains(types[:i], t) {
			return &order.FieldError{Field: fmt.Sprintf("trade_types[%d]", i), Problem: "is repeated"}
		}
	}
	return nil
}

// checkReturnURL rejects a URL whose host is not one of the merchant's. Otherwise the page could
// send buyers to any site.
func (s *Service) checkReturnURL(text string) error {
	if text == "" {
		return nil
	}
	wrong := func(problem string) error { return &order.FieldError{Field: "return_url", Problem: problem} }
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Host == "", u.Opaque != "", u.User != nil, u.Fragment != "", strings.ContainsAny(text, "\\ \t\r\n"),
		u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return wrong("want a URL like https://www.example.com/thanks, without a fragment")
	case !slices.Contains(s.cfg.ReturnHosts, strings.ToLower(u.Host)):
		return wrong("its host is not in the shop's setting RETURN_HOSTS")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// LookForBackEnd returns an order with its refunds. With sync WeChat is queried about a bounded
// number of payments and refunds that have not ended. It is queried about each at most once in a
// few seconds.
func (s *Service) LookForBackEnd(ctx context.Context, id string, sync bool) (order.Order, []order.Refund, error) {
	o, err := s.anyOrder(ctx, id)
	if err == nil && sync && s.stale(o) {
		o = s.refresh(ctx, o) // before the refunds: it may find a payment, and refunds of it
	}
	switch {
	case err != nil, !order.WasPaid(o.Status):
		return o, nil, err
	case sync:
		return s.lookAtRefunds(ctx, o)
	}
	refunds, err := s.cfg.Store.Refunds(ctx, o.ID)
	return o, refunds, err
}
