package telemetry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newTelemetry(t *testing.T) *Telemetry {
	t.Helper()
	tele, err := New(t.Context(), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tele.Close(t.Context()) })
	return tele
}

// series returns the lines of the page of metrics that begin with a text.
func series(t *testing.T, tele *Telemetry, prefix string) []string {
	t.Helper()
	w := httptest.NewRecorder()
	tele.Metrics().Page().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	lines := regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(prefix)+`.*$`).FindAllString(w.Body.String(), -1)
	slices.Sort(lines)
	return lines
}

// Every kind and verdict begins at 0, because an alert on a rise misses a series that begins at 1. So
// does the status 500 of WeChat's notifications.
func TestAlertsHaveTheirFirstZero(t *testing.T) {
	t.Parallel()
	tele := newTelemetry(t)
	tele.Handler(http.NotFoundHandler(), []string{"POST /api/notify/pay", "POST /api/orders"})
	var want []string
	for _, kind := range []string{"echo", "payment", "refund"} {
		for _, verdict := range []string{"accepted", "forged", "rejected", "retried"} {
			want = append(want, fmt.Sprintf(`h5pay_notifications_total{kind="%s",verdict="%s"} 0`, kind, verdict))
		}
	}
	if diff := cmp.Diff(want, series(t, tele, "h5pay_notifications_total{")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want = []string{`h5pay_http_request_duration_seconds_count{route="POST /api/notify/pay",status="500"} 0`}
	if diff := cmp.Diff(want, series(t, tele, "h5pay_http_request_duration_seconds_count{")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want = []string{`h5pay_overloaded_total{limit="bodies"} 0`, `h5pay_overloaded_total{limit="calls"} 0`, `h5pay_overloaded_total{limit="connections"} 0`, `h5pay_overloaded_total{limit="files"} 0`}
	if diff := cmp.Diff(want, series(t, tele, "h5pay_overloaded_total{")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	tele.Metrics().Notified("payment", "rejected")
	if got := strings.Join(series(t, tele, "h5pay_notifications_total{"), "\n"); !strings.Contains(got, `{kind="payment",verdict="rejected"} 1`) {
		t.Errorf("after a mismatch:\n%s", got)
	}
}
