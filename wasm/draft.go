package main

import (
	"context"
	"crypto/rand"

	"h5pay/internal/api"
)

// draft remembers the order that was made from a choice until it has come to its
// end: a double tap, a retry, a reload and Back find the same one.
type draft struct {
	b    browser
	name string // of the choice: "" is the basket, else a product whose amount was named
}

// Keys of what a draft remembers, in front of its name.
const (
	keyClientKey = "h5pay.client_key" // of the order made from the choice
	keyOrder     = "h5pay.order"      // ID of that order
	keyReplaces  = "h5pay.replaces"   // ID of an unpaid order made from an earlier choice
	keyAmount    = "h5pay.amount."    // the amount, in fen, where one was named
)

func (d draft) recall(key string) string   { return d.b.Recall(key + d.name) }
func (d draft) remember(key, value string) { d.b.Remember(key+d.name, value) }

// key returns the client key of the order made from the choice as it is.
func (d draft) key() string {
	if key := d.recall(keyClientKey); key != "" {
		return key
	}
	key := rand.Text()
	d.remember(keyClientKey, key)
	return key
}

// forget makes the next order another one.
func (d draft) forget() {
	d.remember(keyClientKey, "")
	d.remember(keyOrder, "")
}

// change is for a choice that is not what it was: its next order is another one
// and takes the place of the one there was.
func (d draft) change() {
	if id := d.recall(keyOrder); id != "" {
		d.remember(keyReplaces, id)
	}
	d.forget()
}

// place makes the order of the items, or finds the one they made before, and
// returns its ID. An order that can no longer be paid makes room for another
// one, once. When the order to be replaced turns out to be paid, it is that one.
func (d draft) place(ctx context.Context, items []api.OrderItem, trade api.TradeType) (id string, err error) {
	var c api.Checkout
	for range 2 {
		replaces := d.recall(keyReplaces)
		err = call(ctx, d.b, "POST", api.PathOrders, api.CreateOrderRequest{
			Items: items, TradeType: trade, ClientKey: d.key(), Replaces: replaces,
		}, &c)
		switch code(err) {
		case "":
			if c.Order.ID == "" {
				return "", errBadResponse()
			}
			d.remember(keyOrder, c.Order.ID)
			d.remember(keyReplaces, "")
			return c.Order.ID, nil
		case api.CodeOrderNotPayable, api.CodeConflict:
			d.forget()
		case api.CodeOrderPaid:
			if replaces == "" {
				return "", err
			}
			d.remember(keyReplaces, "")
			return replaces, nil
		case api.CodeNotFound: // it was somebody else's, who signed out
			if replaces == "" {
				return "", err
			}
			d.remember(keyReplaces, "")
		default:
			return "", err
		}
	}
	return "", err
}

// clearDrafts ends what is remembered for an order that has come to its end: a paid
// basket is empty, a closed one makes a new order. A basket that was begun
// since, in front of an old result, stays as it is.
func clearDrafts(b browser, o api.Order) {
	if payable(o.Status) {
		return
	}
	drafts := []draft{{b, ""}}
	if len(o.Items) == 1 {
		drafts = append(drafts, draft{b, o.Items[0].ProductID})
	}
	for _, d := range drafts {
		if d.recall(keyReplaces) == o.ID {
			d.remember(keyReplaces, "")
		}
		if d.recall(keyOrder) != o.ID {
			continue
		}
		if paid(o.Status) {
			d.remember(keyAmount, "")
			if d.name == "" {
				b.Remember(keyBasket, "")
			}
		}
		d.forget()
	}
}
