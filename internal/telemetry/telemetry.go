package telemetry

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Telemetry measures one server.
type Telemetry struct {
	metrics  *Metrics
	traces   trace.TracerProvider
	tracer   trace.Tracer
	meters   *metric.MeterProvider
	orders   *orders
	shutdown func(context.Context) error
}

// New returns the telemetry of a server. Spans are exported by OTLP over HTTP if the standard
// variables name an endpoint: OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT. The
// exporter reads the other OTEL_ variables too. getenv returns the value of a variable.
func New(ctx context.Context, getenv func(string) string) (*Telemetry, error) {
	t := &Telemetry{metrics: newMetrics(), traces: noop.NewTracerProvider(), orders: newOrders(), shutdown: func(context.Context) error { return nil }}
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(t.metrics.registry), otelprometheus.WithNamespace(Namespace),
		otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("preparing the metrics: %w", err)
	}
	t.meters = metric.NewMeterProvider(metric.WithReader(reader), metric.WithView(metric.NewView(
		metric.Instrument{Kind: metric.InstrumentKindHistogram}, metric.Stream{Aggregation: metric.AggregationExplicitBucketHistogram{Boundaries: seconds}})))
	if exportsTraces(getenv) {
		if err := t.startTraces(ctx, getenv); err != nil {
			return nil, err
		}
	}
	t.tracer = t.traces.Tracer("h5pay")
	return t, nil
}

// exportsTraces reports whether the variables switch traces on.
func exportsTraces(getenv func(string) string) bool {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

func (t *Telemetry) startTraces(ctx context.Context, getenv func(string) string) error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if p := getenv(name); p != "" && p != "http/protobuf" {
			return fmt.Errorf("variable %s: want http/protobuf", name)
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return fmt.Errorf("preparing the traces: %w", err)
	}
	// The environment comes last: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override.
	res, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("h5pay"), semconv.ServiceVersion(version())), resource.WithFromEnv())
	if err != nil {
		return fmt.Errorf("preparing the traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
	t.traces, t.shutdown = provider, provider.Shutdown
	return nil
}

// Metrics returns the metrics.
func (t *Telemetry) Metrics() *Metrics { return t.metrics }

// Close sends the last spans.
func (t *Telemetry) Close(ctx context.Context) error {
	return errors.Join(t.shutdown(ctx), t.meters.Shutdown(ctx))
}

// propagator writes the trace into the header of a webhook.
var propagator = propagation.TraceContext{}

// OpenConnector opens a database whose statements are measured. Spans have the text of a statement,
// and no value.
func (t *Telemetry) OpenConnector(c driver.Connector) *sql.DB {
	return sql.OpenDB(measuredConnector{c, otelsql.WrapDriver(connects{c}, t.options()...)})
}

// measuredConnector connects with measurements. Its Driver is that of the database itself, which may
// run several statements in one query. otelsql hides that.
type measuredConnector struct {
	driver.Connector
	measured driver.Driver
}

func (c measuredConnector) Connect(context.Context) (driver.Conn, error) { return c.measured.Open("") }

func (c measuredConnector) Close() error {
	if closer, ok := c.Connector.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// connects is the driver of one connector.
type connects struct{ driver.Connector }

// connectTime bounds the opening of a connection.
const connectTime = 10 * time.Second

func (c connects) Open(string) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	return c.Connect(ctx)
}

func (t *Telemetry) options() []otelsql.Option {
	return []otelsql.Option{otelsql.WithTracerProvider(t.traces), otelsql.WithMeterProvider(t.meters),
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			DisableErrSkip: true, OmitConnResetSession: true, OmitConnPrepare: true, OmitRows: true, OmitConnectorConnect: true,
			RecordError: func(error) bool { return false }, // an error may hold a value
			SpanFilter: func(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
				return trace.SpanContextFromContext(ctx).IsValid()
			},
		})}
}

// Job returns a job that is measured under its name.
func (t *Telemetry) Job(name string, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		began := time.Now()
		ctx, span := t.tracer.Start(ctx, "job "+name, trace.WithNewRoot())
		result := resultError // also after a panic
		defer func() {
			t.metrics.jobs.WithLabelValues(name, result).Observe(time.Since(began).Seconds())
			endSpan(span, result == resultError)
		}()
		err := run(ctx)
		result = resultOf(err)
		return err
	}
}
