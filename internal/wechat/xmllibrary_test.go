package wechat

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// parseByLibrary reads a message with encoding/xml, as leniently as that is. Its
// fields are what parse has to find in every message that it takes.
func parseByLibrary(body []byte) ([]Field, error) {
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, bom)))
	dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	var fields []Field
	var text strings.Builder
	depth := 0
	for {
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			return fields, nil
		}
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if depth++; depth == 2 {
				text.Reset()
				fields = append(fields, Field{Name: tok.Name.Local})
			}
		case xml.EndElement:
			if depth == 2 {
				fields[len(fields)-1].Value = text.String()
			}
			depth--
		case xml.CharData:
			text.Write(tok)
		}
	}
}

// FuzzParseAgreesWithTheLibrary: what parse takes, encoding/xml takes too, and
// reads the same in it.
func FuzzParseAgreesWithTheLibrary(f *testing.F) {
	for _, seed := range []string{
		"<xml></xml>", "<xml><a>1</a><b><![CDATA[x]]></b></xml>", "\ufeff<?xml version='1.0' encoding='utf-8'?><xml><a/></xml>",
		"<?xml version = \"1.0\" encoding =\t'UTF-8'\r\nstandalone= \"no\" ?>\n<xml></xml>", "<?xml version=\"1.0\"encoding=\"utf-8\"?><xml/>",
		"<xml><a>]]]]><![CDATA[></a></xml>", "<xml><a>&#13;&#10;\r\n&#x1F375;&#0065;</a></xml>", "<xml><a>\r</a><b><![CDATA[\r]]>\n</b></xml>",
		"<xml><a>&#xd800;&#x110000;&#X41;&#;&;&amp</a></xml>", "<xml><a-b.c_1 >x</a-b.c_1\n></xml >", "<xml><a>x]]&gt;y</a></xml>", "<xml><a>></a></xml>",
		"<xml><a\u00b7>x</a\u00b7></xml>", "<xml><1/></xml>", "<xml><a/ ></xml>", "<xml><a b='>'>1</a></xml>", "<xml><a<b>1</a<b></xml>",
		paid().signed(SignHMAC), taken().signed(SignMD5), string(write([]Field{{"a", "]]>"}, {"b", "<&\r\n\t"}})),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parse(body)
		if err != nil {
			return
		}
		want, err := parseByLibrary(body)
		if err != nil {
			t.Fatalf("read %v from what encoding/xml refuses: %v", got, err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("read %q, encoding/xml %q", got, want)
		}
	})
}
