package telemetry

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/felixge/httpsnoop"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// unknownRoute is the label of a request that no route takes, so that strangers cannot make labels.
const unknownRoute = "other"

// Handler measures the calls of the API. patterns are the routes, as a ServeMux has them. routes
// under /api/notify/ are WeChat's notifications.
func (t *Telemetry) Handler(next http.Handler, patterns []string) http.Handler {
	mux := http.NewServeMux()
	for _, pattern := range patterns {
		mux.Handle(pattern, next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		_, route := mux.Handler(r)
		route = cmp.Or(route, unknownRoute)
		ctx, span := t.tracer.Start(r.Context(), route, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", method(r)), attribute.String("http.route", route)))
		status, answer := http.StatusOK, answerStart{}
		wroteHeader := false
		wrapped := httpsnoop.Wrap(w, httpsnoop.Hooks{
			WriteHeader: func(write httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
				return func(code int) {
					if !wroteHeader && code >= http.StatusOK {
						status, wroteHeader = code, true
					}
					write(code)
				}
			},
			Write: func(write httpsnoop.WriteFunc) httpsnoop.WriteFunc {
				return func(p []byte) (int, error) {
					wroteHeader = true
					answer.add(p)
					return write(p)
				}
			},
		})
		defer func() {
			t.metrics.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(time.Since(began).Seconds())
			if kind, ok := strings.CutPrefix(route, "POST /api/notify/"); ok {
				t.metrics.notifications.WithLabelValues(kind, verdict(status, answer.bytes)).Inc()
			}
			span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("h5pay.request_id", w.Header().Get("X-Request-Id")))
			if status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, "")
			}
			span.End()
		}()
		next.ServeHTTP(wrapped, r.WithContext(ctx))
	})
}

// method returns the method of a request if it is a known one.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return r.Method
	}
	return "_OTHER"
}

// answerStart is the beginning of a response, which holds the verdict about a notification.
type answerStart struct{ bytes []byte }

func (a *answerStart) add(p []byte) {
	const most = 512
	if n := most - len(a.bytes); n > 0 {
		a.bytes = append(a.bytes, p[:min(n, len(p))]...)
	}
}

// The verdicts about a notification.
const (
	verdictAcknowledged = "acknowledged" // settled, now or before
	verdictMismatch     = "mismatch"     // it disagrees with the order
	verdictRejected     = "rejected"     // not verified as WeChat's, or too large
	verdictRetry        = "retry"        // WeChat is to repeat it: not confirmed, or the shop is busy
	verdictFailed       = "failed"       // the shop failed
)

// verdict returns what the response to a notification says: see answer in internal/server. A
// notification of APIv2 that is not taken is answered with status 200 too.
func verdict(status int, body []byte) string {
	says := func(text string) bool { return bytes.Contains(body, []byte(text)) }
	switch {
	case status < 300 && !says("FAIL"):
		return verdictAcknowledged
	case status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable:
		return verdictFailed
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests, says("try again"):
		return verdictRetry
	case says("not a valid notification"), status > http.StatusBadRequest:
		return verdictRejected
	}
	return verdictMismatch
}
