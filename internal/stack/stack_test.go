package stack

import (
	"strings"
	"testing"
)

func TestUnbuiltTreeNamesTheCommand(t *testing.T) {
	if err := checkBuilt(t.TempDir()); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v", err)
	}
}
