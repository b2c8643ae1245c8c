package server

import (
	"context"
	"errors"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/key"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// soloBound returns the amount that refunds of an order do not reach without a second person, 0
// for no bound. The root token needs no second person.
func (b backend) soloBound(c *v1Call) fen.Fen {
	if c.by.id == key.Root {
		return 0
	}
	return b.cfg.RefundConfirm
}

// createRefundRequest requests a refund. An order has at most one waiting request.
func (b backend) createRefundRequest(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.CreateRefundRequest)
	r, err := b.payment.RequestRefund(ctx, payment.BackEndRefundRequest{OrderID: c.PathValue("id"), KeyID: c.by.id, KeyName: c.by.name, IdempotencyKey: c.idempotencyKey,
		OutTradeNo: req.OutTradeNo, Amount: req.Amount, Reason: req.Reason, FromBalance: req.FromBalance})
	var rejected *api.Error
	switch {
	case errors.As(err, &rejected) && rejected.Code == api.CodeRefundTooMuch:
		return nil, &v1.Error{Code: rejected.Code, Field: "amount", Message: rejected.Message}
	case err != nil:
		return nil, b.refundError(c, err)
	}
	return publicRefundRequest(r), nil
}

func (b backend) listRefundRequests(ctx context.Context, _ *v1Call) (any, error) {
	waiting, err := b.cfg.Store.RefundRequests(ctx)
	if err != nil {
		return nil, err
	}
	list := v1.RefundRequests{Requests: make([]v1.RefundRequest, len(waiting))}
	for i, r := range waiting {
		list.Requests[i] = publicRefundRequest(r)
	}
	return list, nil
}

// confirmRefund makes the refund that another person requested.
func (b backend) confirmRefund(ctx context.Context, c *v1Call) (any, error) {
	r, err := b.payment.ConfirmRefundRequest(ctx, c.PathValue("id"), c.decider())
	if errors.Is(err, payment.ErrSecondPerson) {
		return nil, &v1.Error{Code: v1.CodeSecondPerson, Message: err.Error()}
	}
	if err != nil {
		return nil, err
	}
	return publicV1Refund(r), nil
}

func (b backend) declineRefund(ctx context.Context, c *v1Call) (any, error) {
	r, err := b.payment.DeclineRefundRequest(ctx, c.PathValue("id"), c.decider())
	if err != nil {
		return nil, err
	}
	return publicRefundRequest(r), nil
}

func (c *v1Call) decider() store.Decider { return store.Decider{KeyID: c.by.id, KeyName: c.by.name} }

func publicRefundRequest(r order.RefundRequest) v1.RefundRequest {
	return v1.RefundRequest{ID: r.ID, OrderID: r.OrderID, OutTradeNo: r.OutTradeNo, Amount: r.Amount, Reason: r.Reason, FromBalance: r.FromBalance,
		KeyID: r.KeyID, KeyName: r.KeyName, CreatedAt: r.CreatedAt.UnixMilli(), Status: v1.RefundRequestStatus(r.Status),
		DecidedBy: r.DecidedBy, DecidedName: r.DecidedName, DecidedAt: unixMilli(r.DecidedAt)}
}
