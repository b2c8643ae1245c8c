package main

import (
	"strings"
	"testing"
)

func TestParseUpload(t *testing.T) {
	got, err := parseUpload("Read 24 files\nTotal Upload: 7346.96 KiB / gzip: 2055.36 KiB\nYour Worker\n")
	if err != nil || got != 2104689 {
		t.Errorf("%d, %v", got, err)
	}
	for _, out := range []string{"", "Total Upload: 7.2 MiB / gzip: 2.1 MiB", "Total Upload: 1.00 KiB / gzip: 1.2.3 KiB"} {
		if got, err := parseUpload(out); err == nil {
			t.Errorf("%q: %d", out, got)
		}
	}
}

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		name       string
		got, limit sizes
		table      string
		over       string
	}{
		{"at the limit", sizes{9, 5, 4}, sizes{2: 4}, "part raw 9 part gzip 5 part brotli 4 of 4", ""},
		{"over", sizes{9, 5, 4}, sizes{8, 0, 3}, "part raw 9 of 8 part gzip 5 part brotli 4 of 3",
			"part, raw: 9 bytes exceed the limit of 8 part, brotli: 4 bytes exceed the limit of 3"},
		{"the upload", sizes{3: 2}, sizes{3: 1}, "part wrangler 2 of 1", "part, wrangler: 2 bytes exceed the limit of 1"},
	} {
		var table strings.Builder
		over := ""
		if err := compare(&table, "part", test.got, test.limit); err != nil {
			over = strings.Join(strings.Fields(err.Error()), " ")
		}
		if got := strings.Join(strings.Fields(table.String()), " "); got != test.table || over != test.over {
			t.Errorf("%s:\n got %q, %q\nwant %q, %q", test.name, got, over, test.table, test.over)
		}
	}
}

// A missing file is an error and not a part of 0 bytes.
func TestMissingFile(t *testing.T) {
	if got, err := files("none.wasm")(); err == nil {
		t.Errorf("%v", got)
	}
}

// A part without a limit would never fail.
func TestEveryPartHasALimit(t *testing.T) {
	for _, p := range parts {
		if p.limit == (sizes{}) {
			t.Errorf("%s has no limit", p.name)
		}
	}
}
