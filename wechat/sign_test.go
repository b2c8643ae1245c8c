package wechat

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// vector is a published signature; testdata/vectors.json says where.
type vector struct {
	Name   string
	Kind   string
	Inputs struct {
		Params         map[string]string
		String         *string
		StringExpected string `json:"string_expected"`
	}
	Key      string
	Expected string
	Verified bool
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(b, &vs); err != nil {
		t.Fatal(err)
	}
	return vs
}

func fieldsOf(params map[string]string) []Field {
	var fields []Field
	for name, value := range params { // any order: signing sorts
		fields = append(fields, Field{name, value})
	}
	return fields
}

func TestSignGivesThePublishedSignatures(t *testing.T) {
	var checked, unknownKey int
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			algorithm := SignMD5
			if v.Kind == "hmac-sha256" {
				algorithm = SignHMAC
			}
			fields := fieldsOf(v.Inputs.Params)
			switch {
			case !v.Verified:
				// Made with keys that were never published, or by another algorithm: it must not
				// verify with any known key.
				unknownKey++
				for _, key := range []Secret{testKey, "192006250b4c09247ec02edce69f6a2d", "exposed_your_key_here_have_risks"} {
					if verify(append(fields, Field{"sign", v.Expected}), key) {
						t.Error("verified")
					}
				}
			case v.Inputs.StringExpected != "":
				// The text to be signed, without a key.
				checked++
				want := message{}
				for _, pair := range strings.Split(v.Inputs.StringExpected, "&") {
					name, value, _ := strings.Cut(pair, "=")
					want[name] = value
				}
				if got := Sign(fields, testKey, SignMD5); got != want.digest(testKey, SignMD5) {
					t.Errorf("what is signed is not %s", v.Inputs.StringExpected)
				}
			default:
				checked++
				got := Sign(fields, Secret(v.Key), algorithm)
				if got != strings.ToUpper(v.Expected) {
					t.Errorf("got %s, want %s", got, v.Expected)
				}
				if !verify(append(fields, Field{"sign", v.Expected}), Secret(v.Key)) {
					t.Error("not verified")
				}
			}
		})
	}
	if checked != 7 || unknownKey != 4 {
		t.Errorf("%d vectors and %d with unknown keys were checked, want 7 and 4", checked, unknownKey)
	}
}

// The signs in WeChat's own pages are made with unknown keys. Messages in the style of
// those samples parse, and do not verify.
func TestOfficialSamplesParseAndDoNotVerify(t *testing.T) {
	for name, body := range map[string]string{
		"order": `<xml><appid>wx2421b1c4370ec43b</appid><attach>支付测试</attach><body>JSAPI支付测试</body><mch_id>10000100</mch_id>
<detail><![CDATA[{"goods_detail":[{"goods_id":"iphone6s_16G","quantity":1,"price":528800}]}]]></detail>
<nonce_str>1add1a30ac87aa2db72f57a2375d8fec</nonce_str><out_trade_no>1415659990</out_trade_no><total_fee>1</total_fee>
<trade_type>JSAPI</trade_type><sign>0CB01533B8C1EF103065174F50BCA001</sign></xml>`,
		"notification": `<xml><appid><![CDATA[wx2421b1c4370ec43b]]></appid><coupon_fee><![CDATA[10]]></coupon_fee><coupon_type><![CDATA[CASH]]></coupon_type>
<mch_id><![CDATA[10000100]]></mch_id><out_trade_no><![CDATA[1409811653]]></out_trade_no><result_code><![CDATA[SUCCESS]]></result_code>
<return_code><![CDATA[SUCCESS]]></return_code><sign><![CDATA[B552ED6B279343CB493C5DD0D78AB241]]></sign>
<time_end><![CDATA[20140903131540]]></time_end><total_fee>1</total_fee><trade_type><![CDATA[JSAPI]]></trade_type></xml>`,
	} {
		t.Run(name, func(t *testing.T) {
			fields, err := parse([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if value(fields, "total_fee") != "1" || value(fields, "trade_type") != "JSAPI" {
				t.Errorf("read %v", fields)
			}
			for _, key := range []Secret{testKey, "192006250b4c09247ec02edce69f6a2d"} {
				if verify(fields, key) {
					t.Error("verified")
				}
			}
		})
	}
}

func TestSignSortsByBytes(t *testing.T) {
	m := message{"coupon_fee_2": "1", "coupon_fee_10": "2", "Zulu": "3", "alpha": "4", "_x": "5", "empty": "", "sign": "ignored"}
	for _, algorithm := range []SignType{SignMD5, SignHMAC} {
		if got, want := Sign(fieldsOf(m), testKey, algorithm), m.digest(testKey, algorithm); got != want {
			t.Errorf("%s: got %s, want %s", algorithm, got, want)
		}
	}
}

func TestSignDoesNotChangeItsInput(t *testing.T) {
	fields := []Field{{"b", "2"}, {"a", "1"}}
	Sign(fields, testKey, SignHMAC)
	if fields[0].Name != "b" {
		t.Error("the fields were sorted in place")
	}
}

func TestVerify(t *testing.T) {
	m := message{"return_code": "SUCCESS", "total_fee": "880"}
	good := map[string]string{
		"MD5":              m.digest(testKey, SignMD5),
		"HMAC":             m.digest(testKey, SignHMAC),
		"lower-case MD5":   strings.ToLower(m.digest(testKey, SignMD5)),
		"lower-case HMAC":  strings.ToLower(m.digest(testKey, SignHMAC)),
		"SHA-1 length":     strings.Repeat("0", 40),
		"absent":           "",
		"short":            m.digest(testKey, SignMD5)[:31],
		"long":             m.digest(testKey, SignHMAC) + "0",
		"HMAC cut to 32":   m.digest(testKey, SignHMAC)[:32],
		"with a space":     " " + m.digest(testKey, SignMD5)[1:],
		"another key":      m.digest(testSecret, SignHMAC),
		"another message":  m.with("total_fee", "1").digest(testKey, SignHMAC),
		"one field fewer":  m.with("total_fee", "-").digest(testKey, SignMD5),
		"one field more":   m.with("attach", "x").digest(testKey, SignMD5),
		"non-ASCII digits": strings.Repeat("\uff10", 32)[:32],
	}
	for name, sign := range good {
		want := strings.HasSuffix(name, "MD5") || strings.HasSuffix(name, "HMAC")
		if got := verify(fieldsOf(m.with("sign", sign)), testKey); got != want {
			t.Errorf("%s: verified is %v, want %v", name, got, want)
		}
	}
}
