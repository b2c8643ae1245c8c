package main

import (
	"context"
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
	if c[id] == 0 && c.full() {
		return
	}
	c[id] = count
}

// full reports whether no other product fits.
func (c basket) full() bool { return len(c) >= api.MaxOrderItems }

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

// placeOrder makes the order of the items, or finds the one they made before,
// and returns its ID. An order that can no longer be paid makes room for
// another one, once.
func placeOrder(ctx context.Context, b browser, items []api.OrderItem) (id string, err error) {
	var c api.Checkout
	for range 2 {
		err = call(ctx, b, "POST", api.PathOrders,
			api.CreateOrderRequest{Items: items, TradeType: api.TradeJSAPI, ClientKey: clientKey(b)}, &c)
		if code(err) != api.CodeOrderNotPayable && code(err) != api.CodeConflict {
			break
		}
		forgetOrder(b)
	}
	if err != nil {
		return "", err
	}
	if c.Order.ID == "" {
		return "", errGarbled()
	}
	b.Remember(keyOrder, c.Order.ID)
	return c.Order.ID, nil
}

// letGo ends what is remembered for an order that has come to its end: a paid
// basket is empty, a closed one makes a new order. A basket that was begun
// since, in front of an old result, stays as it is.
func letGo(b browser, o api.Order) {
	if b.Recall(keyOrder) != o.ID {
		return
	}
	if o.Status == api.StatusPaid {
		b.Remember(keyBasket, "")
	}
	forgetOrder(b)
}
