package server

import (
	"net/http"
	"strings"

	"h5pay/internal/api"
)

// logPath returns the path of a request for the log, without the token of an order.
func logPath(r *http.Request) string {
	const before = "/api" + api.PathCustomer
	rest, found := strings.CutPrefix(r.URL.Path, before)
	if !found {
		return r.URL.Path
	}
	_, after, more := strings.Cut(rest, "/")
	if more {
		return before + "{token}/" + after
	}
	return before + "{token}"
}
