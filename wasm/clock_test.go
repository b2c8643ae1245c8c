package main

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	var c clock
	if !c.now().IsZero() {
		t.Error("the clock has a time before the first response")
	}
	c.set("no date")
	c.set("")
	if !c.now().IsZero() {
		t.Error("it accepts a text that is no date")
	}
	said := time.Date(2031, 3, 1, 12, 0, 0, 0, time.UTC) // not near this machine's time
	c.set(said.Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	c.set("no date")
	c.receivedAt = c.receivedAt.Add(-90 * time.Second)
	if passed := c.now().Sub(said); passed < 90*time.Second || passed > 2*time.Minute {
		t.Errorf("%v passed in a minute and a half", passed)
	}
}
