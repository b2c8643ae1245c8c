package doctor

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"h5pay/internal/cause"
	"h5pay/wechat"
)

// The accepted differences between this clock and WeChat's. WeChat accepts five minutes at
// most (docs/wechat.md 18.3).
const (
	clockWarn = time.Minute
	clockFail = 4 * time.Minute
)

// Clock compares this machine's clock with the Date of WeChat's responses. It sends requests through
// another Doer.
type Clock struct {
	doer wechat.Doer
	now  func() time.Time

	mu     sync.Mutex
	offset time.Duration
	seen   bool
}

// NewClock returns a Clock. now is time.Now when nil.
func NewClock(doer wechat.Doer, now func() time.Time) *Clock {
	if now == nil {
		now = time.Now
	}
	return &Clock{doer: doer, now: now}
}

// Do sends a request and reads the Date of the response.
func (c *Clock) Do(req *http.Request) (*http.Response, error) {
	res, err := c.doer.Do(req)
	if err == nil {
		if at, dateErr := http.ParseTime(res.Header.Get("Date")); dateErr == nil {
			c.mu.Lock()
			c.offset, c.seen = c.now().Sub(at), true
			c.mu.Unlock()
		}
	}
	return res, err
}

// Offset returns how far this clock was ahead of WeChat's at the last response. A Date has
// whole seconds.
func (c *Clock) Offset() (offset time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset, c.seen
}

// clock compares the clocks.
func (d *Doctor) clock() result {
	offset, ok := d.cfg.Clock.Offset()
	if !ok {
		return skip("no response of WeChat's has a Date")
	}
	if offset.Abs() < clockWarn {
		return result{}
	}
	side := "ahead of"
	if offset < 0 {
		side = "behind"
	}
	return result{cause: cause.ClockOff, warn: offset.Abs() < clockFail,
		detail: fmt.Sprintf("this clock is %v %s WeChat's", offset.Abs().Round(time.Second), side)}
}
