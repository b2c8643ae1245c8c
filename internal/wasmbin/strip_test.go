package wasmbin

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Strip rejects binaries that are not laid out like a Go program. h5pay/internal/cmd/wasmbuild tests that a
// stripped program runs.
func TestStripRejectsOtherBinaries(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":            "",
		"no tables":          "some words",
		"a header cut short": pcMagic,
		"zeroes after it":    pcMagic + string(make([]byte, 100)),
	} {
		b := header + section(sectionCode, "\x01"+"\x01a") +
			section(sectionData, "\x01"+"\x00\x41\x00\x0b"+string(binary.AppendUvarint(nil, uint64(len(data))))+data)
		if _, err := Strip([]byte(b), nothing); !errors.Is(err, errTables) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nothing is a keep for Strip.
func nothing(string) bool { return false }

// One function with several tables by code. Three are needed at run time; one of these is also the
// table of lines.
func TestStripKeepsWhatIsNeeded(t *testing.T) {
	pcs := []byte{0, // offset 0 is none
		2, 1, 0, // 1: the frame
		4, 1, 6, 1, 0, // 4: files
		0, 5, 2, 1, 0, // 9: lines, and stack maps
		8, 1, 0, // 14: unsafe points
		2, 0x81, 0x01, 0, // 17: what is inlined, with a number of two bytes
		6, 1, 0, // 21: live arguments
		9, // 24: no table at all
	}
	rec := make([]byte, recLen)
	put := func(offset int, value uint32) { binary.LittleEndian.PutUint32(rec[offset:], value) }
	put(recPCSP, 1)
	put(recFile, 4)
	put(recLine, 9)
	put(recPCData, 4)
	put(recUnit, 7)
	put(recStartLine, 70)
	rec[recFuncData] = 7
	for _, offset := range []uint32{14, 9, 17, 21, 100, 101, 102, 103, 104, 105, 106} {
		rec = binary.LittleEndian.AppendUint32(rec, offset)
	}
	tab := &tables{
		funcs: append([]byte{0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, rec...),
		pcs:   pcs, names: []byte("f\x00"), files: []byte("a.go\x00"), n: 1,
	}
	if err := tab.strip(nothing); err != nil {
		t.Fatal(err)
	}
	want := []byte{0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 5, 2, 1, 0, 0, 0, 0, 2, 0x81, 0x01, 0, 0, 0, 0, 0}
	if diff := cmp.Diff(want, tab.pcs); diff != "" {
		t.Errorf("tables by code (-want +got):\n%s", diff)
	}
	got := map[int]uint32{}
	for offset := recPCSP; offset < len(rec); offset += 4 {
		if offset != 40 { // single bytes
			got[offset] = binary.LittleEndian.Uint32(tab.funcs[16+offset:])
		}
	}
	if diff := cmp.Diff(map[int]uint32{
		recPCSP: 1, recFile: 0, recLine: 0, recPCData: 4, recUnit: 0, recStartLine: 0,
		44: 0, 48: 9, 52: 17, 56: 0,
		60: 100, 64: 101, 68: 102, 72: 103, 76: 104, 80: noFuncData, 84: noFuncData,
	}, got); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
	if string(tab.files) != "\x00\x00\x00\x00\x00" {
		t.Errorf("files %q", tab.files)
	}
}

// Two functions have their own tables of files and lines. Only the first is kept, with the files of
// its table and no others.
func TestStripKeepsLines(t *testing.T) {
	tab := &tables{
		names: []byte("main.a\x00sort.b\x00"),
		pcs: []byte{0, // offset 0 is none
			6, 1, 1, 1, 0, // 1: files 2 and 1
			20, 1, 4, 1, 0, // 6: lines
			2, 1, 0, // 11: file 0
			8, 1, 0, // 14: lines
		},
		files: []byte("0.go\x001.go\x002.go\x003.go\x00"), n: 2,
	}
	for _, offset := range []uint32{15, 0, 5, 10} { // the unit begins at index 1
		tab.units = binary.LittleEndian.AppendUint32(tab.units, offset)
	}
	tab.funcs = binary.LittleEndian.AppendUint32(tab.funcs, 0)
	for i, f := range []struct{ name, file, line, startLine uint32 }{{0, 1, 6, 70}, {7, 11, 14, 80}} {
		rec := make([]byte, recLen)
		for offset, value := range map[int]uint32{recName: f.name, recFile: f.file, recLine: f.line, recUnit: 1, recStartLine: f.startLine} {
			binary.LittleEndian.PutUint32(rec[offset:], value)
		}
		if i == 0 {
			tab.funcs = binary.LittleEndian.AppendUint32(tab.funcs, 16)
			tab.funcs = binary.LittleEndian.AppendUint32(tab.funcs, 0)
			tab.funcs = binary.LittleEndian.AppendUint32(tab.funcs, 16+recLen)
		}
		tab.funcs = append(tab.funcs, rec...)
	}
	if err := tab.strip(func(name string) bool { return name == "main.a" }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]byte{0, 6, 1, 1, 1, 0, 20, 1, 4, 1, 0, 0, 0, 0, 0, 0, 0}, tab.pcs); diff != "" {
		t.Errorf("tables by code (-want +got):\n%s", diff)
	}
	if want := "\x00\x00\x00\x00\x001.go\x002.go\x00\x00\x00\x00\x00\x00"; string(tab.files) != want {
		t.Errorf("files %q, want %q", tab.files, want)
	}
	for i, want := range [][]uint32{{1, 6, 1, 70}, {0, 0, 0, 0}} {
		rec := tab.funcs[16+i*recLen:]
		for j, offset := range []int{recFile, recLine, recUnit, recStartLine} {
			if got := binary.LittleEndian.Uint32(rec[offset:]); got != want[j] {
				t.Errorf("function %d, field %d: %d, want %d", i, offset, got, want[j])
			}
		}
	}
}

// A name, a file or a table outside of its table is an error.
func TestStripRejectsOffsets(t *testing.T) {
	for field, value := range map[int]uint32{recName: 9, recFile: 9, recUnit: 7} {
		rec := make([]byte, recLen)
		binary.LittleEndian.PutUint32(rec[recFile:], 1)
		binary.LittleEndian.PutUint32(rec[field:], value)
		tab := &tables{
			funcs: append([]byte{0, 0, 0, 0, 8, 0, 0, 0}, rec...), pcs: []byte{0, 2, 1, 0},
			names: []byte("a\x00"), units: make([]byte, 4), files: []byte("a.go\x00"), n: 1,
		}
		if err := tab.strip(func(string) bool { return true }); !errors.Is(err, errTables) {
			t.Errorf("field %d: %v", field, err)
		}
	}
}
