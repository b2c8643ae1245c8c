package order

import (
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// LinkLifetime is how long an order of a payment link can be paid. It is shorter than
// Lifetime, because an open order takes a place of its link.
const LinkLifetime = time.Hour

// Link is a payment link: a URL that makes an order for each payer.
type Link struct {
	ID          string
	Token       string // of the URL
	Title       string
	Description string
	Amount      fen.Fen // 0: the payer names it, within Min and Max
	Min, Max    fen.Fen
	Metadata    string          // of each order: a JSON object, "" without one
	TradeTypes  []api.TradeType // that may pay; all when empty
	ReturnURL   string
	MaxOrders   int       // the most that Orders may be; 0: any number
	ExpiresAt   time.Time // no new order from then on; zero: never
	WithdrawnAt time.Time // zero unless it is withdrawn
	CreatedAt   time.Time

	Orders     int     // those that are open, and those that were paid
	Paid       int     // those that were paid
	PaidAmount fen.Fen // what was paid, refunds not subtracted

	// The request that made the link.
	MadeBy, IdempotencyKey, Fingerprint string
}

// LinkState is whether a link takes orders.
type LinkState = api.LinkState

// The states of a link.
const (
	LinkOpen      = api.LinkOpen
	LinkWithdrawn = api.LinkWithdrawn
	LinkExpired   = api.LinkExpired
	LinkSoldOut   = api.LinkSoldOut
)

// State returns whether the link takes orders at a time.
func (l *Link) State(now time.Time) LinkState {
	switch {
	case !l.WithdrawnAt.IsZero():
		return LinkWithdrawn
	case !l.ExpiresAt.IsZero() && !now.Before(l.ExpiresAt):
		return LinkExpired
	case l.MaxOrders > 0 && l.Orders >= l.MaxOrders:
		return LinkSoldOut
	}
	return LinkOpen
}

// Price returns the amount of an order that a payer wants to make with an amount, 0 for
// none. The error is a *FieldError.
func (l *Link) Price(named fen.Fen) (fen.Fen, error) {
	switch {
	case l.Amount > 0 && named != 0 && named != l.Amount:
		return 0, &FieldError{Field: "amount", Problem: "the link has a fixed amount"}
	case l.Amount > 0:
		return l.Amount, nil
	case named < l.Min || named > l.Max:
		return 0, &FieldError{Field: "amount", Problem: "want an amount from " + l.Min.String() + " to " + l.Max.String() + " yuan"}
	}
	return named, nil
}
