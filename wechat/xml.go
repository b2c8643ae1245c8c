package wechat

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// maxMessage limits a message, in bytes, and maxFields its fields. A notification has about 25
// fields and three more per coupon.
const (
	maxMessage = 64 << 10
	maxFields  = 256
)

// ParseError names the rule that a message breaks. It holds nothing of the
// message.
type ParseError struct{ Rule string }

func (e *ParseError) Error() string { return "malformed message: " + e.Rule }

// parse reads a flat message, <xml> with children that hold text, into one list
// in the order of arrival. Signature and business read the same list. It rejects
// every message that two XML parsers could read differently.
func parse(body []byte) ([]Field, error) { return parseElement("xml", body) }

// parseElement is parse for a message with another name.
func parseElement(name string, body []byte) ([]Field, error) {
	switch {
	case len(body) > maxMessage:
		return nil, &ParseError{"longer than 64 KiB"}
	case !utf8.Valid(body):
		return nil, &ParseError{"not UTF-8"}
	}
	body = bytes.TrimPrefix(body, bom)
	dec := xml.NewDecoder(bytes.NewReader(body))
	dec.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, wrongEncoding }
	p := parser{name: name}
	for {
		begin := dec.InputOffset()
		tok, err := dec.RawToken()
		switch {
		case errors.Is(err, io.EOF) && p.state == after:
			return p.fields, nil
		case errors.Is(err, io.EOF):
			return nil, &ParseError{"incomplete"}
		case errors.Is(err, wrongEncoding):
			return nil, wrongEncoding
		case err != nil:
			return nil, malformed
		}
		if err := p.token(tok, body[begin:dec.InputOffset()], begin == 0); err != nil {
			return nil, err
		}
	}
}

// The places of a parser: before the message, directly in it, in a field, after it.
const (
	before = iota
	root
	field
	after
)

const spaces = " \t\r\n" // XML's white space

type parser struct {
	name   string // of the message
	state  int
	fields []Field
	text   []byte // of the field so far
}

var replacement = []byte(string(utf8.RuneError)) // U+FFFD in UTF-8

var (
	malformed     = &ParseError{"not well-formed"}
	wrongEncoding = &ParseError{"encoding other than UTF-8"}
)

// token applies the rules of a message to the next token. Raw holds its bytes.
// The decoder checks the syntax of each token, but not that the tags match.
func (p *parser) token(tok xml.Token, raw []byte, first bool) error {
	switch tok := tok.(type) {
	case xml.StartElement:
		return p.start(tok)
	case xml.EndElement:
		return p.end(tok)
	case xml.CharData:
		return p.chars(tok, raw)
	case xml.Comment:
		// Parsers disagree on a value with a comment in it: some keep the first part alone.
		return &ParseError{"comment"}
	case xml.Directive:
		return &ParseError{"document type declaration"}
	case xml.ProcInst:
		if !first || tok.Target != "xml" {
			return &ParseError{"processing instruction"}
		}
		return declaration(string(tok.Inst))
	}
	return malformed
}

// start enters the message or a field.
func (p *parser) start(tok xml.StartElement) error {
	name := tok.Name.Local
	switch {
	case tok.Name.Space != "" || strings.Contains(name, ":") || len(tok.Attr) > 0:
		return &ParseError{"prefix or attribute"}
	case !validName(name):
		return malformed
	case p.state == before && name == p.name:
		p.state = root
	case p.state == root && len(p.fields) == maxFields:
		return &ParseError{"more than 256 fields"}
	case p.state == root:
		for _, f := range p.fields {
			if f.Name == name {
				return &ParseError{"repeated element"}
			}
		}
		if p.fields == nil {
			p.fields = make([]Field, 0, 32) // WeChat sends about 25
		}
		p.fields = append(p.fields, Field{Name: name})
		p.text = p.text[:0]
		p.state = field
	case p.state == field:
		return &ParseError{"nested element"}
	default:
		return &ParseError{"element outside of the message"}
	}
	return nil
}

// end closes the open field or message.
func (p *parser) end(tok xml.EndElement) error {
	switch {
	case tok.Name.Space != "":
		return malformed
	case p.state == field && tok.Name.Local == p.fields[len(p.fields)-1].Name:
		p.fields[len(p.fields)-1].Value = string(p.text)
		p.state = root
	case p.state == root && tok.Name.Local == p.name:
		p.state = after
	default:
		return malformed
	}
	return nil
}

// chars adds text to the field. Outside of a field only white space may stand,
// and that not as a reference or a CDATA section.
func (p *parser) chars(text, raw []byte) error {
	if p.state != field {
		if len(bytes.Trim(raw, spaces)) > 0 {
			return &ParseError{"text outside of a field"}
		}
		return nil
	}
	// The decoder reads a reference to a surrogate, which is no character, as U+FFFD.
	if bytes.Count(text, replacement) != bytes.Count(raw, replacement) {
		return malformed
	}
	p.text = append(p.text, text...)
	return nil
}

// declaration checks the inside of <?xml version="1.0" encoding="UTF-8" standalone="yes"?>. The
// last two parts may be missing. The decoder accepts its parts at any place and ignores the rest.
func declaration(inst string) error {
	words := strings.FieldsFunc(strings.ReplaceAll(inst, "=", " = "), func(r rune) bool { return strings.ContainsRune(spaces, r) })
	part := func(name string) (value string) {
		if len(words) >= 3 && words[0] == name && words[1] == "=" {
			value, words = words[2], words[3:]
		}
		return value
	}
	version, encoding, standalone := part("version"), part("encoding"), part("standalone")
	switch {
	case encoding != "" && !quotes(strings.ToLower(encoding), "utf-8"):
		return wrongEncoding
	case !quotes(version, "1.0"), standalone != "" && !quotes(standalone, "yes") && !quotes(standalone, "no"), len(words) > 0:
		return malformed
	}
	return nil
}

// quotes reports whether s is word in quotes.
func quotes(s, word string) bool {
	return s == `"`+word+`"` || s == "'"+word+"'"
}

// validName accepts letters, digits, '_', '-' and '.', which is more than WeChat uses. The first
// character must not be a digit, '-' or '.'.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return name != ""
}

// write makes a flat message. Values are in CDATA sections, which may contain everything but their
// own end.
func write(fields []Field) []byte {
	var b bytes.Buffer
	b.WriteString("<xml>")
	for _, f := range fields {
		b.WriteString("<" + f.Name + "><![CDATA[")
		b.WriteString(strings.ReplaceAll(f.Value, "]]>", "]]]]><![CDATA[>"))
		b.WriteString("]]></" + f.Name + ">")
	}
	b.WriteString("</xml>")
	return b.Bytes()
}

// clean removes control characters and CR, which XML does not transfer unchanged. So the other side
// receives the signed text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, s)
}
