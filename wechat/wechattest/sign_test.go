package wechattest

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"h5pay/wechat"
)

// The vectors are those by which the client is tested.
func TestSignAgreesWithPublishedVectors(t *testing.T) {
	raw, err := os.ReadFile("../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Kind, Key, Expected string
		Verified                  bool // the key is known
		Inputs                    struct {
			Params         map[string]string
			String         string
			StringToSign   string `json:"string_to_sign"`
			StringExpected string `json:"string_expected"`
		}
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, v := range vectors {
		if !v.Verified {
			continue
		}
		checked++
		t.Run(v.Name, func(t *testing.T) {
			var fields []pair
			for name, value := range v.Inputs.Params {
				fields = append(fields, pair{name, value})
			}
			if v.Inputs.StringExpected != "" { // the string alone, without a key
				if got := canonical(fields, ""); got != v.Inputs.StringExpected+"&key=" {
					t.Errorf("the string to sign is %q", got)
				}
				return
			}
			algorithm, sign := signMD5, strings.ToUpper(v.Expected)
			if v.Kind == "hmac-sha256" {
				algorithm = signHMAC
			}
			got := checkSign(fields, algorithm, v.Key, sign)
			if want := v.Inputs.StringToSign + v.Inputs.String; got.String != want || !got.OK {
				t.Errorf("got %+v, want the string %q", got, want)
			}
			if checkSign(fields, algorithm, v.Key, strings.ToLower(sign)).OK {
				t.Error("a lower-case sign was accepted")
			}
		})
	}
	if checked != 7 {
		t.Errorf("%d vectors were checked, want 7", checked)
	}
}

// FuzzSignAgreesWithTheClient: the signatures of simulator and client are equal.
func FuzzSignAgreesWithTheClient(f *testing.F) {
	f.Add("appid=wx1\nbody=茶 & 饼=\nempty=\nsign=x\nZebra=1\ncoupon_fee_10=2\ncoupon_fee_2=1", "k")
	f.Add("", "")
	f.Add("a=1\na-b=2\na.c=3\na_d=4\naB=5", "0123456789abcdef0123456789abcdef")
	f.Fuzz(func(t *testing.T, text, key string) {
		var ours []pair
		var theirs []wechat.Field
		seen := map[string]bool{}
		for line := range strings.SplitSeq(text, "\n") {
			name, value, _ := strings.Cut(line, "=")
			if seen[name] { // no message has a name twice
				continue
			}
			seen[name] = true
			ours, theirs = append(ours, pair{name, value}), append(theirs, wechat.Field{Name: name, Value: value})
		}
		for _, algorithm := range []string{signMD5, signHMAC} {
			if got, want := digest(algorithm, canonical(ours, key), key), wechat.Sign(theirs, wechat.Secret(key), wechat.SignType(algorithm)); got != want {
				t.Errorf("%s of %q: %s, the client has %s", algorithm, canonical(ours, key), got, want)
			}
		}
	})
}

func TestCanonicalSortsByBytesAndSkipsEmptyAndSign(t *testing.T) {
	got := canonical([]pair{{"coupon_fee_2", "b"}, {"coupon_fee_10", "a"}, {"Zebra", "z"}, {"empty", ""}, {"sign", "x"}, {"raw", " a&b=c "}}, "K")
	if want := "Zebra=z&coupon_fee_10=a&coupon_fee_2=b&raw= a&b=c &key=K"; got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestDiagnoseNamesTheMistake(t *testing.T) {
	const key, secret = DefaultAPIKey, DefaultAppSecret
	fields := []pair{
		{"nonce_str", "N1"}, {"appid", "wx1"}, {"body", " 茶 & 饼 "}, {"attach", ""}, {"notify_url", "https://a.example/n"},
		{"sign_type", signHMAC}, {"detail", "l1\nl2"},
	}
	bridge := []pair{{"appId", "wx1"}, {"timeStamp", "1601234567"}, {"nonceStr", "n"}, {"package", "prepay_id=wx2"}, {"signType", signHMAC}}
	sorted := func(fs []pair, k string) string { return canonical(fs, k) }
	values := func(fs []pair, f func(string) string) []pair {
		out := append([]pair(nil), fs...)
		for i := range out {
			out[i].value = f(out[i].value)
		}
		return out
	}
	rename := func(fs []pair, f func(string) string) []pair {
		out := append([]pair(nil), fs...)
		for i := range out {
			out[i].name = f(out[i].name)
		}
		return out
	}
	noKey := strings.TrimSuffix(sorted(fields, ""), "&key=")
	tests := []struct {
		name   string
		fields []pair
		given  string
		want   string
	}{
		{"no sign", fields, "", "there is no sign"},
		{"MD5 instead", fields, digest(signMD5, sorted(fields, key), key), "made with MD5, but sign_type says HMAC-SHA256"},
		{"HMAC without sign_type", with(fields, "sign_type", ""), digest(signHMAC, sorted(with(fields, "sign_type", ""), key), key), "without sign_type WeChat takes MD5"},
		{"lower case", fields, strings.ToLower(digest(signHMAC, sorted(fields, key), key)), "lower case"},
		{"lower case MD5 instead", fields, strings.ToLower(digest(signMD5, sorted(fields, key), key)), "made with MD5"},
		{"key omitted", fields, digest(signHMAC, noKey, key), "the key is missing"},
		{"key without name", fields, digest(signHMAC, noKey+key, key), "without &key="},
		{"HMAC without key", fields, digest(signHMAC, sorted(fields, key), ""), "HMAC has no key"},
		{"empty signed", fields, digest(signHMAC, "appid=wx1&attach=&body= 茶 & 饼 &detail=l1\nl2&nonce_str=N1&notify_url=https://a.example/n&sign_type=HMAC-SHA256&key="+key, key), "empty fields were signed"},
		{"document order", fields, digest(signHMAC, "nonce_str=N1&appid=wx1&body= 茶 & 饼 &notify_url=https://a.example/n&sign_type=HMAC-SHA256&detail=l1\nl2&key="+key, key), "order of the document"},
		{"URL-encoded", fields, digest(signHMAC, sorted(values(fields, url.QueryEscape), key), key), "URL-encoded (spaces as +)"},
		{"trimmed", fields, digest(signHMAC, sorted(values(fields, strings.TrimSpace), key), key), "trimmed"},
		{"CR", fields, digest(signHMAC, strings.ReplaceAll(sorted(fields, key), "\n", "\r\n"), key), "carriage returns"},
		{"entities", fields, digest(signHMAC, sorted(values(fields, xmlEscape), key), key), "XML entities"},
		{"sign_type left out", fields, digest(signHMAC, sorted(with(fields, "sign_type", ""), key), key), "sign_type was left out"},
		{"appsecret", fields, digest(signHMAC, sorted(fields, secret), secret), "appsecret"},
		{"SHA-1", fields, strings.Repeat("A", 40), "SHA-1"},
		{"garbage", fields, "zzz", "neither 32"},
		{"another key", fields, digest(signHMAC, sorted(fields, strings.Repeat("1", 32)), strings.Repeat("1", 32)), "none of the known mistakes"},
		{"APP names", bridge, digest(signHMAC, sorted(rename(bridge, strings.ToLower), key), key), "APP payment"},
		{"timestamp", bridge, digest(signHMAC, sorted(rename(bridge, func(s string) string { return strings.Replace(s, "timeStamp", "timestamp", 1) }), key), key), "timeStamp was signed as timestamp"},
		{"bare prepay_id", bridge, digest(signHMAC, sorted(values(bridge, func(s string) string { return strings.TrimPrefix(s, "prepay_id=") }), key), key), "without prepay_id="},
		{"bridge sorted without case", append(bridge, pair{"apple", "1"}), digest(signHMAC, "appId=wx1&apple=1&nonceStr=n&package=prepay_id=wx2&signType=HMAC-SHA256&timeStamp=1601234567&key=x", key), "none of the known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			alg := signHMAC
			if strings.HasPrefix(tt.name, "HMAC without sign_type") {
				alg = signMD5
			}
			if got := diagnose(tt.fields, alg, key, secret, tt.given); !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q in it", got, tt.want)
			}
		})
	}
}
