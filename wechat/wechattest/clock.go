package wechattest

import (
	"container/heap"
	"sync"
	"time"
)

// clock is the simulator's time. It runs at a scale, can be moved forward, and runs jobs when they
// become due. Close waits for the running jobs.
type clock struct {
	mu      sync.Mutex
	idle    *sync.Cond // running went to zero
	epoch   time.Time  // the simulator's time at started
	started time.Time
	first   time.Time // the simulator's time at born
	born    time.Time
	scale   float64
	jobs    jobHeap
	seq     int64
	running int
	closed  bool
	wake    chan struct{}
	done    chan struct{} // the loop ended
}

// job runs once at its time. Jobs that are due at the same time start in the order in which they
// were planned, and run concurrently.
type job struct {
	due time.Time
	seq int64
	run func()
}

func newClock(epoch time.Time, scale float64) *clock {
	c := &clock{
		epoch: epoch, started: time.Now(), first: epoch, born: time.Now(), scale: scale,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	c.idle = sync.NewCond(&c.mu)
	go c.loop()
	return c
}

// now is the simulator's time, in UTC.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked()
}

func (c *clock) nowLocked() time.Time {
	return c.epoch.Add(time.Duration(float64(time.Since(c.started)) * c.scale)).Round(0).UTC()
}

// lead is how far the clock has been moved ahead of one that runs in real time.
func (c *clock) lead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked().Sub(c.first) - time.Since(c.born)
}

// at plans a job. On a closed clock it is dropped.
func (c *clock) at(due time.Time, run func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.seq++
	heap.Push(&c.jobs, &job{due: due, seq: c.seq, run: run})
	c.wakeLoop()
}

// wakeLoop makes the loop check the jobs again.
func (c *clock) wakeLoop() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// loop starts each job at its time.
func (c *clock) loop() {
	defer close(c.done)
	for {
		c.mu.Lock()
		for len(c.jobs) > 0 && !c.jobs[0].due.After(c.nowLocked()) && !c.closed {
			c.start(heap.Pop(&c.jobs).(*job))
		}
		if c.closed {
			c.mu.Unlock()
			return
		}
		var timer *time.Timer
		var fire <-chan time.Time
		if len(c.jobs) > 0 {
			wait := time.Duration(float64(c.jobs[0].due.Sub(c.nowLocked())) / c.scale)
			timer = time.NewTimer(max(wait, 0) + time.Microsecond)
			fire = timer.C
		}
		c.mu.Unlock()
		select {
		case <-fire:
		case <-c.wake:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// start runs a job; c.mu is held.
func (c *clock) start(j *job) {
	c.running++
	go func() {
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.running--
			if c.running == 0 {
				c.idle.Broadcast()
			}
		}()
		j.run()
	}()
}

// advance advances the time by d. Every job that becomes due runs at its own time, and so do the
// jobs that it plans. advance waits for them, so a day of retries is complete when it returns. A
// job must not call it.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	target := c.nowLocked().Add(max(d, 0))
	for !c.closed && len(c.jobs) > 0 && !c.jobs[0].due.After(target) {
		c.moveTo(c.jobs[0].due)
		c.start(heap.Pop(&c.jobs).(*job))
		for len(c.jobs) > 0 && !c.jobs[0].due.After(c.nowLocked()) {
			c.start(heap.Pop(&c.jobs).(*job))
		}
		c.settle()
	}
	c.moveTo(target)
	c.wakeLoop()
}

// moveTo moves the time forward to t. It does nothing if t is in the past.
func (c *clock) moveTo(t time.Time) {
	if d := t.Sub(c.nowLocked()); d > 0 {
		c.epoch = c.epoch.Add(d)
	}
}

// settle waits until no job runs. The caller holds c.mu, which is released during the wait.
func (c *clock) settle() {
	for c.running > 0 {
		c.idle.Wait()
	}
}

// close drops the planned jobs and waits for the running ones.
func (c *clock) close() {
	c.mu.Lock()
	c.closed = true
	c.jobs = nil
	c.wakeLoop()
	c.settle()
	c.mu.Unlock()
	<-c.done
}

// jobHeap orders by time, then by planning.
type jobHeap []*job

func (h jobHeap) Len() int { return len(h) }
func (h jobHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].seq < h[j].seq
	}
	return h[i].due.Before(h[j].due)
}
func (h jobHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *jobHeap) Push(x any)   { *h = append(*h, x.(*job)) }
func (h *jobHeap) Pop() any {
	old := *h
	j := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return j
}

// Now is the simulator's clock, in UTC.
func (w *WeChat) Now() time.Time { return w.clock.now() }
