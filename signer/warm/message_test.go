package warm

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMessageKeepsItsFields(t *testing.T) {
	t.Parallel()
	fields := []string{"", "x", "中文\x00\r\n", strings.Repeat("y", 70000), "-12", ""}
	m := new(message)
	for _, f := range fields {
		m.add(f)
	}
	m.addBytes([]byte{0xff, 0}).addInt(-12)
	r := newReader(m.bytes())
	var got []string
	for range fields {
		got = append(got, r.string())
	}
	if diff := cmp.Diff(fields, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if b, n := r.string(), r.int(); b != "\xff\x00" || n != -12 || r.remaining() != 0 || r.err != nil {
		t.Errorf("then %q, %d, %d left, %v", b, n, r.remaining(), r.err)
	}
	if s := r.string(); s != "" || r.err == nil {
		t.Errorf("after the last: %q, %v", s, r.err)
	}
}

func TestReaderRejectsBadNumbers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", "1.5", "99999999999999999999"} {
		if r := newReader(new(message).add(text).bytes()); r.int() != 0 || r.err == nil {
			t.Errorf("%q is accepted as a number", text)
		}
	}
	for _, n := range []int{-1, 2, 1 << 40} {
		if r := newReader(new(message).addInt(n).add("one").bytes()); r.count() != 0 || r.err == nil {
			t.Errorf("one field has %d values", n)
		}
	}
}

// Reading arbitrary bytes ends and stays within them.
func FuzzReader(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{1, 0, 0, 0, 1, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(new(message).add("a").addInt(7).bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newReader(b)
		size, fields := 0, 0
		again := new(message)
		for r.remaining() > 0 && r.err == nil {
			s := r.string()
			if r.err == nil {
				again.add(s)
				size += len(s)
				fields++
			}
		}
		if size > len(b) || fields > len(b)/4 {
			t.Errorf("%d fields of %d bytes in a message of %d", fields, size, len(b))
		}
		if r.err == nil && r.text == "" && len(b) > 0 && !bytes.Equal(again.bytes(), b) {
			t.Errorf("read %q, which is %q", b, again.bytes())
		}
	})
}
