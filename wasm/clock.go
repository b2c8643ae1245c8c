package main

import "time"

// clock carries on what the signer said the time was, by a stopwatch that does
// not care how the device's clock is set.
type clock struct {
	serverTime time.Time // zero until the signer has said
	receivedAt time.Time // when, on the stopwatch
}

// set takes the Date header of an answer.
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
