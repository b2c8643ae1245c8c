package payment

import (
	"context"
	"fmt"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/wechat"
)

// How two requests for one code_url keep out of each other's way.
const (
	claimLife = prepayTimeout + 2*time.Second // the one that asks WeChat may die
	// The others look whether it has asked, less and less often: on Cloudflare's
	// free plan a request may make 50 statements.
	firstLook = 50 * time.Millisecond
	lastLook  = time.Second
)

// checkout brings an order to where the page can pay it and returns it with
// what pays it: what WeChat gave last while that lives and renew does not ask
// for another, a new one otherwise. Nothing to pay it with means that it is
// paid. With an error of selling nobody gets anything to pay with.
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
		return s.offer(o)
	case o.ExpiresAt.Sub(now) < order.MinPrepay:
		return api.Checkout{}, errNotPayable()
	case o.TradeType == api.TradeJSAPI:
		return s.prepay(ctx, o, time.Time{}) // every prepay_id works
	}
	if err := s.checkPayerAddress(o.TradeType, o.ClientIP); err != nil {
		return api.Checkout{}, err
	}
	return s.prepayAlone(ctx, o)
}

// prepayAlone is prepay for an order of which only the last answer pays: a
// second code_url voids the first (docs/wechat.md 4.5). Of several
// requests at once one asks WeChat, and all of them get its answer.
func (s *Service) prepayAlone(ctx context.Context, o order.Order) (api.Checkout, error) {
	now := s.now()
	claim := now.Add(claimLife)
	claimed, err := s.cfg.Store.ClaimPrepay(ctx, o.ID, o.PrepayID, claim, now)
	if err != nil {
		return api.Checkout{}, err
	}
	if !claimed {
		return s.await(ctx, o)
	}
	c, err := s.prepay(ctx, o, claim)
	if err != nil {
		if err := s.cfg.Store.ReleasePrepay(ctx, o.ID, claim); err != nil {
			s.logger(ctx).Error("releasing a claim failed", "order", o.ID, "error", err)
		}
	}
	return c, err
}

// await returns what another request has got from WeChat, or gets now. o is the
// order as it was before.
func (s *Service) await(ctx context.Context, o order.Order) (api.Checkout, error) {
	for look, waited := firstLook, time.Duration(0); waited < prepayTimeout; look = min(2*look, lastLook) {
		latest, err := s.cfg.Store.Get(ctx, o.ID, o.Owner)
		switch {
		case err != nil:
			return api.Checkout{}, err
		case latest.Open() && latest.PrepayID != o.PrepayID && latest.PrepayAlive(s.now()):
			return s.offer(latest)
		case !latest.Open(), latest.AskingUntil.IsZero():
			return stopped(latest)
		}
		time.Sleep(look)
		waited += look
	}
	return stopped(o)
}

// prepay asks WeChat to take the order. Whatever the order went through before,
// the call is the same to the letter: WeChat takes a repeated out_trade_no only
// then, and answers with something that pays it.
func (s *Service) prepay(ctx context.Context, o order.Order, claim time.Time) (api.Checkout, error) {
	callCtx, cancel := context.WithTimeout(ctx, prepayTimeout)
	defer cancel()
	prepay, err := s.cfg.WeChat.UnifiedOrder(callCtx, request(o))
	if err != nil {
		return s.prepayFailed(ctx, o, err)
	}
	given := order.Prepay{ID: prepay.PrepayID, Claim: claim}
	var params *api.PayParams
	switch o.TradeType {
	case api.TradeNative:
		given.URL = prepay.CodeURL
	case api.TradeMWEB:
		given.URL = prepay.MwebURL
	default:
		if params, err = s.sign(o.ID, prepay.PrepayID); err != nil {
			return api.Checkout{}, err
		}
		given.SignType = params.SignType
	}
	now := s.now()
	ok, err := s.cfg.Store.SetPrepay(ctx, o.ID, given, now)
	if err != nil {
		return api.Checkout{}, err
	}
	if !ok {
		// It was paid, closed or refused while WeChat answered.
		return s.reload(ctx, o)
	}
	s.logChange(ctx, o, api.StatusPending, sourcePrepay)
	o.Status, o.PrepayID, o.PrepayAt, o.PayURL, o.UpdatedAt = api.StatusPending, given.ID, now, given.URL, now
	return s.payable(o, params), nil
}

// request is what WeChat is told of an order. All of it was stored before.
func request(o order.Order) wechat.Order {
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
func (s *Service) offer(o order.Order) (api.Checkout, error) {
	if o.TradeType != api.TradeJSAPI {
		return s.payable(o, nil), nil
	}
	params, err := s.sign(o.ID, o.PrepayID)
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

// payable puts together an order and what pays it.
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

func (s *Service) sign(orderID, prepayID string) (*api.PayParams, error) {
	p, err := s.cfg.WeChat.PayParams(prepayID)
	if err != nil {
		return nil, fmt.Errorf("signing the payment of order %s: %w", orderID, err)
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

// reload returns an order that was just changed by somebody else. It never
// goes to WeChat, so that checkout cannot go round in circles.
func (s *Service) reload(ctx context.Context, o order.Order) (api.Checkout, error) {
	o, err := s.cfg.Store.Get(ctx, o.ID, o.Owner)
	if err != nil {
		return api.Checkout{}, err
	}
	return stopped(o)
}

// stopped answers about an order that there is nothing to pay with now.
func stopped(o order.Order) (api.Checkout, error) {
	switch {
	case order.WasPaid(o.Status):
		return api.Checkout{Order: o.Public()}, nil
	case o.Open():
		return api.Checkout{}, reject(api.CodeWeChatBusy, "WeChat has not settled the order yet, ask again")
	}
	return api.Checkout{}, errNotPayable()
}

func errNotPayable() error {
	return reject(api.CodeOrderNotPayable, "the order is closed, refused or too old")
}

// Pay returns what pays an order, to its owner. renew asks for something new instead of
// what WeChat gave last.
func (s *Service) Pay(ctx context.Context, id, owner string, renew bool) (api.Checkout, error) {
	o, err := s.ownOrder(ctx, id, owner)
	if err != nil {
		return api.Checkout{}, err
	}
	c, err := s.checkout(ctx, o, renew, s.Selling(ctx))
	if err == nil && c.PayUntil == 0 {
		return api.Checkout{}, reject(api.CodeOrderPaid, "the order is paid")
	}
	return c, err
}
