// Package wasmbin reads and rewrites WebAssembly binaries for the build and its measurements. It
// supports what Go's linker writes and returns an error for everything else.
package wasmbin

import (
	"errors"
	"fmt"
	"slices"
)

// Module is a parsed binary. All slices refer to the file.
type Module struct {
	Sections []Section
	Code     [][]byte  // the bodies of the functions, in order
	Data     []Segment // the initial contents of memory
}

// Section is a part of the file with its id (WebAssembly core specification 2.0, 5.5.2).
type Section struct {
	ID      byte
	Content []byte
}

// Segment is a range of bytes that is copied to memory before the program starts.
type Segment struct {
	Addr  uint32
	Bytes []byte
}

// The ids of the sections that Parse reads.
const (
	sectionCustom    = 0
	sectionCode      = 10
	sectionData      = 11
	sectionDataCount = 12
)

const header = "\x00asm\x01\x00\x00\x00"

// Parse parses a binary.
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
			return nil, fmt.Errorf("duplicate section %d", s.ID)
		}
		m.Sections = append(m.Sections, s)
		if err := m.readSection(s); err != nil {
			return nil, fmt.Errorf("section %d: %w", s.ID, err)
		}
	}
	return m, nil
}

// readSection reads the code or the data section.
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
		return errors.New("trailing bytes")
	}
	return r.err
}

// maxMemory limits the initial memory, in bytes: ten times that of the project's programs.
const maxMemory = 64 << 20

// Memory returns the initial memory from address 0.
func (m *Module) Memory() ([]byte, error) {
	end := uint64(0)
	for _, s := range m.Data {
		end = max(end, uint64(s.Addr)+uint64(len(s.Bytes)))
	}
	if end > maxMemory {
		return nil, fmt.Errorf("the initial memory exceeds %d MiB", maxMemory>>20)
	}
	image := make([]byte, end)
	for _, s := range m.Data {
		copy(image[s.Addr:], s.Bytes)
	}
	return image, nil
}
