package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
)

func TestOutcomeOf(t *testing.T) {
	for msg, want := range map[string]outcome{
		"get_brand_wcpay_request:ok":                 payOK,
		"get_brand_wcpay_request:cancel":             payCancelled,
		"get_brand_wcpay_request:fail":               payFailed,
		"get_brand_wcpay_request:fail_invalid appid": payFailed,
		"GET_BRAND_WCPAY_REQUEST:OK":                 payOK,
		"get_brand_wcpay_request:":                   payUnknown,
		"get_brand_wcpay_request:maybe":              payUnknown,
		"system:access_denied":                       payFailed,
		"access_control:not_allowed":                 payFailed,
		"system:function_not_exist":                  payFailed,
		"function_not_implement":                     payFailed,
		"permission denied":                          payFailed,
		"chooseWXPay:ok":                             payOK,
		"chooseWXPay:cancel":                         payCancelled,
		"chooseWXPay:fail":                           payFailed,
		"fail_no permission to execute":              payFailed,
		"fail":                                       payFailed,
		"other:ok":                                   payUnknown, // a reply to another call
		"get_brand_wcpay_request:busy_-1":            payUnknown,
		"undefined":                                  payUnknown,
		"":                                           payUnknown,
	} {
		if got := outcomeOf(msg); got != want {
			t.Errorf("%q: %d, want %d", msg, got, want)
		}
	}
}

func TestPay(t *testing.T) {
	params := api.Checkout{Pay: &api.PayParams{AppID: "wx"}}
	for _, test := range []struct {
		name     string
		response api.Checkout
		says     payReply
		bridge   error
		want     outcome
		reason   string
		code     api.Code
		opened   int
	}{
		{name: "paid", response: params, says: payReply{ErrMsg: "get_brand_wcpay_request:ok"}, want: payOK, opened: 1},
		{name: "cancelled", response: params, says: payReply{ErrMsg: "get_brand_wcpay_request:cancel", ErrDesc: "x"}, want: payCancelled, opened: 1},
		{name: "failed", response: params, says: payReply{ErrMsg: "get_brand_wcpay_request:fail", ErrDesc: "支付验证签名失败"},
			want: payFailed, reason: "支付验证签名失败", opened: 1},
		{name: "an unknown reply", response: params, says: payReply{ErrMsg: "huh"}, want: payUnknown, reason: "huh", opened: 1},
		{name: "no words", response: params, says: payReply{}, want: payUnknown, opened: 1},
		{name: "no bridge", response: params, bridge: errors.New("late"), code: codeBridge, opened: 1},
		{name: "nothing to pay", response: api.Checkout{}, want: payOK},
	} {
		f := newFake(t, "https://shop.example/pay?order=o1")
		f.reply, f.bridge = test.says, test.bridge
		got, reason, err := pay(t.Context(), f, test.response)
		if got != test.want || reason != test.reason || code(err) != test.code || f.invoked != test.opened {
			t.Errorf("%s: %d %q, %v, sheet opened %d times", test.name, got, reason, err, f.invoked)
		}
	}
}

func TestReasonOf(t *testing.T) {
	for _, test := range []struct {
		reply payReply
		want  string
	}{
		{payReply{"get_brand_wcpay_request:fail", " 该订单已关闭 "}, "该订单已关闭"},
		{payReply{"get_brand_wcpay_request:fail_invalid appid", ""}, "invalid appid"},
		{payReply{"get_brand_wcpay_request:fail:system error", ""}, "system error"},
		{payReply{"get_brand_wcpay_request:FAIL", ""}, ""},
		{payReply{"system:access_denied", ""}, "system:access_denied"},
		{payReply{"get_brand_wcpay_request:fail", "a\nb\t\x00c\u202ed\u200be\xff\ufeff"}, "a b c d e"},
		{payReply{"fail_no permission to execute", ""}, "fail_no permission to execute"},
		{payReply{"get_brand_wcpay_request:fail", " \u3000\u00a0 "}, ""},
		{payReply{"", strings.Repeat("长", 100)}, strings.Repeat("长", maxReason) + "…"},
	} {
		if got := reasonOf(test.reply); got != test.want {
			t.Errorf("%+v: %q, want %q", test.reply, got, test.want)
		}
	}
}

func TestWatch(t *testing.T) {
	pending, paid := api.Order{ID: "o1", Status: api.StatusOpen}, api.Order{ID: "o1", Status: api.StatusPaid}
	closed := api.Order{ID: "o1", Status: api.StatusClosed}
	for _, test := range []struct {
		name    string
		answers []any
		status  api.OrderStatus
		code    api.Code
		queries int
		slept   time.Duration
	}{
		{"paid at once", []any{paid}, api.StatusPaid, "", 1, 0},
		{"paid after a while", []any{pending, pending, paid}, api.StatusPaid, "", 3, 2 * time.Second},
		{"closed", []any{pending, closed}, api.StatusClosed, "", 2, time.Second},
		{"never paid", []any{pending}, api.StatusOpen, "", 11, 90 * time.Second},
		{"offline for a moment", []any{errors.New("down"), paid}, api.StatusPaid, "", 2, time.Second},
		{"offline", []any{errors.New("down")}, "", codeOffline, 11, 90 * time.Second},
		{"garbled for a moment", []any{response{Status: 200, Body: []byte("{}")}, response{Status: 502, Body: []byte("<html>")}, paid}, api.StatusPaid, "", 3, 2 * time.Second},
		{"WeChat is busy for a moment", []any{api.CodeWeChatBusy, paid}, api.StatusPaid, "", 2, time.Second},
		{"the server is full for a moment", []any{api.CodeOverloaded, paid}, api.StatusPaid, "", 2, time.Second},
		{"not theirs", []any{api.CodeNotFound}, "", api.CodeNotFound, 1, 0},
		{"signed out", []any{pending, api.CodeUnauthenticated}, "", api.CodeUnauthenticated, 2, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/result?order=o1").on("GET /api/orders/o1", test.answers...)
			late := 0
			o, err := watch(t.Context(), f, "o1", func(api.Order) {}, func() { late++ })
			if (err != nil) != (test.code != "") || err != nil && code(err) != test.code {
				t.Errorf("error %v, want %q", err, test.code)
			}
			if err == nil && o.Status != test.status {
				t.Errorf("status %s, want %s", o.Status, test.status)
			}
			if want := test.slept >= confirmTime; late > 1 || (late == 1) != want {
				t.Errorf("it was late %d times after %v", late, test.slept)
			}
			if f.countCalls("GET") != test.queries || f.slept != test.slept {
				t.Errorf("%d queries over %v, want %d over %v", f.countCalls("GET"), f.slept, test.queries, test.slept)
			}
		})
	}
}

// While another request about the order is under way the signer answers "busy". The page repeats
// the same call each second and then shows an error.
func TestBusyCallIsRepeated(t *testing.T) {
	made := api.Checkout{Order: api.Order{ID: "o1", Status: api.StatusOpen}, CodeURL: "weixin://wxpay/1"}
	for _, test := range []struct {
		name    string
		answers []any
		code    api.Code
		calls   int
	}{
		{"for a moment", []any{api.CodeBusy, api.CodeBusy, made}, "", 3},
		{"for ever", []any{api.CodeBusy}, api.CodeBusy, busyTries},
		{"and paid then", []any{api.CodeBusy, api.CodeOrderPaid}, api.CodeOrderPaid, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, "https://shop.example/pay?order=o1").on("POST /api/orders/o1/pay", test.answers...)
			c, err := checkout(t.Context(), f, "o1", onDesktop.tradeTypes(), true)
			if code(err) != test.code || err == nil && c.CodeURL != made.CodeURL {
				t.Errorf("%+v, %v", c, err)
			}
			if f.countCalls("POST") != test.calls || f.slept != time.Duration(test.calls-1)*time.Second {
				t.Errorf("%d calls over %v", f.countCalls("POST"), f.slept)
			}
			for _, call := range f.calls[1:] {
				if call != f.calls[0] {
					t.Errorf("repeated as %s, was %s", call, f.calls[0])
				}
			}
		})
	}
}

func TestWatchEndsWithThePage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(t, "https://shop.example/result?order=o1").on("GET /api/orders/o1", api.Order{ID: "o1", Status: api.StatusOpen})
	_, err := watch(ctx, f, "o1", func(api.Order) { cancel() }, func() {})
	if !errors.Is(err, context.Canceled) || f.countCalls("GET") != 1 {
		t.Errorf("%d queries, then %v", f.countCalls("GET"), err)
	}
}

func TestOrderParam(t *testing.T) {
	for query, want := range map[string]string{
		"order=abc123": "abc123", "": "", "order=": "", "order=a/b": "", "order=..%2Fsession": "", "order=a%00": "",
		"x=1&order=o-1_2": "o-1_2", "%zz": "",
	} {
		if got := orderParam(query); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}

func TestResolveUnknown(t *testing.T) {
	pending, unpaid := api.Order{ID: "o1", Status: api.StatusOpen}, api.Order{ID: "o1", Status: api.StatusOpen, NotPaid: true}
	paid := api.Order{ID: "o1", Status: api.StatusPaid}
	for _, test := range []struct {
		name    string
		answers []any
		settled bool
		slept   time.Duration
	}{
		{"WeChat reports twice that the order is not paid", []any{unpaid}, false, unknownPollInterval},
		{"not every response reports it", []any{pending, unpaid, pending, pending, unpaid}, false, 4 * unknownPollInterval},
		{"paid after one denial", []any{unpaid, paid}, true, unknownPollInterval},
		{"the signer does not know", []any{pending}, false, 21 * time.Second},
		{"the signer does not answer", []any{errors.New("down")}, false, 21 * time.Second},
	} {
		f := newFake(t, "https://shop.example/pay?order=o1").on("GET /api/orders/o1", test.answers...)
		settled, err := resolveUnknown(t.Context(), f, "o1")
		if settled != test.settled || err != nil || f.slept != test.slept {
			t.Errorf("%s: settled %v, %v, after %v", test.name, settled, err, f.slept)
		}
	}
}
