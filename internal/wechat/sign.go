package wechat

import (
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

// Sign returns the signature over fields (signature algorithm, steps 1 to 6):
// every field but sign that has a value, sorted by name in byte order, as
// name=value joined by &, the key last. It is exported so that tests can forge.
func Sign(fields []Field, key Secret, t SignType) string {
	sorted := slices.Clone(fields)
	sort.Sort(byName(sorted)) // slices.SortFunc would add 6 KB, compressed, to the Worker
	var text strings.Builder
	for _, f := range sorted {
		if f.Value != "" && f.Name != "sign" {
			if text.Len() > 0 {
				text.WriteByte('&')
			}
			text.WriteString(f.Name + "=" + f.Value)
		}
	}
	text.WriteString("&key=" + string(key))
	var sum []byte
	if t == SignHMAC {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text.String()))
		sum = mac.Sum(nil)
	} else {
		md := md5.Sum([]byte(text.String()))
		sum = md[:]
	}
	return strings.ToUpper(hex.EncodeToString(sum))
}

// byName orders fields.
type byName []Field

func (f byName) Len() int           { return len(f) }
func (f byName) Less(i, j int) bool { return f[i].Name < f[j].Name }
func (f byName) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }

// verify reports whether a received message is signed with key. The length
// decides the algorithm, since sign_type is often missing: MD5 has 32 digits,
// HMAC-SHA256 64. A message without a signature is not signed.
func verify(fields []Field, key Secret) bool {
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

// value returns a field, "" when it is absent.
func value(fields []Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
