package server_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/job"
	"h5pay/internal/paytest"
	"h5pay/internal/paytest/campaign"
	"h5pay/internal/pgtest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// cluster is a shop of three nodes on one database of PostgreSQL. A node dies between any two
// statements, and the server of the database crashes.
type cluster struct {
	*campaign.InProcess
	server *pgtest.Server
	url    string

	crashing sync.Mutex

	mu     sync.Mutex
	down   int // crashes that have begun and after which the database does not yet run again
	r      *rand.Rand
	nodes  []*node
	deaths map[string]int // by their kind
	during int            // see excuses
}

// node is one of the programs. After its death its actions have no effect.
type node struct {
	cluster *cluster
	db      *sql.DB
	handler http.Handler
	signer  *paytest.Signer

	mu   sync.Mutex
	dead bool
}

// The faults of a node at one of its statements.
const (
	diesBefore   = "a node died before a statement"
	diesAfter    = "a node died after a statement"
	crashBefore  = "the database crashed before a statement"
	crashDuring  = "the database crashed during a statement"
	crashAfter   = "the database crashed after a statement"
	loseAnswerOf = "the connection broke after a statement"
)

var errDead = errors.New("the node is dead")

func newCluster(t *testing.T, o campaign.Options) *cluster {
	t.Helper()
	c := &cluster{InProcess: campaign.NewInProcess(t, o), r: rand.New(rand.NewPCG(o.Seed, 7)), deaths: map[string]int{}}
	c.server, c.url = storetest.StartPostgres(t)
	c.DB = storetest.OpenPostgresURL(t, c.url)
	c.Reopen(c.Change) // the node of the tests themselves, which lives
	for range 3 {
		c.nodes = append(c.nodes, c.start())
	}
	c.World.Host = c
	c.Handler, c.Jobs, c.Failures500 = http.HandlerFunc(c.serve), c.job, c.excuses
	c.Machines = campaign.Numbers{Program: "node", Database: "PostgreSQL"}
	return c
}

// start starts a node, which knows nothing but the database.
func (c *cluster) start() *node {
	c.T.Helper()
	n := &node{cluster: c}
	connector, most, err := postgres.Connector(postgres.Config{URL: c.url})
	if err != nil {
		c.T.Fatal(err)
	}
	n.db = sql.OpenDB(&faultyConnector{connector, n})
	n.db.SetMaxOpenConns(most)
	c.T.Cleanup(func() { n.db.Close() })
	own := c.Signer
	n.handler = c.Open(func(set *paytest.Settings, wx *wechat.Config) {
		set.Store = store.New(n.db)
		c.Change(set, wx)
		wx.Doer, wx.CertDoer = n, n
	})
	n.signer, c.Signer = c.Signer, own
	return n
}

// Do sends a call to WeChat, unless the node is dead.
func (n *node) Do(req *http.Request) (*http.Response, error) {
	if n.isDead() {
		return nil, errDead
	}
	return n.cluster.ToWeChat.Do(req)
}

func (n *node) isDead() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dead
}

// crash stops the server as a crash does, and starts it again.
func (c *cluster) crash() {
	c.crashing.Lock() // of two at once the second comes after the first
	defer c.crashing.Unlock()
	if err := errors.Join(c.server.Stop(), c.server.Run()); err != nil {
		c.T.Errorf("the database does not start again: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down--
}

// statement runs a statement of a node, with the failure that the campaign has for it.
func (n *node) statement(query string, run func() error) error {
	fault := n.cluster.next(query)
	n.mu.Lock()
	if n.dead = n.dead || fault == diesBefore; n.dead {
		n.mu.Unlock()
		return errDead
	}
	n.mu.Unlock()
	switch fault {
	case crashBefore:
		n.cluster.crash()
	case crashDuring:
		done := make(chan struct{})
		pause := time.Duration(rand.IntN(3000)) * time.Microsecond
		go func() {
			defer close(done)
			time.Sleep(pause)
			n.cluster.crash()
		}()
		err := run()
		<-done
		return err
	}
	err := run()
	switch fault {
	case crashAfter:
		n.cluster.crash()
		return errors.New("the connection broke")
	case loseAnswerOf:
		return errors.New("the connection broke")
	case diesAfter:
		n.mu.Lock()
		n.dead = true
		n.mu.Unlock()
		return errDead
	}
	return err
}

// next returns the fault of a statement, "" for none.
func (c *cluster) next(query string) string {
	f, hit := c.World.Failures.Next(campaign.AtDatabase, strings.Fields(query)[0])
	if !hit {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fault := map[campaign.Kind][2]string{
		campaign.Kill: {diesBefore, diesAfter}, campaign.Cut: {loseAnswerOf, loseAnswerOf}, campaign.Restart: {crashBefore, crashAfter},
	}[f.Kind][0]
	switch {
	case f.Kind == campaign.Restart && c.r.IntN(3) == 0:
		fault = crashDuring
	case f.Done:
		fault = map[campaign.Kind]string{campaign.Kill: diesAfter, campaign.Cut: loseAnswerOf, campaign.Restart: crashAfter}[f.Kind]
	}
	c.deaths[fault]++
	if f.Kind == campaign.Restart {
		c.down++
	}
	return fault
}

// serve lets a node serve a request. A node that dies does not respond.
func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	c.Await()
	i := c.pick()
	n := c.node(i)
	rec := httptest.NewRecorder()
	n.handler.ServeHTTP(rec, r)
	if n.isDead() {
		c.replace(i, n)
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

// Await returns when no crash is under way: a client that repeats its request at once uses up its
// tries.
func (c *cluster) Await() {
	for down := true; down; {
		c.mu.Lock()
		down = c.down > 0
		c.mu.Unlock()
		if down {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func (c *cluster) node(i int) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[i]
}

// replace starts a node in the place of one that is dead.
func (c *cluster) replace(i int, dead *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes[i] == dead {
		c.nodes[i] = c.start()
	}
}

// pick returns the number of a node.
func (c *cluster) pick() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.r.IntN(len(c.nodes))
}

// Query is InProcess.Query. A crash breaks the connection, and the campaign repeats the statement.
func (c *cluster) Query(statement string, args ...any) (json.RawMessage, error) {
	rows, err := c.InProcess.Query(statement, args...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", campaign.ErrNoResponse, err)
	}
	return rows, nil
}

// Settle replaces the nodes that have died.
func (c *cluster) Settle(context.Context) error {
	c.Await()
	for i := range c.nodes {
		if n := c.node(i); n.isDead() {
			c.replace(i, n)
		}
	}
	return nil
}

// excuses returns how many failures explain a status 500 so far. While a crash is under way there is
// always another one.
func (c *cluster) excuses() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.deaths {
		n += k
	}
	if c.down > 0 {
		c.during++
	}
	return n + c.during
}

// job runs a job on a node. It is not complete if the node dies or a failure stops it.
func (c *cluster) job(ctx context.Context, j job.Job) (complete bool, err error) {
	c.Await()
	before := c.excuses()
	i := c.pick()
	n := c.node(i)
	err = campaign.RunJob(ctx, n.signer, j)
	switch {
	case n.isDead():
		c.replace(i, n)
		return false, nil
	case err != nil && c.excuses() != before:
		return false, nil
	}
	return err == nil, err
}

// Three nodes share one database. A node dies between any two statements, and the database crashes.
// No payment is lost, doubled or wrong.
func TestCampaignOnNodes(t *testing.T) {
	t.Parallel()
	sum := map[string]int{}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := newCluster(t, campaign.Options{Seed: seed, Orders: 18, AtOnce: 1, API: "v2", On: campaign.OnNodes})
			r := c.Run()
			for fault, n := range c.deaths {
				sum[fault] += n
			}
			sum["orders"] += r.Orders
			sum["payments"] += r.Paid
		})
	}
	t.Logf("%v", sum)
	for _, fault := range []string{diesBefore, diesAfter, crashBefore, crashDuring, crashAfter, loseAnswerOf} {
		if sum[fault] == 0 && !t.Failed() {
			t.Errorf("it never happened that %s: the campaign tests less than it says", fault)
		}
	}
}

// faultyConnector opens connections of a node.
type faultyConnector struct {
	driver.Connector
	node *node
}

func (c *faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.node.isDead() {
		return nil, errDead
	}
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return faultyConn{conn, c.node}, nil
}

type faultyConn struct {
	driver.Conn
	node *node
}

func (c faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	err = c.node.statement(query, func() error {
		res, err = c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

func (c faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = c.node.statement(query, func() error {
		rows, err = c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func (c faultyConn) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

func (c faultyConn) IsValid() bool { return c.Conn.(driver.Validator).IsValid() }
