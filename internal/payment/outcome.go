package payment

import (
	"errors"

	"h5pay/wechat"
)

// outcome is what follows when WeChat does not take an order or a refund.
type outcome int

const (
	outcomeRetry    outcome = iota // WeChat may have taken it: the same call is made again
	outcomeLater                   // a refund alone: WeChat declines it for now
	outcomeShop                    // the shop's settings, certificate or balance are at fault
	outcomeDeclined                // WeChat declines it for good
	outcomePaid                    // an order alone: WeChat calls it paid; a query says by which transaction
	outcomeClosed                  // an order alone: it is closed at WeChat
)

// wechatError returns the *wechat.Error in err. Any other error is one without a
// response, so that WeChat may have taken the call.
func wechatError(err error) *wechat.Error {
	var e *wechat.Error
	if !errors.As(err, &e) {
		return &wechat.Error{Kind: wechat.Retry}
	}
	return e
}

// prepayOutcome returns what follows from an error of unifiedorder.
func prepayOutcome(e *wechat.Error) outcome {
	switch {
	case e.Code == wechat.CodeOrderPaid:
		return outcomePaid
	case e.Code == wechat.CodeOrderClosed:
		return outcomeClosed
	case e.Kind == wechat.Retry, e.Kind == wechat.Untrusted:
		return outcomeRetry
	case e.Kind == wechat.Operator, e.Code == "": // an error without a code comes unsigned
		return outcomeShop
	}
	return outcomeDeclined
}

// refundOutcome returns what follows from an error of refund.
func refundOutcome(e *wechat.Error) outcome {
	switch {
	case e.Kind == wechat.Retry && e.Code == "", e.Kind == wechat.Untrusted:
		return outcomeRetry
	case e.Kind == wechat.Retry:
		return outcomeLater
	case e.Kind == wechat.Operator, e.Code == "": // an error without a code comes unsigned
		return outcomeShop
	}
	return outcomeDeclined
}
