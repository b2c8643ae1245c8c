package server_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// freeStatements is how many statements an event may run on Cloudflare's free plan.
const freeStatements = 50

// A refund that is stored unchanged costs one statement, so an order with many refunds stays within
// the limit of an event.
func TestManyRefundsStayWithinTheFreePlan(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	byHand := func(amount int64) {
		s.Sim.Advance(2 * time.Minute)
		if _, err := s.Sim.Refund(s.OutTradeNo(o.ID), amount); err != nil {
			t.Fatal(err)
		}
		s.Sim.Advance(2 * time.Minute)
	}
	for range 20 {
		byHand(100)
	}
	op.Fails(api.CodeWeChatDeclined, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(o.Total)) // the shop finds them
	byHand(4000)
	counted := countStatements(t, s)
	op.Fails(api.CodeWeChatDeclined, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(1000))
	if n := counted.Load(); n < 10 || n > freeStatements {
		t.Errorf("%d statements, want at most %d", n, freeStatements)
	}
	s.Check()
	if seen := op.SyncedOrder(o.ID); seen.Refunded != 6000 {
		t.Errorf("%d have gone back, want 6000", seen.Refunded)
	}
}

// A payment costs one query at WeChat and four statements: claim the query, read the payment,
// settle it, store the message. A duplicate costs three.
func TestStatementsOfANotification(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	counted := countStatements(t, s)
	body := signedNotification(s, c.Order.ID, s.Sim.Ledger().Trades[0].TransactionID, wechat.SignHMAC)
	for _, tt := range []struct {
		what    string
		want    int64
		queries int
	}{{"first", 4, 1}, {"again", 3, 1}} {
		before := counted.Load()
		if code, text := postNotification(s, body); !strings.Contains(text, "SUCCESS") {
			t.Errorf("%s: %d %s", tt.what, code, text)
		}
		if n := counted.Load() - before; n != tt.want {
			t.Errorf("%s: %d statements, want %d", tt.what, n, tt.want)
		}
		if n := s.Calls("orderquery"); n != tt.queries {
			t.Errorf("%s: %d queries, want %d", tt.what, n, tt.queries)
		}
	}
}

// countStatements reopens the shop's signer over a database that counts statements.
func countStatements(t *testing.T, s *paytest.Shop) *atomic.Int64 {
	t.Helper()
	return countStatementsAt(t, s, nil)
}

// countStatementsAt is countStatements with another client of WeChat's, unless it is nil.
func countStatementsAt(t *testing.T, s *paytest.Shop, wx paytest.WeChat) *atomic.Int64 {
	t.Helper()
	return &watchStatements(t, s, wx, func(string) {}).n
}

// watchStatements calls a function with each statement of the shop before it runs.
func watchStatements(t *testing.T, s *paytest.Shop, wx paytest.WeChat, before func(query string)) *countingConnector {
	t.Helper()
	var seq int
	var name, file string
	if err := s.DB.QueryRow(`PRAGMA database_list`).Scan(&seq, &name, &file); err != nil {
		t.Fatal(err)
	}
	c := &countingConnector{of: s.DB.Driver(), dsn: store.SQLiteURI(file, "_pragma=busy_timeout(10000)"), before: before}
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	plain := s.DB
	s.DB = db
	s.Handler = s.Open(func(cfg *paytest.Settings, at *wechat.Config) {
		if s.Change != nil {
			s.Change(cfg, at)
		}
		cfg.WeChat = wx
	})
	s.DB = plain
	return c
}

// countingConnector is a driver.Connector whose connections count statements.
type countingConnector struct {
	of  driver.Driver
	dsn string
	n   atomic.Int64
	// before is called with each query before it runs.
	before func(query string)
}

// Driver returns a driver that takes no batches, which would hide statements.
func (c *countingConnector) Driver() driver.Driver { return noBatches{} }

type noBatches struct{ driver.Driver }

func (c *countingConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.of.Open(c.dsn)
	return countingConn{conn, c}, err
}

type countingConn struct {
	driver.Conn
	c *countingConnector
}

func (c countingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.c.n.Add(1)
	c.c.before(query)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c countingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.c.n.Add(1)
	c.c.before(query)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}
