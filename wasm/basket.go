package main

import (
	"encoding/json"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// basket holds the quantity of each chosen product, by product ID.
type basket map[string]int

// add changes a quantity by n, within the limits of an order.
func (c basket) add(id string, n int) {
	count := min(max(c[id]+n, 0), api.MaxQuantity)
	if count == 0 {
		delete(c, id)
		return
	}
	if c[id] == 0 && c.full() {
		return
	}
	c[id] = count
}

// full reports whether the basket has no room for another product.
func (c basket) full() bool { return len(c) >= api.MaxOrderItems }

// pieces returns the number of pieces of all products.
func (c basket) pieces() int {
	sum := 0
	for _, n := range c {
		sum += n
	}
	return sum
}

// fit removes the pieces that the shop does not have.
func (c basket) fit(catalogue []api.Product) {
	for _, p := range catalogue {
		if p.Left == nil || c[p.ID] <= *p.Left {
			continue
		}
		if c[p.ID] = *p.Left; p.SoldOut() {
			delete(c, p.ID)
		}
	}
}

// most returns how many pieces of a product a basket may have.
func most(p api.Product) int {
	if p.Left != nil {
		return min(*p.Left, api.MaxQuantity)
	}
	return api.MaxQuantity
}

// items returns the basket as order items, in the catalogue's order. It omits products that left
// the catalogue or lost their fixed price.
func (c basket) items(catalogue []api.Product) []api.OrderItem {
	var items []api.OrderItem
	for _, p := range catalogue {
		if n := c[p.ID]; n > 0 && p.Amount == nil {
			items = append(items, api.OrderItem{ProductID: p.ID, Quantity: n})
		}
	}
	return items
}

// total returns the sum and the number of pieces for display. The signer prices the order itself.
func (c basket) total(catalogue []api.Product) (total fen.Fen, count int) {
	for _, p := range catalogue {
		if p.Amount == nil {
			total += p.Price * fen.Fen(c[p.ID])
			count += c[p.ID]
		}
	}
	return total, count
}

// loadBasket returns the basket that this web view stored. It survives reloads and the sign-in at
// WeChat.
func loadBasket(b browser) basket {
	c := basket{}
	var stored map[string]int
	if json.Unmarshal([]byte(b.Recall(keyBasket)), &stored) == nil {
		for id, n := range stored {
			c.add(id, n)
		}
	}
	return c
}

// save stores the basket. A changed basket leads to a new order.
func (c basket) save(b browser) {
	text, err := json.Marshal(c)
	if err != nil {
		return
	}
	b.Remember(keyBasket, string(text))
	draft{b, ""}.change()
}
