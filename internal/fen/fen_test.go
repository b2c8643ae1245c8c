package fen_test

import (
	"math"
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
	}
}
