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
	key         string  // makes requests idempotent: the same key is the same refund of an order
	fingerprint string  // of the request: the same key with another one is CodeConflict
	outTradeNo  string  // "": the payment that pays the order
	amount      fen.Fen // 0: what is left of the payment
	reason      string
	fromBalance bool
	bound       fen.Fen             // see BackEndRefund
	intent      *order.AuditIntent  // see BackEndRefund
	confirm     *store.Confirmation // of the request that the refund needs, or nil
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
	// Intent is that of an audited call, or nil. It is stored before the refund, in the same round trip.
	Intent *order.AuditIntent
}

// ErrBound is the error of a refund that reaches its Bound.
var ErrBound = errors.New("the refunds of the order reach the bound")

// RefundForBackEnd makes a refund. Without an amount it refunds the rest of the payment. The same
// key with another fingerprint is CodeConflict. The error is ErrBound if the refunds would reach
// the Bound. The statement that stores the refund checks it, so it also holds for concurrent calls.
func (s *Service) RefundForBackEnd(ctx context.Context, r BackEndRefund) (order.Refund, error) {
	return s.refund(ctx, refundCall{orderID: r.OrderID, key: RefundKey(r.KeyID, r.IdempotencyKey), fingerprint: r.Fingerprint,
		outTradeNo: r.OutTradeNo, amount: r.Amount, reason: r.Reason, fromBalance: r.FromBalance, bound: r.Bound, intent: r.Intent})
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
//
// Most refunds are new and can be stored at once: then the round trip that reads the order also
// stores the refund.
func (s *Service) refund(ctx context.Context, req refundCall) (order.Refund, error) {
	if err := checkRefund(req.amount, req.reason); err != nil {
		return order.Refund{}, err
	}
	unknown := reject(api.CodeNotFound, "no such order")
	if !order.ValidID(req.orderID) {
		return order.Refund{}, unknown
	}
	now := s.now()
	id, err := order.NewRefundID(s.rand, now)
	if err != nil {
		return order.Refund{}, err
	}
	draft := order.Refund{
		ID: id, OrderID: req.orderID, OutTradeNo: req.outTradeNo, Key: req.key, Fingerprint: req.fingerprint, Amount: req.amount, Reason: req.reason,
		NotifyURL: s.origin + api.PathNotifyRefund, CreatedAt: now, FromBalance: req.fromBalance,
	}
	placed, err := s.cfg.Store.PlaceRefund(ctx, draft, store.RefundConditions{
		V2: s.canRefund(wechat.V2), V3: s.canRefund(wechat.V3), PaidAfter: now.AddDate(-order.RefundYears, 0, 1), Bound: req.bound, Confirm: req.confirm,
	}, req.intent)
	if placed.Stored {
		s.logger(ctx).Info("refund created", "order", req.orderID, "refund", id, "amount", int64(placed.Amount), "total", int64(placed.Total))
	}
	switch {
	case err != nil:
		return order.Refund{}, err
	case placed.Stored:
		return s.sent(s.continueClaimed(ctx, placed.Refund, sourceOperator, req.intent))
	case placed.Order.ID == "":
		return order.Refund{}, unknown
	}
	if req.confirm != nil && placed.Refund.ID == "" {
		if err := s.unconfirmed(ctx, req.confirm); err != nil {
			return order.Refund{}, err
		}
	}
	p, err := s.sendable(ctx, placed.Order, req.outTradeNo)
	if err != nil {
		return order.Refund{}, err
	}
	draft.OutTradeNo = p.OutTradeNo
	r, err := s.placeRefund(ctx, p, draft, req, placed.Refund)
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
		// The audit list has the call that made the refund. What follows is WeChat's response.
		r, err = s.continueRefund(store.IgnoreChanges(ctx), r, sourceOperator)
	}
	return s.sent(r, err)
}

// checkRefund returns what is wrong with the fields of a refund.
func checkRefund(amount fen.Fen, reason string) error {
	switch {
	case amount < 0 || amount > order.MaxTotal:
		return reject(api.CodeBadRequest, "amount: want 1 to 100000000 fen")
	case len(reason) > maxReason || strings.ContainsFunc(reason, unicode.IsControl):
		return reject(api.CodeBadRequest, "reason: want at most 80 bytes without control characters")
	}
	return nil
}

// sent returns the error of a refund that WeChat declined.
func (s *Service) sent(r order.Refund, err error) (order.Refund, error) {
	if err != nil {
		return order.Refund{}, err
	}
	if r.Status == api.RefundFailed {
		return order.Refund{}, reject(api.CodeWeChatDeclined, "WeChat declined the refund: "+r.Failure+", "+r.FailureText)
	}
	return r, nil
}

// canRefund reports whether refunds of payments of an API version can be sent.
func (s *Service) canRefund(v wechat.Version) bool {
	pay, err := s.cfg.WeChat.For(v)
	return err == nil && pay.CanRefund()
}

// sendable is refundable with the check that refunds of the payment can be sent.
func (s *Service) sendable(ctx context.Context, o order.Order, outTradeNo string) (order.Payment, error) {
	p, err := s.refundable(ctx, o, outTradeNo)
	if err != nil {
		return p, err
	}
	pay, err := s.api(p.APIVersion)
	switch {
	case err != nil:
		return p, reject(api.CodeMisconfigured, "the payment was made with API"+p.APIVersion+", whose keys are not set up")
	case !pay.CanRefund():
		return p, reject(api.CodeMisconfigured, "refunds need the merchant's client certificate, which is not set up")
	}
	return p, nil
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

// placeRefund stores a new refund that PlaceRefund did not store, or returns why it cannot be. old is
// the refund that the same key made before, if its ID is not "". A refund that confirms a request is
// only stored by PlaceRefund.
func (s *Service) placeRefund(ctx context.Context, p order.Payment, draft order.Refund, req refundCall, old order.Refund) (order.Refund, error) {
	if old.ID != "" {
		return repeatedRefund(old, draft)
	}
	err := s.youngEnough(p)
	switch {
	case err != nil:
		return order.Refund{}, err
	case req.confirm != nil:
		return order.Refund{}, s.refundRoomError(ctx, p, draft.Amount, 0)
	}
	if draft.Amount == 0 {
		if draft.Amount, err = s.wholeRefund(ctx, p, draft.Key); err != nil {
			return order.Refund{}, err
		}
	}
	stored, err := s.cfg.Store.InsertRefund(ctx, draft, req.bound)
	if err != nil {
		return order.Refund{}, err
	}
	refund, err := s.cfg.Store.RefundByKey(ctx, p.OrderID, draft.Key)
	if errors.Is(err, store.ErrNotFound) {
		return order.Refund{}, s.refundRoomError(ctx, p, draft.Amount, req.bound)
	}
	if err != nil {
		return order.Refund{}, err
	}
	if !stored {
		return repeatedRefund(refund, draft)
	}
	s.logger(ctx).Info("refund created", "order", p.OrderID, "refund", refund.ID, "amount", int64(refund.Amount), "total", int64(p.Total))
	return refund, nil
}

// repeatedRefund returns the refund that a key made before, if the request is the same. A request
// without an amount refunds the rest of the payment, and the rest can differ between two concurrent
// calls.
func repeatedRefund(r, draft order.Refund) (order.Refund, error) {
	if r.Fingerprint != draft.Fingerprint {
		return order.Refund{}, reject(api.CodeConflict, "the key was used for another request")
	}
	return r, nil
}

// refundRoomError returns why a refund could not be stored.
func (s *Service) refundRoomError(ctx context.Context, p order.Payment, amount, bound fen.Fen) error {
	sum, err := s.refundRoom(ctx, p, amount)
	switch {
	case err != nil:
		return err
	case bound > 0 && sum >= bound:
		return ErrBound
	}
	// Another refund has just failed or was closed.
	return reject(api.CodeWeChatBusy, "another refund of the payment has just ended, try again")
}

// refundRoom returns an error if a payment has no room for a refund of an amount. Otherwise it returns
// the sum of the order's refunds with it, without those of duplicates.
func (s *Service) refundRoom(ctx context.Context, p order.Payment, amount fen.Fen) (sum fen.Fen, err error) {
	refunds, err := s.cfg.Store.Refunds(ctx, p.OrderID)
	if err != nil {
		return 0, err
	}
	left, live := p.Total, 0
	sum = amount
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
	case amount > left:
		return 0, reject(api.CodeRefundTooMuch, "amount exceeds the refundable "+left.String()+" yuan")
	case live >= order.MaxRefunds:
		return 0, reject(api.CodeRefundTooMuch, "the payment has as many refunds as WeChat accepts")
	}
	return sum, nil
}

// continueRefund submits a refund that is created, and syncs any other, at most once per
// resendWindow. WeChat's response is stored and logged. It returns the stored refund. The error is
// the database's.
func (s *Service) continueRefund(ctx context.Context, r order.Refund, source string) (order.Refund, error) {
	claimed, err := s.cfg.Store.ClaimRefund(ctx, r, resendWindow, s.now())
	switch {
	case err != nil:
		return r, err
	case !claimed:
		return s.cfg.Store.RefundByID(ctx, r.ID)
	}
	return s.continueClaimed(ctx, r, source, nil)
}

// continueClaimed is continueRefund for a refund that the caller has claimed. intent is that of the
// call that made the refund, or nil.
func (s *Service) continueClaimed(ctx context.Context, r order.Refund, source string, intent *order.AuditIntent) (order.Refund, error) {
	stored, err := s.submitOrSync(ctx, r, source, intent)
	if err != nil || stored.ID != "" {
		return stored, err
	}
	return s.cfg.Store.RefundByID(ctx, r.ID)
}

// submitOrSync returns the stored refund, without an ID if it has to be read.
func (s *Service) submitOrSync(ctx context.Context, r order.Refund, source string, intent *order.AuditIntent) (stored order.Refund, err error) {
	log := s.refundLog(ctx, r, source)
	if r.Status == api.RefundCreated {
		if r.Duplicate && r.QueriedAt.IsZero() {
			log.Warn("an order was paid twice: the second payment is refunded", "amount", int64(r.Amount))
		}
		stored, err = s.submitRefund(ctx, log, r, source, intent)
	} else {
		var found bool
		if stored, found, err = s.syncRefund(ctx, r, source); err == nil && !found {
			log.Error("WeChat does not know a refund that it accepted")
		}
	}
	var e *wechat.Error
	var mismatch Mismatch
	switch {
	case errors.As(err, &e): // a later call may succeed
		log.Warn("querying WeChat about a refund failed", "error", err)
		return order.Refund{}, nil
	case errors.As(err, &mismatch):
		return order.Refund{}, nil // it is in the log
	}
	return stored, err
}

// submitRefund makes the call of a refund that the caller has claimed, and acts on its outcome. It
// may be called any number of times, even if the outcome of the previous call is unknown. All calls
// have identical parameters, except for the source of the money, and WeChat pays one out_refund_no
// once.
//
// If WeChat declines it because the source of the money does not suffice, it is sent again with the
// other source (docs/wechat.md 9.4). If the operator chooses the source, it is not sent again.
//
// It returns the stored refund, without an ID if it has to be read.
func (s *Service) submitRefund(ctx context.Context, log *slog.Logger, r order.Refund, source string, intent *order.AuditIntent) (stored order.Refund, err error) {
	callCtx, cancel := context.WithTimeout(ctx, refundTimeout) // for both calls: no other claim begins earlier
	defer cancel()
	report, err := s.sendRefund(callCtx, r)
	if err != nil && wechatError(err).Code == wechat.CodeNotEnough && !s.cfg.ManualBalance {
		switched, dbErr := s.cfg.Store.SwitchSource(ctx, r, s.now())
		if dbErr != nil {
			return stored, dbErr
		}
		if switched {
			r.FromBalance = !r.FromBalance
			log.Warn("a refund is sent again with the other source of money: the first does not suffice", "from_balance", r.FromBalance, "amount", int64(r.Amount))
			report, err = s.sendRefund(callCtx, r)
		}
	}
	if err == nil {
		return s.applyRefund(ctx, r, report, source, intent)
	}
	e := wechatError(err)
	failure := order.RefundFailure{Failure: e.Code, FailureText: e.Message, FromBalance: r.FromBalance}
	if e.Code == wechat.CodeNotEnough && !s.cfg.ManualBalance {
		failure.FromBalance = true // neither suffices: the operator must pay in, or new takings will suffice
	}
	switch refundOutcome(e) {
	case outcomeRetry:
		log.Warn("WeChat did not respond to a refund", "error", err)
		return stored, nil
	case outcomeLater:
		log.Warn("WeChat will accept a refund later", "error", err)
		return stored, s.cfg.Store.NoteRefundFailure(ctx, r, failure, s.now())
	case outcomeShop:
		// WeChat accepts the refund when the balance, certificate or key is correct. A retry does
		// not repair that, so the refund is sent less often.
		log.Error("WeChat declines the shop's refunds", "error", err)
		failure.Stuck = true
		return stored, s.cfg.Store.NoteRefundFailure(ctx, r, failure, s.now())
	}
	// WeChat may have accepted an earlier call whose response was lost.
	if stored, found, err := s.syncRefund(ctx, r, source); err != nil || found {
		return stored, err
	}
	log.Error("WeChat declines a refund", "error", err)
	if _, err := s.cfg.Store.FailRefund(ctx, r.ID, failure, s.now()); err != nil {
		return stored, err
	}
	// The cause may be refunds at the merchant platform.
	p, err := s.cfg.Store.Payment(ctx, r.OutTradeNo)
	if err != nil {
		return stored, err
	}
	return stored, s.syncRefunds(ctx, p, source)
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

// youngEnough returns an error if WeChat accepts no refund of a payment any more.
func (s *Service) youngEnough(p order.Payment) error {
	if refundTooOld(p, s.now()) {
		return reject(api.CodeWeChatDeclined, "WeChat accepts no refund more than a year after the payment")
	}
	return nil
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
