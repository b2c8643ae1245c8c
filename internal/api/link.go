package api

import "h5pay/internal/fen"

// LinkPath returns the path of the link with a token.
func LinkPath(token string) string { return "/api" + PathLink + token }

// LinkOrdersPath returns the path that makes an order of the link with a token.
func LinkOrdersPath(token string) string { return LinkPath(token) + "/orders" }

// LinkState is whether a payment link takes orders.
type LinkState string

// The states of a link.
const (
	LinkOpen      LinkState = "open"
	LinkWithdrawn LinkState = "withdrawn" // by the merchant
	LinkExpired   LinkState = "expired"
	LinkSoldOut   LinkState = "sold_out" // it has as many orders as it may
)

// PaymentLink is a link as the holder of its URL sees it.
type PaymentLink struct {
	ShopName    string        `json:"shop_name"`
	Title       string        `json:"title"`
	Description string        `json:"description,omitempty"`
	State       LinkState     `json:"state"`
	Amount      fen.Fen       `json:"amount,omitempty"` // fen; 0 if the payer names it
	Bounds      *AmountBounds `json:"bounds,omitempty"` // of the amount that the payer names
	// TradeTypes are those that the shop and the link accept.
	TradeTypes []TradeType `json:"trade_types"`
}

// LinkOrderRequest makes an order of a link. It needs a session, of a user or of a guest.
type LinkOrderRequest struct {
	Amount    fen.Fen `json:"amount,omitempty"` // fen, if the payer names it
	ClientKey string  `json:"client_key"`       // as that of CreateOrderRequest
}

// LinkOrder is an order that a link made.
type LinkOrder struct {
	Status OrderStatus `json:"status"`
	Path   string      `json:"path"` // of the page that pays the order, "/o/TOKEN"
}
