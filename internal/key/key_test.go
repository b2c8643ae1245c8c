package key

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

var master = bytes.Repeat([]byte{7}, 32)

var made = time.UnixMilli(1_700_000_000_000)

func TestDeriveIsStable(t *testing.T) {
	t.Parallel()
	k := Derive(master, "root", "k1", made)
	if again := Derive(master, "root", "k1", made); again != k {
		t.Errorf("derived twice: %s and %s", k.Text(), again.Text())
	}
	for name, other := range map[string]Key{
		"master":          Derive(bytes.Repeat([]byte{8}, 32), "root", "k1", made),
		"maker":           Derive(master, "roo", "k1", made),
		"idempotency key": Derive(master, "root", "k2", made),
		"time":            Derive(master, "root", "k1", made.Add(time.Millisecond)),
		"shifted":         Derive(master, "rootk", "1", made),
	} {
		if other.ID == k.ID || other.secret == k.secret {
			t.Errorf("another %s derives the same key", name)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	k := Derive(master, "root", "k1", made)
	got, ok := Parse(k.Text())
	if !ok || got != k || !got.Has(k.Hash()) {
		t.Errorf("%s is read as %+v, %t", k.Text(), got, ok)
	}
	other := Derive(master, "root", "k2", made)
	if got.Has(other.Hash()) {
		t.Error("a key has the hash of another")
	}
	text := k.Text()
	for _, bad := range []string{
		"", "h5pay_", text[:len(text)-1], text + "a", strings.ToUpper(text), " " + text,
		strings.Replace(text, "h5pay_", "h6pay_", 1), text[:len(text)-1] + "1",
		text[:len(prefix)+idLength] + "-" + text[len(prefix)+idLength+1:],
	} {
		if got, ok := Parse(bad); ok {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}

func TestKeyPrintsNoSecret(t *testing.T) {
	t.Parallel()
	k := Derive(master, "root", "k1", made)
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v", k, &k), fmt.Sprintf("%#v", k)} {
		if strings.Contains(text, k.secret) {
			t.Errorf("%q holds the secret", text)
		}
	}
	if !strings.Contains(k.String(), k.ID) {
		t.Errorf("%q does not name the key", k)
	}
}
