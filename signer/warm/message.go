package warm

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// A message is the unit of data between Go and JavaScript. It holds the bytes of its fields, then
// their lengths, then their number. Lengths and number are little-endian uint32. One copy transfers
// a whole request; syscall/js would need a call per header and column. Either side can decode all
// bytes into one string and cut the fields from it. message.mjs is the other side.
type message struct {
	data  []byte
	sizes []byte
}

// newMessage returns an empty message with capacity for most messages.
func newMessage() *message {
	return &message{data: make([]byte, 0, 1024), sizes: make([]byte, 0, 256)}
}

// add appends a field.
func (m *message) add(field string) *message {
	m.data = append(m.data, field...)
	return m.finishField(len(field))
}

// addBytes appends a field.
func (m *message) addBytes(field []byte) *message {
	m.data = append(m.data, field...)
	return m.finishField(len(field))
}

// addInt appends a number in decimal.
func (m *message) addInt(n int) *message {
	before := len(m.data)
	m.data = strconv.AppendInt(m.data, int64(n), 10)
	return m.finishField(len(m.data) - before)
}

// finishField appends the length of the field that was just added.
func (m *message) finishField(size int) *message {
	m.sizes = binary.LittleEndian.AppendUint32(m.sizes, uint32(size))
	return m
}

// bytes returns the encoded message.
func (m *message) bytes() []byte {
	return binary.LittleEndian.AppendUint32(append(m.data, m.sizes...), uint32(len(m.sizes)/4))
}

var errMessage = errors.New("warm: malformed message")

// reader reads the fields of a message in order. After the first missing field it returns zero
// values and sets err.
type reader struct {
	text  string // of the remaining fields
	sizes []byte
	err   error
}

func newReader(b []byte) *reader {
	r := &reader{}
	if len(b) < 4 {
		r.fail()
		return r
	}
	sizes := len(b) - 4
	n := uint64(binary.LittleEndian.Uint32(b[sizes:])) * 4
	if n > uint64(sizes) {
		r.fail()
		return r
	}
	data := sizes - int(n)
	r.text, r.sizes = string(b[:data]), b[data:sizes]
	return r
}

// string returns the next field.
func (r *reader) string() string {
	if len(r.sizes) == 0 {
		return r.fail()
	}
	n := uint64(binary.LittleEndian.Uint32(r.sizes))
	if n > uint64(len(r.text)) {
		return r.fail()
	}
	field := r.text[:n]
	r.text, r.sizes = r.text[n:], r.sizes[4:]
	return field
}

// int returns the next field as a number.
func (r *reader) int() int {
	n, err := strconv.Atoi(r.string())
	if err != nil {
		r.fail()
		return 0
	}
	return n
}

// count returns the number of items that follow. Each item has at least one field. Thus no message
// can make the program allocate more than the message's own size.
func (r *reader) count() int {
	n := r.int()
	if n < 0 || n > r.remaining() {
		r.fail()
		return 0
	}
	return n
}

// remaining returns the number of fields left.
func (r *reader) remaining() int { return len(r.sizes) / 4 }

func (r *reader) fail() string {
	r.text, r.sizes, r.err = "", nil, errMessage
	return ""
}
