package wechattest

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"
)

// edgeSlow is how long edge_slow takes, in real time.
const edgeSlow = 3200 * time.Millisecond

// Edge returns a handler in front of a shop that applies the faults edge_*. It forwards requests
// that are not messages of WeChat's unchanged. The phone of the simulator uses it.
func (w *WeChat) Edge(shop http.Handler) http.Handler {
	var mu sync.Mutex
	var last *recorded
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !isMessage(r) {
			shop.ServeHTTP(rw, r)
			return
		}
		take := func(kind string) bool {
			_, ok := w.takeFault(kind, "")
			return ok
		}
		page := func(status int, text string) {
			rw.Header().Set("Content-Type", "text/html; charset=utf-8")
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, text) // a client that went away misses it
		}
		switch {
		case take(FaultEdgeChallenge):
			rw.Header().Set("Cf-Mitigated", "challenge")
			page(http.StatusForbidden, `<!DOCTYPE html><title>Just a moment...</title><script src="/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1"></script>`)
		case take(FaultEdgeRedirect):
			http.Redirect(rw, r, "https://www."+r.Host+r.URL.Path, http.StatusMovedPermanently)
		case take(FaultEdgeLogin):
			page(http.StatusForbidden, "<title>Access denied</title>")
		case take(FaultEdgeNotFound):
			page(http.StatusNotFound, nginxPage("404 Not Found"))
		case take(FaultEdgeMethod):
			page(http.StatusMethodNotAllowed, nginxPage("405 Not Allowed"))
		case take(FaultEdgeError):
			page(http.StatusBadGateway, nginxPage("502 Bad Gateway"))
		case take(FaultEdgeTimeout):
			select {
			case <-r.Context().Done():
			case <-w.ctx.Done():
			}
			panic(http.ErrAbortHandler)
		case take(FaultEdgeOtherSite):
			page(http.StatusOK, "<!DOCTYPE html><title>Welcome</title>")
		case take(FaultEdgeCached):
			mu.Lock()
			defer mu.Unlock()
			if last == nil {
				last = &recorded{header: http.Header{}, status: http.StatusOK}
				shop.ServeHTTP(last, r)
			}
			for name, values := range last.header {
				rw.Header()[name] = values
			}
			rw.Header().Set("Age", "7")
			rw.WriteHeader(last.status)
			_, _ = rw.Write(last.body.Bytes())
		default:
			if take(FaultEdgeSlow) {
				select {
				case <-time.After(edgeSlow):
				case <-w.ctx.Done():
				}
			}
			if take(FaultEdgeBodyChanged) {
				encodeAnew(r)
			}
			if take(FaultEdgeHeadersLost) {
				r.Header = r.Header.Clone()
				for name := range r.Header {
					if strings.HasPrefix(name, "Wechatpay-") {
						r.Header.Del(name)
					}
				}
			}
			shop.ServeHTTP(rw, r)
		}
	})
}

// recorded is a response of the shop in the cache.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) WriteHeader(status int)      { r.status = status }
func (r *recorded) Write(p []byte) (int, error) { return r.body.Write(p) }

// isMessage reports whether a request is a message of WeChat's: JSON that is signed, or XML.
func isMessage(r *http.Request) bool {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return r.Method == http.MethodPost && (r.Header.Get("Wechatpay-Signature") != "" || media == "text/xml" || media == "application/xml")
}

// encodeAnew reads and writes a body as a proxy does that looks into JSON.
func encodeAnew(r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	var value any
	if json.Unmarshal(body, &value) == nil {
		if text, err := json.Marshal(value); err == nil {
			body = text
		}
	} else {
		body = append(body, '\n')
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header = r.Header.Clone()
	r.Header.Del("Content-Length")
}
