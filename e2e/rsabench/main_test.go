package main

import (
	"strings"
	"testing"

	"h5pay/internal/cleanup"
)

func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// In workerd, WebCrypto and crypto/rsa create and verify the same signature, and import the keys
// that package apiv3 writes.
func TestOperationsAgree(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out, "../..", 1, 1); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"| sign |", "| verify |", "| import |"} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("no row %q in\n%s", row, out.String())
		}
	}
}
