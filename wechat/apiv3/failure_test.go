package apiv3

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func readFailure(status int, id, body string) *Failure {
	return newFailure(status, headers{"request-id": id}.get, []byte(body), nil)
}

// The bodies are those that users report.
func TestFailureReadsBodies(t *testing.T) {
	for name, test := range map[string]struct {
		status   int
		id, body string
		want     Failure
	}{
		"business error": {403, "08F7C0B2AE0610D20118D0E6A5B00120B6E04428AAF204-268435461", `{"code":"NOT_ENOUGH","message":"基本账户余额不足，请充值后重新发起"}`,
			Failure{Code: "NOT_ENOUGH", Message: "基本账户余额不足，请充值后重新发起", RequestID: "08F7C0B2AE0610D20118D0E6A5B00120B6E04428AAF204-268435461", Number: "268435461"}},
		"old spelling": {404, "", `{"code":"ORDERNOTEXIST","message":"订单不存在"}`, Failure{Code: "ORDER_NOT_EXIST", Message: "订单不存在"}},
		"missing field": {400, "0-0", `{"code":"PARAM_ERROR","detail":{"location":"body","value":""},"message":"输入源“/body/appid”映射到字段“公众号ID”必填性规则校验失败，此字段为必填项"}`,
			Failure{Code: "PARAM_ERROR", Location: "body", Message: "输入源“/body/appid”映射到字段“公众号ID”必填性规则校验失败，此字段为必填项", RequestID: "0-0", Number: "0"}},
		"documented detail": {400, "", `{"code":"PARAM_ERROR","message":"m","detail":{"field":"/amount/currency","value":"XYZ","issue":"Currency code is invalid","location":"body"}}`,
			Failure{Code: "PARAM_ERROR", Message: "m", DetailField: "/amount/currency", Issue: "Currency code is invalid", Location: "body"}},
		"value is a number, location null": {400, "", `{"code":"PARAM_ERROR","message":"m","detail":{"location":null,"value":35}}`, Failure{Code: "PARAM_ERROR", Message: "m"}},
		"401 with sign_information": {401, "", `{"code":"SIGN_ERROR","detail":{"detail":{"issue":"sign not match"},"field":"signature","location":"authorization",` +
			`"sign_information":{"method":"GET","url":"/v3/certificates","sign_message_length":66,"truncated_sign_message":"GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"}},"message":"签名错误"}`,
			Failure{Code: "SIGN_ERROR", Message: "签名错误", DetailField: "signature", Location: "authorization", Issue: "sign not match",
				Sign: &SignInformation{Method: "GET", URL: "/v3/certificates", Length: 66, Message: "GET /v3/certificates 1554208460 ***  "}}},
		"sign_information beside detail": {401, "", `{"code":"SIGN_ERROR","message":"m","sign_information":{"method":"POST","url":"/v3/x"}}`,
			Failure{Code: "SIGN_ERROR", Message: "m", Sign: &SignInformation{Method: "POST", URL: "/v3/x"}}},
		"code is a number":          {500, "", `{"code":-1,"message":"system busy"}`, Failure{Message: "system busy"}},
		"no code":                   {500, "", `{"message":"m"}`, Failure{Message: "m"}},
		"code with a break":         {500, "", `{"code":"A\nB"}`, Failure{}},
		"Request-ID of a liar":      {500, "a b\n-1", `{}`, Failure{}},
		"Request-ID without number": {500, "abc-def", ``, Failure{RequestID: "abc-def"}},
		"empty":                     {404, "", "", Failure{}},
		"HTML":                      {502, "", "<html><head><title>502</title></head></html>", Failure{}},
		"an array":                  {502, "", "[1,2]", Failure{}},
		"too long":                  {500, "", `{"code":"SYSTEM_ERROR","message":"` + strings.Repeat("x", maxErrorBody) + `"}`, Failure{}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Status, test.want.Signed = test.status, true
			if diff := cmp.Diff(&test.want, readFailure(test.status, test.id, test.body)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// WeChat's message becomes one line of a bounded length without openids.
func TestFailureIsFitForTheLog(t *testing.T) {
	const openID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	long := strings.Repeat("很长", 500)
	for _, message := range []string{openID, "a\\u0000\\u001b[31m\\r\\nb", long, "\\u202eb", strings.Repeat("ab ", 800)} {
		body := `{"code":"PARAM_ERROR","message":"` + message + `","detail":{"field":"` + message + `","issue":"` + message + `","location":"` + message +
			`"},"sign_information":{"method":"` + message + `","url":"` + message + `","truncated_sign_message":"` + message + `"}}`
		f := readFailure(400, "1-2", body)
		text := f.Error() + f.Sign.Message + f.Sign.Method
		if strings.Contains(text, openID) || len(text) > 4000 || !utf8.ValidString(text) ||
			strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\u202e' }) {
			t.Errorf("%d bytes: %q", len(text), text)
		}
		if len(f.Message) > maxText+len("很") || len(f.Sign.URL) > maxSigned {
			t.Errorf("%d bytes of a message, %d of a URL", len(f.Message), len(f.Sign.URL))
		}
	}
	got := readFailure(404, "ab-1", `{"code":"ORDERNOTEXIST","message":"no order"}`).Error()
	if want := "apiv3: HTTP status 404, ORDER_NOT_EXIST: no order, Request-ID ab-1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = newFailure(401, headers{}.get, []byte(`{"code":"SIGN_ERROR"}`), fail(Unsigned, HeaderSignature, "is missing")).Error()
	if want := "apiv3: HTTP status 401, not signed, SIGN_ERROR"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = newFailure(500, headers{}.get, nil, fail(UnknownSerial, HeaderSerial, "no key")).Error()
	if want := "apiv3: HTTP status 500, signature not verified (unknown serial)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCanonicalCode(t *testing.T) {
	for code, want := range map[string]string{
		"SYSTEMERROR": "SYSTEM_ERROR", "ORDERNOTEXIST": "ORDER_NOT_EXIST", "ORDER_NOT_EXISTS": "ORDER_NOT_EXIST", "NOAUTH": "NO_AUTH",
		"NOTENOUGH": "NOT_ENOUGH", "RULELIMIT": "RULE_LIMIT", "BANKERROR": "BANK_ERROR", "ACCOUNTERROR": "ACCOUNT_ERROR",
		"ORDERPAID": "ORDER_PAID", "ORDERCLOSED": "ORDER_CLOSED", "SIGNERROR": "SIGN_ERROR", "SYSTEM_ERROR": "SYSTEM_ERROR",
		"A_NEW_CODE": "A_NEW_CODE", "lower": "", "A B": "", "": "", strings.Repeat("A", 49): "", "A'": "",
	} {
		if got := CanonicalCode(code); got != want {
			t.Errorf("%q: got %q, want %q", code, got, want)
		}
	}
}

func TestSignInformationCompare(t *testing.T) {
	body := []byte(`{"mchid":"1900007291"}`)
	s := &SignInformation{Method: "POST", URL: "/v3/x", Length: len("POST\n/v3/x\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n") + len(body) + 1}
	for _, test := range []struct{ method, uri, body, words string }{
		{"POST", "/v3/x", string(body), ""},
		{"GET", "/v3/x", string(body), "the method POST"},
		{"POST", "/v3/y", string(body), "another path"},
		{"POST", "/v3/x", string(body) + "\n", "signed message has 78 bytes, ours 79"},
	} {
		got := s.Compare(test.method, test.uri, []byte(test.body))
		if (test.words == "") != (got == "") || !strings.Contains(got, test.words) {
			t.Errorf("%+v: got %q", test, got)
		}
	}
	if got := (&SignInformation{}).Compare("GET", "/v3", nil); got != "" {
		t.Errorf("got %q", got)
	}
}
