package wechattest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAdvanceRunsJobsInOrderAtTheirTimes(t *testing.T) {
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := newClock(epoch, 1)
	defer c.close()
	var mu sync.Mutex
	var got []string
	note := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, name+" "+c.now().Sub(epoch).Truncate(time.Second).String())
	}
	c.at(epoch.Add(2*time.Hour), func() { note("late") })
	c.at(epoch.Add(time.Hour), func() {
		note("early")
		c.at(c.now().Add(10*time.Minute), func() { note("planned by early") })
	})
	c.at(epoch.Add(5*time.Hour), func() { note("never") })
	c.advance(3 * time.Hour)
	want := []string{"early 1h0m0s", "planned by early 1h10m0s", "late 2h0m0s"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if now := c.now().Sub(epoch); now < 3*time.Hour || now > 3*time.Hour+time.Minute {
		t.Errorf("the clock is at %v", now)
	}
}

func TestScaledClockRunsJobsByItself(t *testing.T) {
	c := newClock(time.Now(), 100000)
	defer c.close()
	done := make(chan time.Time, 1)
	due := c.now().Add(time.Hour) // 36 ms
	c.at(due, func() { done <- c.now() })
	if at := <-done; at.Before(due) {
		t.Errorf("ran %v early", due.Sub(at))
	}
}

func TestCloseDropsPlannedJobsAndWaitsForRunningOnes(t *testing.T) {
	c := newClock(time.Now(), 1)
	started, release := make(chan bool), make(chan bool)
	finished := false
	c.at(c.now(), func() { close(started); <-release; finished = true })
	c.at(c.now().Add(time.Hour), func() { t.Error("a planned job ran") })
	<-started
	go close(release)
	c.close()
	if !finished {
		t.Error("close did not wait")
	}
	c.at(c.now(), func() { t.Error("a job was accepted after close") })
}

// A shop in real time can still make orders after the clock was advanced beyond their expiry.
func TestRealTimeShopOrdersAfterFastForward(t *testing.T) {
	for _, realTime := range []bool{false, true} {
		w := newWorld(t, func(c *Config) { c.RealTimeShop = realTime })
		expire := w.Now().Add(24 * time.Hour).In(beijing).Format(payTime)
		w.Advance(25 * time.Hour)
		got := w.pay(pathUnifiedOrder, with(w.order("late01"), "time_expire", expire))
		if taken := valueOf(got, "prepay_id") != ""; taken != realTime {
			t.Errorf("RealTimeShop %t: %v", realTime, got)
		}
	}
}
