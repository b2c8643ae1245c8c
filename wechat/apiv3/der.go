package apiv3

import (
	"bytes"
	"time"
)

// This file reads and writes the part of DER that keys and certificates need, because crypto/x509
// would make the Worker a quarter larger. The tests compare it with crypto/x509.

// Tags of DER.
const (
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagOctetString     = 0x04
	tagNull            = 0x05
	tagOID             = 0x06
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	tagSequence        = 0x30
	tagVersion         = 0xa0 // of a certificate: [0]
)

// Contents of object identifiers.
var (
	oidRSA = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01}
	oidEC  = []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01}
)

// der reads elements in sequence. After the first unexpected element all elements are empty, and
// bad is true.
type der struct {
	rest []byte
	bad  bool
}

// next returns the tag and the content of the next element, and the element as a
// whole.
func (d *der) next() (tag byte, content, whole []byte) {
	b := d.rest
	if d.bad || len(b) < 2 || b[0]&0x1f == 0x1f {
		return d.fail()
	}
	size, head := int(b[1]), 2
	if size >= 0x80 {
		// Long form: the low bits are the number of bytes of the length.
		n := size & 0x7f
		if n < 1 || n > 3 || len(b) < 2+n || b[2] == 0 {
			return d.fail()
		}
		size, head = 0, 2+n
		for _, v := range b[2:head] {
			size = size<<8 | int(v)
		}
		if size < 0x80 {
			return d.fail()
		}
	}
	if len(b)-head < size {
		return d.fail()
	}
	d.rest = b[head+size:]
	return b[0], b[head : head+size], b[:head+size]
}

func (d *der) fail() (byte, []byte, []byte) {
	d.bad, d.rest = true, nil
	return 0, nil, nil
}

// take returns the content of the next element, which must have the tag.
func (d *der) take(tag byte) []byte {
	got, content, _ := d.next()
	if got != tag {
		d.fail()
		return nil
	}
	return content
}

// open returns a reader of the next element, which must have the tag.
func (d *der) open(tag byte) *der {
	content := d.take(tag)
	return &der{rest: content, bad: d.bad}
}

// peek returns the tag of the next element, 0 when there is none.
func (d *der) peek() byte {
	if len(d.rest) == 0 {
		return 0
	}
	return d.rest[0]
}

// natural returns the next element, a natural number: its bytes, the first of
// which is not 0. Zero has none.
func (d *der) natural() []byte {
	b := d.take(tagInteger)
	switch {
	case len(b) == 0, b[0] >= 0x80, len(b) > 1 && b[0] == 0 && b[1] < 0x80:
		d.fail()
		return nil
	case b[0] == 0:
		return b[1:]
	}
	return b
}

// end reports whether all elements were read and none was unexpected.
func (d *der) end() bool { return !d.bad && len(d.rest) == 0 }

// time returns the next element, a UTCTime or a GeneralizedTime.
func (d *der) time() time.Time {
	tag, content, _ := d.next()
	text := string(content)
	switch tag {
	case tagUTCTime:
		// Two digits of the year: from 1950 to 2049.
		if len(text) != len("060102150405Z") {
			d.fail()
			return time.Time{}
		}
		century := "20"
		if text[0] >= '5' {
			century = "19"
		}
		text = century + text
	case tagGeneralizedTime:
	default:
		d.fail()
		return time.Time{}
	}
	const layout = "20060102150405Z"
	t, err := time.Parse(layout, text)
	if err != nil || t.Format(layout) != text {
		d.fail()
		return time.Time{}
	}
	return t
}

// encode returns an element of DER. Its content is the parts, one after the other.
func encode(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	n := len(content)
	var b []byte
	switch {
	case n < 0x80:
		b = []byte{tag, byte(n)}
	case n < 1<<8:
		b = []byte{tag, 0x81, byte(n)}
	case n < 1<<16:
		b = []byte{tag, 0x82, byte(n >> 8), byte(n)}
	default:
		b = []byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}
	}
	return append(b, content...)
}

// encodeNatural returns an INTEGER.
func encodeNatural(n []byte) []byte {
	if len(n) == 0 || n[0] >= 0x80 {
		n = append([]byte{0}, n...)
	}
	return encode(tagInteger, n)
}

// rsaAlgorithm returns the AlgorithmIdentifier of RSA keys.
func rsaAlgorithm() []byte {
	return encode(tagSequence, encode(tagOID, oidRSA), encode(tagNull))
}
