package paytest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"h5pay/internal/paytest"
	"h5pay/webhook"
)

// A receiver keeps the deliveries that verify, rejects the others, and responds as the test sets.
func TestReceiver(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	const body = `{"id":"evt_1","type":"order.paid","created_at":1,"data":{"order":{"id":"o1"}}}`
	now := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	r := &paytest.Receiver{Verify: webhook.Receiver{Secrets: []string{secret}}, Now: func() time.Time { return now }}
	deliver := func(secret string, length int64) int {
		t.Helper()
		h, err := webhook.Sign("evt_1", now, []byte(body), secret)
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest("POST", "/h5pay", strings.NewReader(body))
		req.ContentLength = length
		h.Set(req.Header)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w.Code
	}
	if status := deliver(secret, int64(len(body))); status != http.StatusNoContent {
		t.Errorf("a good delivery: %d", status)
	}
	for name, status := range map[string]int{
		"another secret":    deliver(webhook.NewSecret(), int64(len(body))),
		"an unknown length": deliver(secret, -1),
	} {
		if status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
	r.Answer = func(w http.ResponseWriter, req *http.Request, e webhook.Event) {
		text, err := io.ReadAll(req.Body)
		if string(text) != body || err != nil || e.ID != "evt_1" {
			t.Errorf("the answer reads %q of %+v, %v", text, e, err)
		}
		w.WriteHeader(http.StatusTeapot)
	}
	if status := deliver(secret, int64(len(body))); status != http.StatusTeapot {
		t.Errorf("answered with %d", status)
	}
	if events, rejected := r.EventsOf("o1"), r.Rejected(); len(events) != 2 || len(rejected) != 2 || len(r.EventsOf("o2")) != 0 || len(r.Events()) != 2 {
		t.Errorf("%+v, rejected %v", events, rejected)
	}
}
