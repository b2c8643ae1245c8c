package v1

import "h5pay/internal/fen"

// Product is one item of the catalogue.
type Product struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Detail string  `json:"detail,omitempty"`
	Image  string  `json:"image,omitempty"` // a path on the shop
	Price  fen.Fen `json:"price"`           // fen, for one; a suggestion if the payer names the amount
	// MinAmount and MaxAmount are set if the payer names the amount. In fen.
	MinAmount fen.Fen `json:"min_amount,omitempty"`
	MaxAmount fen.Fen `json:"max_amount,omitempty"` // fen
	Position  int64   `json:"position"`             // products are shown in this order
	ForSale   bool    `json:"for_sale"`
	// Stock is the number of pieces that can be sold. Absent for any number. An order takes its
	// pieces and gives them back when it is closed without a payment. Below 0 after a late payment
	// of a closed order, which is always accepted.
	Stock *int64 `json:"stock,omitempty"`
}

// ChangeStock changes the stock of a product. It has exactly one field.
type ChangeStock struct {
	// Add is the number of pieces that arrive, or that leave if it is below 0. The product needs a stock.
	Add int64 `json:"add,omitempty" minimum:"-1000000" maximum:"1000000"`
	// Set is the number of pieces that can be sold from now on, without those of open orders.
	Set *int64 `json:"set,omitempty" minimum:"0" maximum:"1000000"`
	// Unlimited true ends the keeping of a stock: any number can be sold.
	Unlimited bool `json:"unlimited,omitempty"`
}

// PutProduct stores a product under the ID of the path. The stock of an existing one stays.
type PutProduct struct {
	Name   string `json:"name" required:"true" minLength:"1" maxLength:"80"`
	Detail string `json:"detail,omitempty" maxLength:"200"`
	// Image is a path on the shop, like "/web/products/tea.svg".
	Image string  `json:"image,omitempty" pattern:"^/[^/\\\\][^\\\\]*$" maxLength:"200"`
	Price fen.Fen `json:"price" required:"true" minimum:"1" maximum:"100000000"` // fen, for one
	// MinAmount and MaxAmount let the payer name the amount within them. Send both or neither.
	MinAmount fen.Fen `json:"min_amount,omitempty" minimum:"1" maximum:"100000000"`
	MaxAmount fen.Fen `json:"max_amount,omitempty" minimum:"1" maximum:"100000000"` // fen
	Position  int64   `json:"position,omitempty" minimum:"-1000000" maximum:"1000000"`
	// ForSale is true when it is absent. A product that is not for sale is not shown and
	// cannot be ordered.
	ForSale *bool `json:"for_sale,omitempty"`
}

// Products are all products in the order of the catalogue.
type Products struct {
	Products []Product `json:"products"`
}
