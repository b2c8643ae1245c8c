package cst_test

import (
	"testing"
	"time"

	"h5pay/internal/cst"
)

// At 16:00 UTC the next day begins in Beijing.
func TestDay(t *testing.T) {
	for in, want := range map[string]string{
		"2026-12-31T15:59:59.999Z":  "2026-12-31T00:00:00+08:00",
		"2026-12-31T16:00:00Z":      "2027-01-01T00:00:00+08:00",
		"2026-06-30T23:30:00-07:00": "2026-07-01T00:00:00+08:00",
		"2026-07-01T00:00:00+08:00": "2026-07-01T00:00:00+08:00",
	} {
		at, err := time.Parse(time.RFC3339, in)
		if err != nil {
			t.Fatal(err)
		}
		if got := cst.Day(at).Format(time.RFC3339); got != want {
			t.Errorf("the day of %s begins at %s, want %s", in, got, want)
		}
		if got := cst.In(at); !got.Equal(at) || got.Format("-07:00 MST") != "+08:00 CST" {
			t.Errorf("%s is %s in Beijing", in, got)
		}
	}
}

func TestParseDay(t *testing.T) {
	day, err := cst.ParseDay("2026-03-01")
	if want := time.Date(2026, 2, 28, 16, 0, 0, 0, time.UTC); err != nil || !day.Equal(want) {
		t.Errorf("%s, %v; want %s", day, err, want)
	}
	for _, in := range []string{"", "2026-3-1", "20260301", "2026-02-29", "2026-03-01 ", " 2026-03-01", "2026-03-01T00:00:00Z", "26-03-01"} {
		if day, err := cst.ParseDay(in); err == nil {
			t.Errorf("%q is %s", in, day)
		}
	}
}
