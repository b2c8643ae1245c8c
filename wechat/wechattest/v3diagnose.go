package wechattest

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// v3Diagnosis is the cause of a wrong signature of the merchant's. It is for the log and is never
// sent.
type v3Diagnosis struct {
	text  string
	yours string // the text that was signed, "" when it is not known
}

// v3Variant is a text that a shop signs by mistake.
type v3Variant struct{ mistake, text string }

// diagnoseV3 finds the text and the key of a request's signature.
func diagnoseV3(p v3Parts, signature string, named *v3Key, keys []v3Key) v3Diagnosis {
	return explainV3(signature, named, keys, requestVariants(p))
}

// diagnoseV3PaySign does the same for the four lines of a paySign.
func diagnoseV3PaySign(lines []string, signature string, keys []v3Key) v3Diagnosis {
	return explainV3(signature, &keys[len(keys)-1], keys, payVariants(lines))
}

var (
	hexForm    = regexp.MustCompile(`^[0-9A-Fa-f]+$`)
	base64Rest = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "", " ", "+")
)

// explainV3 analyses the signature. A signature in PKCS #1 v1.5 contains the digest of the signed
// text. So one RSA operation checks the key, and each variant costs a hash only.
func explainV3(signature string, named *v3Key, keys []v3Key, variants []v3Variant) v3Diagnosis {
	if signature == "" {
		return v3Diagnosis{text: "there is no signature"}
	}
	raw, notes, ok := looseSignature(signature)
	if !ok {
		return v3Diagnosis{text: notes}
	}
	if len(raw) != v3KeyBits/8 {
		return v3Diagnosis{text: joinNotes(notes, fmt.Sprintf("the signature has %d bytes, want %d: it is of no key of %d bits", len(raw), v3KeyBits/8, v3KeyBits))}
	}
	ordered := append([]v3Key{*named}, slices.DeleteFunc(slices.Clone(keys), func(k v3Key) bool { return k.id == named.id })...)
	for _, k := range ordered {
		hash, digest := recoverDigest(&k.key.PublicKey, raw)
		if digest == nil {
			continue
		}
		if k.id != named.id {
			notes = joinNotes(notes, "it is signed with the key of the certificate "+k.id+", want that of "+named.id)
		}
		if hash != "SHA-256" {
			notes = joinNotes(notes, "it is a signature with "+hash+", want SHA-256")
		}
		for _, v := range variants {
			if how, ok := digests(v.text, hash, digest); ok {
				notes = joinNotes(notes, joinNotes(v.mistake, how))
				if v.mistake == "" {
					return v3Diagnosis{text: notes}
				}
				return v3Diagnosis{text: notes, yours: v.text}
			}
		}
		return v3Diagnosis{text: joinNotes(notes, "the key is right, but another text was signed than WeChat sees, and none of the usual mistakes makes it")}
	}
	sum := sha256.Sum256([]byte(variants[0].text))
	if rsa.VerifyPSS(&named.key.PublicKey, crypto.SHA256, sum[:], raw, nil) == nil {
		return v3Diagnosis{text: joinNotes(notes, "the signature is one with PSS padding, want PKCS #1 v1.5")}
	}
	return v3Diagnosis{text: joinNotes(notes, "it is not signed with the merchant's private key (apiclient_key.pem of the certificate "+named.id+")")}
}

// looseSignature also reads a signature with a wrong encoding, and describes the mistake.
func looseSignature(s string) (raw []byte, note string, ok bool) {
	if hexForm.MatchString(s) {
		switch len(s) {
		case 32:
			return nil, "the signature has 32 hex digits: it is that of APIv2 (MD5), want RSA with the merchant's private key", false
		case 64:
			return nil, "the signature has 64 hex digits: it is that of APIv2 (HMAC-SHA256) or a hash, want RSA with the merchant's private key", false
		}
		if b, err := hex.DecodeString(s); err == nil && len(b) == v3KeyBits/8 {
			return b, "the signature is in hex, want base64", true
		}
	}
	if b, ok := decodeSignature(s); ok {
		return b, "", true
	}
	if plain, err := url.PathUnescape(s); err == nil && plain != s {
		if b, ok := decodeSignature(plain); ok {
			return b, "the signature is percent-encoded, want plain base64", true
		}
	}
	text := strings.TrimRight(base64Rest.Replace(s), "=")
	if b, err := base64.RawStdEncoding.DecodeString(text); err == nil {
		return b, "the signature is in base64 of another kind (URL-safe, broken into lines or without =), want the standard one", true
	}
	return nil, "the signature is not in base64", false
}

// digestPrefixes begin the DigestInfo of each hash (RFC 8017, 9.2).
var digestPrefixes = []struct{ name, prefix string }{
	{"SHA-256", "3031300d060960864801650304020105000420"},
	{"SHA-1", "3021300906052b0e03021a05000414"},
	{"SHA-512", "3051300d060960864801650304020305000440"},
	{"MD5", "3020300c06082a864886f70d020505000410"},
}

// recoverDigest undoes a signature in PKCS #1 v1.5. digest is nil when the key did
// not make it.
func recoverDigest(key *rsa.PublicKey, signature []byte) (hash string, digest []byte) {
	m := new(big.Int).Exp(new(big.Int).SetBytes(signature), big.NewInt(int64(key.E)), key.N)
	em := m.FillBytes(make([]byte, len(signature)))
	if em[0] != 0 || em[1] != 1 {
		return "", nil
	}
	i := bytes.IndexByte(em[2:], 0)
	if i < 8 || len(bytes.Trim(em[2:2+i], "\xff")) > 0 {
		return "", nil
	}
	info := em[2+i+1:]
	for _, p := range digestPrefixes {
		prefix, err := hex.DecodeString(p.prefix)
		if err != nil {
			panic("wechattest: " + err.Error())
		}
		if rest, ok := bytes.CutPrefix(info, prefix); ok {
			return p.name, rest
		}
	}
	return "no DigestInfo", info
}

// digests reports whether the digest is that of the text, or of its hash.
func digests(text, hash string, digest []byte) (how string, ok bool) {
	sum := sha256.Sum256([]byte(text))
	switch hash {
	case "SHA-1":
		other := sha1.Sum([]byte(text))
		return "", bytes.Equal(digest, other[:])
	case "SHA-512":
		other := sha512.Sum512([]byte(text))
		return "", bytes.Equal(digest, other[:])
	case "MD5":
		other := md5.Sum([]byte(text))
		return "", bytes.Equal(digest, other[:])
	}
	inHex := hex.EncodeToString(sum[:])
	twice, ofHex := sha256.Sum256(sum[:]), sha256.Sum256([]byte(inHex))
	switch {
	case bytes.Equal(digest, sum[:]):
		return "", true
	case bytes.Equal(digest, twice[:]), bytes.Equal(digest, ofHex[:]):
		return "the hash of the text was signed instead of the text: it was hashed twice", true
	case string(digest) == text || string(digest) == inHex:
		return "the text was encrypted with the private key instead of signed", true
	}
	return "", false
}

// v3Edit is a mistake in one of the parts of a request.
type v3Edit struct {
	mistake string
	parts   v3Parts
}

// requestVariants are the right text, then the texts of one mistake, then of two
// in different parts.
func requestVariants(p v3Parts) []v3Variant {
	groups := [][]v3Edit{uriEdits(p), timeEdits(p), methodEdits(p), bodyEdits(p)}
	list := []v3Variant{{"", p.text()}}
	list = append(list, lineEdits(p.lines(), p.body, "")...)
	for i, group := range groups {
		for _, e := range group {
			list = append(list, v3Variant{e.mistake, e.parts.text()})
			if strings.HasPrefix(e.mistake, "the timestamp") {
				continue // there are thousands of these mistakes
			}
			list = append(list, lineEdits(e.parts.lines(), e.parts.body, e.mistake)...)
			for _, other := range groups[i+1:] {
				for _, f := range other {
					if strings.HasPrefix(f.mistake, "the timestamp") {
						continue
					}
					list = append(list, v3Variant{joinNotes(e.mistake, f.mistake), e.parts.merge(p, f.parts).text()})
				}
			}
		}
	}
	return list
}

// lines are the five lines.
func (p v3Parts) lines() []string {
	return []string{p.method, p.uri, p.timestamp, p.nonce, p.body}
}

// merge copies the fields in which other differs from the original.
func (p v3Parts) merge(original, other v3Parts) v3Parts {
	for _, f := range []struct {
		to         *string
		from, orig string
	}{
		{&p.method, other.method, original.method}, {&p.uri, other.uri, original.uri}, {&p.timestamp, other.timestamp, original.timestamp},
		{&p.nonce, other.nonce, original.nonce}, {&p.body, other.body, original.body},
	} {
		if f.from != f.orig {
			*f.to = f.from
		}
	}
	return p
}

// lineEdits are mistakes in how lines are joined.
func lineEdits(lines []string, body, before string) []v3Variant {
	right := joinLines(lines)
	list := []v3Variant{
		{joinNotes(before, "the last line feed is missing"), strings.TrimSuffix(right, "\n")},
		{joinNotes(before, "the lines end in CR LF, want LF"), strings.ReplaceAll(right, "\n", "\r\n")},
		{joinNotes(before, "the lines end in CR LF, want LF; the last line end is missing"), strings.Join(lines, "\r\n")},
		{joinNotes(before, `the lines end in a backslash and an n, want a line feed`), strings.ReplaceAll(right, "\n", `\n`)},
		{joinNotes(before, "there are no line ends between the lines"), strings.Join(lines, "")},
		{joinNotes(before, "there is a line feed too many at the end"), right + "\n"},
		{joinNotes(before, "the text was trimmed"), strings.TrimSpace(right)},
	}
	if body == "" && len(lines) == 5 {
		list = append(list, v3Variant{joinNotes(before, "an empty body keeps its line: two line feeds end the text"), joinLines(lines[:4])})
		// The same as a missing last line feed, with a better text.
		list[0], list[len(list)-1] = list[len(list)-1], list[0]
	}
	return list
}

// uriEdits are mistakes in path and query.
func uriEdits(p v3Parts) []v3Edit {
	var list []v3Edit
	add := func(mistake, uri string) {
		if uri != p.uri && !slices.ContainsFunc(list, func(e v3Edit) bool { return e.parts.uri == uri }) {
			q := p
			q.uri = uri
			list = append(list, v3Edit{mistake, q})
		}
	}
	path, query, hasQuery := strings.Cut(p.uri, "?")
	if hasQuery {
		add("the query was left out: path and query are signed", path)
	}
	if plain, err := url.PathUnescape(p.uri); err == nil {
		add("path and query were signed unescaped: they are signed as they are sent", plain)
	}
	if plain, err := url.QueryUnescape(p.uri); err == nil {
		add("path and query were signed unescaped: they are signed as they are sent", plain)
	}
	const escaped = "path and query were escaped in another way than they were sent"
	if u, err := url.ParseRequestURI(p.uri); err == nil {
		plain := url.URL{Path: u.Path, RawQuery: u.RawQuery}
		add(escaped, plain.RequestURI())
		plain.RawQuery = u.Query().Encode()
		add(escaped, plain.RequestURI())
		plain.RawPath, plain.RawQuery = u.RawPath, u.Query().Encode()
		add(escaped, plain.RequestURI())
		full := strings.Split(u.Path, "/")
		for i := range full {
			full[i] = url.QueryEscape(full[i])
		}
		again := strings.Join(full, "/")
		if hasQuery {
			again += "?" + query
		}
		add(escaped, again)
	}
	add("path and query were escaped twice", strings.ReplaceAll(p.uri, "%", "%25"))
	for _, host := range []string{p.host, "api.mch.weixin.qq.com", "api2.mch.weixin.qq.com"} {
		for _, scheme := range []string{"https://", "http://", "", "//"} {
			add("the host was signed too: only path and query are", scheme+host+p.uri)
			add("the host was signed too, and the query left out", scheme+host+path)
		}
	}
	if strings.HasPrefix(p.uri, "//") {
		add("two slashes were sent and one was signed: the base URL ends in a slash", "/"+strings.TrimLeft(p.uri, "/"))
	}
	add("the slash at the beginning of the path is missing", strings.TrimPrefix(p.uri, "/"))
	add("a fragment or an empty query was signed", strings.TrimSuffix(p.uri, "?"))
	add("a question mark was signed that was not sent", p.uri+"?")
	add("the path was signed without /v3", strings.TrimPrefix(p.uri, "/v3"))
	return list
}

// timeEdits are mistakes in timestamp and nonce.
func timeEdits(p v3Parts) []v3Edit {
	var list []v3Edit
	add := func(mistake string, edit func(*v3Parts)) {
		q := p
		edit(&q)
		list = append(list, v3Edit{mistake, q})
	}
	add("timestamp and nonce_str were signed in the wrong order", func(q *v3Parts) { q.timestamp, q.nonce = p.nonce, p.timestamp })
	add("the case of nonce_str was changed", func(q *v3Parts) { q.nonce = strings.ToUpper(p.nonce) })
	add("the case of nonce_str was changed", func(q *v3Parts) { q.nonce = strings.ToLower(p.nonce) })
	seconds, err := strconv.ParseInt(p.timestamp, 10, 64)
	if err != nil {
		return list
	}
	for ms := range 1000 {
		add("the timestamp was signed in milliseconds, want seconds", func(q *v3Parts) { q.timestamp = fmt.Sprintf("%d%03d", seconds, ms) })
	}
	for d := int64(-30); d <= 30; d++ {
		if d != 0 {
			add("the timestamp in the header is not the one that was signed", func(q *v3Parts) { q.timestamp = itoa(seconds + d) })
		}
	}
	return list
}

// methodEdits are mistakes in the method.
func methodEdits(p v3Parts) []v3Edit {
	var list []v3Edit
	for _, method := range []string{strings.ToLower(p.method), "GET", "POST", ""} {
		if method != p.method {
			q := p
			q.method = method
			list = append(list, v3Edit{"the method was signed as " + strconv.Quote(method) + ", want " + p.method, q})
		}
	}
	return list
}

// payVariants are texts that shops sign by mistake for a paySign.
func payVariants(lines []string) []v3Variant {
	list := []v3Variant{{"", joinLines(lines)}}
	list = append(list, lineEdits(lines, "x", "")...)
	with := func(i int, value string) []string {
		out := slices.Clone(lines)
		out[i] = value
		return out
	}
	for _, v := range []struct {
		mistake string
		lines   []string
	}{
		{"the last line is package with prepay_id=, not the prepay_id alone", with(3, strings.TrimPrefix(lines[3], "prepay_id="))},
		{"the last line is the prepay_id alone, without prepay_id=", with(3, "prepay_id="+lines[3])},
		{"the last line is the prepay_id, not Sign=WXPay", with(3, "Sign=WXPay")},
		{"signType is not signed", append(slices.Clone(lines), "RSA")},
		{"timeStamp and nonceStr were signed in the wrong order", []string{lines[0], lines[2], lines[1], lines[3]}},
		{"the appid is missing", lines[1:]},
	} {
		list = append(list, v3Variant{v.mistake, joinLines(v.lines)}, v3Variant{v.mistake + "; the last line feed is missing", strings.Join(v.lines, "\n")})
	}
	for ms := range 1000 {
		list = append(list, v3Variant{"timeStamp was signed in milliseconds, want seconds", joinLines(with(1, fmt.Sprintf("%s%03d", lines[1], ms)))})
	}
	return list
}
