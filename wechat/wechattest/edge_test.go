package wechattest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Each fault changes what the shop gets or what WeChat is answered, once. Other requests are passed on.
func TestEdgeFaults(t *testing.T) {
	w := newWorld(t)
	calls := 0
	shop := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		calls++
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		rw.Header().Set("X-Body", string(body))
		rw.Header().Set("X-Serial", r.Header.Get("Wechatpay-Serial"))
		rw.WriteHeader(http.StatusNoContent)
	})
	edge := w.Edge(shop)
	send := func(signed bool) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/notify", strings.NewReader(`{"b":1.0, "a":2}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Wechatpay-Serial", "1")
		if signed {
			r.Header.Set("Wechatpay-Signature", "x")
		}
		rw := httptest.NewRecorder()
		edge.ServeHTTP(rw, r)
		return rw
	}
	for _, tt := range []struct {
		kind   string
		status int
		check  func(*httptest.ResponseRecorder) bool
	}{
		{FaultEdgeChallenge, 403, func(rw *httptest.ResponseRecorder) bool { return rw.Header().Get("Cf-Mitigated") == "challenge" }},
		{FaultEdgeRedirect, 301, func(rw *httptest.ResponseRecorder) bool { return rw.Header().Get("Location") != "" }},
		{FaultEdgeLogin, 403, nil},
		{FaultEdgeNotFound, 404, nil},
		{FaultEdgeMethod, 405, nil},
		{FaultEdgeError, 502, nil},
		{FaultEdgeOtherSite, 200, nil},
		{FaultEdgeBodyChanged, 204, func(rw *httptest.ResponseRecorder) bool { return rw.Header().Get("X-Body") == `{"a":2,"b":1}` }},
		{FaultEdgeHeadersLost, 204, func(rw *httptest.ResponseRecorder) bool { return rw.Header().Get("X-Serial") == "" }},
	} {
		if err := w.AddFault(Fault{Kind: tt.kind}); err != nil {
			t.Fatal(err)
		}
		if rw := send(false); rw.Code != 204 || rw.Header().Get("X-Serial") != "1" {
			t.Errorf("%s affects what is not WeChat's: %d", tt.kind, rw.Code)
		}
		if rw := send(true); rw.Code != tt.status || tt.check != nil && !tt.check(rw) {
			t.Errorf("%s: %d %v", tt.kind, rw.Code, rw.Header())
		}
		if rw := send(true); rw.Code != 204 || rw.Header().Get("X-Body") != `{"b":1.0, "a":2}` || len(w.Faults()) != 0 {
			t.Errorf("after %s: %d %v", tt.kind, rw.Code, rw.Header())
		}
	}
	if err := w.AddFault(Fault{Kind: FaultEdgeCached, Count: 3}); err != nil {
		t.Fatal(err)
	}
	calls = 0
	for range 3 {
		if rw := send(true); rw.Code != 204 || rw.Header().Get("Age") == "" {
			t.Errorf("from the cache: %d %v", rw.Code, rw.Header())
		}
	}
	if calls != 1 {
		t.Errorf("the shop got %d messages behind a cache, want 1", calls)
	}
}
