package main

import (
	"bytes"
	"encoding/json"
	"h5pay/internal/paytest/campaign"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"time"
)

// injectFailures wraps a handler with the armed failures. name names a call in the report.
func (w *deployment) injectFailures(at campaign.Site, name func(*http.Request, []byte) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the machine was killed during the request
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		machine := w.worker.named(r.Header.Get(nodeHeader))
		r.Header.Del(nodeHeader)
		m, hit := w.Failures.Next(at, name(r, body))
		if !hit {
			next.ServeHTTP(rw, r)
			return
		}
		answer := httptest.NewRecorder()
		if m.Done {
			next.ServeHTTP(answer, r)
		}
		switch m.Kind {
		case campaign.Kill:
			machine.kill()
			panic(http.ErrAbortHandler) // net/http closes the connection
		case campaign.Restart:
			w.db.kill()
			panic(http.ErrAbortHandler)
		case campaign.Freeze:
			machine.freeze(m.Wait)
			machine.awaitThaw()
		case campaign.Cut:
			w.worker.allow500(at)
			panic(http.ErrAbortHandler)
		case campaign.Fail:
			w.worker.allow500(at)
			if at == campaign.AtBackend {
				http.Error(rw, "made by the campaign", http.StatusInternalServerError)
				return
			}
			rw.Header().Set("Content-Type", "application/json")
			io.WriteString(rw, `{"success":false,"error":"D1_ERROR: internal error (made by the campaign)"}`)
			return
		}
		time.Sleep(m.Wait)
		if !m.Done {
			next.ServeHTTP(rw, r)
			return
		}
		maps.Copy(rw.Header(), answer.Header())
		rw.WriteHeader(answer.Code)
		rw.Write(answer.Body.Bytes()) // an error means that the machine has ended
	})
}

// nameCall names an HTTP call.
func nameCall(r *http.Request, _ []byte) string { return pathOfV2(r.Method, r.URL.Path) }

var statement = regexp.MustCompile(`(?is)^\s*(INSERT|UPDATE|DELETE|SELECT)\b.*?\b(?:INTO|UPDATE|FROM)\s+(\w+)|^\s*(UPDATE)\s+(\w+)`)

// nameStatement names the statement of a call to D1, for example "UPDATE payments to paid".
func nameStatement(_ *http.Request, body []byte) string {
	var q struct {
		SQL    string `json:"sql"`
		Params []any  `json:"params"`
	}
	if json.Unmarshal(body, &q) != nil {
		return "statements in a batch"
	}
	return statementName(q.SQL, func(n int) string {
		if n < len(q.Params) {
			status, _ := q.Params[n].(string)
			return status
		}
		return ""
	})
}

// statementName names a statement of SQLite or of PostgreSQL. arg returns an argument, counted from
// 0, if it is a string.
func statementName(sql string, arg func(n int) string) string {
	m := statement.FindStringSubmatch(sql)
	if m == nil {
		return "another statement"
	}
	name := m[1] + m[3] + " " + m[2] + m[4]
	if set := setsStatus.FindStringSubmatch(sql); set != nil {
		n := 0
		if set[1] != "" {
			n = number(set[1])
		}
		if status := arg(n); status != "" {
			name += " to " + status
		}
	}
	return name
}

var setsStatus = regexp.MustCompile(`(?i)\bSET status = (?:\?|\$)(\d*)`)

// pathOfV2 returns the path of the call of APIv2 that corresponds to a call: the plan names calls
// by it.
func pathOfV2(method, path string) string {
	switch {
	case strings.HasSuffix(path, "/close"):
		return "/pay/closeorder"
	case strings.HasPrefix(path, "/v3/pay/transactions/") && method == http.MethodPost:
		return "/pay/unifiedorder"
	case strings.HasPrefix(path, "/v3/pay/transactions/"):
		return "/pay/orderquery"
	case strings.HasPrefix(path, "/v3/refund/") && method == http.MethodPost:
		return "/secapi/pay/refund"
	case strings.HasPrefix(path, "/v3/refund/"):
		return "/pay/refundquery"
	}
	return path
}
