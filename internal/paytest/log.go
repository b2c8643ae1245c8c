// Package paytest holds what several test packages need. A Shop is a signer in this process, with
// buyers, an operator and a simulated WeChat. A Merchant also has a back end that gets events. A
// Buyer and a Worker do the same over HTTP with the built signer on workerd. Receiver, Log and the
// comparison of the shop with WeChat's ledger serve both.
package paytest

import (
	"bytes"
	"strings"
	"sync"
)

// Log keeps what a program writes to it. It can be read while it is written. The zero Log is empty.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends p.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns everything that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Lines returns the lines that contain a word, without their ends.
func (l *Log) Lines(word string) []string {
	var found []string
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, word) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
