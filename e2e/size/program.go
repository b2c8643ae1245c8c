package main

import (
	"bytes"
	"debug/gosym"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"h5pay/internal/wasmbin"
)

// program is a Go program in a WebAssembly binary. It is read from the tables
// that the Go runtime itself uses, which stay when symbols are stripped, so what
// is measured is the very file that is shipped.
type program struct {
	funcs   []function
	regions []region
}

type function struct {
	pkg  string // import path, or a word in brackets
	code []byte
}

// region is a part of the initial memory.
type region struct {
	what  string
	bytes []byte // what the file holds of it: long runs of zeroes are not stored
}

// Layout of a binary for js/wasm, from Go's linker and runtime: cmd/link/
// internal/wasm/asm.go, runtime/symtab.go.
const (
	word      = 8
	firstFunc = 0x1000                             // funcValueOffset: what the tables count functions from
	pcHeader  = "\xf1\xff\xff\xff\x00\x00\x01\x08" // magic of Go 1.20 and later, quantum 1, words of 8 bytes
)

// Words of runtime.moduledata.
const (
	modPclntab     = 0
	modFuncNames   = 1
	modFindFunc    = 19
	modFirstFunc   = 20
	modFuncData    = 40
	modPclntabEnds = 41
	modWords       = 42
)

var errLayout = errors.New("the binary is not laid out like those of Go 1.26: this tool has to be adapted")

// readProgram finds the names of m's functions and the parts of its data.
func readProgram(m *wasmbin.Module) (*program, error) {
	image, err := m.Memory()
	if err != nil {
		return nil, err
	}
	mem := &memory{image, m.Data}
	at := bytes.Index(image, []byte(pcHeader))
	if at < 0 {
		return nil, errors.New("no Go program: no pclntab in the data section")
	}
	// Package gosym believes these numbers.
	if funcs, files := mem.word(uint64(at)+word), mem.word(uint64(at)+2*word); funcs != uint64(len(m.Code)) || files > uint64(len(image)) {
		return nil, errLayout
	}
	p := &program{}
	if p.funcs, err = readFuncs(image[at:], m.Code); err != nil {
		return nil, err
	}
	p.regions, err = mem.regions(uint64(at))
	return p, err
}

// readFuncs names the functions by the pclntab.
func readFuncs(pclntab []byte, code [][]byte) ([]function, error) {
	table, err := gosym.NewTable(nil, gosym.NewLineTable(pclntab, 0))
	if err != nil {
		return nil, fmt.Errorf("reading the pclntab: %w", err)
	}
	funcs := make([]function, len(code))
	named := 0
	for i := range table.Funcs {
		f := &table.Funcs[i]
		n := f.Entry - firstFunc // wraps around for what is below
		if n >= uint64(len(code)) || funcs[n].code != nil {
			return nil, errLayout
		}
		funcs[n] = function{packageOf(f.Sym), code[n]}
		named++
	}
	if named != len(code) {
		return nil, fmt.Errorf("%w (it has %d functions and names for %d)", errLayout, len(code), named)
	}
	return funcs, nil
}

// packageOf returns what a function counts for.
func packageOf(s *gosym.Sym) string {
	switch pkg := s.PackageName(); {
	case strings.HasPrefix(s.Name, "type:"):
		return "(equality of types)"
	case pkg == "":
		return "(assembly)"
	default:
		// The linker writes a dot in the last element of a path as %2e.
		return strings.ReplaceAll(pkg, "%2e", ".")
	}
}

// memory is the linear memory as the program starts.
type memory struct {
	image    []byte
	segments []wasmbin.Segment
}

// stored returns what the file holds of the addresses from start to end.
func (mem *memory) stored(start, end uint64) []byte {
	var b []byte
	for _, s := range mem.segments {
		from, to := max(start, uint64(s.Addr)), min(end, uint64(s.Addr)+uint64(len(s.Bytes)))
		if from < to {
			b = append(b, s.Bytes[from-uint64(s.Addr):to-uint64(s.Addr)]...)
		}
	}
	return b
}

// regions tells the parts of memory apart, by the pclntab's header at the
// address pclntab and by runtime.moduledata.
func (mem *memory) regions(pclntab uint64) ([]region, error) {
	// Of the header, the distances of the tables from it.
	table := func(word uint64) uint64 { return pclntab + mem.word(pclntab+word*8) }
	mod := mem.findModule(pclntab, table(4))
	if mod == nil {
		return nil, errLayout
	}
	// In the order of their addresses; a part ends where the next begins.
	starts := []struct {
		what string
		addr uint64
	}{
		{"types, strings, constants", 0},
		{"pclntab: function names", pclntab},
		{"pclntab: file names", table(5)},
		{"pclntab: line and stack tables", table(7)},
		{"pclntab: a record per function", table(8)},
		{"pclntab: stack maps, inlining", mod[modFuncData]},
		{"pclntab: index by address", mod[modFindFunc]},
		{"variables", mod[modPclntabEnds]},
		{"", uint64(len(mem.image))},
	}
	var regions []region
	for i, s := range starts[:len(starts)-1] {
		end := starts[i+1].addr
		if s.addr >= end {
			return nil, errLayout
		}
		regions = append(regions, region{s.what, mem.stored(s.addr, end)})
	}
	return regions, nil
}

// findModule returns the words of runtime.moduledata, which begins with the
// addresses of the pclntab and of its function names; nil when there is none.
func (mem *memory) findModule(pclntab, names uint64) []uint64 {
	for at := uint64(0); at+modWords*word <= uint64(len(mem.image)); at += word {
		if mem.word(at+modPclntab*word) != pclntab || mem.word(at+modFuncNames*word) != names {
			continue
		}
		mod := make([]uint64, modWords)
		for i := range mod {
			mod[i] = mem.word(at + uint64(i)*word)
		}
		if mod[modFirstFunc] == firstFunc<<16 {
			return mod
		}
	}
	return nil
}

func (mem *memory) word(addr uint64) uint64 {
	if addr+word > uint64(len(mem.image)) {
		return 0
	}
	return binary.LittleEndian.Uint64(mem.image[addr:])
}
