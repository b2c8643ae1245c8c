package order

import (
	"h5pay/internal/fen"
)

// Product is one item of the catalogue.
type Product struct {
	ID     string
	Name   string
	Detail string
	Image  string  // path on the shop, or ""
	Price  fen.Fen // fen, for one

	// The bounds within which the payer names the amount, in fen. Both are 0 if the
	// price is fixed.
	MinPrice, MaxPrice fen.Fen

	Stock *int64 // pieces that can be sold; nil: any number. Below 0 after a late payment

	Position  int64 // products are shown in this order
	Withdrawn bool  // not for sale
}

// Named reports whether the payer names the amount.
func (p Product) Named() bool { return p.MaxPrice > 0 }
