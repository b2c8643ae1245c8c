package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Several nodes may serve one shop from one database. The tables here are about the nodes and not
// about orders, so other databases do not need them. All their times are those of the server's
// clock, in ms.
const nodeTables = `
CREATE TABLE IF NOT EXISTS h5pay_nodes (
  id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  version    TEXT NOT NULL,
  settings   TEXT NOT NULL, -- JSON: fingerprints of settings by their names
  started_at BIGINT NOT NULL,
  seen_at    BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS h5pay_turns (one BIGINT PRIMARY KEY); -- see turns.go
CREATE TABLE IF NOT EXISTS h5pay_leases (
  name    TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- of a job
  holder  TEXT NOT NULL,   -- the node that runs it, or ran it last
  until   BIGINT NOT NULL, -- until then no other node runs it
  next_at BIGINT NOT NULL  -- when it is due again
);`

// serverNow is SQL for the time of the server's clock.
const serverNow = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`

const (
	// seenEvery is the interval at which a node stores a heartbeat. alive is how long a node counts as
	// alive after its last heartbeat.
	seenEvery = 15 * time.Second
	alive     = 60 * time.Second
	// MaxSkew is how much the clock of a node may differ from that of the server. WeChat's times and
	// the claims of the nodes are compared with the node's clock.
	MaxSkew = 5 * time.Second
)

// Settings are the settings that all nodes of a shop must have in common.
type Settings struct {
	// Same are settings by their names that must be the same. Values are not stored: a SHA-256 of
	// name and value is.
	Same map[string]string
	// Key and OldKey encrypt the sessions. A node also takes sessions of its OldKey, so two nodes get
	// along if the Key of one is Key or OldKey of the other.
	KeyName, Key, OldKey string
}

// fingerprints returns what is stored of settings.
func (s Settings) fingerprints() map[string]string {
	all := map[string]string{s.KeyName: fingerprint(s.KeyName, s.Key), s.KeyName + "_OLD": fingerprint(s.KeyName, s.OldKey)}
	for name, value := range s.Same {
		all[name] = fingerprint(name, value)
	}
	return all
}

func fingerprint(name, value string) string {
	if value == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("h5pay setting\x00" + name + "\x00" + value))
	return hex.EncodeToString(sum[:12])
}

// differs returns the name of a setting with which two nodes do not serve one shop, "" if there is
// none.
func (s Settings) differs(ours, theirs map[string]string) string {
	var names []string
	for name := range s.Same {
		if ours[name] != theirs[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) > 0 {
		return names[0]
	}
	key, old := s.KeyName, s.KeyName+"_OLD"
	if ours[key] != theirs[key] && ours[key] != theirs[old] && ours[old] != theirs[key] {
		return key
	}
	return ""
}

// SettingError says that another node of the shop has another value of a setting.
type SettingError struct{ Setting, Node string }

func (e *SettingError) Error() string {
	return fmt.Sprintf("setting %s differs from that of node %s, which uses the same database: give all nodes the same settings, or end that node first", e.Setting, e.Node)
}

// ClockError says that the clocks of a node and of the database differ.
type ClockError struct{ Ahead time.Duration }

func (e *ClockError) Error() string {
	way, by := "ahead of", e.Ahead
	if by < 0 {
		way, by = "behind", -by
	}
	return fmt.Sprintf("the clock of this machine is %s %s that of the database: set both by NTP", by.Round(time.Millisecond), way)
}

// Node is one of the programs that use a database.
type Node struct {
	db *sql.DB
	id string
}

// Join enters a node. It fails and changes nothing if the machine's clock differs by more than
// MaxSkew from the server's. The same holds if the database has another schema than the program, or
// if nodes that are alive have other settings. The caller calls Leave at its end.
func Join(ctx context.Context, db *sql.DB, id, version string, s Settings) (*Node, error) {
	if err := CheckSchema(ctx, db); err != nil {
		return nil, err
	}
	n := &Node{db: db, id: id}
	if skew, err := n.Skew(ctx); err != nil {
		return nil, err
	} else if skew.Abs() > MaxSkew {
		return nil, &ClockError{Ahead: skew}
	}
	ours := s.fingerprints()
	text, err := json.Marshal(ours)
	if err != nil {
		return nil, err
	}
	for range joinTries {
		others, err := n.Others(ctx)
		if err != nil {
			return nil, err
		}
		seen := []string{}
		for _, other := range others {
			if name := s.differs(ours, other.settings); name != "" {
				return nil, &SettingError{Setting: name, Node: other.ID}
			}
			seen = append(seen, other.text)
		}
		if entered, err := n.enter(ctx, version, string(text), seen); err != nil || entered {
			return n, err
		}
	}
	return nil, errors.New("entering the node: too many other nodes start at the same time: try again")
}

// joinTries is how often Join looks at the other nodes.
const joinTries = 10

// enter enters the node if each other node that is alive has settings that were seen, and reports
// whether it did. The statement is serializable, so of two nodes that start at once the second one
// finds the first.
func (n *Node) enter(ctx context.Context, version, settings string, seen []string) (bool, error) {
	list, err := json.Marshal(seen)
	if err != nil {
		return false, err
	}
	res, err := n.db.ExecContext(ctx, `
		INSERT INTO h5pay_nodes (id, version, settings, started_at, seen_at)
		SELECT ?1, ?2, ?3, `+serverNow+`, `+serverNow+`
		WHERE NOT EXISTS (SELECT 1 FROM h5pay_nodes AS other WHERE other.id <> ?1 AND other.seen_at > `+serverNow+` - ?4
			AND NOT (other.settings IN (SELECT value FROM json_each(?5))))
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, settings = excluded.settings, started_at = excluded.started_at, seen_at = excluded.seen_at`,
		n.id, version, settings, alive.Milliseconds(), string(list))
	if err != nil {
		return false, fmt.Errorf("entering the node: %w", err)
	}
	entered, err := res.RowsAffected()
	return entered > 0, err
}

// Skew returns how far the clock of this machine is ahead of the server's. It is exact to half the
// time of a round trip.
func (n *Node) Skew(ctx context.Context) (time.Duration, error) {
	before := time.Now()
	server, err := Now(ctx, n.db)
	if err != nil {
		return 0, err
	}
	return before.Add(time.Since(before) / 2).Sub(server), nil
}

// Other is another node of the shop.
type Other struct {
	ID, Version string
	settings    map[string]string
	text        string // of the settings, as they are stored
}

// Others returns the other nodes that are alive.
func (n *Node) Others(ctx context.Context) (all []Other, err error) {
	rows, err := n.db.QueryContext(ctx, `SELECT id, version, settings FROM h5pay_nodes WHERE id <> ?1 AND seen_at > `+serverNow+` - ?2 ORDER BY id LIMIT 100`,
		n.id, alive.Milliseconds())
	if err != nil {
		return nil, fmt.Errorf("reading the nodes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var o Other
		if err := rows.Scan(&o.ID, &o.Version, &o.text); err != nil {
			return nil, fmt.Errorf("reading the nodes: %w", err)
		}
		if err := json.Unmarshal([]byte(o.text), &o.settings); err != nil {
			return nil, fmt.Errorf("reading the settings of node %s: %w", o.ID, err)
		}
		all = append(all, o)
	}
	return all, rows.Err()
}

// Live stores the node's heartbeats until ctx ends. failed gets the errors.
func (n *Node) Live(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(seenEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := n.seen(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

func (n *Node) seen(ctx context.Context) error {
	_, err := n.db.ExecContext(ctx, `UPDATE h5pay_nodes SET seen_at = `+serverNow+` WHERE id = ?1`, n.id)
	if err == nil {
		_, err = n.db.ExecContext(ctx, `DELETE FROM h5pay_nodes WHERE seen_at < `+serverNow+` - 86400000`)
	}
	if err != nil {
		return fmt.Errorf("storing the heartbeat of the node: %w", err)
	}
	return nil
}

// Leave removes the node.
func (n *Node) Leave(ctx context.Context) error {
	_, err := n.db.ExecContext(ctx, `DELETE FROM h5pay_nodes WHERE id = ?1`, n.id)
	return err
}

// leaseTime is how long the lease of a job lasts. A node that is alive renews it. After the death
// of a node no other node runs the job before the lease ends.
const leaseTime = 60 * time.Second

// errLeaseLost ends a job whose node did not renew the lease in time.
var errLeaseLost = errors.New("another node has taken the lease of the job")

// Once runs a job if it is due and no other node runs it, and reports whether it did. A job is due
// every period, for all nodes together. A run that ends with an error is due again at once.
//
// The job may still run on a node that froze, when another node begins it. So each step of a job
// has a claim of its own besides, as in package store.
func (n *Node) Once(ctx context.Context, job string, period time.Duration, run func(context.Context) error) (ran bool, err error) {
	holder := n.id + "/" + time.Now().Format(time.RFC3339Nano)
	res, err := n.db.ExecContext(ctx, `
		INSERT INTO h5pay_leases (name, holder, until, next_at) VALUES (?1, ?2, `+serverNow+` + ?3, `+serverNow+` + ?4)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until, next_at = excluded.next_at
		WHERE h5pay_leases.until <= `+serverNow+` AND h5pay_leases.next_at <= `+serverNow,
		job, holder, leaseTime.Milliseconds(), period.Milliseconds())
	if err != nil {
		return false, fmt.Errorf("claiming the job %s: %w", job, err)
	}
	if claimed, err := res.RowsAffected(); err != nil || claimed == 0 {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.renew(ctx, job, holder, cancel)
	}()
	err = run(ctx)
	cancel(nil)
	<-ended
	release, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	due := `next_at`
	if err != nil {
		due = `0`
	}
	if _, releaseErr := n.db.ExecContext(release, `UPDATE h5pay_leases SET until = 0, next_at = `+due+` WHERE name = ?1 AND holder = ?2`, job, holder); releaseErr != nil {
		err = errors.Join(err, fmt.Errorf("ending the lease of %s: %w", job, releaseErr))
	}
	return true, err
}

// renew keeps a lease until ctx ends. It cancels the job if another node has the lease.
func (n *Node) renew(ctx context.Context, job, holder string, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(leaseTime / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		res, err := n.db.ExecContext(ctx, `UPDATE h5pay_leases SET until = `+serverNow+` + ?3 WHERE name = ?1 AND holder = ?2`, job, holder, leaseTime.Milliseconds())
		if err != nil {
			continue // the next tick may reach the database
		}
		if kept, err := res.RowsAffected(); err == nil && kept == 0 {
			cancel(errLeaseLost)
			return
		}
	}
}

// Describe returns what a URL names, without user and password.
func Describe(databaseURL string) string {
	c, _, err := Connector(Config{URL: databaseURL})
	if err != nil {
		return "PostgreSQL"
	}
	config := c.(*connector).config
	return strings.TrimSpace(fmt.Sprintf("PostgreSQL %s at %s:%d", config.Database, config.Host, config.Port))
}
