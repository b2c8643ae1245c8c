package main

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const header = "\x00asm\x01\x00\x00\x00"

// section returns a section with its length before it.
func section(id byte, content string) string {
	return string(binary.AppendUvarint([]byte{id}, uint64(len(content)))) + content
}

func TestParseModule(t *testing.T) {
	m, err := parseModule([]byte(header +
		section(0, "\x04name") +
		section(sectionCode, "\x02"+"\x01a"+"\x02bc") +
		section(sectionData, "\x02"+"\x00\x41\x80\x01\x0b\x03xyz"+"\x00\x41\x7f\x0b\x00")))
	if err != nil {
		t.Fatal(err)
	}
	want := &module{
		code: [][]byte{[]byte("a"), []byte("bc")},
		data: []segment{{128, []byte("xyz")}, {0xffffffff, []byte{}}},
	}
	if diff := cmp.Diff(want, m, cmp.AllowUnexported(module{}, segment{})); diff != "" {
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
		"an address over 32 bits":    header + section(sectionData, "\x01\x00\x41\x80\x80\x80\x80\x80\x01\x0b\x01a"),
	} {
		if m, err := parseModule([]byte(binary)); err == nil {
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

func FuzzParseModule(f *testing.F) {
	f.Add([]byte(header + section(sectionCode, "\x01\x01a") + section(sectionData, "\x01\x00\x41\x00\x0b\x02ab")))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseModule(b)
		if err != nil {
			return
		}
		size := 0
		for _, body := range m.code {
			size += len(body)
		}
		for _, s := range m.data {
			size += len(s.bytes)
		}
		if size > len(b) {
			t.Errorf("%d bytes of code and data in a file of %d", size, len(b))
		}
		readProgram(m)
	})
}

func TestUploadLine(t *testing.T) {
	got, err := parseUpload("Read 24 files\nTotal Upload: 7346.96 KiB / gzip: 2055.36 KiB\nYour Worker\n")
	if err != nil || got != 2104689 {
		t.Errorf("%d, %v", got, err)
	}
	for _, out := range []string{"", "Total Upload: 7.2 MiB / gzip: 2.1 MiB", "Total Upload: 1.00 KiB / gzip: 1.2.3 KiB"} {
		if got, err := parseUpload(out); err == nil {
			t.Errorf("%q: %d", out, got)
		}
	}
}

func TestReportNamesTheHeaviest(t *testing.T) {
	p := &program{
		funcs: []function{
			{"light", []byte("1")}, {"heavy", []byte("abcdefghijklmnopqrstuvwxyz")},
			{"heavy", []byte("0123456789")}, {"lighter", []byte("2")},
		},
		regions: []region{{"words", []byte("some")}},
	}
	var b strings.Builder
	if err := p.report(&b, 50, 1); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		if f := strings.Fields(line); len(f) > 2 && f[0] != "raw" {
			got = append(got, f[0]+" "+f[len(f)-1])
		}
	}
	want := []string{"36 heavy", "2 packages", "38 code", "4 words", "4 data", "8 functions"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
