package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// verdict is the kind of a thing that must not be.
type verdict string

// The verdicts.
const (
	lost    verdict = "lost"    // WeChat has the money, the shop does not know
	doubled verdict = "doubled" // one wish became two orders, payments or fulfilments
	wrong   verdict = "wrong"   // anything else that breaks a promise
)

// finding is one broken promise.
type finding struct {
	verdict
	order string // out_trade_no, if it is about one
	text  string
}

// judge keeps what was found, and looks for secrets in all that leaves the
// Worker.
type judge struct {
	log workerLog

	mu       sync.Mutex
	findings []finding
	secrets  map[string]string // name by value
}

// note records a finding.
func (j *judge) note(v verdict, order, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.findings = append(j.findings, finding{v, order, fmt.Sprintf(format, args...)})
}

// secret makes a value one that nobody may see.
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

// checkSecrets looks for secrets in a text that others can read.
func (j *judge) checkSecrets(where string, text []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value, name := range j.secrets {
		if bytes.Contains(text, []byte(value)) {
			j.findings = append(j.findings, finding{wrong, "", fmt.Sprintf("%s holds %s", where, name)})
		}
	}
}

// workerLog is what all workerds of a campaign have written.
type workerLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *workerLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines returns those that hold a word.
func (l *workerLog) lines(word string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, word) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// checkLog looks for what must never be in a log: a secret, a panic, a request
// whose program was lost.
func (w *world) checkLog() {
	w.log.mu.Lock()
	text := bytes.Clone(w.log.text.Bytes())
	w.log.mu.Unlock()
	w.checkSecrets("the log", text)
	for _, word := range []string{`"msg":"panic"`, `"msg":"request lost"`, "goroutine ", "Uncaught"} {
		if found := w.log.lines(word); len(found) > 0 {
			w.note(wrong, "", "the log has %d lines like %.300s", len(found), found[0])
		}
	}
}
