package payment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// maxReason is the longest reason of a refund, in bytes.
const maxReason = 80

// refundCall is a request for a refund.
type refundCall struct {
	orderID     string
	key         string // makes requests idempotent: the same key is the same refund of an order
	fingerprint string // of the request: the same key with another one is CodeConflict
	outTradeNo  string // "": the payment that pays the order
	amount      fen.Fen
	reason      string
	fromBalance bool
	bound       fen.Fen // see BackEndRefund
}

// RefundKey returns the refund_key of a request for a refund under an API key.
func RefundKey(keyID, idempotencyKey string) string {
	sum := sha256.Sum256([]byte(keyID + "\n" + idempotencyKey))
	return "v1-" + hex.EncodeToString(sum[:20])
}

// BackEndRefund is a refund that a back end requests.
type BackEndRefund struct {
	OrderID        string
	KeyID          string // of the API key
	IdempotencyKey string
	Fingerprint    string // of the request

	OutTradeNo  string  // "": the payment that pays the order
	Amount      fen.Fen // 0: what is left of the payment
	Reason      string
	FromBalance bool
	// Bound, in fen: after this refund the refunds of the order, without those of duplicates, must be
	// below it. 0 means no bound.
	Bound fen.Fen
}

// ErrBound is the error of a refund that reaches its Bound.
var ErrBound = errors.New("the refunds of the order reach the bound")

// RefundForBackEnd makes a refund. Without an amount it refunds the rest of the payment. The same
// key with another fingerprint is CodeConflict. The error is ErrBound if the refunds would reach
// the Bound. The statement that stores the refund checks it, so it also holds for concurrent calls.
func (s *Service) RefundForBackEnd(ctx context.Context, r BackEndRefund) (order.Refund, error) {
	req := refundCall{orderID: r.OrderID, key: RefundKey(r.KeyID, r.IdempotencyKey), fingerprint: r.Fingerprint,
		outTradeNo: r.OutTradeNo, amount: r.Amount, reason: r.Reason, fromBalance: r.FromBalance, bound: r.Bound}
	if req.amount == 0 {
		o, err := s.anyOrder(ctx, r.OrderID)
		if err != nil {
			return order.Refund{}, err
		}
		p, err := s.refundable(ctx, o, req.outTradeNo)
		if err != nil {
			return order.Refund{}, err
		}
		if req.amount, err = s.wholeRefund(ctx, p, req.key); err != nil {
			return order.Refund{}, err
		}
	}
	return s.refund(ctx, req)
}

// wholeRefund returns the amount of a refund whose request has none. If the key has made a refund
// before, it is the amount of that refund, else the rest of the payment. A concurrent call with the
// same key may take the rest after the first read, so the key is read twice.
func (s *Service) wholeRefund(ctx context.Context, p order.Payment, key string) (fen.Fen, error) {
	for range 2 {
		old, err := s.cfg.Store.RefundByKey(ctx, p.OrderID, key)
		if err == nil {
			return old.Amount, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
		if left, err := s.leftToRefund(ctx, p); err != nil || left > 0 {
			return left, err
		}
	}
	return 0, reject(api.CodeRefundTooMuch, "the payment has no amount left to refund")
}

// leftToRefund returns the amount of a payment that is neither refunded nor being refunded.
func (s *Service) leftToRefund(ctx context.Context, p order.Payment) (fen.Fen, error) {
	refunds, err := s.cfg.Store.Refunds(ctx, p.OrderID)
	left := p.Total
	for _, r := range refunds {
		if r.OutTradeNo == p.OutTradeNo && r.Status != api.RefundFailed && r.Status != api.RefundClosed {
			left -= r.Amount
		}
	}
	return left, err
}

// RefundOf returns a refund by its ID.
func (s *Service) RefundOf(ctx context.Context, id string) (order.Refund, error) {
	r, err := s.cfg.Store.RefundByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return r, reject(api.CodeNotFound, "no such refund")
	}
	return r, err
}

// refund makes a refund. It is stored before it is sent to WeChat, so a later call with the same
// key, or Reconcile, can continue it. refund returns the stored refund, with the status created if
// WeChat has not accepted it yet.
func (s *Service) refund(ctx context.Context, req refundCall) (order.Refund, error) {
	switch {
	case req.amount < 1 || req.amount > order.MaxTotal:
		return order.Refund{}, reject(api.CodeBadRequest, "amount: want 1 to 100000000 fen")
	case len(req.reason) > maxReason || strings.ContainsFunc(req.reason, unicode.IsControl):
		return order.Refund{}, reject(api.CodeBadRequest, "reason: want at most 80 bytes without control characters")
	}
	o, err := s.anyOrder(ctx, req.orderID)
	if err != nil {
		return order.Refund{}, err
	}
	p, err := s.refundable(ctx, o, req.outTradeNo)
	if err != nil {
		return order.Refund{}, err
	}
	pay, err := s.api(p.APIVersion)
	switch {
	case err != nil:
		return order.Refund{}, reject(api.CodeMisconfigured, "the payment was made with API"+p.APIVersion+", whose keys are not set up")
	case !pay.CanRefund():
		return order.Refund{}, reject(api.CodeMisconfigured, "refunds need the merchant's client certificate, which is not set up")
	}
	r, err := s.placeRefund(ctx, p, req)
	if err != nil {
		return order.Refund{}, err
	}
	if r.Status == api.RefundCreated && req.fromBalance && !r.FromBalance {
		if _, err := s.cfg.Store.UseBalance(ctx, r.ID, s.now()); err != nil {
			return order.Refund{}, err
		}
		r.FromBalance = true
	}
	if r.Status == api.RefundCreated {
		if err := s.continueRefund(ctx, r, sourceOperator); err != nil {
			return order.Refund{}, err
		}
		if r, err = s.cfg.Store.RefundByID(ctx, r.ID); err != nil {
			return order.Refund{}, err
		}
	}
	if r.Status == api.RefundFailed {
		return order.Refund{}, reject(api.CodeWeChatDeclined, "WeChat declined the refund: "+r.Failure+", "+r.FailureText)
	}
	return r, nil
}

// refundable returns the payment to refund: the one that pays the order, or the one with
// outTradeNo, which is a duplicate.
func (s *Service) refundable(ctx context.Context, o order.Order, outTradeNo string) (order.Payment, error) {
	if !order.WasPaid(o.Status) {
		return order.Payment{}, reject(api.CodeOrderNotPaid, "the order is not paid")
	}
	if outTradeNo == "" || outTradeNo == o.PaidBy {
		return o.Payment, nil
	}
	p, err := s.cfg.Store.Payment(ctx, outTradeNo)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && p.OrderID != o.ID:
		return order.Payment{}, reject(api.CodeBadRequest, "out_trade_no: want a payment of this order")
	case err == nil && p.Status != api.PaymentPaid:
		return order.Payment{}, reject(api.CodeOrderNotPaid, "out_trade_no: the payment is not paid")
	}
	return p, err
}

// placeRefund stores a new refund, or finds the one that the same key made before.
func (s *Service) placeRefund(ctx context.Context, p order.Payment, req refundCall) (order.Refund, error) {
	if old, err := s.cfg.Store.RefundByKey(ctx, p.OrderID, req.key); !errors.Is(err, store.ErrNotFound) {
		if err != nil {
			return order.Refund{}, err
		}
		return repeatedRefund(old, req)
	}
	if refundTooOld(p, s.now()) {
		return order.Refund{}, reject(api.CodeWeChatDeclined, "WeChat accepts no refund more than a year after the payment")
	}
	id, err := order.NewRefundID(s.rand, s.now())
	if err != nil {
		return order.Refund{}, err
	}
	stored, err := s.cfg.Store.InsertRefund(ctx, order.Refund{
		ID: id, OrderID: p.OrderID, OutTradeNo: p.OutTradeNo, Key: req.key, Fingerprint: req.fingerprint, Amount: req.amount, Reason: req.reason,
		NotifyURL: s.origin + api.PathNotifyRefund, CreatedAt: s.now(), FromBalance: req.fromBalance,
	}, req.bound)
	if err != nil {
		return order.Refund{}, err
	}
	refund, err := s.cfg.Store.RefundByKey(ctx, p.OrderID, req.key)
	if errors.Is(err, store.ErrNotFound) {
		return order.Refund{}, s.refundRoomError(ctx, p, req.amount, req.bound)
	}
	if err != nil {
		return order.Refund{}, err
	}
	if !stored {
		return repeatedRefund(refund, req)
	}
	s.logger(ctx).Info("refund created", "order", p.OrderID, "refund", refund.ID, "amount", int64(refund.Amount), "total", int64(p.Total))
	return refund, nil
}

// repeatedRefund returns the refund that a key made before, if the request is the same. A request
// without an amount refunds the rest of the payment, and the rest can differ between two concurrent
// calls.
func repeatedRefund(r order.Refund, req refundCall) (order.Refund, error) {
	if r.Fingerprint != req.fingerprint {
		return order.Refund{}, reject(api.CodeConflict, "the key was used for another request")
	}
	return r, nil
}

// refundRoomError returns why a refund could not be stored.
func (s *Service) refundRoomError(ctx context.Context, p order.Payment, amount, bound fen.Fen) error {
	refunds, err := s.cfg.Store.Refunds(ctx, p.OrderID)
	if err != nil {
		return err
	}
	left, live := p.Total, 0
	sum := amount // of the order
	for _, r := range refunds {
		if !r.Duplicate && r.Status != api.RefundFailed && r.Status != api.RefundClosed {
			sum += r.Amount
		}
		if r.Status == api.RefundFailed || r.OutTradeNo != p.OutTradeNo {
			continue
		}
		live++
		if r.Status != api.RefundClosed {
			left -= r.Amount
		}
	}
	switch {
	case amount <= left && live >= order.MaxRefunds:
		return reject(api.CodeRefundTooMuch, "the payment has as many refunds as WeChat accepts")
	case amount <= left && bound > 0 && sum >= bound:
		return ErrBound
	case amount <= left: // another refund has just failed or was closed
		return reject(api.CodeWeChatBusy, "another refund of the payment has just ended, try again")
	}
	return reject(api.CodeRefundTooMuch, "amount exceeds the refundable "+left.String()+" yuan")
}

// continueRefund submits a refund that is created, and syncs any other, at most once per
// resendWindow. WeChat's response is stored and logged. The error is the database's.
func (s *Service) continueRefund(ctx context.Context, r order.Refund, source string) error {
	claimed, err := s.cfg.Store.ClaimRefund(ctx, r, resendWindow, s.now())
	if err != nil || !claimed {
		return err
	}
	log := s.refundLog(ctx, r, source)
	if r.Status == api.RefundCreated {
		if r.Duplicate && r.QueriedAt.IsZero() {
			log.Warn("an order was paid twice: the second payment is refunded", "amount", int64(r.Amount))
		}
		err = s.submitRefund(ctx, log, r, source)
	} else {
		var found bool
		if found, err = s.syncRefund(ctx, r, source); err == nil && !found {
			log.Error("WeChat does not know a refund that it accepted")
		}
	}
	var e *wechat.Error
	var mismatch Mismatch
	switch {
	case errors.As(err, &e): // a later call may succeed
		log.Warn("querying WeChat about a refund failed", "error", err)
		return nil
	case errors.As(err, &mismatch):
		return nil // it is in the log
	}
	return err
}

// submitRefund makes the call of a refund that the caller has claimed, and acts on its outcome. It
// may be called any number of times, even if the outcome of the previous call is unknown. All calls
// have identical parameters, except for the source of the money, and WeChat pays one out_refund_no
// once.
//
// If WeChat declines it because the source of the money does not suffice, it is sent again with the
// other source (docs/wechat.md 9.4). If the operator chooses the source, it is not sent again.
func (s *Service) submitRefund(ctx context.Context, log *slog.Logger, r order.Refund, source string) error {
	callCtx, cancel := context.WithTimeout(ctx, refundTimeout) // for both calls: no other claim begins earlier
	defer cancel()
	report, err := s.sendRefund(callCtx, r)
	if err != nil && wechatError(err).Code == wechat.CodeNotEnough && !s.cfg.ManualBalance {
		switched, dbErr := s.cfg.Store.SwitchSource(ctx, r, s.now())
		if dbErr != nil {
			return dbErr
		}
		if switched {
			r.FromBalance = !r.FromBalance
			log.Warn("a refund is sent again with the other source of money: the first does not suffice", "from_balance", r.FromBalance, "amount", int64(r.Amount))
			report, err = s.sendRefund(callCtx, r)
		}
	}
	if err == nil {
		return s.applyRefund(ctx, r, report, source)
	}
	e := wechatError(err)
	failure := order.RefundFailure{Failure: e.Code, FailureText: e.Message, FromBalance: r.FromBalance}
	if e.Code == wechat.CodeNotEnough && !s.cfg.ManualBalance {
		failure.FromBalance = true // neither suffices: the operator must pay in, or new takings will suffice
	}
	switch refundOutcome(e) {
	case outcomeRetry:
		log.Warn("WeChat did not respond to a refund", "error", err)
		return nil
	case outcomeLater:
		log.Warn("WeChat will accept a refund later", "error", err)
		return s.cfg.Store.NoteRefundFailure(ctx, r, failure, s.now())
	case outcomeShop:
		// WeChat accepts the refund when the balance, certificate or key is correct. A retry does
		// not repair that, so the refund is sent less often.
		log.Error("WeChat declines the shop's refunds", "error", err)
		failure.Stuck = true
		return s.cfg.Store.NoteRefundFailure(ctx, r, failure, s.now())
	}
	// WeChat may have accepted an earlier call whose response was lost.
	if found, err := s.syncRefund(ctx, r, source); err != nil || found {
		return err
	}
	log.Error("WeChat declines a refund", "error", err)
	if _, err := s.cfg.Store.FailRefund(ctx, r.ID, failure, s.now()); err != nil {
		return err
	}
	// The cause may be refunds at the merchant platform.
	p, err := s.cfg.Store.Payment(ctx, r.OutTradeNo)
	if err != nil {
		return err
	}
	return s.syncRefunds(ctx, p, source)
}

// sendRefund makes the call of a refund.
func (s *Service) sendRefund(ctx context.Context, r order.Refund) (wechat.Refund, error) {
	pay, err := s.api(r.APIVersion)
	if err != nil {
		return wechat.Refund{}, err
	}
	return pay.Refund(ctx, refundRequest(r))
}

// refundRequest returns the parameters of a refund's call, all of which are stored.
func refundRequest(r order.Refund) wechat.RefundRequest {
	return wechat.RefundRequest{
		OutTradeNo:  r.OutTradeNo,
		OutRefundNo: r.ID,
		Total:       r.Total,
		Amount:      r.Amount,
		Reason:      r.Reason,
		NotifyURL:   r.NotifyURL,
		FromBalance: r.FromBalance,
	}
}

// refundTooOld reports whether WeChat accepts no refund of a payment any more. A payment of unknown
// time was made before it expired.
func refundTooOld(p order.Payment, now time.Time) bool {
	paidAt := p.PaidAt
	if paidAt.IsZero() {
		paidAt = p.ExpiresAt
	}
	return now.After(paidAt.AddDate(order.RefundYears, 0, 1)) // on the day itself WeChat decides
}
