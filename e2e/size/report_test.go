package main

import (
	"slices"
	"strings"
	"testing"
)

func TestUploadLine(t *testing.T) {
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

func TestReportNamesTheHeaviest(t *testing.T) {
	p := &program{
		funcs: []function{
			{"light", []byte("1")}, {"heavy", []byte("abcdefghijklmnopqrstuvwxyz")},
			{"heavy", []byte("0123456789")}, {"lighter", []byte("2")},
		},
		regions: []region{{"words", []byte("some")}},
	}
	var b strings.Builder
	if err := p.report(&b, 50, 1); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		if f := strings.Fields(line); len(f) > 2 && f[0] != "raw" {
			got = append(got, f[0]+" "+f[len(f)-1])
		}
	}
	want := []string{"36 heavy", "2 packages", "38 code", "4 words", "4 data", "8 functions"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
