// Package cst is Beijing time, UTC+8 without daylight saving: WeChat reports times in
// it, and its bills are of its days.
//
// A WebAssembly binary has no time zone data, so the zone is a fixed one.
package cst

import (
	"errors"
	"time"
)

var zone = time.FixedZone("CST", 8*60*60)

// In returns t in Beijing time.
func In(t time.Time) time.Time { return t.In(zone) }

// Day returns the midnight with which the day of t begins in Beijing.
func Day(t time.Time) time.Time {
	y, m, d := In(t).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

// ParseDay reads a day like "2026-03-01" and returns the midnight with which it begins
// in Beijing.
func ParseDay(s string) (time.Time, error) {
	day, err := time.ParseInLocation(time.DateOnly, s, zone)
	if err != nil || day.Format(time.DateOnly) != s {
		return time.Time{}, errors.New("want a day like 2026-03-01")
	}
	return day, nil
}
