package main

import "time"

// clock returns the signer's time. It adds the time since the last response, measured on the
// monotonic clock.
type clock struct {
	serverTime time.Time // zero before the first response
	receivedAt time.Time // monotonic
}

// set sets the clock by the Date header of a response.
func (c *clock) set(date string) {
	if t, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", date); err == nil {
		c.serverTime, c.receivedAt = t, time.Now()
	}
}

func (c *clock) now() time.Time {
	if c.serverTime.IsZero() {
		return c.serverTime
	}
	return c.serverTime.Add(time.Since(c.receivedAt))
}
