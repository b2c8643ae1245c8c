package wechattest

import (
	"encoding/xml"
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

func TestParseXMLRefuses(t *testing.T) {
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

// FuzzParseXML holds the reader against the standard library's: whatever it
// accepts, encoding/xml reads as the same names and values.
func FuzzParseXML(f *testing.F) {
	for _, s := range []string{
		"<xml><a>1</a><b><![CDATA[<x>]]></b></xml>", "<xml><a>&#x4e2d;&amp;</a></xml>", "<xml><a/></xml>",
		"<?xml version=\"1.0\" encoding=\"utf-8\"?><xml><a-b.c_1>\r\n</a-b.c_1 ></xml>", "<xml><a>]]&gt;</a></xml>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := parseXML(in)
		if err != nil {
			return
		}
		var want []pair
		d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(in, "\ufeff")))
		depth := 0
		for {
			tok, err := d.Token()
			if err != nil {
				if depth != 0 || err.Error() != "EOF" {
					t.Fatalf("encoding/xml refuses %q: %v", in, err)
				}
				break
			}
			switch tok := tok.(type) {
			case xml.StartElement:
				if depth++; depth == 2 {
					want = append(want, pair{name: tok.Name.Local})
				}
			case xml.EndElement:
				depth--
			case xml.CharData:
				if depth == 2 {
					want[len(want)-1].value += string(tok)
				}
			}
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(pair{})); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	})
}
