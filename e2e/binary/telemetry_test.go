package binary

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracing "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"h5pay/internal/api"
	"h5pay/internal/stack"
)

// spanCollector receives spans as a collector of OpenTelemetry does.
type spanCollector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracing.Span
	text  string // all that was received
}

func newCollector(t *testing.T) *spanCollector {
	t.Helper()
	c := &spanCollector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		b, err := io.ReadAll(body)
		var req collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(b, &req)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.text += req.String()
		for _, resource := range req.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// named returns the spans with a name, in the order of their start.
func (c *spanCollector) named(name string) []*tracing.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*tracing.Span
	for _, s := range c.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *tracing.Span) int { return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano)) })
	return found
}

// under reports whether a span is another one, or a descendant of it.
func (c *spanCollector) under(s, ancestor *tracing.Span) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s != nil {
		if string(s.SpanId) == string(ancestor.SpanId) {
			return true
		}
		var parent *tracing.Span
		for _, other := range c.spans {
			if string(other.SpanId) == string(s.ParentSpanId) && string(other.TraceId) == string(s.TraceId) {
				parent = other
			}
		}
		s = parent
	}
	return false
}

// readFamilies reads a page of metrics.
func readFamilies(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// readMetrics reads the values of a page of metrics by name and labels, a histogram's number of
// observations under its name with _count.
func readMetrics(t *testing.T, url string) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	for name, family := range readFamilies(t, url) {
		for _, m := range family.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			series := strings.Join(labels, ",")
			switch {
			case m.Histogram != nil:
				values[name+"_count{"+series+"}"] = float64(m.Histogram.GetSampleCount())
			case m.Counter != nil:
				values[name+"{"+series+"}"] = m.Counter.GetValue()
			default:
				values[name+"{"+series+"}"] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}

// A paid order is in the metrics, and one trace leads from WeChat's notification over the query to
// the webhook. Neither has a secret or an openid.
func TestMetricsAndTracesOfAPaidOrder(t *testing.T) {
	t.Parallel()
	spans := newCollector(t)
	var traceparent sync.Map
	backEnd := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		traceparent.Store("header", r.Header.Get("traceparent"))
	}))
	t.Cleanup(backEnd.Close)
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	metrics := fmt.Sprintf("http://localhost:%d/metrics", port)
	var secrets []string
	s := newShop(t, func(_ *shop, env map[string]string) {
		env["METRICS_LISTEN"] = fmt.Sprintf("localhost:%d", port)
		env["WEBHOOK_URL"] = backEnd.URL
		env["OTEL_EXPORTER_OTLP_ENDPOINT"] = spans.URL
		env["OTEL_BSP_SCHEDULE_DELAY"] = "50"
		for _, name := range []string{"WECHAT_APPSECRET", "WECHAT_MCH_KEY", "WECHAT_APIV3_KEY", "SESSION_KEY", "ADMIN_TOKEN", "WEBHOOK_SECRET"} {
			secrets = append(secrets, env[name])
		}
	})
	secrets = append(secrets, s.User().OpenID)
	p := s.start(t)
	buyer := s.buyer(t)
	checkout := buyer.Order("tea", 1)
	buyer.Pay(checkout.Pay)
	eventually(t, "the webhook and the timers are in the metrics", func() bool {
		got := readMetrics(t, metrics)
		return got[`h5pay_webhook_duration_seconds_count{result="200"}`] == 1 && got[`h5pay_job_duration_seconds_count{job="deliver",result="ok"}`] > 0 &&
			got[`h5pay_outbox_pending{}`] == 0 && got[`h5pay_reconciled_timestamp_seconds{}`] > 0
	})
	forgeNotification(t, s)
	callV1(t, s, "/v1/orders/"+checkout.Order.ID)
	got := readMetrics(t, metrics)
	for series, want := range map[string]float64{
		`h5pay_http_request_duration_seconds_count{route="POST /api/orders",status="200"}`:          1,
		`h5pay_http_request_duration_seconds_count{route="POST /api/orders/{id}/pay",status="200"}`: 1,
		`h5pay_http_request_duration_seconds_count{route="GET /v1/orders/{id}",status="200"}`:       1,
		`h5pay_wechat_call_duration_seconds_count{call="/v3/pay/transactions/jsapi",result="200"}`:  1,
		`h5pay_wechat_call_duration_seconds_count{call="/sns/oauth2/access_token",result="200"}`:    1,
		`h5pay_notifications_total{kind="payment",verdict="accepted"}`:                              1,
		`h5pay_notifications_total{kind="payment",verdict="forged"}`:                                1,
		`h5pay_notifications_total{kind="payment",verdict="rejected"}`:                              0,
		`h5pay_http_request_duration_seconds_count{route="POST /api/notify/pay",status="500"}`:      0,
		`h5pay_events_total{type="order.paid"}`:                                                     1,
		`h5pay_events_total{type="order.refunded"}`:                                                 0,
		`h5pay_outbox_pending{}`:                 0,
		`h5pay_outbox_dead{endpoint="settings"}`: 0,
		`h5pay_database_up{}`:                    1,
	} {
		if value, ok := got[series]; !ok || value != want {
			t.Errorf("%s is %v (%v), want %v", series, value, ok, want)
		}
	}
	for _, series := range []string{`h5pay_wechat_call_duration_seconds_count{call="/v3/pay/transactions/out-trade-no/ID",result="200"}`, `h5pay_job_duration_seconds_count{job="deliver",result="ok"}`, `h5pay_database_bytes{}`} {
		if got[series] < 1 {
			t.Errorf("%s is %v", series, got[series])
		}
	}
	statements := 0.0
	for series, n := range got {
		if strings.HasPrefix(series, "h5pay_db_") {
			statements += n
		}
	}
	if statements < 10 {
		t.Errorf("%v statements are measured: %v", statements, got)
	}
	checkQueries(t, readFamilies(t, metrics))
	checkMetricsDocument(t, readFamilies(t, metrics))
	// Strangers, who reach the shop only, cannot read them.
	for _, path := range []string{"/metrics", "/api/metrics"} {
		res, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusNotFound || strings.Contains(string(body), "h5pay_") {
			t.Errorf("%s: %s, %v", path, res.Status, err)
		}
	}
	p.stop(t) // sends the last spans

	notify, webhook := spans.named("POST /api/notify/pay"), spans.named("webhook")
	if len(notify) != 2 || len(webhook) != 1 {
		t.Fatalf("%d notifications, %d webhooks in the traces", len(notify), len(webhook))
	}
	query := spans.named("wechat /v3/pay/transactions/out-trade-no/ID")
	if !slices.ContainsFunc(query, func(q *tracing.Span) bool { return spans.under(q, notify[0]) && spans.under(webhook[0], q) }) {
		t.Errorf("no trace leads from the notification over a query to the webhook")
	}
	header, _ := traceparent.Load("header")
	if want := fmt.Sprintf("00-%x-%x-01", webhook[0].TraceId, webhook[0].SpanId); header != want {
		t.Errorf("the receiver got the trace %v, want %s", header, want)
	}
	pays := spans.named("POST /api/orders/{id}/pay")
	calls := spans.named("wechat /v3/pay/transactions/jsapi")
	if len(pays) != 1 || len(calls) != 1 || !spans.under(calls[0], pays[0]) {
		t.Errorf("%d calls of the page, %d to WeChat", len(pays), len(calls))
	}
	text := spans.text + fmt.Sprint(got)
	for _, secret := range secrets {
		if len(secret) < 8 {
			t.Fatalf("no secret: %q", secret)
		}
		if strings.Contains(text, secret) {
			t.Errorf("a secret is in the metrics or the traces: %.6s", secret)
		}
	}
	if strings.Contains(text, "code=") || strings.Contains(text, "appid=") {
		t.Error("the query of a URL is in the traces")
	}
}

// callV1 makes a call of the operator to /v1.
func callV1(t *testing.T, s *shop, path string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", path, res.Status)
	}
}

// forgeNotification posts a notification that WeChat did not sign.
func forgeNotification(t *testing.T, s *shop) {
	t.Helper()
	res, err := http.Post(s.url+api.PathNotifyPay, "application/json", strings.NewReader(`{"id":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("a forged notification: %s", res.Status)
	}
}
