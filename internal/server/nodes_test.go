package server_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/pgtest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// cluster is a shop of three nodes on one database of PostgreSQL. A node dies between any two
// statements, and the server of the database crashes. Clients repeat a request that got no response.
type cluster struct {
	*paytest.Shop
	server *pgtest.Server
	url    string

	crashing sync.Mutex

	mu     sync.Mutex
	down   int // crashes that have begun and after which the database does not yet run again
	r      *rand.Rand
	nodes  []*node
	deaths map[string]int // by their kind, for the log
}

// node is one of the programs. After its death its actions have no effect.
type node struct {
	cluster *cluster
	db      *sql.DB
	handler http.Handler
	signer  *paytest.Signer

	mu    sync.Mutex
	left  int    // statements until the fault, 0 for none
	fault string // what happens then
	dead  bool
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

func newCluster(t *testing.T, r *rand.Rand) *cluster {
	t.Helper()
	c := &cluster{Shop: paytest.NewShop(t, nil), r: r, deaths: map[string]int{}}
	c.server, c.url = storetest.StartPostgres(t)
	c.DB = storetest.OpenPostgresURL(t, c.url)
	c.Reopen(nil) // the node of the tests themselves, which lives
	for range 3 {
		c.nodes = append(c.nodes, c.start())
	}
	c.Handler = http.HandlerFunc(c.serve)
	c.FromWeChat.Handler = c.Handler
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

// arm lets a fault happen at one of the next statements of a node.
func (c *cluster) arm() {
	n := c.nodes[c.r.IntN(len(c.nodes))]
	n.mu.Lock()
	defer n.mu.Unlock()
	n.left = 1 + c.r.IntN(6)
	n.fault = []string{diesBefore, diesAfter, diesBefore, diesAfter, loseAnswerOf, crashBefore, crashDuring, crashAfter}[c.r.IntN(8)]
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

// statement runs a statement of a node, with the fault that is armed for it.
func (n *node) statement(run func() error) error {
	n.mu.Lock()
	fault := ""
	if n.left > 0 {
		if n.left--; n.left == 0 {
			fault = n.fault
			n.cluster.count(fault)
		}
	}
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

// serve lets a node serve a request. A client that gets no response, or the status 500, repeats the
// request.
func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.T.Error(err)
	}
	for try := 0; ; try++ {
		i, before := c.pick()
		n := c.node(i)
		req := r.Clone(r.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		n.handler.ServeHTTP(rec, req)
		dead := n.isDead()
		if dead {
			c.replace(i, n)
		}
		failed := rec.Code >= http.StatusInternalServerError || rec.Code == http.StatusConflict
		if try < 5 && (dead || failed && c.faults() != before) {
			c.awaitDatabase()
			continue
		}
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
		return
	}
}

// awaitDatabase returns when no crash is under way: a client that repeats its request at once uses up
// its tries.
func (c *cluster) awaitDatabase() {
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

// pick returns the number of a node, and how many faults there were so far: -1 during a crash, which
// breaks what other nodes do.
func (c *cluster) pick() (i, faults int) {
	faults = c.faults()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down > 0 {
		faults = -1
	}
	return c.r.IntN(len(c.nodes)), faults
}

func (c *cluster) count(fault string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaths[fault]++
	if fault == crashBefore || fault == crashDuring || fault == crashAfter {
		c.down++
	}
}

// faults returns how many faults there were so far.
func (c *cluster) faults() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.deaths {
		n += k
	}
	return n
}

// timers runs the timers of a minute on a node, again on another one if it dies.
func (c *cluster) timers() {
	for range 4 {
		i, before := c.pick()
		n := c.node(i)
		err := errors.Join(n.signer.Reconcile(context.Background()), n.signer.Deliver(context.Background()))
		dead := n.isDead()
		if dead {
			c.replace(i, n)
		}
		if err == nil && !dead {
			return
		}
		if !dead && c.faults() == before {
			c.T.Errorf("the timers failed without a fault: %v", err)
			return
		}
		c.awaitDatabase()
	}
}

// Three nodes share one database. A node dies between any two statements, and the database crashes.
// No payment is lost, doubled or wrong.
func TestCampaignOnNodes(t *testing.T) {
	t.Parallel()
	sum := map[string]int{}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			c := newCluster(t, r)
			s := c.Shop
			began := s.Now()
			buyers := []*paytest.Person{s.SignedIn(0), s.SignedIn(1), s.SignedIn(2), s.NewGuest(0), s.NewGuest(1)}
			var all []*purchase
			for range 200 {
				if r.IntN(3) == 0 {
					c.arm()
				}
				if r.IntN(10) == 0 {
					c.timers()
				}
				if len(all) == 0 || r.IntN(6) == 0 {
					p := newPurchase(r, buyers[r.IntN(len(buyers))])
					p.timers = c.timers
					all = append(all, p)
				}
				all[r.IntN(len(all))].step(r)
			}
			for _, n := range c.nodes {
				n.mu.Lock()
				n.left = 0
				n.mu.Unlock()
			}
			s.Sim.ClearFaults()
			s.Sim.Advance(order.Lifetime + order.ExpiryGrace + 25*time.Hour)
			for range 1 + len(all)/10 {
				c.timers()
				s.Check()
			}
			ordersAgree(s, false)
			refundsEnd(s)
			billsAgree(s, began)
			orders, payments := ordersAgree(s, true)
			refunds, err := paytest.ReadRows[paytest.Refund](s.DB, paytest.EveryRefund)
			if err != nil {
				t.Fatal(err)
			}
			reportFindings(s, paytest.CompareRefunds(orders, payments, refunds, s.Sim.Ledger()))
			for fault, n := range c.deaths {
				sum[fault] += n
			}
			sum["orders"] += len(orders)
			sum["payments"] += len(s.Sim.Ledger().Trades)
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
	err = c.node.statement(func() error {
		res, err = c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

func (c faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = c.node.statement(func() error {
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
