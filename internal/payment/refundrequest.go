package payment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// BackEndRefundRequest is a refund that an operator requests and a second person has to confirm.
type BackEndRefundRequest struct {
	OrderID        string
	KeyID, KeyName string // of the API key
	IdempotencyKey string

	OutTradeNo  string // "": the payment that pays the order
	Amount      fen.Fen
	Reason      string
	FromBalance bool
}

// The errors of the calls about refund requests, in addition to an *api.Error.
var (
	ErrSecondPerson = errors.New("another person must confirm the refund")
	ErrRequestsFull = errors.New("another refund request of the order waits, or the shop has too many waiting requests")
)

// RequestRefund stores a refund that a second person has to confirm. It makes the checks of a refund,
// which are made again when it is confirmed. An order has at most one waiting request. A repeated
// IdempotencyKey returns the request that it made before, or CodeConflict if the fields differ. The
// error is ErrRequestsFull if no more requests can wait.
func (s *Service) RequestRefund(ctx context.Context, b BackEndRefundRequest) (order.RefundRequest, error) {
	if err := checkRefund(b.Amount, b.Reason); err != nil {
		return order.RefundRequest{}, err
	}
	o, err := s.anyOrder(ctx, b.OrderID)
	if err != nil {
		return order.RefundRequest{}, err
	}
	sum := sha256.Sum256([]byte(b.KeyID + "\n" + o.ID + "\n" + b.IdempotencyKey))
	r := order.RefundRequest{ID: "rr" + hex.EncodeToString(sum[:11]), OrderID: o.ID, OutTradeNo: b.OutTradeNo, Amount: b.Amount, Reason: b.Reason,
		FromBalance: b.FromBalance, KeyID: b.KeyID, KeyName: b.KeyName, CreatedAt: s.now(), Status: order.RequestWaiting}
	old, err := s.repeatedRequest(ctx, r)
	if !errors.Is(err, store.ErrNotFound) {
		return old, err
	}
	p, err := s.sendable(ctx, o, b.OutTradeNo)
	if err != nil {
		return order.RefundRequest{}, err
	}
	if err := s.youngEnough(p); err != nil {
		return order.RefundRequest{}, err
	}
	if _, err := s.refundRoom(ctx, p, b.Amount); err != nil {
		return order.RefundRequest{}, err
	}
	stored, err := s.cfg.Store.InsertRefundRequest(ctx, r)
	if err != nil || stored {
		return r, err
	}
	old, err = s.repeatedRequest(ctx, r) // a concurrent call may have made it
	if errors.Is(err, store.ErrNotFound) {
		err = ErrRequestsFull
	}
	return old, err
}

// repeatedRequest returns the stored request with the ID of r, if it has the same fields.
func (s *Service) repeatedRequest(ctx context.Context, r order.RefundRequest) (order.RefundRequest, error) {
	old, err := s.cfg.Store.RefundRequest(ctx, r.ID)
	if err == nil && (old.Amount != r.Amount || old.Reason != r.Reason || old.OutTradeNo != r.OutTradeNo || old.FromBalance != r.FromBalance) {
		err = reject(api.CodeConflict, "the key was used for another request")
	}
	return old, err
}

// ConfirmRefundRequest makes the refund that another person requested. The statement that stores the refund
// checks that the request waits and that by is another person. If the refund cannot be stored, the
// request still waits.
//
// The refund's key is derived from the request, so a repeated call, also after a crash, continues the
// same refund. The error is ErrSecondPerson if by is not another person.
func (s *Service) ConfirmRefundRequest(ctx context.Context, id string, by store.Decider) (order.Refund, error) {
	r, err := s.refundRequest(ctx, id)
	if err != nil {
		return order.Refund{}, err
	}
	refund, err := s.refund(ctx, refundCall{orderID: r.OrderID, key: requestKey(id), fingerprint: "refund-request " + id,
		outTradeNo: r.OutTradeNo, amount: r.Amount, reason: r.Reason, fromBalance: r.FromBalance, confirm: &store.Confirmation{RequestID: id, By: by}})
	var rejected *api.Error
	if errors.As(err, &rejected) && rejected.Code == api.CodeRefundTooMuch {
		err = reject(rejected.Code, rejected.Message+": the refund request still waits, and can be declined")
	}
	return refund, err
}

// requestKey returns the refund_key of the refund of a request.
func requestKey(id string) string { return RefundKey("refund-request", id) }

// unconfirmed returns why a request for which there is no refund cannot be confirmed, nil if it can.
func (s *Service) unconfirmed(ctx context.Context, c *store.Confirmation) error {
	r, err := s.refundRequest(ctx, c.RequestID)
	if err != nil {
		return err
	}
	if r.Status != order.RequestWaiting {
		return alreadyDecided(r)
	}
	ok, err := s.cfg.Store.MayConfirmRefund(ctx, *c)
	if err == nil && !ok {
		err = ErrSecondPerson
	}
	return err
}

// DeclineRefundRequest declines a waiting request and returns it. The person who requested the refund may
// decline it too. A request that is declined stays as it is.
func (s *Service) DeclineRefundRequest(ctx context.Context, id string, by store.Decider) (order.RefundRequest, error) {
	if _, err := s.cfg.Store.DeclineRefundRequest(ctx, id, requestKey(id), by, s.now()); err != nil {
		return order.RefundRequest{}, err
	}
	r, err := s.refundRequest(ctx, id)
	switch {
	case err != nil:
		return r, err
	case r.Status == order.RequestWaiting: // its refund is stored
		return r, reject(api.CodeConflict, "another call confirms the refund request")
	case r.Status != order.RequestDeclined:
		return r, alreadyDecided(r)
	}
	return r, nil
}

func alreadyDecided(r order.RefundRequest) error {
	return reject(api.CodeConflict, "the refund request is already "+r.Status)
}

func (s *Service) refundRequest(ctx context.Context, id string) (order.RefundRequest, error) {
	r, err := s.cfg.Store.RefundRequest(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = reject(api.CodeNotFound, "no such refund request")
	}
	return r, err
}
