package telemetry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// The label of a call has no number, whatever characters the number has, so that orders and refunds
// make no series.
func TestCallName(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v3/refund/domestic/refunds":                     "/v3/refund/domestic/refunds",
		"/v3/refund/domestic/refunds/returnabc":           "/v3/refund/domestic/refunds/ID",
		"/v3/refund/domestic/refunds/r1":                  "/v3/refund/domestic/refunds/ID",
		"/v3/pay/transactions/id/4200000001":              "/v3/pay/transactions/id/ID",
		"/v3/pay/transactions/out-trade-no/abcdef":        "/v3/pay/transactions/out-trade-no/ID",
		"/v3/pay/transactions/out-trade-no/abc1def/close": "/v3/pay/transactions/out-trade-no/ID/close",
		"/v3/pay/transactions/h5":                         "/v3/pay/transactions/h5",
		"/v3/pay/transactions/jsapi":                      "/v3/pay/transactions/jsapi",
		"/v3/certificates":                                "/v3/certificates",
		"/v3/bill/tradebill":                              "/v3/bill/tradebill",
		"/sns/oauth2/access_token":                        "/sns/oauth2/access_token",
		"/secapi/pay/refund":                              "/secapi/pay/refund",
	} {
		if got := callName(httptest.NewRequest(http.MethodGet, path+"?a=1", nil)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// The number of the order is read from a body only for a span that is recorded.
func TestBodiesAreReadForRecordedSpansOnly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		traces trace.TracerProvider
		want   int
	}{
		"no traces":    {noop.NewTracerProvider(), 0},
		"none sampled": {sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())), 0},
		"all sampled":  {sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample())), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tele := newTelemetry(t)
			tele.tracer = test.traces.Tracer("test")
			reads := 0
			next := roundTripper(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
			})
			for _, transport := range []http.RoundTripper{tele.WeChat(next), tele.Webhook(next)} {
				r, err := http.NewRequest(http.MethodPost, "https://example.com/v3/pay/transactions/jsapi", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				r.GetBody = func() (io.ReadCloser, error) {
					reads++
					return io.NopCloser(strings.NewReader(`{"out_trade_no": "20261128abcdef"}`)), nil
				}
				if _, err := transport.RoundTrip(r); err != nil {
					t.Fatal(err)
				}
			}
			if reads != test.want {
				t.Errorf("%d bodies were read, want %d", reads, test.want)
			}
		})
	}
}
