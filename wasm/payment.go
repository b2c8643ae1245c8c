package main

import (
	"context"
	"strings"
	"time"

	"h5pay/internal/api"
)

// outcome is the client's report about a payment. It proves nothing, so the page queries the signer
// after each.
type outcome int

// The outcomes.
const (
	payUnknown outcome = iota // a reply that this page does not know
	payOK
	payCancelled
	payFailed
	payRedirected // the browser is loading WeChat's page
)

// bridgeErrors occur in replies of clients whose bridge did not make the call, for example an
// unregistered directory or an old client (docs/wechat.md 5.3, 5.4).
var bridgeErrors = [...]string{"access_denied", "not_allowed", "not_exist", "not_implement", "permission"}

// outcomeOf parses err_msg. Versions of the client differ in case and in the text after the first
// word. The JS-SDK has another name for the call, and some clients omit the name.
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

// maxReason is how many runes of the client's reason the page shows.
const maxReason = 80

// reasonOf returns why a payment failed, so that the user can report it to the shop; "" if the
// client gave no reason.
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

// clean returns text from outside as one line. It removes control characters, characters without
// width, and characters that change the text direction.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "")
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f && r <= 0xa0 || r == 0xad || r == 0x61c || r >= 0x200b && r <= 0x200f ||
			r >= 0x2028 && r <= 0x202f || r >= 0x2060 && r <= 0x206f || r == 0x3000 || r == 0xfeff || r >= 0xe0000
	}), " ")
}

// checkout fetches an order with the parameters that pay it by the best of some trade types. renew
// requests new ones because the last ones failed or expire.
func checkout(ctx context.Context, b browser, id string, types []api.TradeType, renew bool) (api.Checkout, error) {
	var c api.Checkout
	if err := call(ctx, b, "POST", api.OrderPayPath(id), api.PayRequest{TradeTypes: types, Renew: renew}, &c); err != nil {
		return c, err
	}
	if c.Order.ID != id {
		return c, errBadResponse()
	}
	return c, nil
}

// closeOrder cancels an order.
func closeOrder(ctx context.Context, b browser, id string) (o api.Order, err error) {
	return o, call(ctx, b, "POST", api.OrderClosePath(id), api.CloseRequest{}, &o)
}

// pay opens the payment sheet. Outside WeChat it loads WeChat's payment page instead. It returns the
// client's reply, and the reason if the payment failed or the reply is unknown.
func pay(ctx context.Context, b browser, c api.Checkout) (got outcome, reason string, err error) {
	switch {
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

// How the page proceeds after an unknown reply.
const (
	unknownPollInterval = 3 * time.Second  // the signer queries WeChat about one order no more often
	unknownTimeout      = 20 * time.Second // afterwards the page offers another attempt
	unpaidReports       = 2                // the number of "not paid" responses that WeChat must give
)

// resolveUnknown polls the order until it is decided, until WeChat has twice reported it as not
// paid, or until unknownTimeout. It reports whether the order is decided.
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

// sheetPollInterval is the interval between queries while the payment sheet is open.
const sheetPollInterval = 8 * time.Second

// pollPauses are the intervals between the queries of the result page, about 90 s in total. WeChat
// may need some seconds to know the result.
var pollPauses = [...]time.Duration{
	1 * time.Second, 1 * time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second,
	8 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 25 * time.Second,
}

// confirmTime is how long the result page shows only that it is waiting. It continues to poll after
// that.
const confirmTime = 12 * time.Second

// watch polls an order until its payment is decided and returns the last response. It passes each
// response to show. It calls onTimeout after confirmTime. It retries failed calls unless a retry
// cannot help, and returns the last error.
func watch(ctx context.Context, b browser, id string, show func(api.Order), onTimeout func()) (o api.Order, err error) {
	var waited time.Duration
	for _, pause := range append(pollPauses[:], 0) {
		o, err = getOrder(ctx, b, id)
		switch {
		case err == nil && !payable(o.Status):
			return o, nil
		case err == nil:
			show(o)
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
	return c == codeOffline || c == codeBadResponse || c == api.CodeInternal || c == api.CodeWeChatBusy || c == api.CodeRateLimited ||
		c == api.CodeBusy || c == api.CodeOverloaded
}
