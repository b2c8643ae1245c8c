package alphabet_test

import (
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"h5pay/internal/alphabet"
)

var all = map[string]alphabet.Alphabet{
	"Digits": alphabet.Digits, "Lower32": alphabet.Lower32, "Upper32": alphabet.Upper32,
	"Alphanumeric": alphabet.Alphanumeric, "URLSafe": alphabet.URLSafe, "Visible": alphabet.Visible,
}

func TestAlphabetsHaveEachCharacterOnce(t *testing.T) {
	for name, size := range map[string]int{"Digits": 10, "Lower32": 32, "Upper32": 32, "Alphanumeric": 62, "URLSafe": 64, "Visible": 94} {
		a := all[name]
		if len(a) != size {
			t.Errorf("%s has %d characters, want %d", name, len(a), size)
		}
		for _, c := range string(a) {
			if strings.Count(string(a), string(c)) != 1 || c <= ' ' || c > '~' {
				t.Errorf("%s has %q", name, c)
			}
		}
	}
}

func TestValid(t *testing.T) {
	for _, c := range []struct {
		a        alphabet.Alphabet
		s        string
		min, max int
		want     bool
	}{
		{alphabet.Digits, "0190", 1, 4, true},
		{alphabet.Digits, "01900", 1, 4, false},
		{alphabet.Digits, "", 1, 4, false},
		{alphabet.Digits, "", 0, 4, true},
		{alphabet.Digits, "1a1", 1, 4, false},
		{alphabet.Digits, "１", 1, 4, false},
		{alphabet.Lower32, "0v", 2, 2, true},
		{alphabet.Lower32, "0w", 2, 2, false},
		{alphabet.Upper32, "0V", 2, 2, true},
		{alphabet.Upper32, "0v", 2, 2, false},
		{alphabet.Alphanumeric, "azAZ09", 1, 64, true},
		{alphabet.Alphanumeric, "az-AZ", 1, 64, false},
		{alphabet.Alphanumeric, "azéAZ", 1, 64, false},
		{alphabet.URLSafe, "-az_AZ-", 1, 64, true},
		{alphabet.URLSafe, "az.AZ", 1, 64, false},
		{alphabet.Visible, "!~`\"\\", 1, 64, true},
		{alphabet.Visible, "a b", 1, 64, false},
		{alphabet.Visible, "a\x7fb", 1, 64, false},
		{alphabet.Visible, "a\xffb", 1, 64, false},
		{alphabet.Visible, "茶", 1, 64, false},
	} {
		if got := c.a.Valid(c.s, c.min, c.max); got != c.want {
			t.Errorf("%q with %d to %d of %q: %v", c.s, c.min, c.max, string(c.a), got)
		}
	}
}

func TestRandom(t *testing.T) {
	for name, a := range all {
		for _, n := range []int{0, 1, 24, 33} {
			text, err := a.Random(rand.Reader, n)
			if err != nil || !a.Valid(text, n, n) {
				t.Errorf("%d of %s: %q, %v", n, name, text, err)
			}
		}
	}
}

// bytes are all bytes in turn, for ever.
type bytes struct{ next byte }

func (b *bytes) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = b.next
		b.next++
	}
	return len(p), nil
}

// Each character comes from as many bytes as any other, in two rounds of all bytes.
func TestRandomFavoursNoCharacter(t *testing.T) {
	for name, a := range all {
		per := 256 / len(a)
		text, err := a.Random(&bytes{}, 2*per*len(a))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range string(a) {
			if n := strings.Count(text, string(c)); n != 2*per {
				t.Errorf("%s: %q comes from %d bytes, want %d", name, c, n, 2*per)
			}
		}
	}
}

func TestRandomFailsWithItsSource(t *testing.T) {
	broken := errors.New("no randomness")
	for name, a := range all {
		for source, want := range map[io.Reader]error{
			strings.NewReader("short"): io.ErrUnexpectedEOF,
			iotest.ErrReader(broken):   broken,
		} {
			if text, err := a.Random(source, 24); text != "" || !errors.Is(err, want) {
				t.Errorf("%s: %q, %v; want %v", name, text, err, want)
			}
		}
	}
}
