package wechattest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// The two algorithms of APIv2 (docs/wechat.md 3.1).
const (
	signMD5  = "MD5"
	signHMAC = "HMAC-SHA256"
)

// pair is one field of a flat message, in the order of the document.
type pair struct{ name, value string }

// canonical is the string to sign (docs/wechat.md 3.1). It follows the steps there one by one and
// shares no code with the client.
func canonical(fields []pair, key string) string {
	signed := map[string]string{} // step 1
	for _, f := range fields {
		signed[f.name] = f.value
	}
	maps.DeleteFunc(signed, func(name, value string) bool { return name == "sign" || value == "" })
	text := ""
	for _, name := range slices.Sorted(maps.Keys(signed)) { // step 2
		text += name + "=" + signed[name] + "&" // step 3
	}
	if text == "" {
		text = "&" // a message without fields: the key still has its separator
	}
	return text + "key=" + key // step 4
}

// digest is the upper-case hex of the string under the algorithm (steps 5, 6).
// For HMAC-SHA256 the key is both the HMAC's key and the end of the string.
func digest(algorithm, s, key string) string {
	h := md5.New()
	if algorithm == signHMAC {
		h = hmac.New(sha256.New, []byte(key))
	}
	_, _ = io.WriteString(h, s) // a hash returns no error
	return fmt.Sprintf("%X", h.Sum(nil))
}

// checkSign compares the given sign with the one that WeChat makes. WeChat's own is upper case; the
// simulator accepts no other (docs/wechat.md 3.1).
func checkSign(fields []pair, algorithm, key, given string) *Signed {
	s := canonical(fields, key)
	want := digest(algorithm, s, key)
	return &Signed{String: s, Algorithm: algorithm, Expected: want, Given: given, OK: given == want}
}

// valueOf returns a field's value, "" when it is absent or empty: WeChat makes
// no difference between the two.
func valueOf(fields []pair, name string) string {
	if i := slices.IndexFunc(fields, func(f pair) bool { return f.name == name }); i >= 0 {
		return fields[i].value
	}
	return ""
}

// joinPairs writes name=value&name=value in the given order.
func joinPairs(fields []pair) string {
	var texts []string
	for _, f := range fields {
		texts = append(texts, f.name+"="+f.value)
	}
	return strings.Join(texts, "&")
}
