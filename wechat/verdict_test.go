package wechat

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The table holds every code that docs/wechat.md 13.2 and the sections after it
// list, with the kind that they give.
func TestEveryCodeHasAVerdict(t *testing.T) {
	b, err := os.ReadFile("testdata/codes.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Fields(line)
		if len(parts) < 2 || seen[parts[0]] {
			t.Fatalf("bad line: %s", line)
		}
		code, want := parts[0], parts[1]
		seen[code] = true
		if v, known := Explain("", code); !known || v.Kind.String() != want {
			t.Errorf("%s is %v, known %v, want %s", code, v.Kind, known, want)
		}
		if code != "-1" && errCode(code) != code {
			t.Errorf("%s would not be shown", code)
		}
	}
	if len(seen) != 117 {
		t.Errorf("%d codes, the list has 117", len(seen))
	}
	for _, v := range Verdicts() {
		if !seen[v.Code] {
			t.Errorf("%s is not in the list", v.Code)
		}
	}
	for _, code := range []string{"", "0", "NEVER_SEEN", "99999", "ordernotexist", "ORDERPAID ", " ", "ORDERPAID ORDERCLOSED", "ORDER"} {
		if v, known := Explain("", code); known || kindOf("", canonicalCode(code)) != Declined {
			t.Errorf("%q is %v, known %v", code, v, known)
		}
	}
}

// The meaning of a code may depend on the call.
func TestVerdictsOfACall(t *testing.T) {
	for _, tt := range []struct {
		op, code string
		want     Kind
	}{
		{"access_token", "40001", Operator}, {opUserInfo, "40001", Restart},
		{"unifiedorder", CodeNotEnough, Declined}, {opRefund, CodeNotEnough, Operator},
		{"orderquery", CodeOrderNotExist, Declined}, {"closeorder", CodeOrderNotExist, Declined}, {opRefund, CodeOrderNotExist, Developer},
		{opRefund, "SYSTEMERROR", Retry}, {opRefund, "NEVER_SEEN", Declined},
		{opRefund, "RESOURCE_NOT_EXISTS", Developer}, {opRefundQuery, "RESOURCE_NOT_EXISTS", Declined},
	} {
		if got := kindOf(tt.op, canonicalCode(tt.code)); got != tt.want {
			t.Errorf("%s of %s is %v, want %v", tt.code, tt.op, got, tt.want)
		}
	}
}

func TestTextKind(t *testing.T) {
	for text, want := range map[string]Kind{
		"System Error": Retry, "SYSTEMERROR": Retry, "系统繁忙,请稍后再试": Retry, "系统错误": Retry, "频率超限": Retry,
		"Bill Creating": Retry, "CompressGZip Error": Retry,
		"签名错误": Operator, "SIGN ERROR": Operator, "appid不存在": Operator, "商户号mch_id与appid不匹配": Operator, "mch_id参数格式错误": Operator, "商户号该产品权限未开通": Operator,
		"param mch_id invalid": Operator, "请确认请求参数是否正确param mch_id invalid": Operator, "受理机构必须传入sub_mch_id": Operator,
		"商户无此接口权限": Operator, "证书已过期": Operator, "操作过于频繁": Retry, "系统超时": Retry,
		"JSAPI支付必须传openid": Developer, "缺少参数": Developer, "invalid bill_type": Developer, "data format error": Developer, "missing parameter": Developer,
		"something new": Declined, "": Declined,
	} {
		if got := textKind(text); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

func TestErrCodeTakesOnlyCodes(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "ORDERPAID": "ORDERPAID", "OUT_TRADE_NO_USED": "OUT_TRADE_NO_USED", "ERROR2": "ERROR2",
		testOpenID: "", "a": "", "A B": "", "A\nB": "", strings.Repeat("A", 33): "",
	} {
		if got := errCode(in); got != want {
			t.Errorf("errCode(%q) is %q, want %q", in, got, want)
		}
	}
}

// Every verdict has its texts in both languages, and a code its newer spelling. A verdict of one
// call must precede that of all calls, or it is not found.
func TestVerdictsAreComplete(t *testing.T) {
	han := regexp.MustCompile(`\p{Han}`)
	general := map[string]bool{}
	for _, v := range Verdicts() {
		name := v.Code + " " + v.Op
		if v.Code != canonicalCode(v.Code) || general[v.Code] {
			t.Errorf("%s: an older spelling, twice, or not to be found", name)
		}
		general[v.Code] = general[v.Code] || v.Op == ""
		for _, zh := range []string{v.Cause.ZH, v.Advice.ZH} {
			if !han.MatchString(zh) && !strings.Contains(zh, "GET") {
				t.Errorf("%s: no Chinese text", name)
			}
		}
		for _, en := range []string{v.Cause.EN, v.Advice.EN} {
			if en == "" || han.MatchString(en) || !strings.HasSuffix(en, ".") {
				t.Errorf("%s: %q, want English sentences", name, en)
			}
			for sentence := range strings.SplitSeq(en, ".") {
				if n := len(strings.Fields(sentence)); n > 25 {
					t.Errorf("%s: a sentence of %d words", name, n)
				}
			}
		}
		if (v.Menu.ZH == "") != (v.Menu.EN == "") || v.Menu.ZH != "" && !strings.Contains(v.Menu.ZH, " > ") {
			t.Errorf("%s: menu %+v", name, v.Menu)
		}
		if v.Kind == Untrusted || v.Kind.String() == "" {
			t.Errorf("%s: kind %v", name, v.Kind)
		}
	}
}

// Both spellings of a code have one verdict.
func TestExplainKnowsBothSpellings(t *testing.T) {
	for old, code := range map[string]string{
		"SYSTEMERROR": "SYSTEM_ERROR", "ORDERPAID": CodeOrderPaid, "ORDERCLOSED": CodeOrderClosed, "ORDERNOTEXIST": CodeOrderNotExist,
		"ORDER_NOT_EXISTS": CodeOrderNotExist, "REFUNDNOTEXIST": CodeRefundNotExist, "NOTENOUGH": CodeNotEnough, "NOAUTH": "NO_AUTH",
		"SIGNERROR": "SIGN_ERROR", "BANKERROR": "BANK_ERROR", "ACCOUNTERROR": "ACCOUNT_ERROR", "RULELIMIT": "RULE_LIMIT",
	} {
		older, known := Explain("orderquery", old)
		newer, _ := Explain("orderquery", code)
		if !known || older != newer || newer.Code != code {
			t.Errorf("%s: %+v, %s: %+v", old, older, code, newer)
		}
	}
	if v, known := Explain("refund", "NOTENOUGH"); !known || v.Op != "refund" || v.Kind != Operator {
		t.Errorf("of a refund: %+v", v)
	}
	if v, known := Explain("refund", "NEVER_SEEN"); known {
		t.Errorf("unknown: %+v", v)
	}
}

// An error that only an operator can end says how, for the log.
func TestErrorsHaveTheAdvice(t *testing.T) {
	e := &Error{Op: "unifiedorder", Code: "APPID_MCHID_NOT_MATCH", Message: "WeChat declined: no", Kind: Operator}
	const want = "unifiedorder: WeChat declined: no (APPID_MCHID_NOT_MATCH); The appid is not bound to the merchant number. " +
		"Bind the appid. It takes some minutes. (merchant platform > 产品中心 > APPID账号管理 (products, appids))"
	if got := e.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	e = &Error{Op: "orderquery", Code: CodeOrderNotExist, Message: "WeChat declined: no", Kind: Declined}
	if got := e.Error(); got != "orderquery: WeChat declined: no (ORDER_NOT_EXIST)" {
		t.Errorf("got %s", got)
	}
}
