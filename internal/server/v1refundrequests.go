package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	o, err := b.cfg.Store.ByID(ctx, c.PathValue("id"))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, noSuch("order")
	case err != nil:
		return nil, err
	case o.PaidBy == "":
		return nil, &v1.Error{Code: api.CodeOrderNotPaid, Message: "the order is not paid"}
	case len(req.Reason) > 80:
		return nil, wrongField("reason", "want at most 80 bytes")
	case req.OutTradeNo == "" && req.Amount > o.Total-o.Refunded:
		return nil, &v1.Error{Code: api.CodeRefundTooMuch, Field: "amount", Message: "amount: want at most the rest of the payment"}
	}
	sum := sha256.Sum256([]byte(c.by.id + "\n" + o.ID + "\n" + c.idempotencyKey))
	r := order.RefundRequest{ID: "rr" + hex.EncodeToString(sum[:11]), OrderID: o.ID, OutTradeNo: req.OutTradeNo, Amount: req.Amount, Reason: req.Reason,
		FromBalance: req.FromBalance, KeyID: c.by.id, KeyName: c.by.name, CreatedAt: b.now()}
	stored, err := b.cfg.Store.InsertRefundRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	if !stored {
		old, err := b.cfg.Store.RefundRequest(ctx, r.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil, &v1.Error{Code: v1.CodeFull, Message: "another refund request of the order waits, or the shop has too many waiting requests"}
		case err != nil:
			return nil, err
		case old.Amount != r.Amount || old.Reason != r.Reason || old.OutTradeNo != r.OutTradeNo || old.FromBalance != r.FromBalance:
			return nil, c.mismatch()
		}
		return publicRefundRequest(old), nil
	}
	r.Status = string(v1.RequestWaiting)
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

// confirmRefund makes the refund that another person requested. The refund's key is derived
// from the request, so a repeated call, also after a crash, continues the same refund.
func (b backend) confirmRefund(ctx context.Context, c *v1Call) (any, error) {
	r, err := b.decide(ctx, c, v1.RequestConfirmed)
	if err != nil {
		return nil, err
	}
	refund, err := b.payment.RefundForBackEnd(ctx, payment.BackEndRefund{OrderID: r.OrderID, KeyID: "refund-request", IdempotencyKey: r.ID, Fingerprint: "refund-request " + r.ID,
		OutTradeNo: r.OutTradeNo, Amount: r.Amount, Reason: r.Reason, FromBalance: r.FromBalance})
	if err != nil {
		return nil, err
	}
	return publicV1Refund(refund), nil
}

func (b backend) declineRefund(ctx context.Context, c *v1Call) (any, error) {
	r, err := b.decide(ctx, c, v1.RequestDeclined)
	if err != nil {
		return nil, err
	}
	return publicRefundRequest(r), nil
}

// decide sets the status of a request. A request that already has the status stays as it is.
func (b backend) decide(ctx context.Context, c *v1Call, status v1.RefundRequestStatus) (order.RefundRequest, error) {
	id := c.PathValue("id")
	if _, err := b.cfg.Store.DecideRefundRequest(ctx, id, string(status), c.by.id, c.by.name, b.now()); err != nil {
		return order.RefundRequest{}, err
	}
	r, err := b.cfg.Store.RefundRequest(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return r, noSuch("refund request")
	case err != nil:
		return r, err
	case r.Status == string(v1.RequestWaiting):
		return r, &v1.Error{Code: v1.CodeSecondPerson, Message: "another person must confirm the refund"}
	case r.Status != string(status):
		return r, &v1.Error{Code: api.CodeConflict, Message: "the refund request is already " + r.Status}
	}
	return r, nil
}

func publicRefundRequest(r order.RefundRequest) v1.RefundRequest {
	return v1.RefundRequest{ID: r.ID, OrderID: r.OrderID, OutTradeNo: r.OutTradeNo, Amount: r.Amount, Reason: r.Reason, FromBalance: r.FromBalance,
		KeyID: r.KeyID, KeyName: r.KeyName, CreatedAt: r.CreatedAt.UnixMilli(), Status: v1.RefundRequestStatus(r.Status),
		DecidedBy: r.DecidedBy, DecidedName: r.DecidedName, DecidedAt: unixMilli(r.DecidedAt)}
}
