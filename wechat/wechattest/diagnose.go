package wechattest

import (
	"net/url"
	"sort"
	"strings"
)

// diagnose finds the cause of a wrong sign: it repeats common mistakes and names the one that makes
// the given sign. The result is for the note of a message and is never sent, because WeChat only
// answers 签名错误.
func diagnose(fields []pair, algorithm, key, appSecret, given string) string {
	if given == "" {
		return "there is no sign"
	}
	if m := tryMistakes(fields, algorithm, key, appSecret, given); m != "" {
		return m
	}
	switch n := len(given); {
	case n == 40:
		return "the sign has 40 hex digits, the length of SHA-1: that is the API of before 2014. MD5 gives 32, HMAC-SHA256 64"
	case n != 32 && n != 64:
		return "the sign is neither 32 hex digits (MD5) nor 64 (HMAC-SHA256)"
	}
	return "none of the known mistakes: most likely the key differs, or a value changed after signing"
}

// mistake builds a wrong string to sign.
type mistake struct {
	text  string
	build func(fields []pair, key string) string
}

// tryMistakes tries each mistake under the algorithm of the message, and then under the other one.
func tryMistakes(fields []pair, algorithm, key, appSecret, given string) string {
	other := signHMAC
	if algorithm == signHMAC {
		other = signMD5
	}
	for _, alg := range []string{algorithm, other} {
		tail := ""
		if alg != algorithm {
			tail = "the sign is made with " + alg + ", but sign_type says " + algorithm
			if valueOf(fields, "sign_type")+valueOf(fields, "signType") == "" {
				tail = "the sign is made with " + alg + ", but without sign_type WeChat takes MD5"
			}
		}
		if text := tryAlgorithm(fields, alg, key, appSecret, given, alg == algorithm); text != "" || tail != "" && matches(alg, canonical(fields, key), key, given) {
			return strings.TrimPrefix(joinNotes(text, tail), "; ")
		}
	}
	return ""
}

// tryAlgorithm tries the mistakes under one algorithm.
func tryAlgorithm(fields []pair, alg, key, appSecret, given string, named bool) string {
	right := canonical(fields, key)
	if named && strings.ToUpper(given) == digest(alg, right, key) {
		return "the hex digits are in lower case: the sign is upper case"
	}
	if alg == signHMAC && matches(alg, right, "", given) {
		return "the HMAC has no key: the APIv2 key is both the HMAC's key and the end of the string"
	}
	for _, m := range mistakes() {
		if s := m.build(fields, key); s != right && matches(alg, s, key, given) {
			return m.text
		}
	}
	if matches(alg, canonical(fields, appSecret), appSecret, given) {
		return "the appsecret was taken for the APIv2 key"
	}
	lowered := strings.ToLower(key)
	if lowered != key && matches(alg, canonical(fields, lowered), lowered, given) {
		return "the key was turned to lower case"
	}
	return ""
}

// matches reports whether signing the string makes the sign, in either case of hex.
func matches(alg, s, key, given string) bool {
	return digest(alg, s, key) == strings.ToUpper(given)
}

// mistakes are those known from the issue trackers of the SDKs.
func mistakes() []mistake {
	edit := func(f func(fields []pair) []pair) func([]pair, string) string {
		return func(fields []pair, key string) string {
			return canonical(f(append([]pair(nil), fields...)), key)
		}
	}
	values := func(f func(string) string) func([]pair, string) string {
		return edit(func(fields []pair) []pair {
			for i := range fields {
				fields[i].value = f(fields[i].value)
			}
			return fields
		})
	}
	without := func(names ...string) func([]pair, string) string {
		return edit(func(fields []pair) []pair {
			var kept []pair
			for _, f := range fields {
				if !contains(names, f.name) {
					kept = append(kept, f)
				}
			}
			return kept
		})
	}
	return []mistake{
		{"the key is missing from the end of the string (&key=...)", func(fields []pair, _ string) string {
			return strings.TrimSuffix(canonical(fields, ""), "&key=")
		}},
		{"the key was appended without &key=", func(fields []pair, key string) string {
			return strings.TrimSuffix(canonical(fields, ""), "&key=") + key
		}},
		{"the key was sorted among the fields: it belongs at the end", func(fields []pair, key string) string {
			all := append(append([]pair(nil), fields...), pair{"key", key})
			return strings.TrimSuffix(canonical(all, ""), "&key=")
		}},
		{"sign_type was left out of the string: it is a field like the others", without("sign_type", "signType")},
		{"nonce_str was left out of the string", without("nonce_str", "nonceStr")},
		{"empty fields were signed: fields without a value are left out", func(fields []pair, key string) string {
			return sortedAll(fields, key, func(p pair) bool { return p.name != "sign" })
		}},
		{"the fields were signed in the order of the document: they are sorted by name", func(fields []pair, key string) string {
			return inOrder(fields, key)
		}},
		{"the fields were sorted without regard to case: the order is that of bytes, upper case first", func(fields []pair, key string) string {
			kept := nonEmpty(fields)
			sort.SliceStable(kept, func(i, j int) bool { return strings.ToLower(kept[i].name) < strings.ToLower(kept[j].name) })
			return joinPairs(kept) + "&key=" + key
		}},
		{"the values were URL-encoded (spaces as +): raw text is signed", values(url.QueryEscape)},
		{"the values were URL-encoded (spaces as %20): raw text is signed", values(func(s string) string {
			return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
		})},
		{"the values were trimmed before signing but not before sending", values(strings.TrimSpace)},
		{"the values were signed with XML entities in them: the text after decoding is signed", values(xmlEscape)},
		{"the values were signed with JSON or HTML escapes (\\u0026)", values(func(s string) string {
			return strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(s)
		})},
		{"the values were signed with their CDATA marks", values(func(s string) string {
			if s == "" {
				return s
			}
			return "<![CDATA[" + s + "]]>"
		})},
		{"carriage returns were signed: XML readers turn CR LF into LF", values(func(s string) string {
			return strings.ReplaceAll(s, "\n", "\r\n")
		})},
		{"the bridge's fields were signed under the lower-case names of APP payment (appid, noncestr, timestamp)", edit(func(fields []pair) []pair {
			for i := range fields {
				fields[i].name = strings.ToLower(fields[i].name)
			}
			return fields
		})},
		{"the fields were signed under unifiedorder's names (appid, nonce_str, sign_type)", edit(func(fields []pair) []pair {
			for i, f := range fields {
				if n := map[string]string{"appId": "appid", "nonceStr": "nonce_str", "signType": "sign_type"}[f.name]; n != "" {
					fields[i].name = n
				}
			}
			return fields
		})},
		{"timeStamp was signed as timestamp", edit(func(fields []pair) []pair {
			for i, f := range fields {
				if f.name == "timeStamp" {
					fields[i].name = "timestamp"
				}
			}
			return fields
		})},
		{"package was signed without prepay_id=", edit(func(fields []pair) []pair {
			for i, f := range fields {
				if f.name == "package" {
					fields[i].value = strings.TrimPrefix(f.value, "prepay_id=")
				}
			}
			return fields
		})},
		{"the field sign was signed too", func(fields []pair, key string) string {
			return sortedAll(fields, key, func(p pair) bool { return p.name == "sign" || p.value != "" })
		}},
	}
}

// nonEmpty returns the fields that are signed, unsorted.
func nonEmpty(fields []pair) []pair {
	var kept []pair
	for _, f := range fields {
		if f.value != "" && f.name != "sign" {
			kept = append(kept, f)
		}
	}
	return kept
}

// inOrder is the string to sign without the sorting.
func inOrder(fields []pair, key string) string {
	return joinPairs(nonEmpty(fields)) + "&key=" + key
}

// sortedAll is the string to sign over the fields that keep allows.
func sortedAll(fields []pair, key string, keep func(pair) bool) string {
	var kept []pair
	for _, f := range fields {
		if f.name == "sign" {
			f.value = "" // the builder had the field, not yet its value
		}
		if keep(f) {
			kept = append(kept, f)
		}
	}
	sort.SliceStable(kept, func(i, j int) bool { return kept[i].name < kept[j].name })
	return joinPairs(kept) + "&key=" + key
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// joinNotes joins two remarks.
func joinNotes(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "; " + b
}
