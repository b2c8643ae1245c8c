package probe

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB, secret string) Key {
	t.Helper()
	key, err := NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// exchange sends a probe through change and compares the response.
func exchange(t *testing.T, key Key, change func(h http.Header, body string) string) (r Result, answered bool) {
	t.Helper()
	h, token := http.Header{}, key.Token(now)
	body := Request(h, token, "nonce")
	arrived := change(h, body)
	report, ok := key.Answer(h, []byte(arrived), now)
	if !ok {
		return Result{}, false
	}
	response, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	return Compare(response, token, "nonce", body), true
}

func TestProbeReportsWhatArrived(t *testing.T) {
	t.Parallel()
	key := newKey(t, "a session key of thirty-two bytes")
	for name, tt := range map[string]struct {
		change func(h http.Header, body string) string
		want   Result
	}{
		"unchanged": {func(_ http.Header, body string) string { return body }, Result{Arrived: true}},
		"no header of the probe": {func(h http.Header, body string) string {
			h.Del(Header)
			return body
		}, Result{Arrived: true}},
		"encoded anew": {func(_ http.Header, body string) string {
			var value any
			if err := json.Unmarshal([]byte(body), &value); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}, Result{Arrived: true, Changed: true}},
		"no line end": {func(_ http.Header, body string) string { return strings.TrimSpace(body) }, Result{Arrived: true, Changed: true}},
		"another nonce": {func(h http.Header, body string) string {
			h.Set(NonceHeader, "other")
			return body
		}, Result{Arrived: true, Cached: true}},
	} {
		got, ok := exchange(t, key, tt.change)
		if !ok || got.Arrived != tt.want.Arrived || got.Changed != tt.want.Changed || got.Cached != tt.want.Cached || len(got.Lost) > 0 {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	got, ok := exchange(t, key, func(h http.Header, body string) string {
		for _, name := range signed {
			h.Del(name)
		}
		return body
	})
	if !ok || len(got.Lost) != len(signed) || got.Cached {
		t.Errorf("without WeChat's headers: %+v, %v", got, ok)
	}
}

func TestTokensOfOthers(t *testing.T) {
	t.Parallel()
	key := newKey(t, "a session key of thirty-two bytes")
	token := key.Token(now)
	for name, tt := range map[string]struct {
		token string
		at    time.Time
		want  bool
	}{
		"right":        {token, now.Add(life), true},
		"expired":      {token, now.Add(life + time.Second), false},
		"of a shop":    {newKey(t, "another session key of 32 bytes...").Token(now), now, false},
		"longer life":  {strings.Replace(token, "-1", "-2", 1), now, false},
		"no prefix":    {strings.TrimPrefix(token, prefix), now, false},
		"no signature": {prefix + "9999999999-", now, false},
		"empty":        {"", now, false},
	} {
		if _, ok := key.Answer(http.Header{Header: {tt.token}}, nil, tt.at); ok != tt.want {
			t.Errorf("%s: %v", name, ok)
		}
	}
	// A response that the shop did not make.
	for _, response := range []string{"", "{}", "<html>", `{"nonce":"nonce","body":"","headers":[],"proof":"00000000000000000000000000000000"}`} {
		if r := Compare([]byte(response), token, "nonce", ""); r.Arrived {
			t.Errorf("%q: %+v", response, r)
		}
	}
}

// Foreign bytes are no probe, and break nothing.
func FuzzAnswer(f *testing.F) {
	key := newKey(f, "a session key of thirty-two bytes")
	f.Add("", []byte(prefix))
	f.Add(prefix+"1-", []byte(`{"probe":"`+prefix+`99999999999-0"}`))
	f.Add("-", []byte("\x00"+prefix+"-\""))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		if _, ok := key.Answer(http.Header{Header: {header}}, body, now); ok {
			t.Errorf("%q %q", header, body)
		}
		if r := Compare(body, header, "n", "b"); r.Arrived {
			t.Errorf("%q proves something", body)
		}
	})
}
