package wechattest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
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

// xmlError is a broken rule of the message format, in words for a developer.
type xmlError struct{ rule string }

func (e *xmlError) Error() string { return e.rule }

// parseXML reads a flat message: one <xml> with children that hold text only.
// It shares no code with the client of package wechat, so that an error in one
// of them shows in the other. It rejects a DOCTYPE, a comment, a processing
// instruction, an attribute, a prefix, a nested or a repeated element, text
// between elements and anything after </xml>.
func parseXML(s string) ([]pair, error) {
	r, err := newXMLReader(s)
	if err != nil {
		return nil, err
	}
	if open, err := r.tag(); err != nil {
		return nil, err
	} else if open != "xml" {
		return nil, r.fail("the message must be one <xml> element")
	}
	var fields []pair
	seen := map[string]bool{}
	for {
		name, err := r.tag()
		switch {
		case err != nil:
			return nil, err
		case name == "": // </xml>
			if name, err := r.tag(); err != nil {
				return nil, err
			} else if name != "" {
				return nil, r.fail("there is an element after </xml>")
			}
			return fields, nil
		case seen[name]:
			return nil, r.fail("the element %s is repeated", name)
		case len(fields) == maxElements:
			return nil, r.fail("there are more than %d elements", maxElements)
		}
		value, err := r.value(name)
		if err != nil {
			return nil, err
		}
		seen[name] = true
		fields = append(fields, pair{name, value})
	}
}

var (
	xmlDecl     = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*("[A-Za-z0-9._-]+"|'[A-Za-z0-9._-]+'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>`)
	xmlName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	xmlSpace    = regexp.MustCompile(`^[ \t\r\n]*$`)
	xmlCharCode = regexp.MustCompile(`&#(x?)([0-9A-Fa-f]+);`)
)

// xmlReader reads tags and text by the library's decoder, which also sees that
// the tags match.
type xmlReader struct {
	dec    *xml.Decoder
	text   string // what the decoder reads: the message without its declaration
	offset int    // of text in the message
}

// newXMLReader checks the declaration, which the message need not have.
func newXMLReader(s string) (*xmlReader, error) {
	if !utf8.ValidString(s) {
		return nil, &xmlError{"the message is not UTF-8"}
	}
	if len(s) > maxBody {
		return nil, &xmlError{"the message is longer than 64 KiB"}
	}
	text := strings.TrimPrefix(s, "\ufeff")
	if decl := xmlDecl.FindStringSubmatch(text); decl != nil {
		if decl[1] != "" && strings.ToLower(decl[1][1:len(decl[1])-1]) != "utf-8" {
			return nil, &xmlError{"the declared encoding is not UTF-8"}
		}
		text = text[len(decl[0]):]
	}
	return &xmlReader{xml.NewDecoder(strings.NewReader(text)), text, len(s) - len(text)}, nil
}

func (r *xmlReader) fail(format string, args ...any) error {
	return &xmlError{fmt.Sprintf(format, args...) + " (byte " + strconv.FormatInt(int64(r.offset)+r.dec.InputOffset(), 10) + ")"}
}

// next returns a token and its source, or no token at the end of the message.
func (r *xmlReader) next() (xml.Token, string, error) {
	start := r.dec.InputOffset()
	tok, err := r.dec.Token()
	var syntax *xml.SyntaxError
	switch {
	case err == io.EOF:
		return nil, "", nil
	case errors.As(err, &syntax):
		return nil, "", r.fail("%s", syntax.Msg)
	case err != nil:
		return nil, "", r.fail("%s", err)
	}
	switch tok.(type) {
	case xml.Directive:
		return nil, "", r.fail("a DOCTYPE is rejected")
	case xml.Comment:
		return nil, "", r.fail("a comment is rejected")
	case xml.ProcInst:
		return nil, "", r.fail("a processing instruction or a malformed XML declaration is rejected")
	}
	return tok, r.text[start:r.dec.InputOffset()], nil
}

// tag skips white space and returns the name of the element that begins, or ""
// for an end tag or the end of the message.
func (r *xmlReader) tag() (string, error) {
	for {
		tok, source, err := r.next()
		if err != nil {
			return "", err
		}
		switch tok := tok.(type) {
		case xml.CharData:
			if !xmlSpace.MatchString(source) {
				return "", r.fail("there is text outside of the elements")
			}
		case xml.StartElement:
			if tok.Name.Space != "" || len(tok.Attr) > 0 || !xmlName.MatchString(tok.Name.Local) {
				return "", r.fail("element %s has an attribute, a prefix or a bad name", tok.Name.Local)
			}
			return tok.Name.Local, nil
		default:
			return "", nil
		}
	}
}

// value returns the text up to the end of the element.
func (r *xmlReader) value(name string) (string, error) {
	var b strings.Builder
	for {
		tok, source, err := r.next()
		if err != nil {
			return "", err
		}
		switch tok := tok.(type) {
		case xml.CharData:
			if !strings.HasPrefix(source, "<![CDATA[") && surrogate(source) {
				return "", r.fail("a character reference of %s stands for half a character", name)
			}
			b.Write(tok)
		case xml.StartElement:
			return "", r.fail("element %s holds an element: messages are flat", name)
		default:
			return b.String(), nil
		}
	}
}

// surrogate reports whether text has a reference to a surrogate. The library
// would read it as U+FFFD.
func surrogate(text string) bool {
	for _, m := range xmlCharCode.FindAllStringSubmatch(text, -1) {
		base := 10
		if m[1] == "x" {
			base = 16
		}
		if n, err := strconv.ParseInt(m[2], base, 32); err == nil && n >= 0xd800 && n <= 0xdfff {
			return true
		}
	}
	return false
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
