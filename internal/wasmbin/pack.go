package wasmbin

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
)

// maxGap is the longest run of zeroes that Pack writes, in bytes.
const maxGap = 4 << 10

// Pack returns the same program in a form that compresses better and starts faster. Go's linker
// starts a new data segment after eight or more zeroes. One table of the runtime has sixteen
// 20-byte records per function, and each becomes a segment. Compressed, their addresses take more
// space than the zeroes. Pack writes short runs of zeroes instead. The initial memory stays the
// same.
func Pack(b []byte) ([]byte, error) {
	m, err := Parse(b)
	if err != nil {
		return nil, err
	}
	image, err := m.Memory()
	if err != nil {
		return nil, err
	}
	return m.encode(join(m.Data, image))
}

// encode writes the binary with another data section.
func (m *Module) encode(segments []Segment) ([]byte, error) {
	data, err := encodeData(segments)
	if err != nil {
		return nil, err
	}
	b := []byte(header)
	for _, s := range m.Sections {
		switch s.ID {
		case sectionData:
			s.Content = data
		case sectionDataCount:
			return nil, errors.New("unexpected data count section: want a binary of Go's linker")
		}
		b = append(b, s.ID)
		b = binary.AppendUvarint(b, uint64(len(s.Content)))
		b = append(b, s.Content...)
	}
	return b, nil
}

// join merges segments with at most maxGap between them. It drops zeroes around segments, because
// memory is zero anyway.
func join(segments []Segment, image []byte) []Segment {
	sorted := slices.Clone(segments)
	slices.SortFunc(sorted, func(a, b Segment) int { return cmp.Compare(a.Addr, b.Addr) })
	var joined []Segment
	end := 0 // of the last segment
	for _, s := range sorted {
		start, next := int(s.Addr), int(s.Addr)+len(s.Bytes)
		if len(joined) > 0 && start-end <= maxGap {
			last := &joined[len(joined)-1]
			end = max(end, next)
			last.Bytes = image[last.Addr:end]
			continue
		}
		end = next
		joined = append(joined, Segment{s.Addr, image[start:end]})
	}
	return joined
}

// encodeData writes a data section.
func encodeData(segments []Segment) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(segments)))
	for _, s := range segments {
		if s.Addr >= 1<<31 {
			return nil, errors.New("a data segment exceeds 2 GiB")
		}
		b = append(b, activeInMemory0, opI32Const)
		b = appendInt(b, s.Addr)
		b = append(b, opEnd)
		b = binary.AppendUvarint(b, uint64(len(s.Bytes)))
		b = append(b, s.Bytes...)
	}
	return b, nil
}

// appendInt appends a number as signed LEB128: bit 6 of its last byte is clear.
func appendInt(b []byte, n uint32) []byte {
	for n >= 0x40 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}
