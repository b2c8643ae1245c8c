//go:build !js

package warm

import (
	"fmt"
	"strings"
	"testing"

	"h5pay/internal/growthtest"
)

// A request is one message; strangers control its headers and its body.
func TestReadingRequestsIsLinear(t *testing.T) {
	// Not parallel: it measures the CPU time of the process.
	request := func(headers int, name, value func(i int) string, body string) []byte {
		m := newMessage().add("POST").add("https://shop.example.com/api/orders").addInt(headers)
		for i := range headers {
			m.add(name(i)).add(value(i))
		}
		return m.add(body).bytes()
	}
	text := func(s string) func(int) string { return func(int) string { return s } }
	for name, input := range map[string]func(n int) []byte{
		"headers of one name": func(n int) []byte { return request(n/10, text("x"), text("y"), "") },
		"different headers": func(n int) []byte {
			return request(n/16, func(i int) string { return fmt.Sprintf("x-%05d", i) }, text("y"), "")
		},
		"odd names": func(n int) []byte {
			return request(n/18, func(i int) string { return fmt.Sprintf("\xff %05d", i) }, text("y"), "")
		},
		"a long body": func(n int) []byte { return request(0, nil, nil, strings.Repeat("x", n)) },
		"a long name": func(n int) []byte { return request(1, text(strings.Repeat("x-", n/2)), text(""), "") },
	} {
		t.Run(name, func(t *testing.T) {
			growthtest.Linear(t, 128<<10, input, func(b []byte) {
				r, err := readRequest(t.Context(), newReader(b))
				if err != nil || r.Method != "POST" {
					t.Fatal(err)
				}
			})
		})
	}
}
