package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestSync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, there := range []string{name, dir} {
		if err := Sync(there); err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "content" {
		t.Errorf("the file has %q, %v", text, err)
	}
	if err := Sync(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that does not exist: %v", err)
	}
	// Only a folder may do without.
	if err := Sync(os.DevNull); err == nil {
		t.Errorf("%s is on the disk", os.DevNull)
	}
}

// A file is open for writing, because Windows rejects the sync of another one.
func TestFileIsOpenForWriting(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, folder, err := open(name)
	if err != nil || folder {
		t.Fatal(folder, err)
	}
	defer f.Close()
	if _, err := f.WriteString("more"); err != nil {
		t.Error(err)
	}
}
