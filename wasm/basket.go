package main

import (
	"encoding/json"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// basket counts what was chosen, by product ID.
type basket map[string]int

// add changes a count by n, within what an order may hold.
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

// full reports whether no other product fits.
func (c basket) full() bool { return len(c) >= api.MaxOrderItems }

// items returns the request's form of the basket, in the catalogue's order.
// What is no longer in the catalogue, or sold by the amount now, is left out.
func (c basket) items(catalogue []api.Product) []api.OrderItem {
	var items []api.OrderItem
	for _, p := range catalogue {
		if n := c[p.ID]; n > 0 && p.Amount == nil {
			items = append(items, api.OrderItem{ProductID: p.ID, Quantity: n})
		}
	}
	return items
}

// total is for display; the signer prices the order itself.
func (c basket) total(catalogue []api.Product) (total fen.Fen, count int) {
	for _, p := range catalogue {
		if p.Amount == nil {
			total += p.Price * fen.Fen(c[p.ID])
			count += c[p.ID]
		}
	}
	return total, count
}

// loadBasket returns what this web view remembers, across reloads and the trip
// to WeChat.
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

// save remembers the basket. A changed basket is another order.
func (c basket) save(b browser) {
	text, err := json.Marshal(c)
	if err != nil {
		return
	}
	b.Remember(keyBasket, string(text))
	draft{b, ""}.change()
}
