package store

import (
	"strings"
	"time"

	"h5pay/internal/api"
)

// milli is how a time is stored; the zero time as NULL.
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

// text is how an optional text is stored; "" as NULL.
func text(v string) any {
	if v == "" {
		return nil
	}
	return v
}

// flag is how a bool is stored.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// bound is a time as the least value of a range, 0 for the zero time.
func bound(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// quoted is a status in SQL. A parameter would keep SQLite from a partial index.
func quoted(s api.OrderStatus) string { return `'` + strings.ReplaceAll(string(s), `'`, `''`) + `'` }
