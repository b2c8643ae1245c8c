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
		if _, err := Strip([]byte(b)); !errors.Is(err, errTables) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

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
		pcs:   pcs, files: []byte("a.go\x00"), n: 1,
	}
	if err := tab.strip(); err != nil {
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
