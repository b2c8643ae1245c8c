package wechattest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxBody is the longest message that is read: the longest field of
// unifiedorder has 6144 bytes.
const maxBody = 64 << 10

// xmlError is a broken rule of the message format, in words for a developer.
type xmlError struct{ rule string }

func (e *xmlError) Error() string { return e.rule }

// parseXML reads a flat message: one <xml> with children that hold text only.
// It is written by hand, so that it shares neither code nor blind spots with
// the decoder of a client: a DOCTYPE, a comment, a processing instruction, an
// attribute, a prefix, a nested or a repeated element, text between elements
// and anything after </xml> are refused (parser rules).
func parseXML(s string) ([]pair, error) {
	if !utf8.ValidString(s) {
		return nil, &xmlError{"the message is not UTF-8"}
	}
	p := &xmlScanner{s: strings.TrimPrefix(s, "\ufeff")}
	if err := p.prolog(); err != nil {
		return nil, err
	}
	p.space()
	if !p.take("<xml>") {
		return nil, p.fail("the message must be one <xml> element without attributes")
	}
	var fields []pair
	seen := map[string]bool{}
	for {
		p.space()
		if p.take("</xml>") {
			break
		}
		f, err := p.field()
		if err != nil {
			return nil, err
		}
		if seen[f.name] {
			return nil, p.fail("the element %s is repeated", f.name)
		}
		seen[f.name] = true
		fields = append(fields, f)
	}
	p.space()
	if p.i < len(p.s) {
		return nil, p.fail("there is data after </xml>")
	}
	return fields, nil
}

// xmlDecl is the XML declaration; its group is the encoding in quotes.
var xmlDecl = regexp.MustCompile(`^<\?xml\s+version\s*=\s*(?:"1\.0"|'1\.0')(?:\s+encoding\s*=\s*("[A-Za-z0-9._-]+"|'[A-Za-z0-9._-]+'))?(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>$`)

// xmlScanner walks the text of a message.
type xmlScanner struct {
	s string
	i int
}

func (p *xmlScanner) fail(format string, args ...any) error {
	return &xmlError{fmt.Sprintf(format, args...) + " (byte " + strconv.Itoa(p.i) + ")"}
}

func (p *xmlScanner) rest() string { return p.s[p.i:] }

func (p *xmlScanner) take(lit string) bool {
	if strings.HasPrefix(p.rest(), lit) {
		p.i += len(lit)
		return true
	}
	return false
}

func (p *xmlScanner) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

// prolog reads an optional XML declaration, which may name UTF-8 only.
func (p *xmlScanner) prolog() error {
	if !strings.HasPrefix(p.rest(), "<?xml ") {
		return nil
	}
	end := strings.Index(p.rest(), "?>")
	if end < 0 {
		return p.fail("the XML declaration does not end")
	}
	decl := xmlDecl.FindStringSubmatch(p.rest()[:end+2])
	if decl == nil {
		return p.fail("the XML declaration is malformed")
	}
	if enc := strings.ToLower(strings.Trim(decl[1], `"'`)); enc != "" && enc != "utf-8" {
		return p.fail("the declared encoding is not UTF-8")
	}
	p.i += end + 2
	return nil
}

// field reads <name>text</name> or <name/>.
func (p *xmlScanner) field() (pair, error) {
	if !p.take("<") {
		return pair{}, p.fail("text between elements, or a missing </xml>")
	}
	if strings.HasPrefix(p.rest(), "!DOCTYPE") {
		return pair{}, p.fail("a DOCTYPE is refused")
	}
	name := p.name()
	if name == "" {
		return pair{}, p.fail("comments, instructions and prefixed or unnamed elements are refused")
	}
	p.space()
	if p.take("/>") {
		return pair{name: name}, nil
	}
	if !p.take(">") {
		return pair{}, p.fail("element %s has an attribute, a prefix or a bad name", name)
	}
	var b strings.Builder
	for {
		switch {
		case p.i >= len(p.s):
			return pair{}, p.fail("element %s does not end", name)
		case p.take("</"):
			if p.name() != name {
				return pair{}, p.fail("element %s is closed by another name", name)
			}
			p.space()
			if !p.take(">") {
				return pair{}, p.fail("element %s is not closed", name)
			}
			return pair{name, b.String()}, nil
		case p.take("<![CDATA["):
			end := strings.Index(p.rest(), "]]>")
			if end < 0 {
				return pair{}, p.fail("the CDATA of %s does not end", name)
			}
			if err := p.text(&b, p.rest()[:end], false); err != nil {
				return pair{}, err
			}
			p.i += end + 3
		case p.s[p.i] == '<':
			return pair{}, p.fail("element %s holds markup: messages are flat", name)
		default:
			end := strings.IndexByte(p.rest(), '<')
			if end < 0 {
				end = len(p.rest())
			}
			if err := p.text(&b, p.rest()[:end], true); err != nil {
				return pair{}, err
			}
			p.i += end
		}
	}
}

// name reads an element's name: letters, digits and _ - . , no prefix.
func (p *xmlScanner) name() string {
	start := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (p.i == start || c != '-' && c != '.' && (c < '0' || c > '9')) {
			break
		}
		p.i++
	}
	return p.s[start:p.i]
}

// text appends character data: line ends become LF (XML 1.0, 2.11), control
// characters are refused, the five entities and numeric references decoded.
func (p *xmlScanner) text(b *strings.Builder, s string, entities bool) error {
	if entities && strings.Contains(s, "]]>") {
		return p.fail("]]> in text")
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	for len(s) > 0 {
		if entities && s[0] == '&' {
			name, after, ok := strings.Cut(s[1:], ";")
			r, known := entity(name)
			if !ok || !known || !xmlChar(r) {
				return p.fail("an unknown entity or a bad reference")
			}
			b.WriteRune(r)
			s = after
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		if !xmlChar(r) {
			return p.fail("a character that XML does not allow")
		}
		b.WriteString(s[:n])
		s = s[n:]
	}
	return nil
}

// entity decodes the inside of &...;.
func entity(name string) (rune, bool) {
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
	num, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, false
	}
	base := 10
	if hex, ok := strings.CutPrefix(num, "x"); ok {
		num, base = hex, 16
	}
	n, err := strconv.ParseUint(num, base, 21)
	return rune(n), err == nil && utf8.ValidRune(rune(n))
}

// xmlChar is the Char production of XML 1.0.
func xmlChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r != 0xfffe && r != 0xffff
}

// xmlEscape writes a value as text.
func xmlEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#xD;").Replace(s)
}

// writeXML writes a flat message as WeChat does: numbers bare, everything else
// in CDATA, a ]]> inside split over two sections.
func writeXML(fields []pair) string {
	var b strings.Builder
	b.WriteString("<xml>")
	for _, f := range fields {
		if f.value != "" && strings.Trim(f.value, digits) == "" && len(f.value) < 11 {
			fmt.Fprintf(&b, "<%s>%s</%s>\n", f.name, f.value, f.name)
			continue
		}
		v := strings.ReplaceAll(f.value, "]]>", "]]]]><![CDATA[>")
		fmt.Fprintf(&b, "<%s><![CDATA[%s]]></%s>\n", f.name, v, f.name)
	}
	b.WriteString("</xml>")
	return b.String()
}
