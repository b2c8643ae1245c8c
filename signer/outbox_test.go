//go:build !js

package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/job"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/webhook"
)

// The native server delivers with its own client and database to back ends on a real network.
func TestNativeSignerDelivers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   api.EventStatus
		why    string
	}{
		"acknowledged": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, api.EventDelivered, ""},
		"rejected":     {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }, api.EventPending, "HTTP 418"},
		"sent elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, api.EventPending, "HTTP 307"},
		"broken off":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, api.EventPending, "no response"},
		"a body for ever":     {func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); <-r.Context().Done() }, api.EventDelivered, ""},
		"a stall without end": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, api.EventPending, "no response in 10 s"},
	} {
		t.Run(name, func(t *testing.T) {
			var elsewhere atomic.Int32
			env := exampleEnv(t)
			mux := http.NewServeMux()
			mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
			mux.HandleFunc("POST /h5pay", func(w http.ResponseWriter, r *http.Request) {
				// The signer also signs with the old secret.
				receiver := webhook.Receiver{Secrets: []string{env["WEBHOOK_SECRET_OLD"]}, Simulated: true}
				if e, err := receiver.Receive(r, time.Now()); err != nil || !e.Simulated {
					t.Error(e, err) // WECHAT_BASE_URL is set in the example
				}
				test.answer(w, r)
			})
			backEnd := httptest.NewServer(mux)
			t.Cleanup(func() { backEnd.CloseClientConnections(); backEnd.Close() })
			env["WEBHOOK_URL"] = backEnd.URL + "/h5pay"

			db, err := openSQLite(filepath.Join(t.TempDir(), "h5pay.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			if err := store.Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			store := store.New(db)
			o := insertPaidOrder(t, store)

			ctx := t.Context()
			if test.why == "no response in 10 s" {
				// Shorter delays for the test.
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 2*time.Second)
				defer cancel()
			}
			a := newApp(platform{getenv: func(name string) string { return env[name] }, db: db, doer: newClient(nil),
				log: slog.New(slog.NewTextHandler(io.Discard, nil))})
			if err := a.deliver(ctx); err != nil {
				t.Fatal(err)
			}
			events, err := store.EventsOf(t.Context(), o.ID)
			if err != nil || len(events) != 1 {
				t.Fatal(events, err)
			}
			if e := events[0]; e.Status != test.want || e.LastError != test.why || e.Attempts != 1 {
				t.Errorf("%+v, want %s, %q", e, test.want, test.why)
			}
			if elsewhere.Load() != 0 {
				t.Error("the redirect was followed, with the payer's openid")
			}
		})
	}
}

// insertPaidOrder inserts an order that is paid.
func insertPaidOrder(t *testing.T, st *store.Store) order.Order {
	t.Helper()
	now := time.Now()
	o, err := st.Insert(t.Context(), order.Order{
		ID: "0123456789abcdefghijklmn", Source: order.SourceShop, Owner: "alice", ClientKey: "key", Fingerprint: "f",
		Lines: []order.Line{{ProductID: "tea", Name: "茶", Price: 6800, Quantity: 1}}, Total: 6800, Currency: "CNY",
		CreatedAt: now, ExpiresAt: now.Add(order.Lifetime),
	})
	if err != nil {
		t.Fatal(err)
	}
	const no = "20261125ABCDEFGHIJKLMNOPQRSTUV01"
	if ok, err := st.InsertPayment(t.Context(), order.Payment{
		OutTradeNo: no, OrderID: o.ID, APIVersion: "v3", TradeType: api.TradeJSAPI, OpenID: "alice", CreatedAt: o.CreatedAt,
	}, time.Time{}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := st.Pay(t.Context(), no, order.Paid{TransactionID: "4200", Payer: "alice", PaidAt: now}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return o
}

// After the last notify a delivery runs, however many signals there were before.
func TestDeliverySignal(t *testing.T) {
	t.Parallel()
	b := newDeliverySignal()
	ctx, cancel := context.WithCancel(t.Context())
	looks, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		b.run(ctx, time.Hour, func() { looks <- struct{}{} })
	}()
	for range 3 {
		for range 100 {
			b.notify() // does not block, although nothing is running yet
		}
		<-looks
	}
	cancel()
	for {
		select {
		case <-looks: // after the last notify
		case <-ended:
			return
		}
	}
}

func TestDeliveryRunsWithoutASignal(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var looks atomic.Int32
	newDeliverySignal().run(ctx, time.Millisecond, func() {
		if looks.Add(1) == 3 {
			cancel()
		}
	})
	if n := looks.Load(); n < 3 {
		t.Errorf("looked %d times", n)
	}
}

// A delivery that hangs does not delay the next one. Their number is bounded, and the loop waits for
// all of them when it ends.
func TestDeliveryThatHangsDelaysNoOther(t *testing.T) {
	t.Parallel()
	b := newDeliverySignal()
	ctx, cancel := context.WithCancel(t.Context())
	released, ended := make(chan struct{}), make(chan struct{})
	var begun, done atomic.Int32
	go func() {
		defer close(ended)
		b.run(ctx, time.Hour, func() {
			begun.Add(1)
			<-released
			done.Add(1)
		})
	}()
	for n := range int32(deliveriesAtOnce) {
		b.notify()
		eventually(t, "another delivery begins", func() bool { return begun.Load() == n+1 })
	}
	b.notify()
	time.Sleep(2 * patience)
	if n := begun.Load(); n != deliveriesAtOnce {
		t.Errorf("%d deliveries at once, want %d", n, deliveriesAtOnce)
	}
	cancel()
	select {
	case <-ended:
		t.Error("the loop ended before its deliveries")
	case <-time.After(50 * time.Millisecond):
	}
	close(released)
	<-ended
	if done.Load() != begun.Load() {
		t.Errorf("%d of %d deliveries ended", done.Load(), begun.Load())
	}
}

// A signer that stops begins no delivery. The event stays due.
func TestStoppingSignerBeginsNoDelivery(t *testing.T) {
	t.Parallel()
	var received atomic.Int32
	backEnd := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { received.Add(1) }))
	t.Cleanup(backEnd.Close)
	env := exampleEnv(t)
	env["WEBHOOK_URL"] = backEnd.URL
	db := testDB(t)
	insertPaidOrder(t, store.New(db))
	a := newApp(platform{getenv: lookup(env), db: db, doer: newClient(nil), log: discardLog()})
	stop := make(chan struct{})
	ctx := job.WithStop(t.Context(), stop)
	close(stop)
	if err := a.deliver(ctx); err != nil || received.Load() != 0 {
		t.Errorf("a stopping signer sent %d events, %v", received.Load(), err)
	}
	if err := a.deliver(t.Context()); err != nil || received.Load() != 1 {
		t.Errorf("the next one sent %d events, %v", received.Load(), err)
	}
}
