package wechat

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// maxMessage caps a message, in bytes; maxFields its fields. A notification has
// about 25 and three more per coupon.
const (
	maxMessage = 64 << 10
	maxFields  = 256
)

// ParseError names the rule that a message breaks. It holds nothing of the
// message.
type ParseError struct{ Rule string }

func (e *ParseError) Error() string { return "malformed message: " + e.Rule }

// parse reads a flat message, <xml> with children that hold text, into one list
// in the order of arrival. Signature and business read the same list; whatever
// two parsers could read differently is refused (known failures, parser rules).
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
	// Without a reader the decoder fails at the encoding, with one it is left
	// to token, which names the rule.
	dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	p := parser{name: name}
	for {
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &ParseError{"not well-formed"}
		}
		if err := p.token(tok); err != nil {
			return nil, err
		}
	}
	if p.state != after {
		return nil, &ParseError{"incomplete"}
	}
	return p.fields, nil
}

// Where a parser is: before the message, directly in it, in a field, after it.
const (
	before = iota
	root
	field
	after
)

type parser struct {
	name   string // of the message
	state  int
	first  bool // some token was seen
	fields []Field
	text   strings.Builder
}

func (p *parser) token(tok xml.Token) error {
	first := !p.first
	p.first = true
	switch tok := tok.(type) {
	case xml.Directive:
		return &ParseError{"document type declaration"}
	case xml.ProcInst:
		if !first || tok.Target != "xml" {
			return &ParseError{"processing instruction"}
		}
		if enc := encoding(string(tok.Inst)); enc != "" && !strings.EqualFold(enc, "utf-8") {
			return &ParseError{"encoding other than UTF-8"}
		}
	case xml.Comment:
		// Within a value: what is before it, or both halves joined?
		return &ParseError{"comment"}
	case xml.StartElement:
		return p.start(tok)
	case xml.EndElement:
		return p.end(tok)
	case xml.CharData:
		if p.state == field {
			p.text.Write(tok)
		} else if len(bytes.TrimSpace(tok)) > 0 {
			return &ParseError{"text outside of a field"}
		}
	}
	return nil
}

func (p *parser) start(tok xml.StartElement) error {
	switch {
	case tok.Name.Space != "" || strings.Contains(tok.Name.Local, ":") || len(tok.Attr) > 0:
		return &ParseError{"prefix or attribute"}
	case p.state == before && tok.Name.Local == p.name:
		p.state = root
	case p.state == root && len(p.fields) == maxFields:
		return &ParseError{"more than 256 fields"}
	case p.state == root:
		for _, f := range p.fields {
			if f.Name == tok.Name.Local {
				return &ParseError{"repeated element"}
			}
		}
		p.fields = append(p.fields, Field{Name: tok.Name.Local})
		p.text.Reset()
		p.state = field
	case p.state == field:
		return &ParseError{"nested element"}
	default:
		return &ParseError{"element outside of the message"}
	}
	return nil
}

func (p *parser) end(tok xml.EndElement) error {
	switch {
	case p.state == field && tok.Name.Space == "" && tok.Name.Local == p.fields[len(p.fields)-1].Name:
		p.fields[len(p.fields)-1].Value = p.text.String()
		p.state = root
	case p.state == root && tok.Name.Space == "" && tok.Name.Local == p.name:
		p.state = after
	default:
		return &ParseError{"not well-formed"}
	}
	return nil
}

// encoding returns the encoding that an XML declaration names, "" for none.
func encoding(declaration string) string {
	_, rest, ok := strings.Cut(declaration, "encoding")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, " \t\r\n=")
	if rest == "" {
		return "?"
	}
	name, _, ok := strings.Cut(rest[1:], rest[:1])
	if !ok {
		return "?"
	}
	return name
}

// write makes a flat message. Values go into CDATA, where all but its own end
// may stand.
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

// clean drops what XML does not carry unchanged, control characters and CR, so
// that what is signed is what arrives.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, s)
}
