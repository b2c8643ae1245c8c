package warm

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRSACarriesTheKey(t *testing.T) {
	t.Parallel()
	const fingerprint = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683" // of "key"
	signature := strings.Repeat("s", minSignature)
	var got []string
	calls := RSA{fakeJS(func(op op, r *reader) *message {
		got = []string{fmt.Sprint(op)}
		for r.remaining() > 0 {
			got = append(got, r.string())
		}
		if op == opSign {
			return newMessage().add("").add(signature)
		}
		if got[4] == signature {
			return newMessage().add("").addInt(1)
		}
		return newMessage().add("").addInt(0)
	})}
	der := []byte("key")
	signer, err := calls.Signer(der)
	if err != nil {
		t.Fatal(err)
	}
	der[0] = 'K' // the caller's slice is its own
	s, err := signer.Sign(t.Context(), []byte("text"))
	if err != nil || string(s) != signature {
		t.Errorf("%d bytes, %v", len(s), err)
	}
	if diff := cmp.Diff([]string{"8", fingerprint, "key", "text"}, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	verifier, err := calls.Verifier([]byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{signature: true, "x": false} {
		if ok, err := verifier.Verify(t.Context(), []byte("text"), []byte(text)); err != nil || ok != want {
			t.Errorf("%t, %v, want %t", ok, err, want)
		}
		if diff := cmp.Diff([]string{"9", fingerprint, "key", "text", text}, got); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	}
	for _, v := range []any{signer, *signer, verifier, *verifier, calls} {
		if text := fmt.Sprintf("%v %+v %#v %x", v, v, v, v); strings.Contains(text, "6b6579") || strings.Contains(text, "107 101 121") {
			t.Errorf("the key is printed: %s", text)
		}
	}
}

// A reply of JavaScript's is accepted only in its proper form.
func TestRSARepliesThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]*message{
		"no signature":    newMessage().add(""),
		"empty":           newMessage().add("").add(""),
		"short":           newMessage().add("").add(strings.Repeat("s", minSignature-1)),
		"long":            newMessage().add("").add(strings.Repeat("s", maxSignature+1)),
		"a failure":       newMessage().add("signing failed"),
		"a rejected key":  newMessage().add(keyRejected),
		"not even a text": newMessage(),
	} {
		calls := RSA{fakeJS(func(op, *reader) *message { return reply })}
		signer, _ := calls.Signer([]byte("key"))
		if s, err := signer.Sign(t.Context(), nil); err == nil || s != nil {
			t.Errorf("%s: %q, %v", name, s, err)
		} else if errors.Is(err, ErrKeyRejected) != (name == "a rejected key") {
			t.Errorf("%s: %v", name, err)
		}
		verifier, _ := calls.Verifier([]byte("key"))
		if ok, err := verifier.Verify(t.Context(), nil, nil); err == nil || ok {
			t.Errorf("%s: %t, %v", name, ok, err)
		}
	}
	for _, reply := range []string{"", "true", "2", "01", "1 "} {
		verifier, _ := RSA{fakeJS(func(op, *reader) *message { return newMessage().add("").add(reply) })}.Verifier([]byte("key"))
		if ok, err := verifier.Verify(t.Context(), nil, nil); err == nil || ok {
			t.Errorf("%q: %t, %v", reply, ok, err)
		}
	}
	for _, der := range [][]byte{nil, make([]byte, maxKey+1)} {
		if _, err := (RSA{}).Signer(der); err == nil {
			t.Errorf("a private key of %d bytes was accepted", len(der))
		}
		if _, err := (RSA{}).Verifier(der); err == nil {
			t.Errorf("a public key of %d bytes was accepted", len(der))
		}
	}
}
