// Package telemetry measures the native server: metrics for Prometheus, and traces for OpenTelemetry.
// It wraps what the server is built of: the HTTP handler, the clients, the database driver, the log
// and the jobs. The Worker does not link it.
//
// No metric and no span has a secret, an openid, an address of a client or a query of a URL.
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"h5pay/internal/v1"
)

// Namespace is the beginning of the names of the server's own metrics.
const Namespace = "h5pay"

// Metrics are the metrics of a server.
type Metrics struct {
	registry      *prometheus.Registry
	requests      *prometheus.HistogramVec // by route and status
	notifications *prometheus.CounterVec   // by kind and verdict
	wechat        *prometheus.HistogramVec // by call and result
	webhooks      *prometheus.HistogramVec // by result
	jobs          *prometheus.HistogramVec // by job and result
	lines         *prometheus.CounterVec   // by level
	overloaded    *prometheus.CounterVec   // by limit
}

// The limits of a server, for Overloaded.
const (
	LimitConnections = "connections"
	LimitCalls       = "calls"
	LimitBodies      = "bodies" // calls with a large body
	LimitFiles       = "files"
)

// seconds are the buckets of durations, from a statement to a call that waits for WeChat.
var seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// newMetrics returns the metrics of a program.
func newMetrics() *Metrics {
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: Namespace, Name: name, Help: help, Buckets: seconds}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: Namespace, Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry:      prometheus.NewRegistry(),
		requests:      histogram("http_request_duration_seconds", "Duration of the calls of the API, by route and status.", "route", "status"),
		notifications: counter("notifications_total", "Messages that arrived as WeChat's notifications, by kind and by the verdict on them.", "kind", "verdict"),
		wechat:        histogram("wechat_call_duration_seconds", "Duration of calls to WeChat, by call and result.", "call", "result"),
		webhooks:      histogram("webhook_duration_seconds", "Duration of webhooks to the merchant's back end, by result.", "result"),
		jobs:          histogram("job_duration_seconds", "Duration of the runs of timers, by job and result.", "job", "result"),
		lines:         counter("log_lines_total", "Lines of the log, by level.", "level"),
		overloaded:    counter("overloaded_total", "Requests and connections that a full server rejected, by the limit that was reached.", "limit"),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: Namespace, Name: "build_info", Help: "1, with the version as a label.", ConstLabels: prometheus.Labels{"version": version()},
	}, func() float64 { return 1 })
	m.registry.MustRegister(m.requests, m.notifications, m.wechat, m.webhooks, m.jobs, m.lines, m.overloaded, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		m.lines.WithLabelValues(level.String()) // a rate needs the first 0
	}
	for _, limit := range []string{LimitConnections, LimitCalls, LimitBodies, LimitFiles} {
		m.overloaded.WithLabelValues(limit)
	}
	for _, kind := range v1.NotificationKind("").Enum() {
		for _, verdict := range v1.NotificationResult("").Enum() {
			m.notifications.WithLabelValues(fmt.Sprint(kind), fmt.Sprint(verdict))
		}
	}
	return m
}

// Overloaded counts a request or a connection that was rejected because a limit was reached.
func (m *Metrics) Overloaded(limit string) { m.overloaded.WithLabelValues(limit).Inc() }

// Notified counts a message that arrived as WeChat's notification.
func (m *Metrics) Notified(kind, verdict string) {
	m.notifications.WithLabelValues(kind, verdict).Inc()
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}

// Page returns the page that Prometheus reads, /metrics.
func (m *Metrics) Page() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 10 * time.Second}))
	return mux
}

// Log returns a handler of log records that counts them.
func (m *Metrics) Log(h slog.Handler) slog.Handler { return countingLog{h, m.lines} }

type countingLog struct {
	slog.Handler
	lines *prometheus.CounterVec
}

func (h countingLog) Handle(ctx context.Context, r slog.Record) error {
	h.lines.WithLabelValues(r.Level.String()).Inc()
	return h.Handler.Handle(ctx, r)
}

func (h countingLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return countingLog{h.Handler.WithAttrs(attrs), h.lines}
}

func (h countingLog) WithGroup(name string) slog.Handler {
	return countingLog{h.Handler.WithGroup(name), h.lines}
}

// results are the values of the label result for what has no status.
const (
	resultOK    = "ok"
	resultError = "error"
)

func resultOf(err error) string {
	if err != nil {
		return resultError
	}
	return resultOK
}
