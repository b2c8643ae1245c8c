package v1

import (
	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// Link is a payment link: a URL that makes an order for each payer who confirms.
type Link struct {
	ID string `json:"id"`
	// URL is the address that the payers open. GET /v1/links/{id}/poster.svg has it as a QR
	// code.
	URL         string `json:"url"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// Amount is fixed, in fen. It is absent if the payer names it, within MinAmount and
	// MaxAmount.
	Amount    fen.Fen `json:"amount,omitempty"`
	MinAmount fen.Fen `json:"min_amount,omitempty"` // fen
	MaxAmount fen.Fen `json:"max_amount,omitempty"` // fen
	// Each order gets Metadata and ReturnURL.
	Metadata   map[string]string `json:"metadata,omitempty"`
	ReturnURL  string            `json:"return_url,omitempty"`
	TradeTypes []api.TradeType   `json:"trade_types"`
	State      LinkState         `json:"state"`
	// MaxOrders bounds Orders. No bound when it is absent.
	MaxOrders   int     `json:"max_orders,omitempty"`
	Orders      int     `json:"orders"`                 // that are open or were paid
	Paid        int     `json:"paid"`                   // orders that were paid
	PaidAmount  fen.Fen `json:"paid_amount"`            // fen that were paid, refunds not subtracted
	ExpiresAt   int64   `json:"expires_at,omitempty"`   // Unix ms; no new order from then on
	WithdrawnAt int64   `json:"withdrawn_at,omitempty"` // Unix ms
	CreatedAt   int64   `json:"created_at"`             // Unix ms
}

// LinkState shows whether a link accepts orders.
type LinkState = api.LinkState

// CreateLink makes a payment link. It has Amount, or MinAmount and MaxAmount.
type CreateLink struct {
	Title       string  `json:"title" required:"true" minLength:"1" maxLength:"60"`
	Description string  `json:"description,omitempty" maxLength:"200"`
	Amount      fen.Fen `json:"amount,omitempty" minimum:"1" maximum:"100000000"`     // fen
	MinAmount   fen.Fen `json:"min_amount,omitempty" minimum:"1" maximum:"100000000"` // fen
	MaxAmount   fen.Fen `json:"max_amount,omitempty" minimum:"1" maximum:"100000000"` // fen
	// MaxOrders is the maximum of orders that are open or paid. An unpaid order expires after
	// an hour and then no longer counts.
	MaxOrders int `json:"max_orders,omitempty" minimum:"1" maximum:"1000000"`
	// ExpiresAt is when the link stops accepting orders, Unix ms. Never when it is absent.
	ExpiresAt int64             `json:"expires_at,omitempty" minimum:"1" maximum:"9007199254740991"`
	Metadata  map[string]string `json:"metadata,omitempty" maxProperties:"20"`
	// The host of ReturnURL must be in the setting RETURN_HOSTS.
	ReturnURL  string          `json:"return_url,omitempty" minLength:"1" maxLength:"500"`
	TradeTypes []api.TradeType `json:"trade_types,omitempty" minItems:"1" maxItems:"3"`
}

// ChangeLink changes the fields that it has. Absent fields stay. The amount never changes.
type ChangeLink struct {
	Title       *string `json:"title,omitempty" minLength:"1" maxLength:"60"`
	Description *string `json:"description,omitempty" maxLength:"200"`
	MaxOrders   *int    `json:"max_orders,omitempty" minimum:"0" maximum:"1000000"` // 0: no bound
	// ExpiresAt is Unix ms. 0: never.
	ExpiresAt *int64 `json:"expires_at,omitempty" minimum:"0" maximum:"9007199254740991"`
	// Withdrawn true stops the link: it accepts no new order. False opens it again.
	Withdrawn *bool `json:"withdrawn,omitempty"`
}

// LinkQuery selects a part of the links.
type LinkQuery struct {
	Page
}

// Links are a part of the payment links, newest first. Next is absent in the last part.
type Links struct {
	Links []Link `json:"links"`
	Next  string `json:"next,omitempty"`
}
