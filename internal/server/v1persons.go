package server

import (
	"context"
	"encoding/json"
	"time"

	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// closeOrders cancels open orders, a bounded number in one call.
func (b backend) closeOrders(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.CloseOrders)
	f := store.OpenFilter{ProductID: req.ProductID, Before: b.now().Add(time.Millisecond)}
	switch {
	case req.ProductID == "" && req.Before == 0:
		return nil, wrongField("product_id", "is required without before")
	case req.ProductID != "" && !order.ValidProductID(req.ProductID):
		return nil, wrongField("product_id", "want 1 to 64 letters, digits, '-' or '_'")
	case req.Before != 0:
		f.Before = time.UnixMilli(req.Before)
	}
	if req.Cursor != "" {
		var err error
		if f.AfterTime, f.AfterID, err = decodeCursor(req.Cursor); err != nil {
			return nil, wrongField("cursor", "want the cursor of a previous response of this call")
		}
	}
	closing, next, err := b.payment.CloseOrders(ctx, f)
	if err != nil {
		return nil, err
	}
	res := v1.OrdersClosed{Orders: closing}
	if next != nil {
		res.Next = encodeCursor(next.AfterTime, next.AfterID)
	}
	return res, nil
}

// deleteOrders deletes old orders that were archived.
func (b backend) deleteOrders(ctx context.Context, c *v1Call) (any, error) {
	deleted, kept, err := b.payment.DeleteOrders(ctx, c.body.(v1.DeleteOrders).IDs, !b.outbox.HasWebhook())
	return v1.OrdersDeleted{Deleted: append([]string{}, deleted...), Kept: kept}, err // never null
}

// exportedOrders bounds one call of an export: each order takes three statements.
const exportedOrders = 15

// exportPerson returns the data that is stored about a person.
func (b backend) exportPerson(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.PersonQuery)
	who, err := b.payment.Person(ctx, payment.PersonRequest{OpenID: req.OpenID, OwnerOf: req.OwnerOf, PayerOf: req.PayerOf})
	if err != nil {
		return nil, err
	}
	var after time.Time
	var afterID string
	if req.Cursor != "" {
		if after, afterID, err = decodeCursor(req.Cursor); err != nil {
			return nil, wrongField("cursor", "want the cursor of a previous response of this call")
		}
	}
	orders, err := b.cfg.Store.PersonOrders(ctx, who, after, afterID, exportedOrders+1)
	if err != nil {
		return nil, err
	}
	export := v1.PersonExport{Orders: []v1.PersonOrder{}}
	if len(orders) > exportedOrders {
		orders = orders[:exportedOrders]
		last := orders[exportedOrders-1]
		export.Next = encodeCursor(last.CreatedAt, last.ID)
	}
	for _, o := range orders {
		one, err := b.personOrder(ctx, o, who)
		if err != nil {
			return nil, err
		}
		export.Orders = append(export.Orders, one)
	}
	b.logger(ctx).Warn("operator exports a person", "orders", len(export.Orders), "by", c.by.id)
	return export, nil
}

func (b backend) personOrder(ctx context.Context, o order.Order, who string) (v1.PersonOrder, error) {
	view := v1.PersonOrder{IsOwner: o.Owner == who}
	refunds, err := b.cfg.Store.Refunds(ctx, o.ID)
	if err != nil {
		return view, err
	}
	payments, err := b.cfg.Store.PaymentsOf(ctx, o.ID)
	if err != nil {
		return view, err
	}
	view.IsPayer = hideOtherPayers(payments, who)
	view.Order = b.publicV1Order(o)
	view.Order.URL = "" // whoever has it may pay the order
	for _, p := range payments {
		if (view.IsOwner || p.OpenID == who) && p.ClientIP != "" {
			view.ClientIP = p.ClientIP
		}
		view.Order.Payments = append(view.Order.Payments, publicV1Payment(p))
	}
	for _, r := range refunds {
		view.Order.Refunds = append(view.Order.Refunds, publicV1Refund(r))
	}
	events, err := b.cfg.Store.EventsOf(ctx, o.ID)
	for _, e := range events {
		public := b.publicEvent(e)
		public.Data = hideOtherPayer(public.Data, who)
		view.Events = append(view.Events, public)
	}
	return view, err
}

// erasePerson removes a person from some of their orders.
func (b backend) erasePerson(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.ErasePerson)
	erased, err := b.payment.Erase(ctx, payment.PersonRequest{OpenID: req.OpenID, OwnerOf: req.OwnerOf, PayerOf: req.PayerOf})
	return v1.PersonErased(erased), err
}

// hideOtherPayers removes the payers of some payments who are not a person, and reports
// whether that person is one of the payers.
func hideOtherPayers(payments []order.Payment, person string) (isPayer bool) {
	for i := range payments {
		if payments[i].Payer == person {
			isPayer = true
		} else {
			payments[i].Payer = ""
		}
	}
	return isPayer
}

// hideOtherPayer returns the data of an event without its payer, if that is not a person.
// The payer of an event may differ from that of another event of the same order: see
// payment.duplicate. Data that cannot be read is left out.
func hideOtherPayer(data json.RawMessage, person string) json.RawMessage {
	var fields, payment map[string]json.RawMessage
	var payer *string
	if err := json.Unmarshal(data, &fields); err != nil {
		return json.RawMessage(`{}`)
	}
	if len(fields["payment"]) == 0 {
		return data
	}
	if json.Unmarshal(fields["payment"], &payment) != nil {
		return json.RawMessage(`{}`)
	}
	if len(payment["payer"]) == 0 {
		return data
	}
	if json.Unmarshal(payment["payer"], &payer) != nil {
		return json.RawMessage(`{}`)
	}
	if payer == nil || *payer == "" || *payer == person {
		return data
	}
	payment["payer"] = json.RawMessage(`null`)
	var err error
	if fields["payment"], err = json.Marshal(payment); err == nil {
		data, err = json.Marshal(fields)
	}
	if err != nil {
		return json.RawMessage(`{}`)
	}
	return data
}
