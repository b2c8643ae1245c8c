package webhook_test

import (
	"fmt"
	"strings"
	"testing"

	"h5pay/internal/growthtest"
	"h5pay/webhook"
)

// Strangers can reach a receiver as they can reach the shop. Their requests cost a constant amount
// of work per byte.
func TestReceivingIsLinear(t *testing.T) {
	repeat := func(n int, head, part string) []byte { return []byte(head + strings.Repeat(part, n/len(part))) }
	for name, input := range map[string]func(n int) []byte{
		"signatures":       func(n int) []byte { return repeat(n, "v1,", " v1,"+strings.Repeat("0", 44)) },
		"short signatures": func(n int) []byte { return repeat(n, "v1,", " v1,0") },
		"spaces":           func(n int) []byte { return repeat(n, "v1,", " ") },
		"commas":           func(n int) []byte { return repeat(n, "v1", ",") },
		"digits":           func(n int) []byte { return repeat(n, "1", "7") },
		"letters":          func(n int) []byte { return repeat(n, "e", "e") },
	} {
		t.Run("a header of "+name, func(t *testing.T) {
			for _, size := range []int{4 << 10, 128 << 10} {
				growthtest.Linear(t, size, input, func(b []byte) {
					text := string(b)
					for _, h := range []webhook.Header{
						{ID: "evt_1", Timestamp: "1767225600", Signature: text},
						{ID: "evt_1", Timestamp: text, Signature: "v1,0"},
						{ID: text, Timestamp: "1767225600", Signature: "v1,0"},
					} {
						webhook.Verify(h, nil, now, secret, secret)
					}
				})
			}
		})
	}
	for name, input := range map[string]func(n int) []byte{
		"names": func(n int) []byte {
			var b strings.Builder
			b.WriteString(`{"x":1`)
			for i := 0; b.Len() < n-12; i++ {
				fmt.Fprintf(&b, `,"%d":1`, i)
			}
			return []byte(b.String() + "}")
		},
		"items": func(n int) []byte {
			return []byte(`{"data":{"order":{"items":[` + strings.Repeat(`{},`, n/3) + `{}]}}}`)
		},
		"nesting": func(n int) []byte { return repeat(n, `{"data":`, "[") },
		"spaces":  func(n int) []byte { return repeat(n, "", " ") },
	} {
		t.Run("a body of "+name, func(t *testing.T) {
			growthtest.Linear(t, 1<<20, input, func(b []byte) {
				webhook.Receive(request(sign(t, now, b, secret), b), now, secret)
			})
		})
	}
}
