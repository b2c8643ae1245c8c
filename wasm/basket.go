package main

import (
	"crypto/rand"
	"encoding/json"

	"h5pay/internal/api"
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
	if _, in := c[id]; !in && len(c) == api.MaxOrderItems {
		return
	}
	c[id] = count
}

// items returns the request's form of the basket, in the catalogue's order.
// What is no longer in the catalogue is left out.
func (c basket) items(catalogue []api.Product) []api.OrderItem {
	var items []api.OrderItem
	for _, p := range catalogue {
		if n := c[p.ID]; n > 0 {
			items = append(items, api.OrderItem{ProductID: p.ID, Quantity: n})
		}
	}
	return items
}

// total is for display; the signer prices the order itself.
func (c basket) total(catalogue []api.Product) (total api.Fen, count int) {
	for _, p := range catalogue {
		total += p.Price * api.Fen(c[p.ID])
		count += c[p.ID]
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
	forgetOrder(b)
}

// forgetOrder makes the next order of the basket another one.
func forgetOrder(b browser) {
	b.Remember(keyClientKey, "")
	b.Remember(keyOrder, "")
}

// clientKey returns the key of the order made from the basket as it is: the
// same for a double tap, a retry and a reload.
func clientKey(b browser) string {
	if key := b.Recall(keyClientKey); key != "" {
		return key
	}
	key := rand.Text()
	b.Remember(keyClientKey, key)
	return key
}

// emptyBasket forgets the basket once its order is paid. A basket that was
// begun since, in front of an old result, stays.
func emptyBasket(b browser, paid string) {
	if b.Recall(keyOrder) != paid {
		return
	}
	b.Remember(keyBasket, "")
	forgetOrder(b)
}
