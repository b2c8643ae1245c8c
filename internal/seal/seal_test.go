package seal

import (
	"crypto/rand"
	"strings"
	"testing"
)

const (
	secret = "a secret of at least 32 characters"
	before = "the secret that was there before it"
)

func box(t *testing.T, secret, former, purpose string) Box {
	t.Helper()
	b, err := New(secret, former, purpose)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A value opens under the same secret, purpose and subject only, and under a former secret.
func TestOpen(t *testing.T) {
	t.Parallel()
	text, err := box(t, before, "", "cookies").Seal(rand.Reader, []byte("value"), "session")
	if err != nil || strings.Contains(text, "value") {
		t.Fatal(text, err)
	}
	flipped := []byte(text)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		box        Box
		text       string
		about      string
		ok, former bool
	}{
		"same":             {box(t, before, "", "cookies"), text, "session", true, false},
		"former":           {box(t, secret, before, "cookies"), text, "session", true, true},
		"another secret":   {box(t, secret, "", "cookies"), text, "session", false, false},
		"another purpose":  {box(t, before, "", "webhooks"), text, "session", false, false},
		"another subject":  {box(t, before, "", "cookies"), text, "state", false, false},
		"changed":          {box(t, before, "", "cookies"), string(flipped), "session", false, false},
		"short":            {box(t, before, "", "cookies"), text[:8], "session", false, false},
		"empty":            {box(t, before, "", "cookies"), "", "session", false, false},
		"not base64":       {box(t, before, "", "cookies"), "!" + text, "session", false, false},
		"only the former":  {box(t, secret, secret, "cookies"), text, "session", false, false},
		"truncated by one": {box(t, before, "", "cookies"), text[:len(text)-2], "session", false, false},
	} {
		plain, former, err := c.box.Open(c.text, c.about)
		if (err == nil) != c.ok || former != c.former || c.ok && string(plain) != "value" {
			t.Errorf("%s: %q, former %t, %v", name, plain, former, err)
		}
		if err != nil && strings.Contains(err.Error(), "value") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two seals of one value differ.
func TestSealIsRandom(t *testing.T) {
	t.Parallel()
	b := box(t, secret, "", "cookies")
	one, err := b.Seal(rand.Reader, []byte("value"), "session")
	if err != nil {
		t.Fatal(err)
	}
	if two, err := b.Seal(rand.Reader, []byte("value"), "session"); err != nil || one == two {
		t.Error(one, two, err)
	}
	if _, err := b.Seal(strings.NewReader("short"), []byte("value"), "session"); err == nil {
		t.Error("sealed without randomness")
	}
}
