package wechat

import (
	"bytes"
	"strconv"
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
// It knows no more of XML than such messages have: each byte of a message has
// one meaning, or the message has none.
func parse(body []byte) ([]Field, error) { return parseElement("xml", body) }

// parseElement is parse for a message with another name.
func parseElement(name string, body []byte) ([]Field, error) {
	switch {
	case len(body) > maxMessage:
		return nil, &ParseError{"longer than 64 KiB"}
	case !utf8.Valid(body):
		return nil, &ParseError{"not UTF-8"}
	case bytes.ContainsFunc(body, notXML):
		return nil, malformed
	}
	p := parser{name: name, rest: bytes.TrimPrefix(body, bom)}
	if err := p.declaration(); err != nil {
		return nil, err
	}
	for len(p.rest) > 0 {
		if err := p.next(); err != nil {
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

const spaces = " \t\r\n" // XML's white space

type parser struct {
	name   string // of the message
	rest   []byte // what is still to read
	state  int
	fields []Field
	text   []byte // of the field so far
}

var malformed = &ParseError{"not well-formed"}

// take reads prefix if it comes next.
func (p *parser) take(prefix string) bool {
	rest, ok := bytes.CutPrefix(p.rest, []byte(prefix))
	p.rest = rest
	return ok
}

// until reads up to end and past it. It returns what is before.
func (p *parser) until(end string) ([]byte, bool) {
	head, rest, ok := bytes.Cut(p.rest, []byte(end))
	p.rest = rest
	return head, ok
}

// next reads a tag, a CDATA section or the text up to the next of them.
func (p *parser) next() error {
	switch {
	case p.rest[0] != '<':
		return p.chars()
	case p.take("<![CDATA["):
		text, ok := p.until("]]>")
		switch {
		case !ok:
			return malformed
		case p.state != field:
			return &ParseError{"text outside of a field"}
		}
		p.add(text)
		return nil
	case p.take("<!--"):
		// Within a value: what is before it, or both halves joined?
		return &ParseError{"comment"}
	case p.take("<!"):
		return &ParseError{"document type declaration"}
	case p.take("<?"):
		return &ParseError{"processing instruction"}
	case p.take("</"):
		tag, ok := p.until(">")
		if !ok {
			return malformed
		}
		return p.end(string(bytes.TrimRight(tag, spaces)))
	}
	p.take("<")
	tag, ok := p.until(">")
	if !ok {
		return malformed
	}
	tag, empty := bytes.CutSuffix(tag, []byte("/"))
	name := string(bytes.TrimRight(tag, spaces))
	if err := p.start(name); err != nil || !empty {
		return err
	}
	return p.end(name)
}

// start enters the message or a field.
func (p *parser) start(name string) error {
	switch {
	case strings.ContainsAny(name, ":"+spaces):
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

// end leaves the field or the message that is open.
func (p *parser) end(name string) error {
	switch {
	case p.state == field && name == p.fields[len(p.fields)-1].Name:
		p.fields[len(p.fields)-1].Value = string(p.text)
		p.state = root
	case p.state == root && name == p.name:
		p.state = after
	default:
		return malformed
	}
	return nil
}

// chars reads text up to the next tag.
func (p *parser) chars() error {
	text := p.rest
	if i := bytes.IndexByte(text, '<'); i >= 0 {
		text = text[:i]
	}
	p.rest = p.rest[len(text):]
	switch {
	case p.state != field && len(bytes.Trim(text, spaces)) > 0:
		return &ParseError{"text outside of a field"}
	case p.state != field:
		return nil
	case bytes.Contains(text, []byte("]]>")):
		return malformed
	}
	for {
		plain, rest, found := bytes.Cut(text, []byte("&"))
		p.add(plain)
		if !found {
			return nil
		}
		name, rest, found := bytes.Cut(rest, []byte(";"))
		char, ok := reference(string(name))
		if !found || !ok {
			return malformed
		}
		p.text = utf8.AppendRune(p.text, char)
		text = rest
	}
}

// add appends text with its line ends as XML has them: one \n each.
func (p *parser) add(text []byte) {
	for i, c := range text {
		switch {
		case c != '\r':
			p.text = append(p.text, c)
		case i+1 == len(text) || text[i+1] != '\n':
			p.text = append(p.text, '\n')
		}
	}
}

// reference returns the character that &name; stands for.
func reference(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 31)
	char := rune(n)
	return char, ok && err == nil && utf8.ValidRune(char) && !notXML(char)
}

// notXML reports whether a character may not stand in XML at all.
func notXML(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

// validName keeps names to letters, digits, '_', '-' and '.', which is more than
// WeChat uses. Neither a digit nor '-' or '.' comes first.
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
