package order

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// The errors of a basket.
var (
	// ErrBasket is wrapped by errors about the request: no items, or a quantity or
	// total out of range.
	ErrBasket = errors.New("the basket cannot be ordered")
	// ErrUnavailable is returned if an item is not for sale, or not any more.
	ErrUnavailable = errors.New("an item is not for sale")
)

// Basket is what a buyer wants. It has each product once, in a quantity of up to
// api.MaxQuantity. A product with an amount has the quantity 1.
type Basket []api.OrderItem

// NewBasket merges the lines of a request and checks the limits of a basket.
func NewBasket(items []api.OrderItem) (Basket, error) {
	var b Basket
	for n, item := range items {
		if item.Quantity < 1 || item.Quantity > api.MaxQuantity {
			return nil, fmt.Errorf("%w: items[%d].quantity: want 1 to %d", ErrBasket, n, api.MaxQuantity)
		}
		if !ValidProductID(item.ProductID) {
			return nil, fmt.Errorf("%w: items[%d].product_id: want 1 to 64 letters, digits, '-' or '_'", ErrBasket, n)
		}
		if item.Amount < 0 || item.Amount > MaxTotal || item.Amount > 0 && item.Quantity != 1 {
			return nil, fmt.Errorf("%w: items[%d].amount: want at most %d fen, with the quantity 1", ErrBasket, n, int64(MaxTotal))
		}
		i := slices.IndexFunc(b, func(have api.OrderItem) bool { return have.ProductID == item.ProductID })
		if i < 0 {
			b = append(b, item)
			if len(b) > api.MaxOrderItems {
				return nil, fmt.Errorf("%w: items: want at most %d different products", ErrBasket, api.MaxOrderItems)
			}
			continue
		}
		if b[i].Amount != 0 || item.Amount != 0 {
			return nil, fmt.Errorf("%w: items[%d].product_id: a product with an amount is repeated", ErrBasket, n)
		}
		b[i].Quantity += item.Quantity
		if b[i].Quantity > api.MaxQuantity {
			return nil, fmt.Errorf("%w: items[%d].quantity: want at most %d of one product", ErrBasket, n, api.MaxQuantity)
		}
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: items: want at least one", ErrBasket)
	}
	return b, nil
}

// ValidProductID reports whether id has the form of a product id: 1 to 64 letters,
// digits, '-' or '_'.
func ValidProductID(id string) bool {
	return alphabet.URLSafe.Valid(id, 1, 64)
}

// Fingerprint identifies a request: the basket, whatever the order of its lines.
func (b Basket) Fingerprint() string {
	lines := make([]string, len(b))
	for i, item := range b {
		lines[i] = fmt.Sprintf("%s %d\n", item.ProductID, item.Quantity)
		if item.Amount > 0 {
			lines[i] = fmt.Sprintf("%s %d of %d\n", item.ProductID, item.Quantity, item.Amount)
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

// Price returns the lines and the total of an order, with the catalogue's prices. If the payer
// chooses the amount of a product, it is that of the basket.
func (b Basket) Price(products []Product) ([]Line, fen.Fen, error) {
	lines := make([]Line, 0, len(b))
	var total fen.Fen
	for _, item := range b {
		i := slices.IndexFunc(products, func(p Product) bool { return p.ID == item.ProductID })
		if i < 0 {
			return nil, 0, ErrUnavailable
		}
		p := products[i]
		// A price within MaxTotal, at most 99 of 20 products: no overflow.
		if p.Price < 1 || p.Price > MaxTotal {
			return nil, 0, fmt.Errorf("product %s has the price %d, want 1 to %d fen", p.ID, int64(p.Price), int64(MaxTotal))
		}
		price := p.Price
		switch {
		case p.Named() && (item.Amount < p.MinPrice || item.Amount > p.MaxPrice):
			return nil, 0, fmt.Errorf("%w: amount of %s: want %d to %d fen", ErrBasket, p.ID, int64(p.MinPrice), int64(p.MaxPrice))
		case p.Named():
			price = item.Amount
		case item.Amount != 0:
			return nil, 0, fmt.Errorf("%w: amount of %s: want none, because its price is fixed", ErrBasket, p.ID)
		}
		lines = append(lines, Line{ProductID: p.ID, Name: p.Name, Price: price, Quantity: item.Quantity})
		total += price * fen.Fen(item.Quantity)
	}
	if total > MaxTotal {
		return nil, 0, fmt.Errorf("%w: the total is %d fen, want at most %d", ErrBasket, int64(total), int64(MaxTotal))
	}
	return lines, total, nil
}
