package store

import (
	"strings"
	"time"

	"h5pay/internal/api"
)

// milli returns a time as it is stored: Unix ms, or NULL for the zero time.
func milli(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// fromMilli reads a stored time; 0 stands for NULL.
func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// text returns an optional text as it is stored: "" is NULL.
func text(v string) any {
	if v == "" {
		return nil
	}
	return v
}

// flag returns a bool as it is stored.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// bound returns a time as the lower bound of a range in Unix ms, 0 for the zero time.
func bound(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// quoted is a status in SQL. A parameter would keep SQLite from a partial index.
func quoted(s api.OrderStatus) string { return `'` + strings.ReplaceAll(string(s), `'`, `''`) + `'` }
