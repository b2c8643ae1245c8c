package wechat

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The grammar of a message, in regular expressions for what comes next.
var (
	formDeclaration = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?i:"utf-8"|'utf-8'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"yes"|'yes'|"no"|'no'))?[ \t\r\n]*\?>`)
	formStart       = regexp.MustCompile(`^[ \t\r\n]*<([A-Za-z_][A-Za-z0-9_.-]*)[ \t\r\n]*(/?)>`)
	formEnd         = regexp.MustCompile(`^</([A-Za-z_][A-Za-z0-9_.-]*)[ \t\r\n]*>`)
	formText        = regexp.MustCompile(`^[^<&]+`)
	formCDATA       = regexp.MustCompile(`(?s)^<!\[CDATA\[(.*?)\]\]>`)
	formReference   = regexp.MustCompile(`^&(?:(lt)|(gt)|(amp)|(quot)|(apos)|#([0-9]+)|#x([0-9A-Fa-f]+));`)
	formSpace       = regexp.MustCompile(`^[ \t\r\n]*`)
	notInXML        = regexp.MustCompile(`[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]`)
	lineEnds        = strings.NewReplacer("\r\n", "\n", "\r", "\n")
)

// reference reads messages by the grammar, without encoding/xml.
type reference struct{ rest string }

// take reads what has the form and returns its groups, or nil.
func (r *reference) take(form *regexp.Regexp) []string {
	m := form.FindStringSubmatch(r.rest)
	if m != nil {
		r.rest = r.rest[len(m[0]):]
	}
	return m
}

func (r *reference) message() (fields []Field, ok bool) {
	r.take(formDeclaration)
	root := r.take(formStart)
	if root == nil || root[1] != "xml" {
		return nil, false
	}
	for root[2] == "" {
		if start := r.take(formStart); start != nil {
			value, ok := "", true
			if start[2] == "" {
				value, ok = r.value(start[1])
			}
			if !ok || slices.ContainsFunc(fields, func(f Field) bool { return f.Name == start[1] }) {
				return nil, false
			}
			fields = append(fields, Field{start[1], value})
			continue
		}
		r.take(formSpace)
		if end := r.take(formEnd); end == nil || end[1] != "xml" {
			return nil, false
		}
		break
	}
	r.take(formSpace)
	return fields, r.rest == ""
}

// value reads up to the end tag and past it.
func (r *reference) value(name string) (text string, ok bool) {
	for {
		if m := r.take(formText); m != nil {
			if strings.Contains(m[0], "]]>") {
				return "", false
			}
			text += lineEnds.Replace(m[0])
		} else if m := r.take(formCDATA); m != nil {
			text += lineEnds.Replace(m[1])
		} else if m := r.take(formReference); m != nil {
			i := slices.IndexFunc(m[1:], func(s string) bool { return s != "" })
			char := []rune{'<', '>', '&', '"', '\'', 0, 0}[i]
			if char == 0 {
				n, err := strconv.ParseInt(m[i+1], []int{10, 16}[i-5], 32)
				char = rune(n)
				// Parse rejects a reference to U+FFFD, together with surrogates.
				if err != nil || !utf8.ValidRune(char) || char == utf8.RuneError || notInXML.MatchString(string(char)) {
					return "", false
				}
			}
			text += string(char)
		} else if m := r.take(formEnd); m != nil {
			return text, m[1] == name
		} else {
			return "", false
		}
	}
}

// FuzzParseFollowsTheGrammar: parse accepts exactly the messages of the grammar, and reads the same
// in them.
func FuzzParseFollowsTheGrammar(f *testing.F) {
	for _, seed := range []string{
		"<xml></xml>", "<xml><a>1</a><b><![CDATA[x]]></b></xml>", "\ufeff<?xml version='1.0' encoding='utf-8'?><xml><a/></xml>",
		"<?xml version = \"1.0\" encoding =\t'UTF-8'\r\nstandalone= \"no\" ?>\n<xml></xml>", "<?xml version=\"1.0\"encoding=\"utf-8\"?><xml/>",
		"<xml><a>]]]]><![CDATA[></a></xml>", "<xml><a>&#13;&#10;\r\n&#x1F375;&#0065;</a></xml>", "<xml><a>\r</a><b><![CDATA[\r]]>\n</b></xml>",
		"<xml><a>&#xd800;&#x110000;&#X41;&#;&;&amp</a></xml>", "<xml><a-b.c_1 >x</a-b.c_1\n></xml >", "<xml><a>x]]&gt;y</a></xml>", "<xml><a>></a></xml>",
		"<xml><a\u00b7>x</a\u00b7></xml>", "<xml><1/></xml>", "<xml><a/ ></xml>", "<xml><a b='>'>1</a></xml>", "<xml><a<b>1</a<b></xml>",
		"<xml><a>&#xd800;</a></xml>", "<xml><a>&#57343;</a></xml>", "<xml><a>\ufffd&#xfffd;</a></xml>", "<xml><a>\ufffd</a></xml>", "<xml><a>&#65534;</a></xml>",
		"<xml>&#32;</xml>", "<xml><![CDATA[ ]]></xml>", "&#32;<xml></xml>", "<xml></xml>&#10;", "<xml></xml>\u00a0", "<xml>\u0085</xml>",
		"<?xml version='1.0' standalone='yes'?><xml/>", "<?xml version='1.0' standalone='maybe'?><xml/>", "<?xml version='1.0' encoding='utf-8' x='encoding=\"gbk\"'?><xml/>",
		"<?xml encoding='utf-8' version='1.0'?><xml/>", "<?xml version='1.0\"?><xml/>", "<?xml?><xml/>", "<?xml version='1.0'\u00a0encoding='utf-8'?><xml/>", "<?xml version=='1.0'?><xml/>",
		paid().signed(SignHMAC), taken().signed(SignMD5), string(write([]Field{{"a", "]]>"}, {"b", "<&\r\n\t"}})),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parse(body)
		r := reference{strings.TrimPrefix(string(body), string(bom))}
		want, ok := r.message()
		if ok = ok && len(body) <= maxMessage && len(want) <= maxFields && utf8.Valid(body) && !notInXML.Match(body); !ok {
			want = nil
		}
		if ok != (err == nil) || !slices.Equal(got, want) {
			t.Fatalf("%q: read %q, %v; by the grammar %q, %v", body, got, err, want, ok)
		}
	})
}
