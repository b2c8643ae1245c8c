package wasmbin

import (
	"bytes"
	"testing"
)

// dataBinary returns a binary with the segments.
func dataBinary(t testing.TB, segments ...Segment) []byte {
	t.Helper()
	data, err := encodeData(segments)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(header + section(sectionCode, "\x01\x01a") + section(sectionData, string(data)) + section(0, "\x04last"))
}

func TestPackJoinsSegments(t *testing.T) {
	original := dataBinary(t,
		Segment{100_000, []byte("far")}, // out of order, as Go's linker writes them
		Segment{16, []byte("one")},
		Segment{27, []byte("two")},
		Segment{30, []byte("three")},
		Segment{35 + maxGap, []byte("last")},
	)
	packed, err := Pack(original)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(packed)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Data) != 2 || m.Data[0].Addr != 16 || m.Data[1].Addr != 100_000 {
		t.Errorf("%d segments", len(m.Data))
	}
	checkSame(t, original, packed)
}

// checkSame fails the test unless both binaries have the same initial memory and differ only in the
// data section.
func checkSame(t *testing.T, a, b []byte) {
	t.Helper()
	was, err := Parse(a)
	if err != nil {
		t.Fatal(err)
	}
	is, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	before, err := was.Memory()
	if err != nil {
		t.Fatal(err)
	}
	after, err := is.Memory()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("memory differs")
	}
	if len(was.Sections) != len(is.Sections) {
		t.Fatalf("%d sections, %d before", len(is.Sections), len(was.Sections))
	}
	for i, s := range was.Sections {
		if is.Sections[i].ID != s.ID || s.ID != sectionData && !bytes.Equal(is.Sections[i].Content, s.Content) {
			t.Errorf("section %d differs", i)
		}
	}
}

func TestPackRejects(t *testing.T) {
	for what, binary := range map[string]string{
		"no binary":        "text",
		"a data count":     header + section(sectionDataCount, "\x01") + section(sectionData, "\x01\x00\x41\x00\x0b\x01a"),
		"too much memory":  header + section(sectionData, "\x01\x00\x41\x80\x80\x80\x80\x04\x0b\x01a"),
		"a negative place": header + section(sectionData, "\x01\x00\x41\x7f\x0b\x01a"),
	} {
		if packed, err := Pack([]byte(binary)); err == nil {
			t.Errorf("%s: packed to %q", what, packed)
		}
	}
}

func FuzzPack(f *testing.F) {
	f.Add(dataBinary(f, Segment{0, []byte("ab")}))
	f.Add(dataBinary(f, Segment{5, []byte("overlaps")}, Segment{3, []byte("this")}, Segment{4000, nil}))
	f.Fuzz(func(t *testing.T, b []byte) {
		packed, err := Pack(b)
		if err != nil {
			return
		}
		checkSame(t, b, packed)
		if again, err := Pack(packed); err != nil || !bytes.Equal(again, packed) {
			t.Errorf("packing twice: %v", err)
		}
	})
}
