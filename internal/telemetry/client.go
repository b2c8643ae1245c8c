package telemetry

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// WeChat measures the calls of a client to WeChat.
func (t *Telemetry) WeChat(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		call := callName(r)
		ctx, span := t.tracer.Start(r.Context(), "wechat "+call, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname()), attribute.String("h5pay.wechat.call", call)))
		if no := recordedNo(span, r); no != "" {
			span.SetAttributes(attribute.String("h5pay.out_trade_no", no))
			t.orders.note(no, span.SpanContext())
		}
		began := time.Now()
		res, err := next.RoundTrip(r.WithContext(ctx))
		result := status(res, err)
		t.metrics.wechat.WithLabelValues(call, result).Observe(time.Since(began).Seconds())
		span.SetAttributes(attribute.String("h5pay.result", result))
		endSpan(span, err != nil || res.StatusCode >= http.StatusInternalServerError)
		return res, err
	})
}

// Webhook measures the webhooks of a client. The span continues the trace of the last call to WeChat
// about the same order, and the receiver gets it in the header traceparent.
func (t *Telemetry) Webhook(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		ctx, options := r.Context(), []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname()))}
		if no, cause, ok := t.orders.cause(r); ok {
			options = append(options, trace.WithLinks(trace.LinkFromContext(ctx)), trace.WithAttributes(attribute.String("h5pay.out_trade_no", no)))
			ctx = trace.ContextWithSpanContext(ctx, cause)
		}
		ctx, span := t.tracer.Start(ctx, "webhook", options...)
		r = r.Clone(ctx)
		propagator.Inject(ctx, propagation.HeaderCarrier(r.Header))
		began := time.Now()
		res, err := next.RoundTrip(r)
		result := status(res, err)
		t.metrics.webhooks.WithLabelValues(result).Observe(time.Since(began).Seconds())
		span.SetAttributes(attribute.String("h5pay.result", result))
		endSpan(span, err != nil || res.StatusCode >= http.StatusBadRequest)
		return res, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func endSpan(span trace.Span, failed bool) {
	if failed {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// status returns the status of a response as a label, resultError without one.
func status(res *http.Response, err error) string {
	if err != nil {
		return resultError
	}
	return strconv.Itoa(res.StatusCode)
}

// beforeNumber are the parts of a path before the number of an order, a transaction or a refund.
var beforeNumber = map[string]bool{"out-trade-no": true, "id": true, "refunds": true}

// callName returns the path of a call with ID in the place of every number, and nothing of its query.
func callName(r *http.Request) string {
	parts := strings.Split(r.URL.Path, "/")
	for i := 1; i < len(parts); i++ {
		if beforeNumber[parts[i-1]] {
			parts[i] = "ID"
		}
	}
	return strings.Join(parts, "/")
}

// outTradeNoText matches the number of an order in the path of a call, in JSON or in XML.
var outTradeNoText = regexp.MustCompile(`(?:out-trade-no/|"out_trade_no": ?"|<out_trade_no>(?:<!\[CDATA\[)?)([0-9A-Za-z_-]{6,32})`)

// outTradeNo returns the number of the order that a request is about, "" for none.
func outTradeNo(r *http.Request) string {
	if m := outTradeNoText.FindStringSubmatch(r.URL.Path); m != nil {
		return m[1]
	}
	if r.GetBody == nil {
		return ""
	}
	body, err := r.GetBody()
	if err != nil {
		return ""
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, 64<<10))
	if err != nil {
		return ""
	}
	if m := outTradeNoText.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}

// recordedNo is outTradeNo for a span that is recorded, and "" otherwise. So no body is read
// without need.
func recordedNo(span trace.Span, r *http.Request) string {
	if !span.IsRecording() {
		return ""
	}
	return outTradeNo(r)
}

// maxOrders is how many orders have their last call noted.
const maxOrders = 10_000

// orders notes the last call to WeChat about each of the last orders, so that a webhook continues
// its trace.
type orders struct {
	mu    sync.Mutex
	calls map[string]trace.SpanContext
	queue []string // the keys of calls, oldest first
}

func newOrders() *orders { return &orders{calls: map[string]trace.SpanContext{}} }

func (o *orders) note(no string, call trace.SpanContext) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.calls[no]; !known {
		if len(o.queue) == maxOrders {
			delete(o.calls, o.queue[0])
			o.queue = o.queue[1:]
		}
		o.queue = append(o.queue, no)
	}
	o.calls[no] = call
}

// cause returns the number of the order that a webhook is about, and the last call about it. It reads
// no body if no call is noted.
func (o *orders) cause(r *http.Request) (no string, call trace.SpanContext, ok bool) {
	o.mu.Lock()
	noted := len(o.calls)
	o.mu.Unlock()
	if noted == 0 {
		return "", trace.SpanContext{}, false
	}
	no = outTradeNo(r)
	o.mu.Lock()
	defer o.mu.Unlock()
	call, ok = o.calls[no]
	return no, call, ok
}
