package webhook_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"h5pay/internal/growthtest"
	"h5pay/webhook"
)

// A receiver is as open to strangers as the shop is: what they send costs a
// constant amount of work per byte.
func TestReceivingIsLinear(t *testing.T) {
	repeat := func(n int, head, part string) []byte { return []byte(head + strings.Repeat(part, n/len(part))) }
	for name, input := range map[string]func(n int) []byte{
		"signatures":       func(n int) []byte { return repeat(n, "t=1767225600", ",v1="+strings.Repeat("0", 64)) },
		"short signatures": func(n int) []byte { return repeat(n, "t=1767225600", ",v1=0") },
		"commas":           func(n int) []byte { return repeat(n, "t=1", ",") },
		"equal signs":      func(n int) []byte { return repeat(n, "t=1,v1", "=") },
		"a long time":      func(n int) []byte { return repeat(n, "t=1", "7") },
		"times":            func(n int) []byte { return repeat(n, "t=1", ",t=") },
	} {
		t.Run("a header of "+name, func(t *testing.T) {
			growthtest.Linear(t, 4<<10, input, func(b []byte) {
				webhook.Verify(string(b), nil, now, webhook.Tolerance, secret, secret)
			})
			growthtest.Linear(t, 128<<10, input, func(b []byte) {
				webhook.Verify(string(b), nil, now, webhook.Tolerance, secret, secret)
			})
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
				r := httptest.NewRequest("POST", "/h5pay", strings.NewReader(string(b)))
				r.Header.Set(webhook.SignatureHeader, webhook.Sign(now, b, secret))
				webhook.Receive(r, now, secret)
			})
		})
	}
}
