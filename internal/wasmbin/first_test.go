package wasmbin

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// programOf returns a binary with one import, some empty functions with names, and a table with all of
// them from place 100 on.
func programOf(names ...string) []byte {
	const records = 200
	var nametab, funcs, recs []byte
	for i, name := range names {
		rec := make([]byte, recLen)
		binary.LittleEndian.PutUint32(rec[recName:], uint32(len(nametab)))
		funcs = binary.LittleEndian.AppendUint32(funcs, uint32(i))
		funcs = binary.LittleEndian.AppendUint32(funcs, uint32(records+i*recLen))
		recs = append(recs, rec...)
		nametab = append(nametab, name+"\x00"...)
	}
	funcs = append(append(funcs, make([]byte, records-len(funcs))...), recs...)
	head := make([]byte, pcHeaderLen)
	copy(head, pcMagic)
	put := func(offset, value int) { binary.LittleEndian.PutUint64(head[offset:], uint64(value)) }
	end := pcHeaderLen + len(nametab)
	put(pcFuncs, len(names))
	put(pcNameTab, pcHeaderLen)
	put(pcUnitTab, end)
	put(pcFileTab, end)
	put(pcPCTab, end)
	put(pcFuncTab, end)
	image := string(head) + string(nametab) + string(funcs)
	n := string(rune(len(names)))
	var elements, bodies strings.Builder
	for i := range names {
		elements.WriteByte(byte(1 + i))
		bodies.WriteString("\x02\x00\x0b")
	}
	return []byte(header +
		section(sectionImport, "\x01\x01a\x01b\x00\x00") +
		section(sectionExport, "\x01\x03mem\x02\x00") +
		section(sectionElement, "\x01\x00\x41\xe4\x00\x0b"+n+elements.String()) +
		section(sectionCode, n+bodies.String()) +
		section(sectionData, "\x01\x00\x41\x00\x0b"+string(binary.AppendUvarint(nil, uint64(len(image))))+image))
}

// The list has the places of the named functions. Those that would start the program are left out.
func TestCompileFirst(t *testing.T) {
	b := programOf("main.main", "runtime.rt0_go", "wasm_export_run", "fmt.Print", "os.Exit", "fmt.Println")
	got, err := CompileFirst(b, []string{"fmt.Println", "main.main", "runtime.rt0_go", "wasm_export_run", "fmt.Print", "gone.func", ""})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	contents := map[byte]string{}
	for _, s := range m.Sections {
		contents[s.ID] = string(s.Content)
	}
	if diff := cmp.Diff("\x0b"+FirstSection+"\x64\x03\x02", contents[sectionCustom]); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("\x03\x03mem\x02\x00\x05table\x01\x00\x02sp\x03\x00", contents[sectionExport]); diff != "" {
		t.Errorf("the exports (-want +got):\n%s", diff)
	}
}

func TestCompileFirstRejectsOtherBinaries(t *testing.T) {
	b := string(programOf("main.main", "fmt.Print"))
	for name, change := range map[string][2]string{
		"functions out of order":  {"\x02\x01\x02", "\x02\x02\x01"},
		"a table at another kind": {"\x01\x00\x41\xe4", "\x01\x00\x23\xe4"},
		"an import of a memory":   {"\x01a\x01b\x00", "\x01a\x01b\x02"},
		"names outside the table": {pcMagic, "\xf1\xff\xff\xff\x00\x00\x01\x09"},
	} {
		changed := strings.Replace(b, change[0], change[1], 1)
		if changed == b {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, err := CompileFirst([]byte(changed), nil); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
