package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// newEndpoint stores an endpoint.
func newEndpoint(t *testing.T, s *store.Store, id string, types ...api.EventType) order.Endpoint {
	t.Helper()
	e := order.Endpoint{ID: id, URL: "https://" + id + ".example/", Types: types, Secret: "sealed", State: order.EndpointEnabled, CreatedAt: now.Add(time.Minute),
		MadeBy: "root", IdempotencyKey: id, Fingerprint: "f"}
	if ok, err := s.InsertEndpoint(ctx, e); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return e
}

// A shop has at most five endpoints beside that of the settings, however many calls make one
// at the same time.
func TestEndpointsAreBounded(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			id := fmt.Sprint("ep_", i)
			if _, err := s.InsertEndpoint(ctx, order.Endpoint{ID: id, State: order.EndpointEnabled, CreatedAt: now, MadeBy: "root", IdempotencyKey: id, Fingerprint: "f"}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	all, err := s.Endpoints(ctx)
	if err != nil || len(all) != store.MaxEndpoints+1 || all[0].ID != order.SettingsEndpoint {
		t.Errorf("%+v, %v", all, err)
	}
}

// A repeated request makes one endpoint. A repeated rotation changes the secret once, and
// only if the caller saw the current one.
func TestEndpointIsStored(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	e := newEndpoint(t, s, "ep_1", api.EventOrderPaid)
	again := e
	again.ID = "ep_2"
	if ok, err := s.InsertEndpoint(ctx, again); ok || err != nil {
		t.Error(ok, err)
	}
	if got, err := s.EndpointOfRequest(ctx, "root", "ep_1"); err != nil || got.ID != e.ID || len(got.Types) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if ok, err := s.RotateEndpoint(ctx, e, "next", "r1", now.Add(time.Hour), now); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := s.RotateEndpoint(ctx, e, "other", "r2", now.Add(time.Hour), now); ok || err != nil {
		t.Error("a secret that is not current was rotated", ok, err)
	}
	got, err := s.Endpoint(ctx, e.ID)
	if err != nil || got.Secret != "next" || got.SecretOld != "sealed" || got.OldUntil != now.Add(time.Hour) || got.Rotation != "r1" {
		t.Errorf("%+v, %v", got, err)
	}
	if ok, err := s.RotateEndpoint(ctx, got, "other", "r1", now, now); ok || err != nil {
		t.Error("a rotation was made twice", ok, err)
	}
	sealed := got
	sealed.Secret, sealed.SecretOld = "next again", ""
	if err := s.SealEndpoint(ctx, got, sealed); err != nil {
		t.Error(err)
	}
	if err := s.SealEndpoint(ctx, got, e); err != nil { // the secrets have changed since
		t.Error(err)
	}
	if got, err = s.Endpoint(ctx, e.ID); err != nil || got.Secret != "next again" || got.SecretOld != "" || !got.OldUntil.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	no, url := false, "https://other.example/"
	if got, err = s.ChangeEndpoint(ctx, e.ID, store.EndpointChange{URL: &url, Types: []api.EventType{}, Enabled: &no}, now); err != nil || got.State != order.EndpointDisabled || len(got.Types) != 0 || got.URL != "https://other.example/" {
		t.Errorf("%+v, %v", got, err)
	}
	if ok, err := s.MoveEndpoint(ctx, e.ID, order.EndpointEnabled, order.EndpointUnset, now); ok || err != nil {
		t.Error(ok, err)
	}
	if _, err := s.DeleteEndpoint(ctx, order.SettingsEndpoint, now); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if got, err = s.DeleteEndpoint(ctx, e.ID, now); err != nil || got.Secret != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.ChangeEndpoint(ctx, e.ID, store.EndpointChange{Enabled: &no}, now); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

// Each endpoint gets the events of an order in sequence, independently of other endpoints.
// This also holds for replays in any sequence.
func TestEventsKeepTheirOrderAtEachEndpoint(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	pay(t, s, o, now)
	refund(t, s, o, "R1", 600, now)
	refund(t, s, o, "R2", 600, now)
	e := newEndpoint(t, s, "ep_1")
	at := now.Add(time.Minute)
	claim := func(endpoint string) []string {
		t.Helper()
		events, err := s.ClaimEvents(ctx, endpoint, at, 10, 2)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, claimed := range events {
			if ok, _, err := s.Deliver(ctx, claimed, at); !ok || err != nil {
				t.Error(ok, err)
			}
			ids = append(ids, claimed.ID)
		}
		storetest.Check(t, db)
		return ids
	}
	for _, id := range []string{"evt_refunded_R2", "evt_refunded_R1", "evt_paid_" + o.ID} {
		if ok, err := s.Replay(ctx, id, e.ID, at); !ok || err != nil {
			t.Fatal(ok, err)
		}
		storetest.Check(t, db)
	}
	due, err := s.DueEndpoints(ctx, at)
	if err != nil || len(due) != 2 {
		t.Errorf("%+v, %v", due, err)
	}
	for _, want := range []string{"[evt_paid_" + o.ID + "]", "[evt_refunded_R1]", "[evt_refunded_R2]", "[]"} {
		if got := fmt.Sprint(claim(e.ID)); got != want {
			t.Errorf("claimed %s, want %s", got, want)
		}
	}
	if got := fmt.Sprint(claim(order.SettingsEndpoint)); got != "[evt_paid_"+o.ID+"]" {
		t.Errorf("the settings got %s", got)
	}
	// A range that is replayed whole keeps it too.
	places, next, err := s.ReplayRange(ctx, store.ReplayRange{From: now, To: at.Add(time.Hour), Endpoint: e.ID, Limit: 10}, at)
	if err != nil || len(places) != 3 || next != nil {
		t.Errorf("%+v, then %+v, %v", places, next, err)
	}
	storetest.Check(t, db)
	for _, want := range []string{"[evt_paid_" + o.ID + "]", "[evt_refunded_R1]", "[evt_refunded_R2]"} {
		if got := fmt.Sprint(claim(e.ID)); got != want {
			t.Errorf("claimed %s, want %s", got, want)
		}
	}
}

// The deletion of an order deletes its events and their deliveries. The deletion of an
// endpoint deletes its deliveries.
func TestDeliveriesAreDeleted(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	newEndpoint(t, s, "ep_1")
	o := insert(t, s, "alice", "key-1")
	prepay(t, s, o)
	if ok, err := closeOrder(s, o, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	pay(t, s, insert(t, s, "alice", "key-2"), now)
	count := func() (n int) {
		t.Helper()
		if err := db.QueryRow(`SELECT COUNT(*) FROM deliveries`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 4 {
		t.Fatalf("%d deliveries, want 4", n)
	}
	if n, err := s.DeleteUnpaid(ctx, now.AddDate(0, 0, 1), 10); n != 1 || err != nil {
		t.Error(n, err)
	}
	if n := count(); n != 2 {
		t.Errorf("%d deliveries, want 2", n)
	}
	if _, err := s.DeleteEndpoint(ctx, "ep_1", now); err != nil {
		t.Error(err)
	}
	if err := s.DeleteDeliveries(ctx, "ep_1", 10); err != nil {
		t.Error(err)
	}
	if err := s.DeleteDeliveries(ctx, order.SettingsEndpoint, 10); err != nil { // not deleted: nothing happens
		t.Error(err)
	}
	if n := count(); n != 1 {
		t.Errorf("%d deliveries, want 1", n)
	}
	storetest.Check(t, db)
}
