package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"h5pay/internal/reqlog"
)

// seldomPeriod is the least time between two lines of one message that strangers
// can cause.
const seldomPeriod = time.Minute

// seldom bounds the number of log lines that strangers can cause. Its memory grows with the number
// of different messages, not with their occurrences.
type seldom struct {
	mu    sync.Mutex
	lines map[string]*seldomLine // by message
}

type seldomLine struct {
	level   slog.Level
	written time.Time
	held    int // occasions since then that made no line
}

// allow counts an occurrence of a message. It reports whether a line may be written, and how many
// occurrences since the last line had none.
func (c *seldom) allow(msg string, level slog.Level, now time.Time) (held int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := c.lines[msg]
	if line == nil {
		if c.lines == nil {
			c.lines = map[string]*seldomLine{}
		}
		line = &seldomLine{}
		c.lines[msg] = line
	}
	if age := now.Sub(line.written); age >= 0 && age < seldomPeriod {
		line.held++
		return 0, false
	}
	held = line.held
	*line = seldomLine{level: level, written: now}
	return held, true
}

// take returns and resets the occurrences without a line, of messages whose period is over.
func (c *seldom) take(now time.Time) map[string]seldomLine {
	c.mu.Lock()
	defer c.mu.Unlock()
	var due map[string]seldomLine
	for msg, line := range c.lines {
		if line.held == 0 || now.Sub(line.written) < seldomPeriod {
			continue
		}
		if due == nil {
			due = map[string]seldomLine{}
		}
		due[msg] = *line
		line.held = 0
	}
	return due
}

// logSeldom logs an event that strangers can cause at any rate: once a minute, with the number of
// occurrences since the last line. msg must be a constant.
func (s *Server) logSeldom(ctx context.Context, level slog.Level, msg string, args ...any) {
	held, ok := s.seldom.allow(msg, level, s.now())
	if !ok {
		return
	}
	if held > 0 {
		args = append(args, "not_logged", held)
	}
	s.logger(ctx).Log(ctx, level, msg, args...)
}

// LogHeld logs the occurrences that had no line yet, so that the end of a flood is counted too. A
// timer calls it every minute. In a Worker it covers only its own program.
func (s *Server) LogHeld() {
	for msg, line := range s.seldom.take(s.now()) {
		s.log.Log(context.Background(), line.level, msg, "not_logged", line.held, "since", line.written.UTC().Format(time.RFC3339))
	}
}

// logger returns the log, with the request's ID on every line when there is a
// request.
func (s *Server) logger(ctx context.Context) *slog.Logger {
	return reqlog.From(ctx, s.log)
}
