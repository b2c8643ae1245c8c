package campaign

import (
	"bytes"
	"fmt"
	"sync"

	"h5pay/internal/paytest"
)

// The verdicts.
const (
	Lost    = paytest.Lost
	Doubled = paytest.Doubled
	Wrong   = paytest.Wrong
)

// Judge collects the findings and searches everything that leaves the Worker for secrets.
type Judge struct {
	Log *paytest.Log // of the signer

	mu       sync.Mutex
	findings []paytest.Finding
	secrets  map[string]string // name by value
}

// Note records a finding.
func (j *Judge) Note(v paytest.Verdict, order, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.findings = append(j.findings, paytest.Finding{Verdict: v, Order: order, Text: fmt.Sprintf(format, args...)})
}

// add records findings.
func (j *Judge) add(all []paytest.Finding) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.findings = append(j.findings, all...)
}

// Secret registers a value that must not appear anywhere.
func (j *Judge) Secret(name, value string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.secrets == nil {
		j.secrets = map[string]string{}
	}
	if value != "" {
		j.secrets[value] = name
	}
}

// CheckSecrets searches a text that others can read for secrets.
func (j *Judge) CheckSecrets(where string, text []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value, name := range j.secrets {
		if bytes.Contains(text, []byte(value)) {
			j.findings = append(j.findings, paytest.Finding{Verdict: Wrong, Text: fmt.Sprintf("%s holds %s", where, name)})
		}
	}
}

// checkLog searches the log for secrets, panics and lost requests.
func (w *World) checkLog() {
	w.CheckSecrets("the log", []byte(w.Log.String()))
	for _, word := range []string{`"msg":"panic"`, `"msg":"request lost"`, "msg=panic", `msg="request lost"`, "goroutine ", "Uncaught"} {
		if found := w.Log.Lines(word); len(found) > 0 {
			w.Note(Wrong, "", "the log has %d lines like %.300s", len(found), found[0])
		}
	}
}
