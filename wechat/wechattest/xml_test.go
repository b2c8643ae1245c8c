package wechattest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseXMLReadsFlatMessages(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"text and CDATA", "<xml><a>1</a><b><![CDATA[<x> & ]]></b></xml>", "1|<x> & "},
		{"prolog, BOM, space", "\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml>\n <a>1</a>\t\r\n</xml>\n", "1"},
		{"empty forms", "<xml><a></a><b/><c /></xml>", "||"},
		{"entities", "<xml><a>&lt;&amp;&gt;&quot;&apos;&#33;&#x4e2d;</a></xml>", "<&>\"'!中"},
		{"split CDATA", "<xml><a><![CDATA[x]]]]><![CDATA[>y]]></a></xml>", "x]]>y"},
		{"line ends", "<xml><a>1\r\n2\r3</a></xml>", "1\n2\n3"},
		{"kept space", "<xml><a> 1 </a></xml>", " 1 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseXML(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			var values []string
			for _, f := range got {
				values = append(values, f.value)
			}
			if strings.Join(values, "|") != tt.want {
				t.Errorf("got %q, want %q", values, tt.want)
			}
		})
	}
}

func TestParseXMLRejectsBadMessages(t *testing.T) {
	var many strings.Builder
	for i := range maxElements + 1 {
		fmt.Fprintf(&many, "<a%d/>", i)
	}
	for name, in := range map[string]string{
		"nothing":            "",
		"text":               "hello",
		"another root":       "<root><a>1</a></root>",
		"root attribute":     `<xml a="1"></xml>`,
		"DOCTYPE first":      `<!DOCTYPE xml><xml><a>1</a></xml>`,
		"DOCTYPE inside":     `<xml><!DOCTYPE xml></xml>`,
		"comment":            `<xml><!-- --><a>1</a></xml>`,
		"comment in a value": `<xml><a>1<!-- -->2</a></xml>`,
		"instruction":        `<xml><?php ?><a>1</a></xml>`,
		"repeated":           `<xml><a>1</a><a>1</a></xml>`,
		"nested":             `<xml><a><b>1</b></a></xml>`,
		"prefix":             `<xml><p:a>1</p:a></xml>`,
		"attribute":          `<xml><a x="1">1</a></xml>`,
		"text between":       `<xml>x<a>1</a></xml>`,
		"wrong end":          `<xml><a>1</b></xml>`,
		"no end":             `<xml><a>1</a>`,
		"trailing element":   `<xml></xml><xml></xml>`,
		"trailing text":      `<xml></xml>x`,
		"unknown entity":     `<xml><a>&xxe;</a></xml>`,
		"bare ampersand":     `<xml><a>a & b</a></xml>`,
		"control character":  "<xml><a>\x01</a></xml>",
		"control reference":  "<xml><a>&#1;</a></xml>",
		"GBK":                `<?xml version="1.0" encoding="GBK"?><xml></xml>`,
		"not UTF-8":          "<xml><a>\xe4</a></xml>",
		"bad declaration":    `<?xml foo?><xml></xml>`,
		"XML 1.1":            `<?xml version="1.1"?><xml></xml>`,
		"cut CDATA":          `<xml><a><![CDATA[x</a></xml>`,
		"]]> in text":        `<xml><a>]]></a></xml>`,
		"surrogate":          `<xml><a>&#xD800;</a></xml>`,
		"decimal surrogate":  `<xml><a>&#0057343;</a></xml>`,
		"reference between":  `<xml>&#32;<a>1</a></xml>`,
		"CDATA between":      `<xml><![CDATA[ ]]><a>1</a></xml>`,
		"trailing end":       `<xml></xml></xml>`,
		"name space":         `<xml xmlns="urn:x"><a>1</a></xml>`,
		"letter of no ASCII": "<xml><\u00e9>1</\u00e9></xml>",
		"two declarations":   `<?xml version="1.0"?><?xml version="1.0"?><xml></xml>`,
		"late declaration":   ` <?xml version="1.0"?><xml></xml>`,
		"too long":           "<xml><a>" + strings.Repeat("x", maxBody) + "</a></xml>",
		"too many elements":  "<xml>" + many.String() + "</xml>",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseXML(in); err == nil {
				t.Errorf("accepted as %v", got)
			}
		})
	}
}

func TestWriteXMLReadsBack(t *testing.T) {
	want := []pair{{"a", "1"}, {"b", "]]>"}, {"c", "<&>]]>]]>"}, {"d", ""}, {"e", "中\n文"}}
	got, err := parseXML(writeXML(want))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(pair{})); d != "" {
		t.Error(d)
	}
}

// FuzzParseXML: whatever it accepts has the shape of a flat message, and is the
// same message when it is written again.
func FuzzParseXML(f *testing.F) {
	for _, s := range []string{
		"<xml><a>1</a><b><![CDATA[<x>]]></b></xml>", "<xml><a>&#x4e2d;&amp;</a></xml>", "<xml><a/></xml>",
		"<?xml version=\"1.0\" encoding=\"utf-8\"?><xml><a-b.c_1>\r\n</a-b.c_1 ></xml>", "<xml><a>]]&gt;</a></xml>",
		"<xml>&#32;</xml>", "<xml><![CDATA[ ]]></xml>", "<xml><a>&#xd800;</a></xml>", "<xml xmlns=''/>", "<xml><xmlns:a/></xml>", "<xml></xml>&#32;",
		"<xml><a>1<!-- -->2</a></xml>", "<xml><?a?></xml>", "<!DOCTYPE xml><xml/>", "<xml><\u00e9/></xml>", "<xml></xml></xml>", "<xml><a><b/></a></xml>",
		"<?xml version='1.0'?><?xml version='1.0'?><xml/>", " <?xml version='1.0'?><xml/>", "<?xml version='1.0' encoding='gbk'?><xml/>",
	} {
		f.Add(s)
	}
	cdata := regexp.MustCompile(`(?s)<!\[CDATA\[.*?\]\]>`)
	flat := regexp.MustCompile(`^\x{feff}?(<\?xml version[^?]*\?>)?\s*<xml\s*(/>|>(\s*<[\w.-]+\s*(/>|>[^<]*</[\w.-]+\s*>))*\s*</xml\s*>)\s*$`)
	reference := regexp.MustCompile(`&(lt|gt|amp|quot|apos|#\d+|#x[[:xdigit:]]+);`)
	f.Fuzz(func(t *testing.T, in string) {
		got, err := parseXML(in)
		if err != nil {
			return
		}
		shape := cdata.ReplaceAllString(in, "c")
		if !flat.MatchString(shape) || strings.Contains(reference.ReplaceAllString(shape, ""), "&") {
			t.Fatalf("accepted %q as %q", in, got)
		}
		for i := range got {
			got[i].value = strings.ReplaceAll(got[i].value, "\r", "") // writeXML does not carry it
		}
		if written := writeXML(got); len(written) <= maxBody {
			again, err := parseXML(written)
			if d := cmp.Diff(got, again, cmp.AllowUnexported(pair{})); d != "" || err != nil {
				t.Errorf("%q: %v, %s", in, err, d)
			}
		}
	})
}
