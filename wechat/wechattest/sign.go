package wechattest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"sort"
	"strings"
)

// The two algorithms of APIv2 (docs/wechat.md 3.1).
const (
	signMD5  = "MD5"
	signHMAC = "HMAC-SHA256"
)

// pair is one field of a flat message, in the order of the document.
type pair struct{ name, value string }

// canonical is the string to sign: the fields with a value, sign left out,
// sorted by the bytes of their names, name=value joined by &, then the key.
func canonical(fields []pair, key string) string {
	kept := make([]pair, 0, len(fields))
	for _, f := range fields {
		if f.value != "" && f.name != "sign" {
			kept = append(kept, f)
		}
	}
	sort.SliceStable(kept, func(i, j int) bool { return kept[i].name < kept[j].name })
	return joinPairs(kept) + "&key=" + key
}

// joinPairs writes name=value&name=value in the given order.
func joinPairs(fields []pair) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(f.name + "=" + f.value)
	}
	return b.String()
}

// digest is the upper-case hex of the string under the algorithm. For
// HMAC-SHA256 the key is both the HMAC's key and the end of the string.
func digest(algorithm, s, key string) string {
	var sum []byte
	if algorithm == signHMAC {
		h := hmac.New(sha256.New, []byte(key))
		h.Write([]byte(s))
		sum = h.Sum(nil)
	} else {
		m := md5.Sum([]byte(s))
		sum = m[:]
	}
	return strings.ToUpper(hex.EncodeToString(sum))
}

// checkSign compares the sign that came with the one that WeChat makes.
func checkSign(fields []pair, algorithm, key, given string) *Signed {
	s := canonical(fields, key)
	want := digest(algorithm, s, key)
	return &Signed{
		String: s, Algorithm: algorithm, Expected: want, Given: given,
		OK: subtle.ConstantTimeCompare([]byte(want), []byte(given)) == 1,
	}
}

// valueOf returns a field's value, "" when it is absent or empty: WeChat makes
// no difference between the two.
func valueOf(fields []pair, name string) string {
	for _, f := range fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}
