package sqlite

import "time"

// Groups returns how many transactions were begun for groups of calls, or for a batch.
func (c *Connector) Groups() int64 { return c.groups.Load() }

// Waiting returns how many calls wait for a group.
func (c *Connector) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// SetGroupTime changes how long calls join a group.
func (c *Connector) SetGroupTime(d time.Duration) { c.groupTime = d }
