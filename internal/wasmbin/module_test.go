package wasmbin

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// section returns a section with its length.
func section(id byte, content string) string {
	return string(binary.AppendUvarint([]byte{id}, uint64(len(content)))) + content
}

func TestParseModule(t *testing.T) {
	m, err := Parse([]byte(header +
		section(0, "\x04name") +
		section(sectionCode, "\x02"+"\x01a"+"\x02bc") +
		section(sectionData, "\x02"+"\x00\x41\x80\x01\x0b\x03xyz"+"\x00\x41\x7f\x0b\x00")))
	if err != nil {
		t.Fatal(err)
	}
	want := &Module{
		Sections: []Section{
			{0, []byte("\x04name")}, {sectionCode, []byte("\x02\x01a\x02bc")},
			{sectionData, []byte("\x02\x00\x41\x80\x01\x0b\x03xyz\x00\x41\x7f\x0b\x00")},
		},
		Code: [][]byte{[]byte("a"), []byte("bc")},
		Data: []Segment{{128, []byte("xyz")}, {0xffffffff, []byte{}}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMalformedModules(t *testing.T) {
	for what, binary := range map[string]string{
		"nothing":                    "",
		"another magic":              "\x00elf\x01\x00\x00\x00",
		"another version":            "\x00asm\x02\x00\x00\x00",
		"a section without a length": header + "\x0a",
		"a section cut off":          header + "\x0a\x05\x01",
		"a length over 32 bits":      header + "\x0a\xff\xff\xff\xff\x7f",
		"a length without an end":    header + "\x0a\x80\x80",
		"fewer bodies than said":     header + section(sectionCode, "\x02\x01a"),
		"four billion bodies":        header + section(sectionCode, "\xff\xff\xff\xff\x0f"),
		"a body cut off":             header + section(sectionCode, "\x01\x05ab"),
		"bytes after the bodies":     header + section(sectionCode, "\x01\x01ab"),
		"a segment cut off":          header + section(sectionData, "\x01\x00\x41\x00\x0b\x05ab"),
		"a passive segment":          header + section(sectionData, "\x01\x01\x02ab"),
		"a computed address":         header + section(sectionData, "\x01\x00\x23\x00\x0b\x01a"),
		"two code sections":          header + section(sectionCode, "\x00") + section(sectionCode, "\x00"),
		"an address over 32 bits":    header + section(sectionData, "\x01\x00\x41\x80\x80\x80\x80\x80\x01\x0b\x01a"),
	} {
		if m, err := Parse([]byte(binary)); err == nil {
			t.Errorf("%s: read as %+v", what, m)
		}
	}
}

func TestSignedNumbers(t *testing.T) {
	for text, want := range map[string]int32{
		"\x00": 0, "\x3f": 63, "\x40": -64, "\x7f": -1, "\x80\x01": 128, "\xff\x00": 127, "\x80\x7f": -128,
		"\xff\xff\xff\xff\x07": 1<<31 - 1, "\x80\x80\x80\x80\x78": -1 << 31,
	} {
		r := reader{b: []byte(text)}
		if got := r.int32(); got != want || r.err != nil || len(r.b) > 0 {
			t.Errorf("%q: %d, %v, %d bytes left", text, got, r.err, len(r.b))
		}
	}
}
