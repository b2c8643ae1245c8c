package wasmbin

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// FirstSection is the custom section that CompileFirst adds. It has the places of functions in the
// table of the program, in ascending order, each as an unsigned LEB128 number: the difference to the
// one before.
const FirstSection = "h5pay.first"

// The names of the exports that CompileFirst adds: the table of all functions, and the stack pointer.
const (
	exportTable = "table"
	exportSP    = "sp"
)

const (
	sectionImport  = 2
	sectionExport  = 7
	sectionElement = 9

	kindFunction = 0
	kindTable    = 1
	kindGlobal   = 3
)

// CompileFirst returns the same program with the names of the functions that run first, so that a page
// can have them compiled before it starts the program: see compile.js of the site. Names that the
// program does not have are left out.
func CompileFirst(b []byte, names []string) ([]byte, error) {
	m, err := Parse(b)
	if err != nil {
		return nil, err
	}
	all, err := m.FunctionNames()
	if err != nil {
		return nil, err
	}
	first, slot, err := m.table()
	if err != nil {
		return nil, err
	}
	imports, err := m.Imports()
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	list, last := []byte{}, uint32(0)
	for i, name := range all {
		if f := uint32(imports + i); wanted[name] && !StartsProgram(name) && f >= first {
			list = binary.AppendUvarint(list, uint64(slot+f-first-last))
			last = slot + f - first
		}
	}
	for i, s := range m.Sections {
		if s.ID == sectionExport {
			r := reader{b: s.Content}
			n := r.uint32()
			if r.err != nil {
				return nil, r.err
			}
			content := slices.Concat(binary.AppendUvarint(nil, uint64(n+2)), r.b, export(exportTable, kindTable), export(exportSP, kindGlobal))
			m.Sections[i].Content = content
		}
	}
	content := slices.Concat(vector(FirstSection), list)
	m.Sections = slices.Insert(m.Sections, 0, Section{sectionCustom, content})
	return m.encode(m.Data)
}

// StartsProgram reports whether a function sets the stack pointer. Those written in assembly without a package
// are entries of the program.
func StartsProgram(name string) bool { return !strings.Contains(name, ".") || name == "runtime.rt0_go" }

// export is the export of the table or the global with the number 0. Go's stack pointer is global 0.
func export(name string, kind byte) []byte { return append(vector(name), kind, 0) }

// vector is a text with its length before it.
func vector(s string) []byte { return append(binary.AppendUvarint(nil, uint64(len(s))), s...) }

// Imports returns the number of imports, which are functions only.
func (m *Module) Imports() (int, error) {
	for _, s := range m.Sections {
		if s.ID != sectionImport {
			continue
		}
		r := reader{b: s.Content}
		n := r.uint32()
		for range n {
			r.bytes()
			r.bytes()
			if kind := r.byte(); r.err == nil && kind != kindFunction {
				return 0, errors.New("import section: want functions only")
			}
			r.uint32()
		}
		return int(n), r.err
	}
	return 0, nil
}

// table returns the first function in the table and its place. The functions after it follow there.
func (m *Module) table() (first, slot uint32, err error) {
	for _, s := range m.Sections {
		if s.ID != sectionElement {
			continue
		}
		r := reader{b: s.Content}
		segments, kind, op := r.uint32(), r.uint32(), r.byte()
		at := r.int32()
		end, n := r.byte(), r.uint32()
		first = r.uint32()
		for i := uint32(1); i < n && r.err == nil; i++ {
			if f := r.uint32(); f != first+i {
				return 0, 0, errors.New("element section: want functions in order")
			}
		}
		if r.err == nil && (segments != 1 || kind != 0 || op != opI32Const || end != opEnd || len(r.b) > 0) {
			return 0, 0, errors.New("element section: want one segment at a constant place")
		}
		return first, uint32(at), r.err
	}
	return 0, 0, errors.New("no element section")
}

// FunctionNames returns the names of the functions of a Go program, in the order of their bodies.
func (m *Module) FunctionNames() ([]string, error) {
	image, err := m.Memory()
	if err != nil {
		return nil, err
	}
	t, err := findTables(image, len(m.Code))
	if err != nil {
		return nil, err
	}
	all := make([]string, t.n)
	for i := range all {
		rec := uint64(binary.LittleEndian.Uint32(t.funcs[i*8+4:]))
		if rec+recLen > uint64(len(t.funcs)) {
			return nil, errTables
		}
		name, err := text(t.names, binary.LittleEndian.Uint32(t.funcs[rec+recName:]))
		if err != nil {
			return nil, err
		}
		all[i] = string(name)
	}
	return all, nil
}
