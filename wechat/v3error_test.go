package wechat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"h5pay/wechat/apiv3"
)

// Each error of package apiv3 has a kind, in a response and in a notification.
func TestKindsOfAPIv3(t *testing.T) {
	for kind, want := range map[apiv3.Kind]struct {
		kind Kind
		code string
	}{
		apiv3.BadConfig: {Operator, ""}, apiv3.BadRequest: {Developer, codeParam}, apiv3.Unavailable: {Retry, ""},
		apiv3.Unsigned: {Untrusted, ""}, apiv3.Probe: {Untrusted, ""}, apiv3.UnknownSerial: {Untrusted, ""}, apiv3.Stale: {Untrusted, ""},
		apiv3.Forged: {Untrusted, ""}, apiv3.Undecryptable: {Untrusted, ""}, apiv3.Malformed: {Untrusted, ""},
	} {
		wantError(t, v3error("v3 x", &apiv3.Error{Kind: kind, Field: "f", Message: "m"}), want.kind, want.code)
	}
}

// Responses with a success status that are rejected, with the kind of their error.
func TestResponsesOfAPIv3ThatAreRejected(t *testing.T) {
	good := paidV3().json()
	for name, tt := range map[string]struct {
		answer v3answer
		kind   Kind
	}{
		"unsigned":      {v3answer{header: unsigned}, Untrusted},
		"no nonce":      {v3answer{header: map[string]string{nonceH: "-"}}, Untrusted},
		"another key":   {v3answer{key: otherKey(t)}, Untrusted},
		"old":           {v3answer{header: map[string]string{timestampH: "1772330100"}}, Untrusted},
		"a probe":       {v3answer{header: map[string]string{signatureH: "WECHATPAY/SIGNTEST/abc"}}, Retry},
		"another key's": {v3answer{serial: "PUB_KEY_ID_01"}, Operator},
		"a certificate": {v3answer{serial: certSerial}, Operator},
	} {
		tt.answer.status, tt.answer.body = 200, good
		_, p, _ := newV3Client(t, says3(tt.answer))
		got, err := p.QueryOrder(t.Context(), testNo)
		if err == nil || got != (Trade{}) {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		e := wantError(t, err, tt.kind, "")
		if e.Status != 200 || IsProbe(err) != (name == "a probe") {
			t.Errorf("%s: %+v", name, e)
		}
	}
	// A clock that is 299 seconds off is accepted.
	for _, at := range []string{"1772330101", "1772330699"} {
		_, p, _ := newV3Client(t, says3(v3answer{status: 200, body: good, header: map[string]string{timestampH: at}}))
		if _, err := p.QueryOrder(t.Context(), testNo); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	_, p, _ := newV3Client(t, answers(http.StatusAccepted, good))
	_, err := p.QueryOrder(t.Context(), testNo)
	wantError(t, err, Retry, "")
}

// A signed failure has a code in its newer spelling. An unsigned one has no code, whatever its body
// is. One with a wrong signature is untrusted, unless its status alone decides.
func TestFailuresOfAPIv3(t *testing.T) {
	for name, tt := range map[string]struct {
		status       int
		code         string
		signed, bare Kind
		want         string
		op           func(Merchant) error
	}{
		"order paid":       {status: 403, code: "ORDERPAID", signed: Declined, bare: Declined, want: CodeOrderPaid},
		"not exist":        {status: 404, code: "ORDER_NOT_EXIST", signed: Declined, bare: Declined, want: CodeOrderNotExist},
		"not exist, older": {status: 404, code: "ORDERNOTEXIST", signed: Declined, bare: Declined, want: CodeOrderNotExist},
		"not exist, Java":  {status: 404, code: "ORDER_NOT_EXISTS", signed: Declined, bare: Declined, want: CodeOrderNotExist},
		"busy":             {status: 500, code: "SYSTEMERROR", signed: Retry, bare: Retry, want: "SYSTEM_ERROR"},
		"frequent":         {status: 429, code: "FREQUENCY_LIMITED", signed: Retry, bare: Retry, want: "FREQUENCY_LIMITED"},
		"no permission":    {status: 403, code: "NOAUTH", signed: Operator, bare: Declined, want: "NO_AUTH"},
		"bad signature":    {status: 401, code: "SIGN_ERROR", signed: Operator, bare: Operator, want: "SIGN_ERROR"},
		"parameter":        {status: 400, code: "PARAM_ERROR", signed: Developer, bare: Declined, want: "PARAM_ERROR"},
		"new code, 400":    {status: 400, code: "NEVER_SEEN", signed: Developer, bare: Declined, want: "NEVER_SEEN"},
		"new code, 403":    {status: 403, code: "NEVER_SEEN", signed: Declined, bare: Declined, want: "NEVER_SEEN"},
		"new code, 503":    {status: 503, code: "NEVER_SEEN", signed: Retry, bare: Retry, want: "NEVER_SEEN"},
		"no code":          {status: 404, code: "", signed: Declined, bare: Declined},
		"no code, 408":     {status: 408, code: "", signed: Retry, bare: Retry},
		"not a code":       {status: 403, code: "order paid <b>", signed: Declined, bare: Declined},
		"a redirect":       {status: 302, code: "", signed: Operator, bare: Operator},
		"a refund's balance": {status: 403, code: "NOT_ENOUGH", signed: Operator, bare: Declined, want: CodeNotEnough, op: func(p Merchant) error {
			_, err := p.Refund(t.Context(), v3refundRequestOf(nil))
			return err
		}},
		"a refund of nothing": {status: 404, code: "RESOURCE_NOT_EXISTS", signed: Developer, bare: Declined, want: "RESOURCE_NOT_EXISTS", op: func(p Merchant) error {
			_, err := p.Refund(t.Context(), v3refundRequestOf(nil))
			return err
		}},
		"a payer's balance": {status: 403, code: "NOTENOUGH", signed: Declined, bare: Declined, want: CodeNotEnough, op: func(p Merchant) error {
			_, err := p.PlaceOrder(t.Context(), v3testOrder(TradeJSAPI))
			return err
		}},
	} {
		if tt.op == nil {
			tt.op = func(p Merchant) error {
				_, err := p.QueryOrder(t.Context(), testNo)
				return err
			}
		}
		body := object{"code": tt.code, "message": "说明 openid " + testOpenID, "detail": object{"location": "body", "field": "/amount/total", "issue": "x"}}.json()
		signed, bare := v3answer{status: tt.status, body: body}, v3answer{status: tt.status, body: body, header: unsigned}
		forged := v3answer{status: tt.status, body: body, key: otherKey(t)}
		for i, a := range []v3answer{signed, bare, forged} {
			_, p, _ := newV3Client(t, says3(a))
			err := tt.op(p)
			if err == nil {
				t.Fatalf("%s: no error", name)
			}
			kind, code := tt.bare, ""
			switch {
			case i == 0:
				kind, code = tt.signed, tt.want
			case i == 2 && kind == Declined:
				kind = Untrusted
			}
			e := wantError(t, err, kind, code)
			if e.Status != tt.status || e.Detail != "body, /amount/total, x" || !strings.Contains(err.Error(), "说明 openid ***") ||
				!strings.Contains(err.Error(), fmt.Sprintf("HTTP status %d", tt.status)) {
				t.Errorf("%s: %v", name, err)
			}
			if t.Failed() {
				t.Fatalf("%s, answer %d", name, i)
			}
		}
	}
	// A probe needs a retry, also on a failure.
	_, p, _ := newV3Client(t, says3(v3answer{status: 404, body: `{"code":"ORDER_NOT_EXIST"}`, header: map[string]string{signatureH: "WECHATPAY/SIGNTEST/x"}}))
	_, err := p.QueryOrder(t.Context(), testNo)
	wantError(t, err, Retry, "")
	if !IsProbe(err) {
		t.Errorf("no probe: %v", err)
	}
	// A public key that is not configured is the operator's to correct.
	_, p, _ = newV3Client(t, says3(v3answer{status: 404, body: `{"code":"ORDER_NOT_EXIST"}`, serial: "PUB_KEY_ID_0100000000000000000000000001"}))
	_, err = p.QueryOrder(t.Context(), testNo)
	wantError(t, err, Operator, "")
	// A gateway's page of any length is no message.
	_, p, _ = newV3Client(t, says3(v3answer{status: 502, body: strings.Repeat("<html>", 1<<16), header: unsigned}))
	_, err = p.QueryOrder(t.Context(), testNo)
	wantError(t, err, Retry, "")
}

// The log has the numbers that WeChat's support needs, and the advice for the more exact number.
func TestErrorsOfAPIv3HaveTheAdvice(t *testing.T) {
	answer := v3answer{status: 400, body: `{"code":"INVALID_REQUEST","message":"x"}`, header: map[string]string{"Request-ID": "08AB-268445527"}}
	_, p, _ := newV3Client(t, says3(answer))
	_, err := p.QueryOrder(t.Context(), testNo)
	e := wantError(t, err, Developer, "INVALID_REQUEST")
	if e.RequestID != "08AB-268445527" || e.Number != "268445527" || !strings.Contains(err.Error(), "Request-ID 08AB-268445527") {
		t.Errorf("%+v", e)
	}
	if v, ok := e.Verdict(); !ok || v.Code != "268445527" || !strings.Contains(v.Menu.ZH, "APPID账号管理") {
		t.Errorf("%+v, %t", v, ok)
	}
	answer = v3answer{status: 403, body: `{"code":"NO_AUTH","message":"x"}`, header: map[string]string{"Request-ID": "08AB-0"}}
	_, p, _ = newV3Client(t, says3(answer))
	_, err = p.QueryOrder(t.Context(), testNo)
	if wantError(t, err, Operator, "NO_AUTH"); !strings.HasSuffix(err.Error(), "(merchant platform > 产品中心 (products))") {
		t.Errorf("%v", err)
	}
	// The request that WeChat received is compared with the one that was sent.
	header := maps.Clone(unsigned)
	header["Request-ID"] = "08AB-0"
	answer = v3answer{status: 401, header: header, body: `{"code":"SIGN_ERROR","message":"签名错误","detail":{"detail":{"issue":"sign not match"},` +
		`"sign_information":{"method":"GET","url":"/v3/x","sign_message_length":66,"truncated_sign_message":"GET\n/v3/x\n"}}}`}
	_, p, _ = newV3Client(t, says3(answer))
	_, err = p.QueryOrder(t.Context(), testNo)
	if e := wantError(t, err, Operator, ""); !strings.Contains(e.Detail, "WeChat received another path or query") || !strings.Contains(e.Error(), "Compare key and serial") {
		t.Errorf("%v", err)
	}
}

// A call ends with its context and returns the context's error.
func TestCallsOfAPIv3EndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, p, _ := newV3Client(t, func(*http.Request, []byte) v3answer {
		cancel()
		return v3answer{err: errors.New("Post https://secret: " + testOpenID)}
	})
	_, err := p.PlaceOrder(ctx, v3testOrder(TradeJSAPI))
	if wantError(t, err, Retry, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A failure of the platform's RSA says nothing about the message.
func TestPlatformThatFails(t *testing.T) {
	_, p, w := newV3Client(t, silent(t), func(c *Config) { c.V3.RSA = brokenRSA{} })
	_, err := p.QueryOrder(t.Context(), testNo)
	wantError(t, err, Retry, "")
	_, err = p.PayParams(t.Context(), "wx1")
	wantError(t, err, Retry, "")
	if len(w.sent) != 0 {
		t.Error("sent without a signature")
	}
}

// brokenRSA accepts every key and fails every call.
type brokenRSA struct{}

func (b brokenRSA) Signer([]byte) (apiv3.Signer, error)     { return b, nil }
func (b brokenRSA) Verifier([]byte) (apiv3.Verifier, error) { return b, nil }
func (brokenRSA) Sign(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("a key: " + testKey)
}
func (brokenRSA) Verify(context.Context, []byte, []byte) (bool, error) {
	return false, errors.New("broken")
}
