//go:build !js

package main

import (
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/job"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// The timer of a signer that stops processes no more orders. They stay due for the next start.
func TestStoppingSignerClosesNoOrder(t *testing.T) {
	t.Parallel()
	db := testDB(t)
	st := store.New(db)
	made := time.Now().Add(-2 * order.Lifetime)
	o, err := st.Insert(t.Context(), order.Order{
		ID: "0123456789abcdefghijklmn", Source: order.SourceShop, Owner: "alice", ClientKey: "key", Fingerprint: "f", MchID: "1900000109",
		Lines: []order.Line{{ProductID: "tea", Name: "茶", Price: 6800, Quantity: 1}}, Total: 6800, Currency: "CNY",
		CreatedAt: made, ExpiresAt: made.Add(order.Lifetime),
	})
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(platform{getenv: lookup(exampleEnv(t)), db: db, doer: newClient(nil), log: discardLog()})
	stop := make(chan struct{})
	ctx := job.WithStop(t.Context(), stop)
	close(stop)
	status := func() api.OrderStatus {
		t.Helper()
		got, err := st.ByID(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got.Status
	}
	if err := a.reconcile(ctx); err != nil || status() != o.Status {
		t.Errorf("a stopping signer made the order %s, %v", status(), err)
	}
	if err := a.reconcile(t.Context()); err != nil || status() != api.StatusClosed {
		t.Errorf("the next one made it %s, %v", status(), err)
	}
}
