package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// productsOf returns the IDs of the products that a request names. They are read together
// with the API key.
func productsOf(body any) []string {
	req, ok := body.(v1.CreateOrder)
	if !ok {
		return nil
	}
	var ids []string
	for _, line := range req.Lines {
		if line.ProductID != "" {
			ids = append(ids, line.ProductID)
		}
	}
	return ids
}

// createOrder stores an order. It makes no call, and runs two statements in sequence: the API
// key with the products, and the order.
func (b backend) createOrder(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.CreateOrder)
	fingerprint, err := c.fingerprint()
	if err != nil {
		return nil, err
	}
	metadata, err := encodeMetadata(req.Metadata)
	if err != nil {
		return nil, err
	}
	placed := payment.BackEndOrder{
		KeyID: c.by.id, IdempotencyKey: c.idempotencyKey, Fingerprint: fingerprint,
		Amount: req.Amount, Products: c.products, Description: req.Description, Reference: req.Reference, Metadata: metadata,
		ReturnURL: req.ReturnURL, ExpiresIn: time.Duration(req.ExpiresIn) * time.Second, TradeTypes: req.TradeTypes,
	}
	for _, line := range req.Lines {
		placed.Items = append(placed.Items, order.Item(line))
	}
	o, err := b.payment.PlaceForBackEnd(ctx, placed)
	var used *payment.ReferenceUsed
	var conflict *api.Error
	switch {
	case errors.As(err, &used):
		return nil, &v1.Error{Code: v1.CodeReferenceUsed, Field: "reference", Message: used.Error(), OrderID: used.OrderID}
	case errors.As(err, &conflict) && conflict.Code == api.CodeConflict:
		return nil, c.mismatch()
	case err != nil:
		return nil, fieldError(err)
	}
	return b.publicV1Order(o), nil
}

func (b backend) listOrders(ctx context.Context, c *v1Call) (any, error) {
	q := c.query.(v1.OrderQuery)
	f := store.WindowFilter{Status: api.OrderStatus(q.Status), Source: order.Source(q.Source), Link: q.Link, Limit: cmp.Or(q.Limit, v1.DefaultPage)}
	switch {
	case q.Number != "":
		f.Number = q.Number
	case q.OutTradeNo != "":
		f.OutTradeNo = q.OutTradeNo
	case q.TransactionID != "":
		f.TransactionID = q.TransactionID
	default:
		f.Reference = q.Reference
	}
	if q.Link != "" && (f.OutTradeNo != "" || f.TransactionID != "" || f.Reference != "") {
		return nil, wrongField("link", "cannot be combined with a number that selects one order")
	}
	if q.From > 0 {
		f.From = time.UnixMilli(q.From)
	}
	if q.To > 0 {
		f.To = time.UnixMilli(q.To)
	}
	if q.Metadata != "" {
		var ok bool
		if f.MetaKey, f.MetaValue, ok = strings.Cut(q.Metadata, ":"); !ok || f.MetaKey == "" {
			return nil, wrongField("metadata", "want key:value")
		}
	}
	if q.Cursor != "" {
		var err error
		if f.BeforeTime, f.BeforeID, err = decodeCursor(q.Cursor); err != nil {
			return nil, wrongField("cursor", "want the cursor of a previous response of this list")
		}
	}
	orders, next, err := b.cfg.Store.SearchWindow(ctx, f)
	if err != nil {
		return nil, err
	}
	list := v1.Orders{Orders: make([]v1.Order, len(orders))}
	for i, o := range orders {
		list.Orders[i] = b.publicV1Order(o)
	}
	if next != nil {
		list.Next = encodeCursor(next.BeforeTime, next.BeforeID)
	}
	return list, nil
}

// getOrder returns an order with its payments, refunds and steps.
func (b backend) getOrder(ctx context.Context, c *v1Call) (any, error) {
	ctx = context.WithoutCancel(ctx) // the sync may settle a payment
	o, refunds, err := b.payment.LookForBackEnd(ctx, c.PathValue("id"), c.query.(v1.GetOrder).Sync)
	if err != nil {
		return nil, err
	}
	return b.wholeV1Order(ctx, o, refunds)
}

func (b backend) wholeV1Order(ctx context.Context, o order.Order, refunds []order.Refund) (v1.Order, error) {
	public := b.publicV1Order(o)
	payments, err := b.cfg.Store.PaymentsOf(ctx, o.ID)
	if err != nil {
		return public, err
	}
	steps, err := b.cfg.Store.Timeline(ctx, o.ID)
	if err != nil {
		return public, err
	}
	for _, p := range payments {
		public.Payments = append(public.Payments, publicV1Payment(p))
	}
	for _, r := range refunds {
		public.Refunds = append(public.Refunds, publicV1Refund(r))
	}
	for _, step := range steps {
		public.Steps = append(public.Steps, v1.Step{Status: v1.OrderStatus(step.Status), At: step.At})
	}
	return public, nil
}

// closeOrder cancels an unpaid order. A key without the scope "read" gets the order as in a
// list if it made the order, and else without texts, numbers and URLs.
func (b backend) closeOrder(ctx context.Context, c *v1Call) (any, error) {
	o, err := b.payment.Close(ctx, c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	switch {
	case c.by.has(v1.ScopeRead):
		return b.wholeV1Order(ctx, o, nil)
	case o.KeyID == c.by.id:
		return b.publicV1Order(o), nil
	}
	public := b.publicV1Order(o)
	return v1.Order{ID: public.ID, Source: public.Source, Status: public.Status, Amount: public.Amount, Refunded: public.Refunded,
		Currency: public.Currency, TradeTypes: public.TradeTypes, CreatedAt: public.CreatedAt, ExpiresAt: public.ExpiresAt, Simulated: public.Simulated}, nil
}

// createRefund makes a refund of an order.
func (b backend) createRefund(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.CreateRefund)
	same := req
	same.FromBalance = false // a repeated call may change FromBalance
	fingerprint, err := c.fingerprintOf(same)
	if err != nil {
		return nil, err
	}
	c.intent.AfterRefund = func(r order.Refund) string { return auditJSON(publicV1Refund(r)) }
	r, err := b.payment.RefundForBackEnd(ctx, payment.BackEndRefund{OrderID: c.PathValue("id"), KeyID: c.by.id, IdempotencyKey: c.idempotencyKey, Fingerprint: fingerprint,
		OutTradeNo: req.OutTradeNo, Amount: req.Amount, Reason: req.Reason, FromBalance: req.FromBalance, Bound: b.soloBound(c), Intent: c.intent})
	if err != nil {
		return nil, b.refundError(c, err)
	}
	return publicV1Refund(r), nil
}

// refundError returns the v1.Error for an error of a refund, or of the request for one.
func (b backend) refundError(c *v1Call, err error) error {
	var rejected *api.Error
	switch {
	case errors.Is(err, payment.ErrBound):
		return &v1.Error{Code: v1.CodeSecondPerson, Field: "amount",
			Message: fmt.Sprintf("amount: refunds of an order from %d fen on need a second person: use POST /v1/orders/{id}/refund-requests", b.cfg.RefundConfirm)}
	case errors.Is(err, payment.ErrRequestsFull):
		return &v1.Error{Code: v1.CodeFull, Message: err.Error()}
	case !errors.As(err, &rejected):
		return err
	}
	switch rejected.Code {
	case api.CodeConflict:
		return c.mismatch()
	case api.CodeBadRequest: // the message begins with the field
		field, _, _ := strings.Cut(rejected.Message, ":")
		return &v1.Error{Code: rejected.Code, Field: field, Message: rejected.Message}
	}
	return err
}

func (b backend) getRefund(ctx context.Context, c *v1Call) (any, error) {
	r, err := b.payment.RefundOf(ctx, c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return publicV1Refund(r), nil
}

// publicV1Order returns the v1.Order of an order, without its payments, refunds and steps.
func (b backend) publicV1Order(o order.Order) v1.Order {
	public := v1.Order{
		ID: o.ID, Reference: o.Reference, Source: v1.Source(o.Source), LinkID: o.LinkID, Status: v1.OrderStatus(o.Status), Amount: o.Total, Refunded: o.Refunded,
		Currency: o.Currency, Description: o.Description, ReturnURL: o.ReturnURL, TradeTypes: o.TradeTypes,
		CreatedAt: o.CreatedAt.UnixMilli(), ExpiresAt: o.ExpiresAt.UnixMilli(), Simulated: o.Simulated,
	}
	if len(o.TradeTypes) == 0 {
		public.TradeTypes = b.shop.TradeTypes
	}
	if o.Token != "" {
		public.URL = b.shop.Origin + api.PathCustomer + o.Token
	}
	if o.PaidBy != "" {
		public.PaidAt = unixMilli(o.Payment.PaidAt)
	}
	for _, l := range o.Lines {
		public.Lines = append(public.Lines, v1.Line(l))
	}
	// The store wrote valid JSON. A row that an operator changed by hand must not break a
	// list.
	json.Unmarshal([]byte(cmp.Or(o.Metadata, "null")), &public.Metadata)
	return public
}

func publicV1Payment(p order.Payment) v1.Payment {
	return v1.Payment{
		OutTradeNo: p.OutTradeNo, TradeType: p.TradeType, APIVersion: p.APIVersion, AppID: p.AppID, MchID: p.MchID, Status: v1.PaymentStatus(p.Status),
		TransactionID: p.TransactionID, Payer: p.Payer, CreatedAt: p.CreatedAt.UnixMilli(), PaidAt: unixMilli(p.PaidAt),
		Refunded: p.Refunded, Duplicate: p.Duplicate, Failure: p.Failure,
	}
}

func publicV1Refund(r order.Refund) v1.Refund {
	view := r.Public()
	return v1.Refund{
		ID: r.ID, OrderID: r.OrderID, OutTradeNo: r.OutTradeNo, Amount: r.Amount, Reason: r.Reason, Status: r.Status, RefundID: r.RefundID,
		CreatedAt: r.CreatedAt.UnixMilli(), EndedAt: unixMilli(r.EndedAt), Failure: r.Failure, FailureText: r.FailureText, Advice: view.Advice,
		FromBalance: r.FromBalance, Duplicate: r.Duplicate,
	}
}
