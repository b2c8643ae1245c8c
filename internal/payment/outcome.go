package payment

import (
	"errors"

	"h5pay/wechat"
)

// outcome is the consequence of an error of unifiedorder or refund.
type outcome int

const (
	outcomeRetry    outcome = iota // WeChat may have accepted it: the same call is repeated
	outcomeLater                   // only a refund: WeChat declines it for now
	outcomeShop                    // the cause is the shop's settings, certificate or balance
	outcomeDeclined                // WeChat declines it, and a retry does not help
	outcomePaid                    // only an order: it is paid; a query returns the transaction
	outcomeClosed                  // only an order: it is closed at WeChat
)

// wechatError returns the *wechat.Error in err. Any other error means that there was no response,
// so WeChat may have accepted the call.
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
	case e.Kind == wechat.Operator, e.Code == "": // an error without a code is unsigned
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
	case e.Kind == wechat.Operator, e.Code == "": // an error without a code is unsigned
		return outcomeShop
	}
	return outcomeDeclined
}
