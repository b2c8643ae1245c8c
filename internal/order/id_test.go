package order_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"h5pay/internal/order"
)

func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id, err := order.NewID(rand.Reader)
		if err != nil || len(id) != 24 || seen[id] {
			t.Fatalf("id %q: %v", id, err)
		}
		seen[id] = true
	}
	// 16:30 UTC is the next day in Beijing.
	no, err := order.NewOutTradeNo(rand.Reader, time.Date(2026, 12, 31, 16, 30, 0, 0, time.UTC))
	if err != nil || len(no) != 32 || !strings.HasPrefix(no, "20270101") {
		t.Errorf("out_trade_no %q: %v", no, err)
	}
	if _, err := order.NewID(strings.NewReader("short")); err == nil {
		t.Error("an id was made without randomness")
	}
}
