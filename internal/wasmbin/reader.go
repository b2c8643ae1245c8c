package wasmbin

import (
	"encoding/binary"
	"errors"
	"math"
)

// reader decodes the encodings of a binary. After its first error, which it keeps, it returns
// zeroes.
type reader struct {
	b   []byte
	err error
}

var errShort = errors.New("unexpected end of data")

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail(errShort)
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// uint32 reads an unsigned LEB128 number.
func (r *reader) uint32() uint32 {
	n, size := binary.Uvarint(r.b)
	switch {
	case size == 0:
		r.fail(errShort)
		return 0
	case size < 0 || n > math.MaxUint32:
		r.fail(errors.New("a number exceeds 32 bits"))
		return 0
	}
	r.b = r.b[size:]
	return uint32(n)
}

// int32 reads a signed LEB128 number: at most five bytes of seven bits.
func (r *reader) int32() int32 {
	var n int64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		n |= int64(c&0x7f) << shift
		if c&0x80 == 0 {
			// The sign is the highest bit of the last byte.
			return int32(n << (57 - shift) >> (57 - shift))
		}
	}
	r.fail(errors.New("a number exceeds 32 bits"))
	return 0
}

// bytes reads a length and that many bytes.
func (r *reader) bytes() []byte {
	n := r.uint32()
	if r.err == nil && uint64(n) > uint64(len(r.b)) {
		r.fail(errShort)
	}
	if r.err != nil {
		return nil
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

// code reads the function bodies.
func (r *reader) code() [][]byte {
	var bodies [][]byte
	for n := r.uint32(); n > 0 && r.err == nil; n-- {
		bodies = append(bodies, r.bytes())
	}
	return bodies
}

// The modes of a data segment.
const (
	activeInMemory0 = 0
	opI32Const      = 0x41
	opEnd           = 0x0b
)

// data reads segments of the only kind that Go's linker writes: active, for memory 0, at a constant
// address.
func (r *reader) data() []Segment {
	var segments []Segment
	for n := r.uint32(); n > 0 && r.err == nil; n-- {
		kind, op := r.uint32(), r.byte()
		addr := r.int32()
		if end := r.byte(); r.err == nil && (kind != activeInMemory0 || op != opI32Const || end != opEnd) {
			r.fail(errors.New("data segment: want a constant address in memory 0"))
		}
		segments = append(segments, Segment{uint32(addr), r.bytes()})
	}
	return segments
}
