package v1

import (
	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// Link is a payment link: a URL that makes an order for each payer who goes on.
type Link struct {
	ID string `json:"id"`
	// URL is what the payers open. Print it as a QR code: GET /v1/links/{id}/poster.svg.
	URL         string `json:"url"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// Amount is fixed, in fen. It is absent if the payer names it, within MinAmount and
	// MaxAmount.
	Amount    fen.Fen `json:"amount,omitempty"`
	MinAmount fen.Fen `json:"min_amount,omitempty"` // fen
	MaxAmount fen.Fen `json:"max_amount,omitempty"` // fen
	// Metadata and ReturnURL are those of each order.
	Metadata   map[string]string `json:"metadata,omitempty"`
	ReturnURL  string            `json:"return_url,omitempty"`
	TradeTypes []api.TradeType   `json:"trade_types"`
	State      LinkState         `json:"state"`
	// MaxOrders bounds Orders. Any number when it is absent.
	MaxOrders   int     `json:"max_orders,omitempty"`
	Orders      int     `json:"orders"`                 // that are open, and that were paid
	Paid        int     `json:"paid"`                   // orders that were paid
	PaidAmount  fen.Fen `json:"paid_amount"`            // fen that were paid, refunds not subtracted
	ExpiresAt   int64   `json:"expires_at,omitempty"`   // Unix ms; no new order from then on
	WithdrawnAt int64   `json:"withdrawn_at,omitempty"` // Unix ms
	CreatedAt   int64   `json:"created_at"`             // Unix ms
}

// LinkState is whether a link takes orders.
type LinkState = api.LinkState

// CreateLink makes a payment link. It has Amount, or MinAmount and MaxAmount.
type CreateLink struct {
	Title       string  `json:"title" required:"true" minLength:"1" maxLength:"60"`
	Description string  `json:"description,omitempty" maxLength:"200"`
	Amount      fen.Fen `json:"amount,omitempty" minimum:"1" maximum:"100000000"`     // fen
	MinAmount   fen.Fen `json:"min_amount,omitempty" minimum:"1" maximum:"100000000"` // fen
	MaxAmount   fen.Fen `json:"max_amount,omitempty" minimum:"1" maximum:"100000000"` // fen
	// MaxOrders is the most orders that are open or were paid. An open order ends after an
	// hour and leaves its place.
	MaxOrders int `json:"max_orders,omitempty" minimum:"1" maximum:"1000000"`
	// ExpiresAt is when the link stops taking orders, Unix ms. Never when it is absent.
	ExpiresAt int64             `json:"expires_at,omitempty" minimum:"1" maximum:"9007199254740991"`
	Metadata  map[string]string `json:"metadata,omitempty" maxProperties:"20"`
	// ReturnURL has a host of the setting RETURN_HOSTS.
	ReturnURL  string          `json:"return_url,omitempty" minLength:"1" maxLength:"500"`
	TradeTypes []api.TradeType `json:"trade_types,omitempty" minItems:"1" maxItems:"3"`
}

// ChangeLink changes what it has. What is absent stays. The amount never changes.
type ChangeLink struct {
	Title       *string `json:"title,omitempty" minLength:"1" maxLength:"60"`
	Description *string `json:"description,omitempty" maxLength:"200"`
	MaxOrders   *int    `json:"max_orders,omitempty" minimum:"0" maximum:"1000000"` // 0: any number
	// ExpiresAt is Unix ms. 0: never.
	ExpiresAt *int64 `json:"expires_at,omitempty" minimum:"0" maximum:"9007199254740991"`
	// Withdrawn true stops the link: it takes no new order. False opens it again.
	Withdrawn *bool `json:"withdrawn,omitempty"`
}

// LinkQuery asks for a part of the links.
type LinkQuery struct {
	Page
}

// Links are a part of the payment links, newest first. Next is absent in the last part.
type Links struct {
	Links []Link `json:"links"`
	Next  string `json:"next,omitempty"`
}
