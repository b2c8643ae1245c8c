package wechattest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxBody is the longest message that is read: the longest field of
// unifiedorder has 6144 bytes. maxElements is the most fields that a message has.
const (
	maxBody     = 64 << 10
	maxElements = 1024
)

// xmlError is a broken rule of the message format, with a text for a developer.
type xmlError struct{ rule string }

func (e *xmlError) Error() string { return e.rule }

// parseXML reads a flat message: one <xml> with children that hold text only.
// It rejects what docs/wechat.md 2.4 lists.
//
// It reads byte by byte, by the grammar of XML 1.0. The client of package wechat
// uses encoding/xml: an error in one of them shows in the other.
func parseXML(s string) (fields []pair, err error) {
	r := &xmlReader{text: s}
	defer func() {
		if p := recover(); p != nil {
			broken, ok := p.(*xmlError)
			if !ok {
				panic(p)
			}
			fields, err = nil, broken
		}
	}()
	return r.message(), nil
}

// xmlReader reads a message. Its methods panic with an *xmlError, which parseXML returns.
type xmlReader struct {
	text string
	at   int // the next byte
}

// fail panics with the broken rule.
func (r *xmlReader) fail(format string, args ...any) {
	panic(&xmlError{fmt.Sprintf(format, args...) + " (byte " + strconv.Itoa(r.at) + ")"})
}

// skip skips a text if it is next, and reports whether it is.
func (r *xmlReader) skip(text string) bool {
	if !strings.HasPrefix(r.text[r.at:], text) {
		return false
	}
	r.at += len(text)
	return true
}

// peek is the next byte, 0 at the end of the message.
func (r *xmlReader) peek() byte {
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

// space goes over XML's white space and reports whether there was some.
func (r *xmlReader) space() bool {
	from := r.at
	for strings.IndexByte(" \t\r\n", r.peek()) >= 0 {
		r.at++
	}
	return r.at > from
}

// message reads the whole message.
func (r *xmlReader) message() []pair {
	if len(r.text) > maxBody {
		r.fail("the message is longer than 64 KiB")
	}
	r.characters()
	r.skip("\ufeff")
	r.declaration()
	r.space()
	name, empty := r.startTag()
	if name != "xml" {
		r.fail("the message must be one <xml> element")
	}
	var fields []pair
	for !empty {
		r.space()
		if r.skip("</") {
			r.endTag("xml")
			break
		}
		fields = append(fields, r.field(fields))
	}
	r.space()
	if r.at < len(r.text) {
		r.reject("there is something after </xml>")
	}
	return fields
}

// characters rejects bytes that are not UTF-8, and characters that XML has not.
func (r *xmlReader) characters() {
	for r.at < len(r.text) {
		c, size := utf8.DecodeRuneInString(r.text[r.at:])
		switch {
		case c == utf8.RuneError && size == 1:
			r.fail("the message is not UTF-8")
		case !xmlCharacter(c):
			r.fail("the message has a control character")
		}
		r.at += size
	}
	r.at = 0
}

// xmlCharacter is the rule Char of XML 1.0.
func xmlCharacter(c rune) bool {
	switch {
	case c == '\t', c == '\n', c == '\r':
		return true
	case c < 0x20, c >= 0xd800 && c < 0xe000, c == 0xfffe, c == 0xffff, c > 0x10ffff:
		return false
	}
	return true
}

// declaration reads <?xml version="1.0" encoding="UTF-8" standalone="yes"?>,
// which a message need not have. The last two parts may be missing.
func (r *xmlReader) declaration() {
	if !r.skip("<?xml") {
		return
	}
	const bad = "the XML declaration is malformed"
	if version, ok := r.attribute("version"); !ok || version != "1.0" {
		r.fail(bad)
	}
	if encoding, ok := r.attribute("encoding"); ok && !strings.EqualFold(encoding, "utf-8") {
		r.fail("the declared encoding is not UTF-8")
	}
	if standalone, ok := r.attribute("standalone"); ok && standalone != "yes" && standalone != "no" {
		r.fail(bad)
	}
	r.space()
	if !r.skip("?>") {
		r.fail(bad)
	}
}

// attribute reads white space, a name, = and a value in quotes. It reads nothing if another name is
// next.
func (r *xmlReader) attribute(name string) (value string, ok bool) {
	from := r.at
	if !r.space() || !r.skip(name) {
		r.at = from
		return "", false
	}
	r.space()
	if !r.skip("=") {
		r.fail("the XML declaration is malformed")
	}
	r.space()
	quote := r.peek()
	length := -1
	if quote == '"' || quote == '\'' {
		length = strings.IndexByte(r.text[r.at+1:], quote)
	}
	if length < 0 {
		r.fail("the XML declaration is malformed")
	}
	value = r.text[r.at+1 : r.at+1+length]
	r.at += length + 2
	return value, true
}

// field reads an element of the message. before are the fields so far.
func (r *xmlReader) field(before []pair) pair {
	name, empty := r.startTag()
	for _, f := range before {
		if f.name == name {
			r.fail("the element %s is repeated", name)
		}
	}
	if len(before) == maxElements {
		r.fail("there are more than %d elements", maxElements)
	}
	if empty {
		return pair{name, ""}
	}
	return pair{name, r.value(name)}
}

// startTag reads <name> or <name/>.
func (r *xmlReader) startTag() (name string, empty bool) {
	switch {
	case r.at == len(r.text):
		r.fail("the message does not end")
	case !r.skip("<"):
		r.fail("there is text outside of the elements")
	case strings.IndexByte("!?/", r.peek()) >= 0:
		r.at--
		r.reject("there is CDATA or an end tag outside of the elements")
	}
	name = r.name()
	r.space()
	switch {
	case r.skip("/>"):
		return name, true
	case !r.skip(">"):
		r.fail("element %s has an attribute, a prefix or a bad name", name)
	}
	return name, false
}

// endTag reads the rest of </name>.
func (r *xmlReader) endTag(name string) {
	got := r.name()
	r.space()
	if got != name || !r.skip(">") {
		r.fail("element %s ends with another tag", name)
	}
}

// name reads letters, digits, _, - and . of ASCII. A letter or _ comes first.
func (r *xmlReader) name() string {
	from := r.at
	for c := r.peek() | 0x20; c >= 'a' && c <= 'z' || r.peek() == '_' || r.at > from && strings.IndexByte("0123456789.-", r.peek()) >= 0; c = r.peek() | 0x20 {
		r.at++
	}
	if r.at == from {
		r.fail("there is no element name")
	}
	return r.text[from:r.at]
}

// value reads the text up to the end of the element, and its end tag. CR LF and CR are read as LF,
// unless they are written as references.
func (r *xmlReader) value(name string) string {
	var b strings.Builder
	for {
		rest := r.text[r.at:]
		length := strings.IndexAny(rest, "<&")
		if length < 0 {
			r.fail("element %s does not end", name)
		}
		if at := strings.Index(rest[:length], "]]>"); at >= 0 {
			r.at += at
			r.fail("element %s has ]]> outside of CDATA", name)
		}
		b.WriteString(lineEnds.Replace(rest[:length]))
		r.at += length
		switch {
		case r.skip("</"):
			r.endTag(name)
			return b.String()
		case r.skip("<![CDATA["):
			length := strings.Index(r.text[r.at:], "]]>")
			if length < 0 {
				r.fail("a CDATA section of %s does not end", name)
			}
			b.WriteString(lineEnds.Replace(r.text[r.at : r.at+length]))
			r.at += length + len("]]>")
		case r.skip("&"):
			b.WriteRune(r.reference())
		default:
			r.reject("element " + name + " holds an element: messages are flat")
		}
	}
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// reference reads the rest of &lt; or &#60; or &#x3c;.
func (r *xmlReader) reference() rune {
	name, _, ended := strings.Cut(r.text[r.at:], ";")
	if !ended {
		r.fail("a reference does not end")
	}
	c, named := map[string]rune{"lt": '<', "gt": '>', "amp": '&', "quot": '"', "apos": '\''}[name]
	if digits, ok := strings.CutPrefix(name, "#"); ok {
		base := 10
		if hex, ok := strings.CutPrefix(digits, "x"); ok {
			digits, base = hex, 16
		}
		n, err := strconv.ParseUint(digits, base, 21)
		c, named = rune(n), err == nil && xmlCharacter(rune(n))
	}
	if !named {
		r.fail("there is an unknown reference")
	}
	r.at += len(name) + 1
	return c
}

// reject names the forbidden construct that is next, or the rule.
func (r *xmlReader) reject(rule string) {
	for _, m := range []struct{ mark, rule string }{
		{"<!DOCTYPE", "a DOCTYPE is rejected"}, {"<!--", "a comment is rejected"},
		{"<?", "a processing instruction or a late XML declaration is rejected"},
	} {
		if strings.HasPrefix(r.text[r.at:], m.mark) {
			rule = m.rule
		}
	}
	r.fail("%s", rule)
}

// xmlEscape writes a value as text.
func xmlEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#xD;").Replace(s)
}

// writeXML writes a flat message as WeChat does: numbers bare, everything else
// in CDATA, a ]]> inside split over two sections.
func writeXML(fields []pair) string {
	lines := []string{}
	for _, f := range fields {
		text := f.value
		if text == "" || len(text) > 10 || strings.Trim(text, digits) != "" {
			text = "<![CDATA[" + strings.Join(strings.Split(text, "]]>"), "]]]]><![CDATA[>") + "]]>"
		}
		lines = append(lines, "<"+f.name+">"+text+"</"+f.name+">\n")
	}
	return "<xml>" + strings.Join(lines, "") + "</xml>"
}
