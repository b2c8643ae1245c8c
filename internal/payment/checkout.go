package payment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// claimLife is how long one request may call unifiedorder alone for a payment of which only the
// last response is valid. It is longer than a call, and it ends because the request may die.
const claimLife = prepayTimeout + 2*time.Second

// PayRequest requests the payment parameters of an order.
type PayRequest struct {
	TradeTypes []api.TradeType // that the buyer can use, the best one first
	OpenID     string          // of the session; JSAPI needs it
	ClientIP   string          // the buyer's address, for WeChat
	// Renew requests new parameters instead of the last ones.
	Renew bool
}

// PayOwn is Pay for the owner of an order.
func (s *Service) PayOwn(ctx context.Context, id, owner string, r PayRequest) (api.Checkout, error) {
	if !order.ValidID(id) || owner == "" {
		return api.Checkout{}, errNoOrder()
	}
	return s.payFirst(ctx, store.Key{ID: id, Owner: owner}, r, func(order.Order) error { return nil })
}

// PayWithToken is Pay for a caller who has the token of an order.
func (s *Service) PayWithToken(ctx context.Context, token string, r PayRequest) (api.Checkout, error) {
	if !alphabet.Lower32.Valid(token, tokenLength, tokenLength) {
		return api.Checkout{}, errNoOrder()
	}
	return s.payFirst(ctx, store.Key{Token: token}, r, func(o order.Order) error {
		switch {
		case order.WasPaid(o.Status):
			return reject(api.CodeOrderPaid, "the order is paid")
		case !o.Open(), o.Expired(s.now()):
			return errNotPayable()
		}
		return nil
	})
}

// payFirst is Pay for an order that is not read yet. Most orders have no payment: the round trip
// that reads such an order also stores its first one.
func (s *Service) payFirst(ctx context.Context, which store.Key, r PayRequest, check func(order.Order) error) (api.Checkout, error) {
	var p order.Payment
	var claim time.Time
	w, err := s.choose(order.Order{}, r) // as if the order accepted all trade types
	if err == nil && !s.cfg.SellingOff && s.checkPayerAddress(w.trade, w.clientIP) == nil {
		if p, claim, err = s.newPayment(w, s.now()); err != nil {
			return api.Checkout{}, err
		}
	}
	begun, err := s.cfg.Store.Begin(ctx, which, p, claim, order.MinPrepay)
	if begun.Stored.OutTradeNo != "" {
		s.logBegun(ctx, begun.Stored)
	}
	o := begun.Order
	switch {
	case errors.Is(err, store.ErrNotFound):
		return api.Checkout{}, errNoOrder()
	case err != nil:
		return api.Checkout{}, err
	case begun.Stored.OutTradeNo != "":
		return s.paid(s.prepayClaimed(ctx, o, o.Payment, claim))
	}
	if err := check(o); err != nil {
		return api.Checkout{}, err
	}
	var notSelling error
	if s.cfg.SellingOff || !begun.Selling {
		notSelling = errNotSelling()
	}
	return s.pay(ctx, o, r, notSelling)
}

// Pay returns an order with its payment parameters. The caller has checked that the buyer may pay
// it. The first call of a buyer and a trade type stores a payment and sends it to WeChat. Later
// calls return the same payment while it is offered.
func (s *Service) Pay(ctx context.Context, o order.Order, r PayRequest) (api.Checkout, error) {
	return s.pay(ctx, o, r, s.Selling(ctx))
}

// pay is Pay with the error of Selling.
func (s *Service) pay(ctx context.Context, o order.Order, r PayRequest, selling error) (api.Checkout, error) {
	w, err := s.choose(o, r)
	if err != nil {
		return api.Checkout{}, err
	}
	if o.Live > 0 && !r.Renew && s.stale(o) && (o.Live > 1 || o.Payment.PrepayID != "") {
		// The buyer returned. The order may be paid, and the notification lost.
		o = s.refresh(ctx, o)
	}
	return s.paid(s.checkout(ctx, o, w, selling))
}

// paid returns CodeOrderPaid for a result without parameters.
func (s *Service) paid(c api.Checkout, err error) (api.Checkout, error) {
	if err == nil && c.PayUntil == 0 {
		return api.Checkout{}, reject(api.CodeOrderPaid, "the order is paid")
	}
	return c, err
}

// way is the way in which a buyer pays: the trade type and the payer.
type way struct {
	trade    api.TradeType
	openID   string // JSAPI: the payer
	clientIP string
	renew    bool
}

// choose returns the way of a request to pay an order: the first trade type that the shop
// and the order accept.
func (s *Service) choose(o order.Order, r PayRequest) (way, error) {
	i := slices.IndexFunc(r.TradeTypes, func(t api.TradeType) bool { return slices.Contains(s.cfg.TradeTypes, t) && o.Takes(t) })
	if i < 0 {
		return way{}, reject(api.CodeBadRequest, "trade_types: the shop or the order accepts none of them")
	}
	w := way{trade: r.TradeTypes[i], clientIP: r.ClientIP, renew: r.Renew}
	if w.trade == api.TradeJSAPI { // any user may pay a code or a page
		w.openID = r.OpenID
		if w.openID == "" {
			return way{}, reject(api.CodeUnauthenticated, "trade type JSAPI needs a WeChat sign-in")
		}
	}
	return w, nil
}

// checkout returns an order with its payment parameters: the last ones while they are valid and
// renew is false, and new ones otherwise. A result without parameters means that the order is paid.
// If selling, the error of Selling, is not nil, an unpaid order gets no parameters.
func (s *Service) checkout(ctx context.Context, o order.Order, w way, selling error) (api.Checkout, error) {
	now := s.now()
	switch {
	case order.WasPaid(o.Status):
		return api.Checkout{Order: o.Public()}, nil
	case !o.Open(), o.Expired(now), o.MchID != s.cfg.MchID:
		return api.Checkout{}, errNotPayable()
	case selling != nil:
		return api.Checkout{}, selling
	}
	p, err := s.offered(ctx, o, w)
	tooLate := o.ExpiresAt.Sub(now) < order.MinPrepay
	switch {
	case errors.Is(err, store.ErrNotFound) && tooLate:
		return api.Checkout{}, errNotPayable()
	case errors.Is(err, store.ErrNotFound):
		return s.begin(ctx, o, w)
	case err != nil:
		return api.Checkout{}, err
	case p.ClientIP == "": // it had ended, and was inserted again after a restore
		return api.Checkout{}, errNotPayable()
	case p.PrepayValid(now) && !w.renew:
		return s.offer(ctx, o, p)
	case tooLate:
		return api.Checkout{}, errNotPayable()
	}
	return s.claimPrepay(ctx, o, p)
}

// offered returns the payment of an order that is offered for a way, or store.ErrNotFound.
func (s *Service) offered(ctx context.Context, o order.Order, w way) (order.Payment, error) {
	same := func(p order.Payment) bool { return p.Live() && p.TradeType == w.trade && p.OpenID == w.openID }
	if same(o.Payment) {
		return o.Payment, nil
	}
	live, err := s.livePayments(ctx, o)
	if err != nil {
		return order.Payment{}, err
	}
	if i := slices.IndexFunc(live, same); i >= 0 {
		return live[i], nil
	}
	return order.Payment{}, store.ErrNotFound
}

// begin stores a new payment of an order and then sends it to WeChat. So no notification can arrive
// for a payment that is not stored.
func (s *Service) begin(ctx context.Context, o order.Order, w way) (api.Checkout, error) {
	if err := s.checkPayerAddress(w.trade, w.clientIP); err != nil {
		return api.Checkout{}, err
	}
	now := s.now()
	if now.Before(o.CreatedAt) {
		now = o.CreatedAt // the clock of another machine is ahead
	}
	p, claim, err := s.newPayment(w, now)
	if err != nil {
		return api.Checkout{}, err
	}
	p.OrderID, p.Total, p.Currency, p.Body, p.ExpiresAt = o.ID, o.Total, o.Currency, o.Description, o.ExpiresAt
	stored, err := s.cfg.Store.InsertPayment(ctx, p, claim)
	switch {
	case err != nil:
		return api.Checkout{}, err
	case !stored:
		return s.notBegun(ctx, o, w)
	}
	s.logBegun(ctx, p)
	return s.prepayClaimed(ctx, o, p, claim)
}

// newPayment returns a payment without what it has of its order, and the claim of the first call
// for it, which is zero for JSAPI.
func (s *Service) newPayment(w way, now time.Time) (p order.Payment, claim time.Time, err error) {
	now = now.UTC().Truncate(time.Millisecond)
	no, err := order.NewOutTradeNo(s.rand, now)
	if err != nil {
		return p, claim, err
	}
	// For NATIVE WeChat documents the caller's address instead (docs/wechat.md 4.1). A Worker has
	// none, and WeChat does not compare it.
	p = order.Payment{
		OutTradeNo: no, AppID: s.cfg.AppID, MchID: s.cfg.MchID, APIVersion: string(s.cfg.WeChat.Version()),
		TradeType: w.trade, OpenID: w.openID, ClientIP: w.clientIP, NotifyURL: s.origin + api.PathNotifyPay, CreatedAt: now,
		Status: api.PaymentCreated, Simulated: s.cfg.Simulated, UpdatedAt: now,
	}
	if p.TradeType != api.TradeJSAPI {
		claim = now.Add(claimLife)
	}
	if p.TradeType == api.TradeMWEB {
		p.ShopName = s.cfg.ShopName
	}
	return p, claim, nil
}

func (s *Service) logBegun(ctx context.Context, p order.Payment) {
	s.logPayment(ctx, order.Payment{OrderID: p.OrderID, OutTradeNo: p.OutTradeNo}, api.PaymentCreated, sourcePage, "trade_type", string(p.TradeType), "total", int64(p.Total))
}

// notBegun returns the result of a request whose payment could not be stored. The order is no
// longer open, another request has just begun the same payment, or there are too many payments.
func (s *Service) notBegun(ctx context.Context, o order.Order, w way) (api.Checkout, error) {
	o, err := s.cfg.Store.ByID(ctx, o.ID)
	if err != nil || !o.Open() {
		return s.ended(o, err)
	}
	p, err := s.offered(ctx, o, w)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.makeRoom(ctx, o)
	case err != nil:
		return api.Checkout{}, err
	case p.PrepayValid(s.now()):
		return s.offer(ctx, o, p)
	case p.TradeType == api.TradeJSAPI:
		return s.prepay(ctx, o, p, time.Time{}) // every prepay_id works
	}
	return api.Checkout{}, errBusy()
}

// makeRoom closes the oldest payment of an order that has order.MaxLive payments. It does so only
// if the buyer has no valid parameters of that payment and WeChat closes it at its age. Otherwise
// anybody who has the URL of an order could keep others from paying it. The caller gets CodeBusy
// and repeats the request, which begins a payment then.
//
// The payment is closing before WeChat is queried, so from then on nobody gets parameters of it. If
// the buyer pays it in between, the payment counts. WeChat is queried about each payment at most
// once per queryWindow, whatever the number of requests is. If this request cannot close it,
// Reconcile does.
func (s *Service) makeRoom(ctx context.Context, o order.Order) (api.Checkout, error) {
	full := reject(api.CodeTooManyPayments, "too many payments of the order have begun: pay it where it was opened first, try again later, or make another order")
	live, err := s.livePayments(ctx, o)
	if err != nil {
		return api.Checkout{}, err
	}
	if len(live) < order.MaxLive {
		return api.Checkout{}, full // it has had order.MaxPayments, or WeChat declined order.MaxFailed
	}
	log := s.logger(ctx).With("order", o.ID)
	for _, p := range slices.Backward(live) { // the oldest first
		if p, err = s.stopOffering(ctx, p); err != nil {
			return api.Checkout{}, err
		}
		if p.Status != api.PaymentClosing {
			continue
		}
		claimed, err := s.cfg.Store.ClaimPoll(ctx, p.OutTradeNo, queryWindow, s.now())
		if err != nil {
			return api.Checkout{}, err
		}
		if !claimed {
			return api.Checkout{}, errBusy() // another request has just queried it
		}
		synced, _, err := s.Sync(ctx, p, sourcePage)
		var mismatch Mismatch
		switch {
		case errors.As(err, &mismatch): // it is in the log
			continue
		case err != nil:
			log.Warn("closing a payment failed", "out_trade_no", p.OutTradeNo, "error", err)
			return api.Checkout{}, errNoResponse()
		case synced.Status == api.PaymentPaid:
			return s.ended(s.cfg.Store.ByID(ctx, o.ID))
		case order.PaymentEnded(synced.Status):
			return api.Checkout{}, errBusy()
		}
		// Somebody is paying it, or a call for it may still reach WeChat.
	}
	return api.Checkout{}, full
}

// stopOffering marks a payment as closing if the buyer has no valid parameters, no request has a
// claim on it, and WeChat closes it at its age. Otherwise it returns the payment unchanged.
func (s *Service) stopOffering(ctx context.Context, p order.Payment) (order.Payment, error) {
	now := s.now()
	if !p.Live() || p.PrepayValid(now) || now.Before(p.ClaimedUntil) || now.Before(p.CreatedAt.Add(order.MinCloseAge)) {
		return p, nil
	}
	stopped, err := s.cfg.Store.StopOffering(ctx, p.OutTradeNo, p.PrepayAt, now)
	if err != nil || !stopped {
		return p, err
	}
	s.logPayment(ctx, p, api.PaymentClosing, sourcePage)
	p.Status, p.UpdatedAt = api.PaymentClosing, now
	return p, nil
}

// claimPrepay sends a payment to WeChat again.
//
// Every prepay_id of a JSAPI payment works, so several requests may send it concurrently. For other
// payments only the last response is valid: a second code_url voids the first (docs/wechat.md 4.5).
// So one of several concurrent requests calls WeChat. The others get CodeBusy and retry.
func (s *Service) claimPrepay(ctx context.Context, o order.Order, p order.Payment) (api.Checkout, error) {
	if err := s.checkPayerAddress(p.TradeType, p.ClientIP); err != nil {
		return api.Checkout{}, err
	}
	if p.TradeType == api.TradeJSAPI {
		return s.prepay(ctx, o, p, time.Time{})
	}
	now := s.now()
	claim := now.Add(claimLife)
	claimed, err := s.cfg.Store.ClaimPrepay(ctx, p.OutTradeNo, p.PrepayID, claim, now)
	if err != nil {
		return api.Checkout{}, err
	}
	if !claimed {
		return s.checkoutOfOther(ctx, o, p)
	}
	return s.prepayClaimed(ctx, o, p, claim)
}

// prepayClaimed calls prepay with a claim and releases the claim after an error. The claim is zero
// for JSAPI.
func (s *Service) prepayClaimed(ctx context.Context, o order.Order, p order.Payment, claim time.Time) (api.Checkout, error) {
	c, err := s.prepay(ctx, o, p, claim)
	if err != nil && !claim.IsZero() {
		if err := s.cfg.Store.ReleasePrepay(ctx, p.OutTradeNo, claim); err != nil {
			s.logger(ctx).Error("releasing a claim failed", "out_trade_no", p.OutTradeNo, "error", err)
		}
	}
	return c, err
}

// checkoutOfOther returns the parameters that another request has just got from WeChat, or CodeBusy
// while that request runs. p is the payment as it was read before.
func (s *Service) checkoutOfOther(ctx context.Context, o order.Order, p order.Payment) (api.Checkout, error) {
	o, err := s.cfg.Store.ByID(ctx, o.ID)
	if err != nil || !o.Open() {
		return s.ended(o, err)
	}
	latest := o.Payment
	if latest.OutTradeNo != p.OutTradeNo {
		if latest, err = s.cfg.Store.Payment(ctx, p.OutTradeNo); err != nil {
			return api.Checkout{}, err
		}
	}
	if latest.Live() && latest.PrepayID != p.PrepayID && latest.PrepayValid(s.now()) {
		return s.offer(ctx, o, latest)
	}
	return api.Checkout{}, errBusy()
}

// prepay sends a payment to WeChat. Each call has identical parameters, because WeChat accepts a
// repeated out_trade_no only then, and responds with payment parameters.
func (s *Service) prepay(ctx context.Context, o order.Order, p order.Payment, claim time.Time) (api.Checkout, error) {
	callCtx, cancel := context.WithTimeout(ctx, prepayTimeout)
	defer cancel()
	pay, err := s.api(p.APIVersion)
	if err != nil {
		return s.actOnPrepay(ctx, o, p, err)
	}
	prepay, err := pay.PlaceOrder(callCtx, prepayRequest(p))
	if err != nil {
		return s.actOnPrepay(ctx, o, p, err)
	}
	given := order.Prepay{ID: prepay.PrepayID, Claim: claim}
	var params *api.PayParams
	switch p.TradeType {
	case api.TradeNative:
		given.URL = prepay.CodeURL
	case api.TradeMWEB:
		given.URL = prepay.MwebURL
	default:
		if params, err = s.sign(ctx, p, prepay.PrepayID); err != nil {
			return api.Checkout{}, err
		}
		given.SignType = params.SignType
	}
	if given.ID == "" {
		given.ID = given.URL // APIv3 returns no prepay_id with a URL (docs/wechat.md 18.11)
	}
	now := s.now()
	ok, err := s.cfg.Store.SetPrepay(ctx, p.OutTradeNo, given, now)
	if err != nil {
		return api.Checkout{}, err
	}
	if !ok {
		// The order was paid or closed, or the claim ended, during the call.
		return s.checkoutOfOther(ctx, o, p)
	}
	s.logPayment(ctx, p, api.PaymentPending, sourcePrepay)
	p.Status, p.PrepayID, p.PrepayAt, p.PayURL, p.UpdatedAt = api.PaymentPending, given.ID, now, given.URL, now
	return s.payable(o, p, params), nil
}

// actOnPrepay acts on an error of unifiedorder.
func (s *Service) actOnPrepay(ctx context.Context, o order.Order, p order.Payment, cause error) (api.Checkout, error) {
	log := s.logger(ctx).With("order", o.ID, "out_trade_no", p.OutTradeNo)
	e := wechatError(cause)
	switch prepayOutcome(e) {
	case outcomePaid:
		if _, _, err := s.Sync(ctx, p, sourcePrepay); err != nil {
			log.Error("a payment that WeChat reports as paid could not be settled", "error", err)
			return api.Checkout{}, errPaidThere()
		}
		o, err := s.cfg.Store.ByID(ctx, o.ID)
		if err != nil || !o.Open() {
			return s.ended(o, err)
		}
		return api.Checkout{}, errPaidThere()
	case outcomeClosed:
		// It may be open there, and past its time_expire, which closes no payment (docs/wechat.md 4.4).
		synced, report, err := s.query(ctx, p, sourcePrepay, nil)
		if err == nil && report != Settled {
			_, err = s.closeAtWeChat(ctx, synced, report)
		}
		var mismatch Mismatch
		switch {
		case errors.As(err, &mismatch): // it is in the log
			return api.Checkout{}, errDiffers()
		case err != nil:
			log.Warn("closing a payment failed", "error", err)
			return api.Checkout{}, errNoResponse()
		}
		o, err := s.cfg.Store.ByID(ctx, o.ID)
		if err != nil || !o.Open() {
			return s.ended(o, err)
		}
		return api.Checkout{}, errBusy() // the next request begins another payment
	case outcomeRetry:
		// The payment stays as it is and is sent again unchanged when the page retries.
		if e.Kind == wechat.Untrusted {
			log.Error("WeChat's response to a payment could not be verified: if this continues, check the keys in the settings", "error", cause)
		} else {
			log.Warn("WeChat did not respond to a payment", "error", cause)
		}
		return api.Checkout{}, errNoResponse()
	case outcomeShop:
		// It can be paid when the setting is correct.
		log.Error("WeChat declines the shop", "error", cause)
		if err := s.cfg.Store.NoteFailure(ctx, p.OutTradeNo, cmp.Or(e.Code, "FAIL"), s.now()); err != nil {
			return api.Checkout{}, err
		}
		return api.Checkout{}, reject(api.CodeWeChatDeclined, "WeChat declines the shop's settings, see the log")
	}
	log.Error("WeChat declines a payment", "error", cause)
	failed, err := s.cfg.Store.Fail(ctx, p.OutTradeNo, e.Code, s.now())
	if failed {
		s.logPayment(ctx, p, api.PaymentFailed, sourcePrepay)
	}
	if err == nil && !failed {
		// It is pending: its prepay_id may still be paid.
		err = s.cfg.Store.NoteFailure(ctx, p.OutTradeNo, e.Code, s.now())
	}
	if err != nil {
		return api.Checkout{}, err
	}
	return api.Checkout{}, reject(api.CodeWeChatDeclined, "WeChat declines the order")
}

// prepayRequest returns the parameters of a payment's call, all of which are stored.
func prepayRequest(p order.Payment) wechat.Order {
	r := wechat.Order{
		OutTradeNo: p.OutTradeNo,
		Body:       p.Body,
		TotalFee:   p.Total,
		TradeType:  wechat.TradeType(p.TradeType),
		ClientIP:   p.ClientIP,
		NotifyURL:  p.NotifyURL,
		TimeStart:  p.CreatedAt,
		TimeExpire: p.ExpiresAt,
	}
	switch p.TradeType {
	case api.TradeJSAPI:
		r.OpenID = p.OpenID
	case api.TradeMWEB:
		r.WapURL, r.WapName = strings.TrimSuffix(p.NotifyURL, api.PathNotifyPay), p.ShopName
	}
	return r
}

// offer returns an order with the last parameters of a payment.
func (s *Service) offer(ctx context.Context, o order.Order, p order.Payment) (api.Checkout, error) {
	if p.TradeType != api.TradeJSAPI {
		return s.payable(o, p, nil), nil
	}
	params, err := s.sign(ctx, p, p.PrepayID)
	if err != nil {
		return api.Checkout{}, err
	}
	if params.SignType != p.SignType {
		// The operator changed WECHAT_SIGN_TYPE. The page must sign with the sign type of
		// unifiedorder, and a repeated call would differ.
		return api.Checkout{}, errNotPayable()
	}
	return s.payable(o, p, params), nil
}

// payable returns an order with the parameters of a payment.
func (s *Service) payable(o order.Order, p order.Payment, params *api.PayParams) api.Checkout {
	o.Payment = p
	c := api.Checkout{Order: o.Public(), Pay: params, PayUntil: p.PayUntil().UnixMilli()}
	switch p.TradeType {
	case api.TradeNative:
		c.CodeURL = p.PayURL
	case api.TradeMWEB:
		back := "/result?order=" + o.ID
		if o.Token != "" {
			back = api.PathCustomer + o.Token + "?result=1"
		}
		c.MWebURL = wechat.Prepay{MwebURL: p.PayURL}.PageURL(s.origin + back)
	}
	return c
}

func (s *Service) sign(ctx context.Context, p order.Payment, prepayID string) (*api.PayParams, error) {
	pay, err := s.api(p.APIVersion)
	if err != nil {
		return nil, err
	}
	params, err := pay.PayParams(ctx, prepayID)
	if err != nil {
		return nil, fmt.Errorf("signing payment %s: %w", p.OutTradeNo, err)
	}
	return &api.PayParams{
		AppID:     params.AppID,
		TimeStamp: params.TimeStamp,
		NonceStr:  params.NonceStr,
		Package:   params.Package,
		SignType:  string(params.SignType),
		PaySign:   params.PaySign,
	}, nil
}

// ended returns the result for an order that is no longer open. err is the error of reading it.
func (s *Service) ended(o order.Order, err error) (api.Checkout, error) {
	switch {
	case err != nil:
		return api.Checkout{}, err
	case order.WasPaid(o.Status):
		return api.Checkout{Order: o.Public()}, nil
	}
	return api.Checkout{}, errNotPayable()
}
