package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/growthtest"
	"h5pay/internal/payment"
	"h5pay/internal/v1"
)

// fill returns head, as many copies of part as make about n bytes, and tail.
func fill(n int, head, part, tail string) []byte {
	return []byte(head + strings.Repeat(part, max(n-len(head)-len(tail), len(part))/len(part)) + tail)
}

// distinctNames returns an object of n bytes with as many different names as fit.
// first is the first of the characters that names are made of, one each.
func distinctNames(n int, first rune) []byte {
	var b strings.Builder
	b.WriteString(`{`)
	for c := first; b.Len() < n-12; c++ {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%c":1`, c)
	}
	b.WriteString(`}`)
	return []byte(b.String())
}

// worstBodies are JSON bodies that cost a decoder the most work per byte.
var worstBodies = map[string]func(n int) []byte{
	"names of one CJK character": func(n int) []byte { return distinctNames(n, '一') },
	"names that fold":            func(n int) []byte { return distinctNames(n, 'Ꭰ') },
	"names inside an array": func(n int) []byte {
		return append(append([]byte(`{"items":[`), distinctNames(n-12, '一')...), `]}`...)
	},
	"long names":      func(n int) []byte { return fill(n, `{"`, "K", `":1}`) },
	"numbered names":  func(n int) []byte { return numberedNames(n) },
	"escaped names":   func(n int) []byte { return fill(n, `{"`, `\u212a`, `":1}`) },
	"escaped value":   func(n int) []byte { return fill(n, `{"client_key":"`, `\ud83c\udf75`, `"}`) },
	"empty objects":   func(n int) []byte { return fill(n, `{"items":[`, `{},`, `{}]}`) },
	"numbers":         func(n int) []byte { return fill(n, `{"items":[`, `1,`, `1]}`) },
	"a long number":   func(n int) []byte { return fill(n, `{"client_key":`, `9`, `}`) },
	"a long exponent": func(n int) []byte { return fill(n, `{"client_key":1e`, `9`, `}`) },
	"nested arrays":   func(n int) []byte { return fill(n, `{"items":`, `[`, ``) },
	"nested objects":  func(n int) []byte { return fill(n, ``, `{"a":`, `1`) },
	"objects in a row": func(n int) []byte {
		return fill(n, ``, `{}`, ``)
	},
	"white space":  func(n int) []byte { return fill(n, `{`, " \n", `}`) },
	"broken UTF-8": func(n int) []byte { return fill(n, `{"client_key":"`, "\xe8\x8c", `"}`) },
}

func numberedNames(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"x":1`)
	for i := 0; b.Len() < n-16; i++ {
		fmt.Fprintf(&b, `,"%d":1`, i)
	}
	b.WriteString(`}`)
	return []byte(b.String())
}

// Each body of 64 KiB costs at most as much per byte as a short one.
func TestDecodingJSONIsLinear(t *testing.T) {
	// Not parallel: it measures the CPU time of the process.
	for name, input := range worstBodies {
		t.Run(name, func(t *testing.T) {
			growthtest.Linear(t, maxBody, input, func(b []byte) {
				var req api.CreateOrderRequest
				decodeJSON(b, &req)
			})
		})
	}
}

// The names and the array elements of a body are bounded. These bodies took 1 s of
// CPU each while names were compared without a bound.
func TestDecodeJSONBoundsNamesAndElements(t *testing.T) {
	t.Parallel()
	array := func(n int) string { return `{"items":[` + strings.Repeat(`{},`, n-1) + `{}]}` }
	object := func(n int) string {
		m := map[string]int{}
		for i := range n {
			m[fmt.Sprint("n", i)] = i
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, c := range map[string]struct{ body, want string }{
		"names at the bound":      {object(maxNames), "unknown field"},
		"names over it":           {object(maxNames + 1), "more than 32 fields"},
		"names inside over it":    {`{"items":[` + object(maxNames+1) + `]}`, "more than 32 fields"},
		"elements at the bound":   {array(maxElements), ""},
		"elements over it":        {array(maxElements + 1), "more than 100 elements"},
		"names of one character":  {string(distinctNames(maxBody, '一')), "more than 32 fields"},
		"two objects at the edge": {`{"items":[{"quantity":1},{"quantity":1}]}`, ""},
	} {
		var req api.CreateOrderRequest
		err := decodeJSON([]byte(c.body), &req)
		var e *api.Error
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &e) || e.Code != api.CodeBadRequest || !strings.Contains(e.Message, c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// maxHeader is more than a proxy or Cloudflare lets through, in bytes.
const maxHeader = 128 << 10

// Every header, query and path that the server reads costs a constant amount of
// work per byte. The requests go through the whole handler.
func TestReadingARequestIsLinear(t *testing.T) {
	// Not parallel: it measures the CPU time of the process.
	now := time.Now()
	s := &Server{
		cfg: Config{AdminToken: "an operator's token of 34 letters."},
		log: slog.New(slog.NewTextHandler(io.Discard, nil)), now: func() time.Time { return now }, rand: zeros{},
		shop: payment.Shop{Origin: "https://shop.example.com"},
	}
	s.session = testSealer(t, sessionCookie, "wx1", testKey, &now)
	s.state = testSealer(t, stateCookie, "wx1", testKey, &now)
	h := s.Handler()
	header := func(method, path, name, head, part, tail string) func(n int) *http.Request {
		return func(n int) *http.Request {
			r := httptest.NewRequest(method, path, strings.NewReader("{}"))
			r.Header.Set("Content-Type", "application/json")
			r.Header[name] = []string{string(fill(n, head, part, tail))}
			return r
		}
	}
	for name, request := range map[string]func(n int) *http.Request{
		"many cookies":        header("GET", api.PathSession, "Cookie", "a=b", "; c=d", ""),
		"our cookie, often":   header("GET", api.PathSession, "Cookie", "a=b", "; __Host-h5pay_session="+strings.Repeat("A", 200), ""),
		"our cookie, long":    header("GET", api.PathSession, "Cookie", "__Host-h5pay_session=", "A", ""),
		"our cookie, empty":   header("GET", api.PathSession, "Cookie", "a=b", "; __Host-h5pay_session=", ""),
		"state cookies":       header("POST", api.PathToken, "Cookie", "a=b", "; __Host-h5pay_state=AAAA", ""),
		"semicolons":          header("GET", api.PathSession, "Cookie", "", ";", ""),
		"quoted cookie":       header("GET", api.PathSession, "Cookie", `a="`, `\"`, `"`),
		"type parameters":     header("POST", api.PathToken, "Content-Type", "application/json", "; a=b", ""),
		"type continuations":  header("POST", api.PathToken, "Content-Type", "application/json", "; a*1=b", ""),
		"quoted type":         header("POST", api.PathToken, "Content-Type", `application/json; a="`, `\"`, `"`),
		"type with spaces":    header("POST", api.PathToken, "Content-Type", "application/json", " ", ";"),
		"a long token":        header("GET", "/v1/orders", "Authorization", "Bearer ", "x", ""),
		"spaces for a token":  header("GET", "/v1/orders", "Authorization", "Bearer ", " ", "x"),
		"a long origin":       header("POST", api.PathToken, "Origin", "https://", "a.", "example"),
		"accepted types":      header("GET", api.PathHealth, "Accept", "", "text/htm,", "*/*"),
		"forwarded addresses": header("GET", api.PathConfig, "X-Forwarded-For", "", "1.2.3.4, ", "1.2.3.4"),
		"a long path": func(n int) *http.Request {
			return httptest.NewRequest("GET", "/api/orders/"+strings.Repeat("a/", n/2), nil)
		},
		"a path of dots": func(n int) *http.Request {
			return httptest.NewRequest("GET", "/api/"+strings.Repeat("../", n/3), nil)
		},
		"an escaped path": func(n int) *http.Request {
			return httptest.NewRequest("GET", "/api/orders/"+strings.Repeat("%2e", n/3), nil)
		},
		"a long address": func(n int) *http.Request {
			r := httptest.NewRequest("GET", api.PathConfig, nil)
			r.RemoteAddr = strings.Repeat("1:", n/2)
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			requests := map[int]*http.Request{}
			sized := func(n int) []byte {
				requests[n] = request(n)
				return make([]byte, n)
			}
			growthtest.Linear(t, maxHeader, sized, func(b []byte) {
				defer func() { recover() }() // there is no store behind
				h.ServeHTTP(httptest.NewRecorder(), requests[len(b)])
			})
		})
	}
}

// zeros is a source of request IDs.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestReadingQueriesIsLinear(t *testing.T) {
	// Not parallel: it measures the CPU time of the process.
	for name, input := range map[string]func(n int) []byte{
		"the same parameter": func(n int) []byte { return fill(n, "", "status=paid&", "number=1") },
		"other parameters":   func(n int) []byte { return fill(n, "", "a&", "number=1") },
		"ampersands":         func(n int) []byte { return fill(n, "", "&", "") },
		"escapes":            func(n int) []byte { return fill(n, "number=", "%31", "") },
		"a long cursor":      func(n int) []byte { return fill(n, "cursor=", "A", "") },
		"a long limit":       func(n int) []byte { return fill(n, "limit=", "9", "") },
		"a long moment":      func(n int) []byte { return fill(n, "from=", "9", "") },
	} {
		t.Run(name, func(t *testing.T) {
			growthtest.Linear(t, maxHeader, input, func(b []byte) { readV1Query(string(b), v1.OrderQuery{}) })
		})
	}
	for name, input := range map[string]func(n int) []byte{
		"slashes": func(n int) []byte { return fill(n, "/", "a/", "") },
		"dots":    func(n int) []byte { return fill(n, "/", "../", "") },
		"escapes": func(n int) []byte { return fill(n, "/", "%2e", "") },
		"a query": func(n int) []byte { return fill(n, "/?", "a=b&", "") },
	} {
		t.Run("return_to "+name, func(t *testing.T) {
			growthtest.Linear(t, maxBody, input, func(b []byte) { parseReturnTo(string(b)) })
		})
	}
}

// A notification's body is parsed in package wechat; its bounds are tested there.
func TestReadingABodyIsBounded(t *testing.T) {
	t.Parallel()
	endless := io.MultiReader(strings.NewReader(strings.Repeat("x", maxBody)), errorReader{t})
	r := httptest.NewRequest("POST", api.PathNotifyPay, io.MultiReader(endless, strings.NewReader("x")))
	r.ContentLength = -1
	var e *api.Error
	if _, err := readBody(r); !errors.As(err, &e) || e.Code != api.CodeBodyTooLarge {
		t.Errorf("got %v", err)
	}
}

// errorReader fails the test when more than one byte over the bound is read.
type errorReader struct{ t *testing.T }

func (e errorReader) Read(p []byte) (int, error) {
	if len(p) != 1 {
		e.t.Errorf("%d bytes over the bound are read", len(p))
	}
	p[0] = 'x'
	return 1, io.EOF
}
