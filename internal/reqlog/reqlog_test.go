package reqlog

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestEveryLineHasTheRequestID(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	ctx := With(t.Context(), "abc", log)
	From(ctx, slog.New(slog.DiscardHandler)).Info("one")
	From(t.Context(), log).Info("two")
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "msg=one request_id=abc") || strings.Contains(lines[1], "request_id") {
		t.Errorf("log:\n%s", b.String())
	}
	if got := ID(ctx); got != "abc" {
		t.Errorf("ID %q", got)
	}
	if got := ID(t.Context()); got != "" {
		t.Errorf("ID %q without a request", got)
	}
}

// The value of a panic may be an error that holds a secret.
func TestPanicOfAnUnknownTypeIsLoggedByItsType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value any
		want  string
		not   string
	}{
		{"a mistake", "a mistake", ""},
		{errors.New("key 123"), "*errors.errorString", "key 123"},
	} {
		var b bytes.Buffer
		Panic(slog.New(slog.NewTextHandler(&b, nil)), c.value)
		if text := b.String(); !strings.Contains(text, "level=ERROR msg=panic") || !strings.Contains(text, c.want) || c.not != "" && strings.Contains(text, c.not) {
			t.Errorf("log:\n%s", text)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for openid, want := range map[string]string{
		"oUpF8uMuAJO_M2pxb1Q9zNjWMg3I": "oUpF…Mg3I",
		"short":                        "…",
		"":                             "…",
	} {
		if got := Mask(openid); got != want {
			t.Errorf("%q: %q, want %q", openid, got, want)
		}
	}
}
