package main

import (
	"context"
	"strings"
	"time"

	"h5pay/internal/api"
)

// outcome is what the client says of a payment. None of them is proof: the
// result page asks the signer.
type outcome int

// The outcomes.
const (
	payUnknown outcome = iota // words this page does not know
	payOK
	payCancelled
	payFailed
)

// outcomeOf reads err_msg. Case and what follows the word differ between
// versions of the client.
func outcomeOf(errMsg string) outcome {
	_, word, ok := strings.Cut(strings.ToLower(errMsg), "get_brand_wcpay_request:")
	switch {
	case !ok:
		return payUnknown
	case strings.HasPrefix(word, "ok"):
		return payOK
	case strings.HasPrefix(word, "cancel"):
		return payCancelled
	case strings.HasPrefix(word, "fail"):
		return payFailed
	}
	return payUnknown
}

// pay asks the signer for parameters and opens the payment sheet.
func pay(ctx context.Context, b browser, id string) (outcome, error) {
	var c api.Checkout
	if err := call(ctx, b, "POST", api.OrderPayPath(id), struct{}{}, &c); err != nil {
		return payUnknown, err
	}
	if c.Pay == nil {
		return payOK, nil
	}
	errMsg, err := b.InvokePay(ctx, *c.Pay)
	if err != nil {
		return payUnknown, &api.Error{Code: codeBridge, Message: err.Error()}
	}
	return outcomeOf(errMsg), nil
}

// pollPauses are the waits between the questions of the result page, about a
// minute and a half in all. WeChat itself may need some seconds to know.
var pollPauses = [...]time.Duration{
	1 * time.Second, 1 * time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second,
	8 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 25 * time.Second,
}

// watch asks the signer about an order until it is final, shows every answer,
// and returns the last one. A call that fails is asked again like an order that
// is not paid yet; the error of the last one is returned, unless asking again
// cannot help.
func watch(ctx context.Context, b browser, id string, show func(api.Order)) (o api.Order, err error) {
	for _, pause := range append(pollPauses[:], 0) {
		err = call(ctx, b, "GET", api.OrderPath(id), nil, &o)
		switch {
		case err == nil && final(o.Status):
			return o, nil
		case err == nil:
			show(o)
		case !passing(code(err)):
			return o, err
		}
		if pause == 0 {
			break
		}
		if err := b.Sleep(ctx, pause); err != nil {
			return o, err
		}
	}
	return o, err
}

func final(s api.OrderStatus) bool {
	return s == api.StatusPaid || s == api.StatusClosed || s == api.StatusFailed
}

// passing reports whether the same call may succeed later.
func passing(c api.Code) bool {
	return c == codeOffline || c == codeGarbled || c == api.CodeInternal || c == api.CodeWeChatBusy
}
