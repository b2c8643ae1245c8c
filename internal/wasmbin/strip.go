package wasmbin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Strip returns the same program without the source lines of the functions whose names keep rejects.
// A trace still names these functions, but has "?:0" as the place, the runtime's own notation for an
// unknown one. It omits all arguments. The tables for running, garbage collection and stack unwinding
// stay.
//
// Strip sets unused tables to zero in place, which costs almost nothing in compressed form. See
// runtime/symtab.go of Go 1.26 for the tables.
func Strip(b []byte, keep func(name string) bool) ([]byte, error) {
	m, err := Parse(b)
	if err != nil {
		return nil, err
	}
	image, err := m.Memory()
	if err != nil {
		return nil, err
	}
	t, err := findTables(image, len(m.Code))
	if err != nil {
		return nil, err
	}
	if err := t.strip(keep); err != nil {
		return nil, err
	}
	for i, s := range m.Data {
		m.Data[i].Bytes = image[s.Addr:][:len(s.Bytes)]
	}
	return m.encode(m.Data)
}

// tables are the tables of the pclntab with information about each function.
type tables struct {
	funcs []byte // nfunc pairs of an address and an offset in this table, then the records
	pcs   []byte // values that change along the code of a function, by offset
	names []byte // names of functions, by offset; each ends with a 0
	units []byte // of each unit of compilation, the offsets of its files' names
	files []byte // file names; each ends with a 0
	n     int
}

// The header of the pclntab: its magic number and the words after it.
const (
	pcMagic     = "\xf1\xff\xff\xff\x00\x00\x01\x08" // Go 1.20 and later, quantum 1, words of 8 bytes
	pcFuncs     = 8                                  // number of functions
	pcNameTab   = 32                                 // offsets from the header
	pcUnitTab   = 40
	pcFileTab   = 48
	pcPCTab     = 56
	pcFuncTab   = 64
	pcHeaderLen = 72
)

var errTables = errors.New("function tables: want the layout of Go 1.26, see wasmbin.Strip")

// findTables finds the tables of a program with n functions.
func findTables(image []byte, n int) (*tables, error) {
	at := bytes.Index(image, []byte(pcMagic))
	if at < 0 || len(image)-at < pcHeaderLen {
		return nil, errTables
	}
	tab := image[at:]
	word := func(offset int) uint64 { return binary.LittleEndian.Uint64(tab[offset:]) }
	names, units, files, pcs, funcs, end := word(pcNameTab), word(pcUnitTab), word(pcFileTab), word(pcPCTab), word(pcFuncTab), uint64(len(tab))
	inOrder := slices.IsSorted([]uint64{pcHeaderLen, names, units, files, pcs, funcs, end})
	if word(pcFuncs) != uint64(n) || !inOrder || end-funcs < uint64(n)*8 {
		return nil, errTables
	}
	return &tables{funcs: tab[funcs:], pcs: tab[pcs:funcs], names: tab[names:units], units: tab[units:files], files: tab[files:pcs], n: n}, nil
}

// A record of a function, runtime._func: offsets of its fields, followed by the offsets of its
// tables.
const (
	recName      = 4
	recPCSP      = 16
	recFile      = 20
	recLine      = 24
	recPCData    = 28 // number of tables by code
	recUnit      = 32
	recStartLine = 36
	recFuncData  = 43 // number of tables by function
	recLen       = 44
)

// The numbers of the tables, internal/abi/symtab.go.
const (
	pcdataUnsafePoint = 0 // for preemption by signals, which browsers do not have
	pcdataArgLive     = 3 // for traces
	funcdataArgInfo   = 5 // for traces
	funcdataArgLive   = 6 // for traces

	noPCData   = 0
	noFuncData = ^uint32(0)
)

// strip removes from each record what only describes the source, unless keep accepts the function. It
// then removes from the other tables what no record needs.
func (t *tables) strip(keep func(name string) bool) error {
	pcs, files := make([]bool, len(t.pcs)), make([]bool, len(t.units))
	for i := range t.n {
		at := binary.LittleEndian.Uint32(t.funcs[i*8+4:])
		if uint64(at)+recLen > uint64(len(t.funcs)) {
			return errTables
		}
		if err := t.stripFunction(t.funcs[at:], keep, pcs, files); err != nil {
			return fmt.Errorf("function %d: %w", i, err)
		}
	}
	clearOthers(t.pcs, pcs)
	return t.clearFiles(files)
}

// stripFunction strips the record of one function. It marks the bytes that the record needs of the
// tables by code and of the files of the units.
func (t *tables) stripFunction(rec []byte, keep func(name string) bool, pcs, files []bool) error {
	get := func(offset int) uint32 { return binary.LittleEndian.Uint32(rec[offset:]) }
	put := func(offset int, value uint32) { binary.LittleEndian.PutUint32(rec[offset:], value) }
	pcdata, funcdata := int(get(recPCData)), int(rec[recFuncData])
	if pcdata > 16 || recLen+4*(pcdata+funcdata) > len(rec) {
		return errTables
	}
	name, err := text(t.names, get(recName))
	if err != nil {
		return err
	}
	needed := []int{recPCSP}
	if keep(string(name)) {
		needed = append(needed, recFile, recLine)
		if err := t.markFiles(files, get(recFile), get(recUnit)); err != nil {
			return err
		}
	} else {
		for _, offset := range []int{recFile, recLine, recUnit, recStartLine} {
			put(offset, noPCData)
		}
	}
	for i := range pcdata {
		if offset := recLen + 4*i; i == pcdataUnsafePoint || i == pcdataArgLive {
			put(offset, noPCData)
		} else {
			needed = append(needed, offset)
		}
	}
	for i := range funcdata {
		if i == funcdataArgInfo || i == funcdataArgLive {
			put(recLen+4*(pcdata+i), noFuncData)
		}
	}
	for _, offset := range needed {
		table := get(offset)
		size, err := t.walk(table, func(int32) {})
		if err != nil {
			return err
		}
		for i := range size {
			pcs[int(table)+i] = true
		}
	}
	return nil
}

// markFiles marks the entries of the unit at index unit that the table of files at an offset names.
func (t *tables) markFiles(files []bool, offset, unit uint32) error {
	var missing bool
	_, err := t.walk(offset, func(file int32) {
		at := 4 * (int64(unit) + int64(file))
		if file < 0 || at+4 > int64(len(files)) {
			missing = true
			return
		}
		files[at] = true
	})
	if missing {
		return errTables
	}
	return err
}

// clearFiles clears the names of the files that no unit's marked entry has, and the other entries.
func (t *tables) clearFiles(marked []bool) error {
	needed := make([]bool, len(t.files))
	for at := 0; at+4 <= len(t.units); at += 4 {
		if !marked[at] {
			binary.LittleEndian.PutUint32(t.units[at:], 0)
			continue
		}
		offset := binary.LittleEndian.Uint32(t.units[at:])
		name, err := text(t.files, offset)
		if err != nil {
			return err
		}
		for i := range name {
			needed[int(offset)+i] = true
		}
	}
	clearOthers(t.files, needed)
	return nil
}

func clearOthers(table []byte, needed []bool) {
	for i, need := range needed {
		if !need {
			table[i] = 0
		}
	}
}

// text is the text at an offset of a table, without the 0 at its end.
func text(table []byte, offset uint32) ([]byte, error) {
	if uint64(offset) >= uint64(len(table)) {
		return nil, errTables
	}
	b, _, ok := bytes.Cut(table[offset:], []byte{0})
	if !ok {
		return nil, errTables
	}
	return b, nil
}

// walk returns the size in bytes of the table by code at an offset, and calls value with each value of
// it. The table is a list of pairs: the change of a value, which begins at -1, and the length of code
// for which it holds. A change of 0 ends it, except in the first pair. Offset 0 is no table.
func (t *tables) walk(offset uint32, value func(int32)) (int, error) {
	if offset == 0 {
		return 0, nil
	}
	if uint64(offset) >= uint64(len(t.pcs)) {
		return 0, errTables
	}
	r := reader{b: t.pcs[offset:]}
	v := int32(-1)
	for first := true; ; first = false {
		change := r.uint32()
		if change == 0 && !first {
			break
		}
		r.uint32()
		if r.err != nil {
			return 0, errTables
		}
		v += int32(change>>1) ^ -int32(change&1) // the lowest bit is the sign
		value(v)
	}
	return len(t.pcs) - len(r.b) - int(offset), nil
}
