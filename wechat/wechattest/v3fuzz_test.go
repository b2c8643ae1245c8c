package wechattest

import (
	"encoding/json"
	"strings"
	"testing"
)

// The values of an accepted header add up to the whole header.
func FuzzV3Authorization(f *testing.F) {
	f.Add(v3Scheme + ` mchid="1900000109",nonce_str="n",signature="c2ln",timestamp="1772330400",serial_no="AB"`)
	f.Add(v3Scheme + ` mchid="",nonce_str="",signature="",timestamp="",serial_no=""`)
	f.Add("Basic eDp5")
	f.Add(v3Scheme + ` mchid="a"`)
	f.Fuzz(func(t *testing.T, header string) {
		a, err := readAuthorization(header)
		if err != nil {
			return
		}
		rest := strings.TrimPrefix(header, v3Scheme+" ")
		size := len(`mchid="",nonce_str="",signature="",timestamp="",serial_no=""`) + len(a.mchID+a.nonce+a.signature+a.timestamp+a.serial)
		if len(rest) != size {
			t.Errorf("%q was read as %+v", header, a)
		}
	})
}

// An accepted body is one JSON object, and a field table checks it without a panic.
func FuzzV3JSON(f *testing.F) {
	f.Add(`{"appid":"wx","amount":{"total":880,"currency":"CNY"},"limit_pay":["no_credit"],"detail":{"goods_detail":[{"quantity":1}]}}`)
	f.Add(`{"a":[{"b":[[]]}],"c":1e999}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		o, err := readV3JSON(text)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("%q is no JSON", text)
		}
		for _, table := range [][]v3Field{v3OrderFields("JSAPI"), v3OrderFields("MWEB"), v3RefundFields()} {
			checkV3Body(o, table)
		}
		if len(o.flatten())%2 != 0 {
			t.Errorf("%q flattens to a name without a value", text)
		}
	})
}

// No signature and no body make the diagnosis panic, and its text is never empty.
func FuzzV3Diagnosis(f *testing.F) {
	keys := []v3Key{{id: "A", key: rsaKeys()[0]}}
	f.Add("AAAA", "{}", "/v3/x?a=%41")
	f.Add(signWith(rsaKeys()[0], "x"), `{"a":"\ud800"}`, "/v3/%zz")
	f.Fuzz(func(t *testing.T, signature, body, uri string) {
		p := v3Parts{"POST", uri, "1772330400", "n", body, "localhost"}
		if d := diagnoseV3(p, signature, &keys[0], keys); d.text == "" && signature != keys[0].sign(p.text()) {
			t.Errorf("no text about %q", signature)
		}
	})
}
