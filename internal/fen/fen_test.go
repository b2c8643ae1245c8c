package fen_test

import (
	"math"
	"strings"
	"testing"

	"h5pay/internal/fen"
)

func TestFenPrintsYuan(t *testing.T) {
	for _, test := range []struct {
		fen  fen.Fen
		want string
	}{
		{0, "0.00"}, {1, "0.01"}, {10, "0.10"}, {99, "0.99"}, {100, "1.00"}, {123456, "1234.56"},
		{-1, "-0.01"}, {-250, "-2.50"},
		{math.MaxInt64, "92233720368547758.07"}, {math.MinInt64, "-92233720368547758.08"},
	} {
		if got := test.fen.String(); got != test.want {
			t.Errorf("%d fen: %s, want %s", int64(test.fen), got, test.want)
		}
		if sign, amount := test.fen.Split(); sign+amount != test.want || strings.HasPrefix(amount, "-") || (sign == "-") != (test.fen < 0) {
			t.Errorf("%d fen: %q, %q", int64(test.fen), sign, amount)
		}
	}
}

// bad are texts that are an amount in neither form.
var bad = []string{"", ".", ".1", "1.", "-1", "-0.00", "+1", " 1", "1 ", "1,000.00", "1e2", "0x1", "１", "1.2.3", "--1", "1_0", "1\x00"}

func TestParse(t *testing.T) {
	for in, want := range map[string]fen.Fen{"0": 0, "1": 1, "0088": 88, "9999999999": 9999999999} {
		if got, ok := fen.Parse(in); !ok || got != want {
			t.Errorf("%q is %d, %v", in, got, ok)
		}
	}
	for _, in := range append(bad, "1.00", "00000000001") {
		if got, ok := fen.Parse(in); ok {
			t.Errorf("%q is %d", in, got)
		}
	}
}

func TestParseYuan(t *testing.T) {
	for in, want := range map[string]fen.Fen{
		"0": 0, "0.0": 0, "0.00": 0, "0.01": 1, "0.1": 10, "1": 100, "12.34": 1234, "0.29": 29, "1.15": 115, "0.50000": 50,
		"99999999999.99": 9999999999999, "007": 700,
	} {
		if got, ok := fen.ParseYuan(in); !ok || got != want {
			t.Errorf("%q is %d, %v", in, got, ok)
		}
	}
	for _, in := range append(bad, "0.001", "0.00001", "1.000000", "123456789012") {
		if got, ok := fen.ParseYuan(in); ok {
			t.Errorf("%q is %d", in, got)
		}
	}
}

// ParseYuan reads every amount that String writes.
func FuzzParseYuan(f *testing.F) {
	for _, n := range []uint64{0, 1, 10, 99, 100, 123456, 9999999999999} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n uint64) {
		want := fen.Fen(n % 1e13)
		if got, ok := fen.ParseYuan(want.String()); !ok || got != want {
			t.Errorf("%s is %d, %v; want %d", want, int64(got), ok, int64(want))
		}
	})
}
