package order

import "fmt"

// OutOfStock is the error of an order of more pieces of a product than its stock has.
type OutOfStock struct {
	ProductID string
	Left      int64 // may be below 0
}

func (e *OutOfStock) Error() string {
	return fmt.Sprintf("%d of product %s are left", max(0, e.Left), e.ProductID)
}

// Pieces returns how many pieces of each product of the catalogue the lines of an order have, nil for
// none.
func Pieces(lines []Line) map[string]int64 {
	var pieces map[string]int64
	for _, l := range lines {
		if l.ProductID == "" {
			continue
		}
		if pieces == nil {
			pieces = map[string]int64{}
		}
		pieces[l.ProductID] += int64(l.Quantity)
	}
	return pieces
}

// MaxStock bounds the stock of a product.
const MaxStock = 1_000_000_000

// StockChange is a change of a product's stock: one of its fields is set.
type StockChange struct {
	Add       *int64 // pieces that arrive, or leave if it is below 0
	Set       *int64 // pieces that can be sold from now on, without those of open orders
	Unlimited bool   // no stock is kept any more
}
