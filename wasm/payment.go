package main

import (
	"context"
	"strings"
	"time"

	"h5pay/internal/api"
)

// outcome is what the client says of a payment. None of them is proof: the
// signer is asked after each.
type outcome int

// The outcomes.
const (
	payUnknown outcome = iota // words this page does not know
	payOK
	payCancelled
	payFailed
	payRedirected // the browser has left for WeChat's page
)

// bridgeErrors are the words of a client whose bridge would not make the call at
// all: a directory that is not registered, an old client (docs/wechat.md 5.3,
// 5.4).
var bridgeErrors = [...]string{"access_denied", "not_allowed", "not_exist", "not_implement", "permission"}

// outcomeOf reads err_msg. Case and what follows the word differ between
// versions of the client; the JS-SDK has a name of its own for the call, and some
// clients leave the name out.
func outcomeOf(errMsg string) outcome {
	msg := strings.ToLower(errMsg)
	for _, call := range [...]string{"get_brand_wcpay_request:", "choosewxpay:"} {
		if _, word, ok := strings.Cut(msg, call); ok {
			switch {
			case strings.HasPrefix(word, "ok"):
				return payOK
			case strings.HasPrefix(word, "cancel"):
				return payCancelled
			}
		}
	}
	if strings.HasPrefix(msg, "fail") || strings.Contains(msg, ":fail") {
		return payFailed
	}
	for _, bridgeError := range bridgeErrors {
		if strings.Contains(msg, bridgeError) {
			return payFailed
		}
	}
	return payUnknown
}

// maxReason is how much the page shows of the client's own words, in runes.
const maxReason = 80

// reasonOf returns why a payment failed, for the user to tell the shop; "" when
// the client does not say.
func reasonOf(reply payReply) string {
	reason := clean(reply.ErrDesc)
	if reason == "" {
		msg := clean(reply.ErrMsg)
		if at := strings.Index(strings.ToLower(msg), ":fail"); at >= 0 {
			msg = msg[at+len(":fail"):]
		}
		reason = strings.Trim(msg, " :_,")
	}
	if runes := []rune(reason); len(runes) > maxReason {
		reason = string(runes[:maxReason]) + "…"
	}
	return reason
}

// clean returns a foreign text as one line, without control characters and without
// those that have no width or turn the direction of what follows.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "")
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f && r <= 0xa0 || r == 0xad || r == 0x61c || r >= 0x200b && r <= 0x200f ||
			r >= 0x2028 && r <= 0x202f || r >= 0x2060 && r <= 0x206f || r == 0x3000 || r == 0xfeff || r >= 0xe0000
	}), " ")
}

// checkout asks the signer for what pays an order; renew when what it gave last
// is no good any more.
func checkout(ctx context.Context, b browser, id string, renew bool) (c api.Checkout, err error) {
	return c, call(ctx, b, "POST", api.OrderPayPath(id), api.PayRequest{Renew: renew}, &c)
}

// closeOrder gives an order up.
func closeOrder(ctx context.Context, b browser, id string) (o api.Order, err error) {
	return o, call(ctx, b, "POST", api.OrderClosePath(id), api.CloseRequest{}, &o)
}

// pay asks the signer for parameters, after a failure for renewed ones, and
// opens the payment sheet; a browser outside WeChat goes to WeChat's page
// instead. It returns what the client says, and its reason when that is a
// failure or unknown.
func pay(ctx context.Context, b browser, id string, renew bool) (got outcome, reason string, err error) {
	c, err := checkout(ctx, b, id, renew)
	switch {
	case err != nil:
		return payUnknown, "", err
	case strings.HasPrefix(c.MWebURL, "http"):
		b.Assign(c.MWebURL)
		return payRedirected, "", nil
	case c.Pay == nil:
		return payOK, "", nil
	}
	reply, err := b.InvokePay(ctx, *c.Pay)
	if err != nil {
		return payUnknown, "", &api.Error{Code: codeBridge, Message: err.Error()}
	}
	if got = outcomeOf(reply.ErrMsg); got == payFailed || got == payUnknown {
		reason = reasonOf(reply)
	}
	return got, reason, nil
}

// How the page goes on after an answer of the client's that it does not know.
const (
	unknownPollInterval = 3 * time.Second  // the signer asks WeChat no more often about one order
	unknownTimeout      = 20 * time.Second // after which the page offers another try, whatever it knows
	unpaidReports       = 2                // how often WeChat has to say that nobody paid
)

// resolveUnknown asks the signer what became of an order until WeChat has said often enough that
// nobody paid, or for some time. It reports whether the order waits no more.
func resolveUnknown(ctx context.Context, b browser, id string) (settled bool, err error) {
	unpaid := 0
	for waited := time.Duration(0); ; waited += unknownPollInterval {
		o, err := getOrder(ctx, b, id)
		if err == nil && !payable(o.Status) {
			return true, nil
		}
		if err == nil && o.NotPaid {
			unpaid++
		}
		if unpaid == unpaidReports || waited >= unknownTimeout {
			return false, nil
		}
		if err := b.Sleep(ctx, unknownPollInterval); err != nil {
			return false, err
		}
	}
}

// sheetPollInterval is the wait between questions about an order whose sheet is open.
const sheetPollInterval = 8 * time.Second

// pollPauses are the waits between the questions of the result page, about a
// minute and a half in all. WeChat itself may need some seconds to know.
var pollPauses = [...]time.Duration{
	1 * time.Second, 1 * time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second,
	8 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 25 * time.Second,
}

// confirmTime is how long the result page shows nothing but that it waits. It goes on
// asking after that.
const confirmTime = 12 * time.Second

// watch asks the signer about an order until it waits no more for its payment,
// shows every answer, which may be enough, and returns the last one. It calls late
// when confirmTime is over. A call that fails is asked again like an order that
// is not paid yet; the error of the last one is returned, unless asking again
// cannot help.
func watch(ctx context.Context, b browser, id string, show func(api.Order) (enough bool), onTimeout func()) (o api.Order, err error) {
	var waited time.Duration
	for _, pause := range append(pollPauses[:], 0) {
		o, err = getOrder(ctx, b, id)
		switch {
		case err == nil && !payable(o.Status):
			return o, nil
		case err == nil && show(o):
			return o, nil
		case err == nil:
		case !isTemporary(code(err)):
			return o, err
		}
		if pause == 0 {
			break
		}
		if err := b.Sleep(ctx, pause); err != nil {
			return o, err
		}
		if waited += pause; waited >= confirmTime && waited-pause < confirmTime {
			onTimeout()
		}
	}
	return o, err
}

// isTemporary reports whether the same call may succeed later.
func isTemporary(c api.Code) bool {
	return c == codeOffline || c == codeBadResponse || c == api.CodeInternal || c == api.CodeWeChatBusy || c == api.CodeRateLimited
}
