package main

import (
	"bytes"
	"fmt"
	"sync"

	"h5pay/internal/paytest"
)

// The verdicts.
const (
	lost    = paytest.Lost
	doubled = paytest.Doubled
	wrong   = paytest.Wrong
)

// judge collects the findings and searches everything that leaves the Worker for secrets.
type judge struct {
	log paytest.Log // of all workerds

	mu       sync.Mutex
	findings []paytest.Finding
	secrets  map[string]string // name by value
}

// note records a finding.
func (j *judge) note(v paytest.Verdict, order, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.findings = append(j.findings, paytest.Finding{Verdict: v, Order: order, Text: fmt.Sprintf(format, args...)})
}

// add records findings.
func (j *judge) add(all []paytest.Finding) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.findings = append(j.findings, all...)
}

// secret registers a value that must not appear anywhere.
func (j *judge) secret(name, value string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.secrets == nil {
		j.secrets = map[string]string{}
	}
	if value != "" {
		j.secrets[value] = name
	}
}

// checkSecrets searches a text that others can read for secrets.
func (j *judge) checkSecrets(where string, text []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value, name := range j.secrets {
		if bytes.Contains(text, []byte(value)) {
			j.findings = append(j.findings, paytest.Finding{Verdict: wrong, Text: fmt.Sprintf("%s holds %s", where, name)})
		}
	}
}

// checkLog searches the log for secrets, panics and lost requests.
func (w *world) checkLog() {
	w.checkSecrets("the log", []byte(w.log.String()))
	for _, word := range []string{`"msg":"panic"`, `"msg":"request lost"`, "goroutine ", "Uncaught"} {
		if found := w.log.Lines(word); len(found) > 0 {
			w.note(wrong, "", "the log has %d lines like %.300s", len(found), found[0])
		}
	}
}
