package warm

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// A message is what crosses the border between Go and JavaScript: fields one
// after the other, each its length in bytes as a little-endian uint32 and its
// bytes. One copy of memory carries a whole request, where syscall/js would
// cross for every header and every column. message.mjs is the other side.
type message []byte

var errMessage = errors.New("warm: malformed message")

// add appends a field.
func (m message) add(field string) message {
	return append(binary.LittleEndian.AppendUint32(m, uint32(len(field))), field...)
}

// addBytes appends a field.
func (m message) addBytes(field []byte) message {
	return append(binary.LittleEndian.AppendUint32(m, uint32(len(field))), field...)
}

func (m message) addInt(n int) message { return m.add(strconv.Itoa(n)) }

// reader takes the fields of a message one by one. After the first that is not
// there it returns zero values, and err says so.
type reader struct {
	rest []byte
	err  error
}

// bytes returns the next field. It shares memory with the message.
func (r *reader) bytes() []byte {
	if len(r.rest) < 4 {
		return r.fail()
	}
	n := binary.LittleEndian.Uint32(r.rest)
	if uint64(n) > uint64(len(r.rest)-4) {
		return r.fail()
	}
	field := r.rest[4 : 4+n : 4+n]
	r.rest = r.rest[4+n:]
	return field
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) int() int {
	n, err := strconv.Atoi(r.string())
	if err != nil {
		r.fail()
	}
	return n
}

// count returns the number of things that follow, each of which takes at least
// one field, so that no message can ask for more memory than it has itself.
func (r *reader) count() int {
	n := r.int()
	if n < 0 || n > len(r.rest)/4 {
		r.fail()
		return 0
	}
	return n
}

func (r *reader) fail() []byte {
	r.rest, r.err = nil, errMessage
	return nil
}
