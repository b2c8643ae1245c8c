package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// maxReason is the longest reason of a refund, in bytes.
const maxReason = 80

// adminRefund pays money back. The refund is stored before WeChat hears of it, so
// that whatever happens after is made good by a later call with the same key or by
// Reconcile: the answer is the refund as it stands, created when WeChat could not
// take it yet.
func (s *Server) adminRefund(w http.ResponseWriter, r *http.Request) error {
	var req api.RefundRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	switch {
	case !validClientKey(req.RefundKey):
		return refuse(api.CodeBadRequest, "refund_key needs 16 to 64 letters, digits, '-' or '_'")
	case req.Amount < 1 || req.Amount > order.MaxTotal:
		return refuse(api.CodeBadRequest, "amount is out of range")
	case len(req.Reason) > maxReason || strings.ContainsFunc(req.Reason, unicode.IsControl):
		return refuse(api.CodeBadRequest, "reason is over 80 bytes or has control characters")
	case !s.cfg.WeChat.CanRefund():
		return refuse(api.CodeMisconfigured, "refunds need the merchant's client certificate, which is not set up")
	}
	ctx := context.WithoutCancel(r.Context())
	o, err := s.anyOrder(ctx, r)
	if err != nil {
		return err
	}
	refund, err := s.placeRefund(ctx, o, req)
	if err != nil {
		return err
	}
	if refund.Status == api.RefundCreated && req.FromBalance && !refund.FromBalance {
		if _, err := s.cfg.Store.UseBalance(ctx, refund.ID, s.now()); err != nil {
			return err
		}
		refund.FromBalance = true
	}
	if refund.Status == api.RefundCreated {
		if refund, err = s.sendRefund(ctx, refund, sourceAdmin); err != nil {
			return err
		}
	}
	if refund.Status == api.RefundFailed {
		return refuse(api.CodeWeChatRefused, "WeChat refused the refund: "+refund.Failure+", "+refund.FailureText)
	}
	return writeJSON(w, http.StatusOK, refund.Public())
}

// placeRefund stores a new refund, or finds the one that the same key made before.
func (s *Server) placeRefund(ctx context.Context, o order.Order, req api.RefundRequest) (order.Refund, error) {
	if old, err := s.cfg.Store.RefundByKey(ctx, o.ID, req.RefundKey); !errors.Is(err, store.ErrNotFound) {
		if err != nil {
			return order.Refund{}, err
		}
		return repeatedRefund(old, req)
	}
	if order.WasPaid(o.Status) && refundTooOld(o, s.now()) {
		return order.Refund{}, refuse(api.CodeWeChatRefused, "WeChat takes no refund more than a year after the payment")
	}
	id, err := order.NewRefundID(s.rand, s.now())
	if err != nil {
		return order.Refund{}, err
	}
	stored, err := s.cfg.Store.InsertRefund(ctx, order.Refund{
		ID: id, OrderID: o.ID, Key: req.RefundKey, Amount: req.Amount, Reason: req.Reason,
		NotifyURL: s.origin + api.PathNotifyRefund, CreatedAt: s.now(), FromBalance: req.FromBalance,
	})
	if err != nil {
		return order.Refund{}, err
	}
	refund, err := s.cfg.Store.RefundByKey(ctx, o.ID, req.RefundKey)
	if errors.Is(err, store.ErrNotFound) {
		return order.Refund{}, s.noRoom(ctx, o, req.Amount)
	}
	if err != nil {
		return order.Refund{}, err
	}
	if !stored {
		return repeatedRefund(refund, req)
	}
	s.logger(ctx).Info("refund created", "order", o.ID, "refund", refund.ID, "amount", int64(refund.Amount), "total", int64(o.Total))
	return refund, nil
}

// repeatedRefund returns the refund that a key made before, if the request is the
// same.
func repeatedRefund(r order.Refund, req api.RefundRequest) (order.Refund, error) {
	switch {
	case r.Amount != req.Amount:
		return order.Refund{}, refuse(api.CodeConflict, "refund_key was used for another amount")
	case r.Reason != req.Reason:
		return order.Refund{}, refuse(api.CodeConflict, "refund_key was used with another reason")
	}
	return r, nil
}

// noRoom says why a refund could not be stored.
func (s *Server) noRoom(ctx context.Context, o order.Order, amount fen.Fen) error {
	o, err := s.cfg.Store.ByID(ctx, o.ID)
	if err != nil {
		return err
	}
	if !order.WasPaid(o.Status) {
		return refuse(api.CodeOrderNotPaid, "the order is not paid")
	}
	refunds, err := s.cfg.Store.Refunds(ctx, o.ID)
	if err != nil {
		return err
	}
	left, live := o.Total, 0
	for _, r := range refunds {
		if r.Status == api.RefundFailed {
			continue
		}
		live++
		if r.Status != api.RefundClosed {
			left -= r.Amount
		}
	}
	switch {
	case amount <= left && live >= order.MaxRefunds:
		return refuse(api.CodeRefundTooMuch, "the order has had as many refunds as WeChat takes")
	case amount <= left: // something has just come to nothing
		return refuse(api.CodeWeChatBusy, "another refund of the order has just ended, try again")
	}
	return refuse(api.CodeRefundTooMuch, "only "+left.String()+" yuan of the order are left")
}

// anyOrder returns the order of the path, whoever's it is.
func (s *Server) anyOrder(ctx context.Context, r *http.Request) (order.Order, error) {
	unknown := refuse(api.CodeNotFound, "no such order")
	id := r.PathValue("id")
	if !order.ValidID(id) {
		return order.Order{}, unknown
	}
	o, err := s.cfg.Store.ByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return order.Order{}, unknown
	}
	return o, err
}
