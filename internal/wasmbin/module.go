// Package wasmbin reads and rewrites WebAssembly binaries as far as the build
// and its measurements need. It knows what Go's linker writes, not all that the
// format allows, and says so when it meets something else.
package wasmbin

import (
	"errors"
	"fmt"
	"slices"
)

// Module is a binary taken apart. All slices are of the file.
type Module struct {
	Sections []Section
	Code     [][]byte  // the bodies of the functions, in order
	Data     []Segment // what memory starts with
}

// Section is a part of the file with its id (WebAssembly core specification
// 2.0, 5.5.2).
type Section struct {
	ID      byte
	Content []byte
}

// Segment is a run of bytes that is copied to memory before the program starts.
type Segment struct {
	Addr  uint32
	Bytes []byte
}

// Ids of the sections that are looked into.
const (
	sectionCustom    = 0
	sectionCode      = 10
	sectionData      = 11
	sectionDataCount = 12
)

const header = "\x00asm\x01\x00\x00\x00"

// Parse takes a binary apart.
func Parse(b []byte) (*Module, error) {
	if len(b) < len(header) || string(b[:len(header)]) != header {
		return nil, errors.New("not a WebAssembly binary of version 1")
	}
	m := &Module{}
	r := reader{b: b[len(header):]}
	for len(r.b) > 0 {
		s := Section{r.byte(), r.bytes()}
		if r.err != nil {
			return nil, r.err
		}
		if s.ID != sectionCustom && slices.ContainsFunc(m.Sections, func(other Section) bool { return other.ID == s.ID }) {
			return nil, fmt.Errorf("two sections %d", s.ID)
		}
		m.Sections = append(m.Sections, s)
		if err := m.readSection(s); err != nil {
			return nil, fmt.Errorf("section %d: %w", s.ID, err)
		}
	}
	return m, nil
}

// readSection reads the code and the data section.
func (m *Module) readSection(s Section) error {
	r := reader{b: s.Content}
	switch s.ID {
	case sectionCode:
		m.Code = r.code()
	case sectionData:
		m.Data = r.data()
	default:
		return nil
	}
	if r.err == nil && len(r.b) > 0 {
		return errors.New("bytes left over")
	}
	return r.err
}

// maxMemory is the most initial memory that is laid out, in bytes: ten times
// what the project's programs have.
const maxMemory = 64 << 20

// Memory lays the segments out as the program finds them, from address 0.
func (m *Module) Memory() ([]byte, error) {
	end := uint64(0)
	for _, s := range m.Data {
		end = max(end, uint64(s.Addr)+uint64(len(s.Bytes)))
	}
	if end > maxMemory {
		return nil, fmt.Errorf("the initial memory is over %d MiB", maxMemory>>20)
	}
	image := make([]byte, end)
	for _, s := range m.Data {
		copy(image[s.Addr:], s.Bytes)
	}
	return image, nil
}
