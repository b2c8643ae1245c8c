package binary

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(longest); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for: %s", what)
		}
	}
}

// A server that gets the signal to stop accepts no connections and finishes the running call.
func TestStopFinishesTheRunningCall(t *testing.T) {
	t.Parallel()
	var g *gate
	s := newShop(t, func(s *shop, env map[string]string) {
		g = newGate(t, env["WECHAT_BASE_URL"], "/v3/pay/transactions/jsapi")
		env["WECHAT_BASE_URL"] = g.URL
	})
	p := s.start(t)
	buyer := s.buyer(t)
	type result struct {
		checkout api.Checkout
		failed   bool
	}
	answered := make(chan result, 1)
	go func() {
		r := result{failed: true}
		defer func() { answered <- r }() // also after a fatal error of the buyer
		r.checkout = buyer.Order("tea", 1)
		r.failed = false
	}()
	<-g.arrived
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(s.url, "http://")
	eventually(t, "new connections are rejected", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	select {
	case <-answered:
		t.Fatal("the call was answered before WeChat answered")
	default:
	}
	close(g.open)
	r := <-answered
	if r.failed || r.checkout.Pay == nil || r.checkout.Order.Status != api.StatusOpen {
		t.Errorf("the running call: %+v", r)
	}
	if err := p.wait(t); err != nil {
		t.Errorf("the server ended with %v: %s", err, p.stderr.String())
	}
	if log := p.stderr.String(); !strings.Contains(log, `"signer stopped"`) || strings.Contains(log, `"ERROR"`) {
		t.Errorf("the log:\n%s", log)
	}
	// The order can be paid after the next start.
	p = s.start(t)
	buyer.Pay(r.checkout.Pay)
	eventually(t, "the order is paid", func() bool {
		var o api.Order
		buyer.Must(http.MethodGet, api.OrderPath(r.checkout.Order.ID), nil, &o)
		return o.Status == api.StatusPaid
	})
	p.stop(t)
}

// A delivery that is running when the server stops is finished and stored: the receiver gets it
// once.
func TestStopFinishesTheRunningDelivery(t *testing.T) {
	t.Parallel()
	arrived, open := make(chan struct{}, 10), make(chan struct{})
	var received atomic.Int32
	backEnd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received.Add(1)
		arrived <- struct{}{}
		<-open
	}))
	t.Cleanup(func() { backEnd.CloseClientConnections(); backEnd.Close() })
	s := newShop(t, func(_ *shop, env map[string]string) { env["WEBHOOK_URL"] = backEnd.URL })
	p := s.start(t)
	buyer := s.buyer(t)
	checkout := buyer.Order("tea", 1)
	buyer.Pay(checkout.Pay)
	<-arrived
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server stops", func() bool { return strings.Contains(p.stderr.String(), `"signer is stopping"`) })
	close(open)
	if err := p.wait(t); err != nil {
		t.Errorf("the server ended with %v: %s", err, p.stderr.String())
	}
	p = s.start(t)
	var list v1.Events
	s.operator(t).Must(http.MethodGet, "/v1/events", nil, &list)
	if len(list.Events) != 1 || list.Events[0].Status != api.EventDelivered || list.Events[0].Attempts != 1 || received.Load() != 1 {
		t.Errorf("received %d times, events %+v", received.Load(), list.Events)
	}
	p.stop(t)
}
