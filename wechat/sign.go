package wechat

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sort"
	"strings"
)

// SignType is the algorithm of a signature.
type SignType string

// The two algorithms of version 2.
const (
	SignMD5  SignType = "MD5"
	SignHMAC SignType = "HMAC-SHA256"
)

// Field is one name and value of a flat message.
type Field struct{ Name, Value string }

// Sign returns the signature over fields (docs/wechat.md 3.1). Every field but sign that has a
// value counts, sorted by name in byte order, as name=value joined by &. The key comes last. It is
// exported so that tests can make forged messages.
func Sign(fields []Field, key Secret, t SignType) string {
	sorted := slices.Clone(fields)
	sort.Sort(byName(sorted)) // slices.SortFunc would add 6 KB, compressed, to the Worker
	var text bytes.Buffer
	text.Grow(1024) // bytes; most messages have less
	for _, f := range sorted {
		if f.Value != "" && f.Name != "sign" {
			if text.Len() > 0 {
				text.WriteByte('&')
			}
			text.WriteString(f.Name)
			text.WriteByte('=')
			text.WriteString(f.Value)
		}
	}
	text.WriteString("&key=")
	text.WriteString(string(key))
	var sum []byte
	if t == SignHMAC {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(text.Bytes())
		sum = mac.Sum(nil)
	} else {
		md := md5.Sum(text.Bytes())
		sum = md[:]
	}
	return strings.ToUpper(hex.EncodeToString(sum))
}

// byName orders fields.
type byName []Field

func (f byName) Len() int           { return len(f) }
func (f byName) Less(i, j int) bool { return f[i].Name < f[j].Name }
func (f byName) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }

// verify reports whether a received message is signed with key. The length decides the algorithm,
// since sign_type is often missing: MD5 has 32 digits, HMAC-SHA256 64. A message without a
// signature is not signed. A message that hides a field in a value is rejected too, see hidesField.
func verify(fields []Field, key Secret) bool {
	if hidesField(fields) {
		return false
	}
	given := strings.ToUpper(value(fields, "sign"))
	var t SignType
	switch len(given) {
	case 32:
		t = SignMD5
	case 64:
		t = SignHMAC
	default:
		return false
	}
	return hmac.Equal([]byte(given), []byte(Sign(fields, key, t)))
}

// hidesField reports whether a value holds "&name=" with the name of a field that the
// message lacks. The signed text does not mark where a value ends. So a field can be
// moved into the value before it, under the same signature. Without its fee_type a
// payment in USD would be one in CNY. Only names that decide something count, since
// WeChat's own mweb_url has "&package=".
func hidesField(fields []Field) bool {
	var present map[string]bool // made once, or long values would cost much
	for _, f := range fields {
		_, rest, found := strings.Cut(f.Value, "&")
		for found {
			var part string
			part, rest, found = strings.Cut(rest, "&")
			name, _, ok := strings.Cut(part, "=")
			if !ok || !decides(name) {
				continue
			}
			if present == nil {
				present = map[string]bool{}
				for _, f := range fields {
					present[f.Name] = f.Value != ""
				}
			}
			if !present[name] {
				return true
			}
		}
	}
	return false
}

// decides reports whether a field of that name changes the meaning of a message.
func decides(name string) bool {
	switch name {
	case "appid", "mch_id", "return_code", "result_code", "err_code", "trade_state", "trade_type", "fee_type", "total_fee", "time_end",
		"openid", "transaction_id", "out_trade_no", "prepay_id", "code_url", "mweb_url", "sign_type", "total_refund_count":
		return true
	}
	// The fields of refunds have numbers at their ends.
	return strings.HasPrefix(name, "refund_") || strings.HasPrefix(name, "out_refund_no") || strings.HasPrefix(name, "settlement_")
}

// value returns a field, "" when it is absent.
func value(fields []Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
