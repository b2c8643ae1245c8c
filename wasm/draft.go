package main

import (
	"context"
	"crypto/rand"
	"time"

	"h5pay/internal/api"
)

// draft remembers the order that was created from a choice of products. Double taps, retries,
// reloads and Back find that order until it ends.
type draft struct {
	b    browser
	name string // "" for the basket, else the ID of a product with an open amount
}

// Storage keys. The draft's name is appended to each.
const (
	keyClientKey = "h5pay.client_key" // client_key of the order
	keyOrder     = "h5pay.order"      // ID of the order
	keyReplaces  = "h5pay.replaces"   // ID of an unpaid order from an earlier choice, which the next order replaces
	keyAmount    = "h5pay.amount."    // the entered amount in fen
)

func (d draft) recall(key string) string   { return d.b.Recall(key + d.name) }
func (d draft) remember(key, value string) { d.b.Remember(key+d.name, value) }

// key returns the client_key for the current choice.
func (d draft) key() string {
	if key := d.recall(keyClientKey); key != "" {
		return key
	}
	key := rand.Text()
	d.remember(keyClientKey, key)
	return key
}

// forget makes the next order a new one.
func (d draft) forget() {
	d.remember(keyClientKey, "")
	d.remember(keyOrder, "")
}

// change records that the choice changed. The next order is a new one and replaces the current one.
func (d draft) change() {
	if id := d.recall(keyOrder); id != "" {
		d.remember(keyReplaces, id)
	}
	d.forget()
}

// place creates the order of the items, or finds the one created before, and returns its ID. If
// that order can no longer be paid, place creates a new one, once. If the order to be replaced is
// already paid, place returns its ID.
func (d draft) place(ctx context.Context, items []api.OrderItem, trade api.TradeType) (id string, err error) {
	for range 2 {
		var o api.Order
		replaces := d.recall(keyReplaces)
		err = call(ctx, d.b, "POST", api.PathOrders, api.CreateOrderRequest{
			Items: items, TradeType: trade, ClientKey: d.key(), Replaces: replaces,
		}, &o)
		switch code(err) {
		case "":
			if o.ID == "" {
				return "", errBadResponse()
			}
			d.remember(keyOrder, o.ID)
			d.remember(keyReplaces, "")
			switch {
			case !payable(o.Status) && !paid(o.Status):
				d.forget()
			case payable(o.Status) && endsSoon(d.b, o):
				d.change()
			default:
				return o.ID, nil
			}
			err = &api.Error{Code: api.CodeOrderNotPayable, Message: "the order has ended"}
		case api.CodeConflict:
			d.forget()
		case api.CodeOrderPaid:
			if replaces == "" {
				return "", err
			}
			d.remember(keyReplaces, "")
			return replaces, nil
		case api.CodeNotFound: // the order belongs to a user who signed out
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

// lastCall is the time before its expiry in which the signer sends no order to WeChat, and some
// seconds more.
const lastCall = 6*time.Minute + 15*time.Second

// endsSoon reports whether an order from an earlier visit is too old to be paid.
func endsSoon(b browser, o api.Order) bool {
	now := b.Now()
	return !now.IsZero() && now.Add(lastCall).UnixMilli() > o.ExpiresAt
}

// clearDrafts removes what drafts remember about an order that ended. A paid order also empties the
// basket. A basket that was filled after the order stays.
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
