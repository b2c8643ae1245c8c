package wasmbin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Strip returns the same program without source lines. A trace still names functions, but has "?:0"
// as the place, the runtime's own notation for an unknown one. It omits arguments. The tables for
// running, garbage collection and stack unwinding stay.
//
// Strip sets unused tables to zero in place, which costs almost nothing in compressed form. See
// runtime/symtab.go of Go 1.26 for the tables.
func Strip(b []byte) ([]byte, error) {
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
	if err := t.strip(); err != nil {
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
	files []byte // file names
	names []byte // names of functions, each with a zero after it
	n     int
}

// The header of the pclntab: its magic number and the words after it.
const (
	pcMagic     = "\xf1\xff\xff\xff\x00\x00\x01\x08" // Go 1.20 and later, quantum 1, words of 8 bytes
	pcFuncs     = 8                                  // number of functions
	pcNameTab   = 32
	pcFileTab   = 48 // offsets from the header
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
	names, files, pcs, funcs, end := word(pcNameTab), word(pcFileTab), word(pcPCTab), word(pcFuncTab), uint64(len(tab))
	if word(pcFuncs) != uint64(n) || names < pcHeaderLen || files < names || pcs < files || funcs < pcs || end < funcs || end-funcs < uint64(n)*8 {
		return nil, errTables
	}
	return &tables{funcs: tab[funcs:], pcs: tab[pcs:funcs], files: tab[files:pcs], names: tab[names:files], n: n}, nil
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

// strip removes from each record what only describes the source. It then removes from the table of
// code what no record needs.
func (t *tables) strip() error {
	needed := make([]bool, len(t.pcs))
	for i := range t.n {
		at := binary.LittleEndian.Uint32(t.funcs[i*8+4:])
		if uint64(at)+recLen > uint64(len(t.funcs)) {
			return errTables
		}
		rec := t.funcs[at:]
		pcdata, funcdata := int(binary.LittleEndian.Uint32(rec[recPCData:])), int(rec[recFuncData])
		if pcdata > 16 || recLen+4*(pcdata+funcdata) > len(rec) {
			return errTables
		}
		put := func(offset int, value uint32) { binary.LittleEndian.PutUint32(rec[offset:], value) }
		for _, offset := range []int{recFile, recLine, recUnit, recStartLine} {
			put(offset, noPCData)
		}
		keep := []int{recPCSP}
		for i := range pcdata {
			if offset := recLen + 4*i; i == pcdataUnsafePoint || i == pcdataArgLive {
				put(offset, noPCData)
			} else {
				keep = append(keep, offset)
			}
		}
		for i := range funcdata {
			if i == funcdataArgInfo || i == funcdataArgLive {
				put(recLen+4*(pcdata+i), noFuncData)
			}
		}
		for _, offset := range keep {
			if err := t.markNeeded(needed, binary.LittleEndian.Uint32(rec[offset:])); err != nil {
				return fmt.Errorf("function %d: %w", i, err)
			}
		}
	}
	for i, need := range needed {
		if !need {
			t.pcs[i] = 0
		}
	}
	clear(t.files)
	return nil
}

// markNeeded marks the table by code at an offset. It is a list of pairs: the change of a value and
// the length of code for which it holds. A change of 0 ends it, except in the first pair.
func (t *tables) markNeeded(needed []bool, offset uint32) error {
	if offset == 0 {
		return nil
	}
	if uint64(offset) >= uint64(len(t.pcs)) {
		return errTables
	}
	r := reader{b: t.pcs[offset:]}
	for first := true; ; first = false {
		change := r.uint32()
		if change == 0 && !first {
			break
		}
		r.uint32()
		if r.err != nil {
			return errTables
		}
	}
	end := len(t.pcs) - len(r.b)
	for i := int(offset); i < end; i++ {
		needed[i] = true
	}
	return nil
}
