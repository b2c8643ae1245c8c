package wechattest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// bodyEdits are the differences between a body that was written for signing and one that was
// written again for sending.
func bodyEdits(p v3Parts) []v3Edit {
	var list []v3Edit
	add := func(mistake, body string) {
		if body != p.body && !slices.ContainsFunc(list, func(e v3Edit) bool { return e.parts.body == body }) {
			q := p
			q.body = body
			list = append(list, v3Edit{mistake, q})
		}
	}
	add("the body was left out", "")
	if p.body == "" {
		add("a body was signed that was not sent", "{}")
		add("a body was signed that was not sent", "[]")
		add("a body was signed that was not sent", "null")
		add("a body was signed that was not sent", `""`)
		return list
	}
	add("blanks around the body were signed in another way", strings.TrimSpace(p.body))
	add("blanks around the body were signed in another way", p.body+"\n")
	for _, body := range rewritten(p.body) {
		add("the body was written anew after signing: sign the bytes that are sent", body)
	}
	return list
}

// rewritten returns the spellings of a JSON text that libraries make: other blanks,
// other escapes, another order of the members.
func rewritten(body string) []string {
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(body)) != nil {
		return nil
	}
	orders := []string{compact.String()}
	var v any
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&v) == nil {
		if sorted, err := marshalPlain(v); err == nil {
			orders = append(orders, string(sorted))
		}
	}
	var all []string
	for _, order := range orders {
		plain := respell(order, func(s string) string { return s })
		for _, text := range []string{
			order, plain, respell(plain, escapeUnicode), respell(plain, escapeSlash), respell(plain, func(s string) string { return escapeSlash(escapeUnicode(s)) }),
			respell(plain, escapeHTML),
		} {
			all = append(all, text, spaced(text))
			for _, indent := range []string{"  ", "    ", "\t"} {
				var b bytes.Buffer
				if json.Indent(&b, []byte(text), "", indent) == nil {
					all = append(all, b.String())
				}
			}
		}
	}
	return all
}

// respell rewrites each string of a compact JSON text: decoded, encoded without
// needless escapes, then passed through edit.
func respell(text string, edit func(string) string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		if text[i] != '"' {
			b.WriteByte(text[i])
			i++
			continue
		}
		end := i + 1
		for end < len(text) && text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(text) {
			return text
		}
		literal := text[i : end+1]
		var s string
		if json.Unmarshal([]byte(literal), &s) == nil {
			if plain, err := marshalPlain(s); err == nil {
				literal = string(plain)
			}
		}
		b.WriteString(edit(literal))
		i = end + 1
	}
	return b.String()
}

// escapeUnicode writes what is not ASCII as \uXXXX.
func escapeUnicode(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// escapeSlash writes slashes as PHP does.
func escapeSlash(s string) string { return strings.ReplaceAll(s, "/", `\/`) }

// escapeHTML writes &, < and > as Go does.
func escapeHTML(s string) string {
	return strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(s)
}

// spaced puts a blank behind each comma and colon, as Python does.
func spaced(text string) string {
	var b strings.Builder
	inside := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		b.WriteByte(c)
		switch {
		case inside && c == '\\':
			i++
			if i < len(text) {
				b.WriteByte(text[i])
			}
		case c == '"':
			inside = !inside
		case !inside && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.String()
}
