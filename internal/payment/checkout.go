package payment

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat"
)

// claimLife is how long one request alone may call unifiedorder for an order that only
// the last response pays. It is longer than a call takes; the request may die.
const claimLife = prepayTimeout + 2*time.Second

// Pay returns an order with what pays it, to its owner. renew asks for something new
// instead of what WeChat gave last.
func (s *Service) Pay(ctx context.Context, id, owner string, renew bool) (api.Checkout, error) {
	o, err := s.ownOrder(ctx, id, owner)
	if err != nil {
		return api.Checkout{}, err
	}
	if o.PrepayID != "" && !renew && s.stale(o) {
		// The buyer is back. The order may be paid, and the notification lost.
		o, _ = s.refresh(ctx, o)
	}
	c, err := s.checkout(ctx, o, renew, s.Selling(ctx))
	if err == nil && c.PayUntil == 0 {
		return api.Checkout{}, reject(api.CodeOrderPaid, "the order is paid")
	}
	return c, err
}

// checkout brings an order to where the page can pay it and returns it with
// what pays it: what WeChat gave last while that is valid and renew is false, and
// something new otherwise. Nothing to pay it with means that it is
// paid. selling is the error of Selling: with one nobody gets anything to pay with.
func (s *Service) checkout(ctx context.Context, o order.Order, renew bool, selling error) (api.Checkout, error) {
	now := s.now()
	switch {
	case order.WasPaid(o.Status):
		return api.Checkout{Order: o.Public()}, nil
	case !o.Open(), o.Expired(now), o.MchID != s.cfg.MchID,
		o.ClientIP == "": // it had ended, and was put back after a restore
		return api.Checkout{}, errNotPayable()
	case selling != nil:
		return api.Checkout{}, selling
	case o.PrepayAlive(now) && !renew:
		return s.offer(ctx, o)
	case o.ExpiresAt.Sub(now) < order.MinPrepay:
		return api.Checkout{}, errNotPayable()
	}
	if err := s.checkPayerAddress(o.TradeType, o.ClientIP); err != nil {
		return api.Checkout{}, err
	}
	return s.claimPrepay(ctx, o)
}

// claimPrepay stores that the order is about to be sent, and sends it. Whatever happens
// after the first claim, the timer queries WeChat about the order.
//
// Every prepay_id of a JSAPI order works, so several requests may send it at once. Other
// orders are paid by the last response alone: a second code_url voids the first
// (docs/wechat.md 4.5). Of several requests for such an order one calls WeChat. The
// others get CodeBusy and come again.
func (s *Service) claimPrepay(ctx context.Context, o order.Order) (api.Checkout, error) {
	now := s.now()
	var claim time.Time
	if o.TradeType != api.TradeJSAPI {
		claim = now.Add(claimLife)
	} else if !o.SentAt.IsZero() {
		return s.prepay(ctx, o, claim)
	}
	claimed, err := s.cfg.Store.ClaimPrepay(ctx, o.ID, o.PrepayID, claim, now)
	if err != nil {
		return api.Checkout{}, err
	}
	if !claimed {
		return s.checkoutOfOther(ctx, o)
	}
	if o.SentAt.IsZero() {
		o.SentAt = now
	}
	c, err := s.prepay(ctx, o, claim)
	if err != nil && !claim.IsZero() {
		if err := s.cfg.Store.ReleasePrepay(ctx, o.ID, claim); err != nil {
			s.logger(ctx).Error("releasing a claim failed", "order", o.ID, "error", err)
		}
	}
	return c, err
}

// checkoutOfOther returns what another request has just got from WeChat, or CodeBusy
// while that request is under way. o is the order as it was read before.
func (s *Service) checkoutOfOther(ctx context.Context, o order.Order) (api.Checkout, error) {
	latest, err := s.cfg.Store.Get(ctx, o.ID, o.Owner)
	if err != nil {
		return api.Checkout{}, err
	}
	if latest.Open() && latest.PrepayID != o.PrepayID && latest.PrepayAlive(s.now()) {
		return s.offer(ctx, latest)
	}
	return settled(latest, errBusy())
}

// prepay sends the order to WeChat. Whatever happened to the order before,
// the call is the same to the letter: WeChat takes a repeated out_trade_no only
// then, and responds with something that pays it.
func (s *Service) prepay(ctx context.Context, o order.Order, claim time.Time) (api.Checkout, error) {
	callCtx, cancel := context.WithTimeout(ctx, prepayTimeout)
	defer cancel()
	pay, err := s.api(o.APIVersion)
	if err != nil {
		return s.actOnPrepay(ctx, o, err)
	}
	prepay, err := pay.PlaceOrder(callCtx, prepayRequest(o))
	if err != nil {
		return s.actOnPrepay(ctx, o, err)
	}
	given := order.Prepay{ID: prepay.PrepayID, Claim: claim}
	var params *api.PayParams
	switch o.TradeType {
	case api.TradeNative:
		given.URL = prepay.CodeURL
	case api.TradeMWEB:
		given.URL = prepay.MwebURL
	default:
		if params, err = s.sign(ctx, o, prepay.PrepayID); err != nil {
			return api.Checkout{}, err
		}
		given.SignType = params.SignType
	}
	if given.ID == "" {
		given.ID = given.URL // APIv3 gives no prepay_id with a URL (docs/wechat.md 18.11)
	}
	now := s.now()
	ok, err := s.cfg.Store.SetPrepay(ctx, o.ID, given, now)
	if err != nil {
		return api.Checkout{}, err
	}
	if !ok {
		// The order was paid or closed, or the claim ended, while WeChat responded.
		return s.checkoutOfOther(ctx, o)
	}
	s.logChange(ctx, o, api.StatusPending, sourcePrepay)
	o.Status, o.PrepayID, o.PrepayAt, o.PayURL, o.UpdatedAt = api.StatusPending, given.ID, now, given.URL, now
	return s.payable(o, params), nil
}

// actOnPrepay decides what happens to an order that WeChat did not take.
func (s *Service) actOnPrepay(ctx context.Context, o order.Order, cause error) (api.Checkout, error) {
	log := s.logger(ctx).With("order", o.ID, "out_trade_no", o.OutTradeNo)
	e := wechatError(cause)
	switch prepayOutcome(e) {
	case outcomePaid:
		o, _, err := s.Sync(ctx, o, sourcePrepay)
		if err != nil {
			log.Error("an order that WeChat calls paid could not be settled", "error", err)
			return api.Checkout{}, errPaidThere()
		}
		return settled(o, errPaidThere())
	case outcomeClosed:
		o, err := s.close(ctx, o, sourcePrepay)
		if err != nil {
			return api.Checkout{}, err
		}
		return settled(o, errBusy())
	case outcomeRetry:
		// The order stays as it is and is sent again unchanged when the page retries.
		if e.Kind == wechat.Untrusted {
			log.Error("WeChat's response to an order is not believed: if this goes on, check the keys in the settings", "error", cause)
		} else {
			log.Warn("WeChat did not answer an order", "error", cause)
		}
		return api.Checkout{}, reject(api.CodeWeChatBusy, "WeChat did not answer, try again")
	case outcomeShop:
		// The order can be paid once the setting is right.
		log.Error("WeChat declines the shop", "error", cause)
		if err := s.cfg.Store.NoteFailure(ctx, o.ID, cmp.Or(e.Code, "FAIL"), s.now()); err != nil {
			return api.Checkout{}, err
		}
		return api.Checkout{}, reject(api.CodeWeChatDeclined, "WeChat declines the shop's settings, see the log")
	}
	log.Error("WeChat declines an order", "error", cause)
	failed, err := s.cfg.Store.Fail(ctx, o.ID, e.Code, s.now())
	if failed {
		s.logChange(ctx, o, api.StatusFailed, sourcePrepay)
	}
	if err == nil && !failed {
		// It is pending: the prepay_id that it has may still be paid.
		err = s.cfg.Store.NoteFailure(ctx, o.ID, e.Code, s.now())
	}
	if err != nil {
		return api.Checkout{}, err
	}
	return api.Checkout{}, reject(api.CodeWeChatDeclined, "WeChat declines the order")
}

// prepayRequest returns the call of an order. All of it was stored before.
func prepayRequest(o order.Order) wechat.Order {
	r := wechat.Order{
		OutTradeNo: o.OutTradeNo,
		Body:       o.Body,
		TotalFee:   o.Total,
		TradeType:  wechat.TradeType(o.TradeType),
		ClientIP:   o.ClientIP,
		NotifyURL:  o.NotifyURL,
		TimeStart:  o.CreatedAt,
		TimeExpire: o.ExpiresAt,
	}
	switch o.TradeType {
	case api.TradeJSAPI:
		r.OpenID = o.Owner
	case api.TradeMWEB:
		r.WapURL, r.WapName = strings.TrimSuffix(o.NotifyURL, api.PathNotifyPay), o.ShopName
	}
	return r
}

// offer returns an order with what WeChat gave for it last.
func (s *Service) offer(ctx context.Context, o order.Order) (api.Checkout, error) {
	if o.TradeType != api.TradeJSAPI {
		return s.payable(o, nil), nil
	}
	params, err := s.sign(ctx, o, o.PrepayID)
	if err != nil {
		return api.Checkout{}, err
	}
	if params.SignType != o.SignType {
		// The operator changed WECHAT_SIGN_TYPE. The page has to sign as
		// unifiedorder was signed, and a repeated call would differ.
		return api.Checkout{}, errNotPayable()
	}
	return s.payable(o, params), nil
}

// payable returns an order with what pays it.
func (s *Service) payable(o order.Order, params *api.PayParams) api.Checkout {
	c := api.Checkout{Order: o.Public(), Pay: params, PayUntil: o.PayUntil().UnixMilli()}
	switch o.TradeType {
	case api.TradeNative:
		c.CodeURL = o.PayURL
	case api.TradeMWEB:
		c.MWebURL = wechat.Prepay{MwebURL: o.PayURL}.PageURL(s.origin + "/result?order=" + o.ID)
	}
	return c
}

func (s *Service) sign(ctx context.Context, o order.Order, prepayID string) (*api.PayParams, error) {
	pay, err := s.api(o.APIVersion)
	if err != nil {
		return nil, err
	}
	p, err := pay.PayParams(ctx, prepayID)
	if err != nil {
		return nil, fmt.Errorf("signing the payment of order %s: %w", o.ID, err)
	}
	return &api.PayParams{
		AppID:     p.AppID,
		TimeStamp: p.TimeStamp,
		NonceStr:  p.NonceStr,
		Package:   p.Package,
		SignType:  string(p.SignType),
		PaySign:   p.PaySign,
	}, nil
}

// settled answers about an order that there is nothing to pay with now. open is the
// error while it still waits for its payment.
func settled(o order.Order, open error) (api.Checkout, error) {
	switch {
	case order.WasPaid(o.Status):
		return api.Checkout{Order: o.Public()}, nil
	case o.Open():
		return api.Checkout{}, open
	}
	return api.Checkout{}, errNotPayable()
}

func errNotPayable() error {
	return reject(api.CodeOrderNotPayable, "the order is closed, failed or too old")
}

func errPaidThere() error {
	return reject(api.CodeWeChatBusy, "WeChat calls the order paid, try again")
}

// errBusy is for a caller who has to come again in a second. Nobody waits inside a
// request for another one.
func errBusy() error {
	return reject(api.CodeBusy, "another request about the order is under way, repeat this one in a second")
}
