//go:build !js

package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every call of the warm-up reaches its handler, and later ones have the session of an earlier one.
// Then it queries WeChat.
func TestWarmUpCalls(t *testing.T) {
	t.Parallel()
	env := exampleEnv(t)
	var asked []string
	a := newApp(platform{
		getenv: func(name string) string { return env[name] }, db: testDB(t), doer: unreachable(func(r *http.Request) { asked = append(asked, r.URL.Path) }),
		log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	code := regexp.MustCompile(`"code":"\w+"|<return_code>.*</return_code>`)
	var got []string
	calls := a.Handler
	a.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		calls.ServeHTTP(recorder, r)
		for name, values := range recorder.Header() {
			w.Header()[name] = values
		}
		got = append(got, fmt.Sprint(r.Method, " ", r.URL.Path, ": ", recorder.Code, " ", code.FindString(recorder.Body.String())))
	})
	a.warmUp(t.Context())
	want := []string{
		`GET /api/config: 200 `,
		`POST /api/oauth/authorize: 200 `,
		`POST /api/session: 200 `,
		`GET /api/session: 200 `,
		`GET /api/products: 200 `,
		`POST /api/orders: 409 "code":"product_unavailable"`,
		`POST /api/orders/0123456789abcdefghijklmn/pay: 404 "code":"not_found"`,
		`POST /api/notify/pay: 200 <return_code><![CDATA[FAIL]]></return_code>`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/pay/orderquery"}, asked); diff != "" {
		t.Errorf("calls to WeChat (-want +got):\n%s", diff)
	}
}

// unreachable is a wechat.Doer without a network. It passes on each request.
type unreachable func(*http.Request)

func (u unreachable) Do(r *http.Request) (*http.Response, error) {
	u(r)
	return nil, errors.New("unreachable")
}
