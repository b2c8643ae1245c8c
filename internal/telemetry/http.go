package telemetry

import (
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

// unknownRoute is the label of a request without a route, so that strangers cannot make labels.
const unknownRoute = "other"

// Handler measures the calls of the API. patterns are the routes, as a ServeMux has them.
func (t *Telemetry) Handler(next http.Handler, patterns []string) http.Handler {
	mux := http.NewServeMux()
	for _, pattern := range patterns {
		mux.Handle(pattern, next)
		if strings.HasPrefix(pattern, "POST /api/notify/") {
			// An alert needs the first 0.
			t.metrics.requests.WithLabelValues(pattern, strconv.Itoa(http.StatusInternalServerError))
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		_, route := mux.Handler(r)
		route = cmp.Or(route, unknownRoute)
		ctx, span := t.tracer.Start(r.Context(), route, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", method(r)), attribute.String("http.route", route)))
		status, wroteHeader := http.StatusOK, false
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
					return write(p)
				}
			},
		})
		defer func() {
			t.metrics.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(time.Since(began).Seconds())
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
