package main

import (
	"context"
	"crypto/rand"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
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
	keyEarlier   = "h5pay.earlier"    // ID of an unpaid order from an earlier choice, which is closed before the next order is created
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

// change records that the choice changed. The next order is a new one, and the current one is closed
// before it is created.
func (d draft) change() {
	if id := d.recall(keyOrder); id != "" {
		d.remember(keyEarlier, id)
	}
	d.forget()
}

// closeEarlier closes the order of an earlier choice, if there is one. It returns the order's ID if the
// order is already paid.
func (d draft) closeEarlier(ctx context.Context) (paid string, err error) {
	id := d.recall(keyEarlier)
	if id == "" {
		return "", nil
	}
	_, err = closeOrder(ctx, d.b, id)
	switch code(err) {
	case "", api.CodeNotFound: // the order belongs to a user who signed out
		d.remember(keyEarlier, "")
		return "", nil
	case api.CodeOrderPaid:
		d.remember(keyEarlier, "")
		return id, nil
	}
	return "", err
}

// place creates the order of the items, whose total the buyer saw, or finds the one created before, and returns its ID. If
// that order can no longer be paid, place creates a new one, once. The order of an earlier choice is
// closed first; if it is already paid, place returns its ID.
func (d draft) place(ctx context.Context, items []api.OrderItem, total fen.Fen) (id string, err error) {
	for range 2 {
		if paid, err := d.closeEarlier(ctx); err != nil || paid != "" {
			return paid, err
		}
		var o api.Order
		err = call(ctx, d.b, "POST", api.PathOrders, api.CreateOrderRequest{Items: items, ClientKey: d.key(), Total: total}, &o)
		switch code(err) {
		case "":
			if o.ID == "" {
				return "", errBadResponse()
			}
			d.remember(keyOrder, o.ID)
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
		if d.recall(keyEarlier) == o.ID {
			d.remember(keyEarlier, "")
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
