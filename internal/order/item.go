package order

import (
	"fmt"
	"slices"

	"h5pay/internal/fen"
)

// Item is a position of an order that a back end makes. It is a product of the catalogue, or a name
// and a price of the back end's own.
type Item struct {
	ProductID string // "" for a position of its own
	Name      string
	Price     fen.Fen // fen, for one; 0 for the price of the catalogue
	Quantity  int
}

// FieldError names the field of a request that cannot be accepted, and the problem.
type FieldError struct{ Field, Problem string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// PriceItems returns the lines and the total of an order. A product has the price of the catalogue,
// or the price of the item if the payer chooses it. The error is a *FieldError, or ErrUnavailable.
func PriceItems(items []Item, products []Product) ([]Line, fen.Fen, error) {
	lines := make([]Line, 0, len(items))
	var total fen.Fen
	for i, item := range items {
		field := fmt.Sprintf("lines[%d].", i)
		line := Line(item)
		switch {
		case item.ProductID == "" && item.Name == "":
			return nil, 0, &FieldError{field + "name", "is required without product_id"}
		case item.ProductID == "" && item.Price == 0:
			return nil, 0, &FieldError{field + "price", "is required without product_id"}
		case item.ProductID != "":
			j := slices.IndexFunc(products, func(p Product) bool { return p.ID == item.ProductID })
			if j < 0 {
				return nil, 0, fmt.Errorf("%sproduct_id: %w", field, ErrUnavailable)
			}
			p := products[j]
			switch {
			case item.Name != "":
				return nil, 0, &FieldError{field + "name", "is that of the catalogue: leave it out"}
			case p.Named() && (item.Price < p.MinPrice || item.Price > p.MaxPrice):
				return nil, 0, &FieldError{field + "price", fmt.Sprintf("want %d to %d fen", p.MinPrice, p.MaxPrice)}
			case !p.Named() && item.Price != 0 && item.Price != p.Price:
				return nil, 0, &FieldError{field + "price", fmt.Sprintf("the catalogue has %d fen: leave it out", p.Price)}
			}
			line.Name = p.Name
			if !p.Named() {
				line.Price = p.Price
			}
		}
		// A price and a quantity within their bounds, 20 times: no overflow.
		total += line.Price * fen.Fen(line.Quantity)
		lines = append(lines, line)
	}
	if total > MaxTotal {
		return nil, 0, &FieldError{"lines", fmt.Sprintf("the sum is %d fen, want at most %d", int64(total), int64(MaxTotal))}
	}
	return lines, total, nil
}
