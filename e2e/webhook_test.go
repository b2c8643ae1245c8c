package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/paytest"
	"h5pay/webhook"
)

// backEnd is the merchant's webhook endpoint.
type backEnd struct {
	*httptest.Server
	*paytest.Receiver
	silent atomic.Bool // responds with an error
}

func startBackEnd(secret string) *backEnd {
	b := &backEnd{Receiver: &paytest.Receiver{Verify: webhook.Receiver{Secrets: []string{secret}, Simulated: true}}}
	b.Answer = func(w http.ResponseWriter, _ *http.Request, _ webhook.Event) {
		if b.silent.Load() {
			// The response must not appear in the signer's log.
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, secret)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/h5pay", b.Receiver)
	mux.HandleFunc("/thanks", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "Thanks") })
	b.Server = httptest.NewServer(mux)
	return b
}

// drain runs the trigger until no event is due.
func drain(t *testing.T) {
	t.Helper()
	for range 50 {
		if err := world.shop.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		var due int
		if err := database(t).QueryRow(`SELECT COUNT(*) FROM deliveries WHERE status = 'pending' AND next_at <= ? AND leased_until <= ?`,
			time.Now().UnixMilli(), time.Now().UnixMilli()).Scan(&due); err != nil {
			t.Fatal(err)
		}
		if due == 0 {
			return
		}
	}
	t.Fatal("the outbox is not emptied")
}

// A payment in the browser reaches the merchant's back end once, signed. After a failed attempt the
// same event is delivered again.
func TestPaymentReachesTheBackEnd(t *testing.T) {
	before := len(world.backEnd.Rejected()) // the doctor sends a forged event
	drain(t)                                // of earlier tests
	p := newPhone(t, 1)
	p.choose("coffee")
	id := p.order()
	p.pay()
	p.seesPaid()
	checkLedger(t)

	world.backEnd.silent.Store(true)
	drain(t)
	world.backEnd.silent.Store(false)
	makeEventsDue(t, id)
	drain(t)
	drain(t)
	got := world.backEnd.EventsOf(id)
	if len(got) != 2 || got[0].ID != got[1].ID {
		t.Fatalf("deliveries: %+v", got)
	}
	_, transaction := stored(t, id)
	e, o, by := got[0], got[0].Data.Order, got[0].Data.Payment
	if !e.Simulated || e.AppID == "" || e.MchID == "" || !strings.HasPrefix(e.Shop, "http://localhost:") {
		t.Errorf("%+v lacks the shop, the appid or the merchant", e)
	}
	if e.Type != webhook.OrderPaid || o.Total != 2600 || o.Currency != "CNY" || by == nil || by.TransactionID != transaction ||
		by.Payer != world.sim.User().OpenID || len(o.Items) != 1 || o.Items[0].Name != "手冲咖啡" {
		t.Errorf("%+v", e)
	}
	var status string
	var attempts int
	if err := database(t).QueryRow(`SELECT status, attempts FROM deliveries JOIN events ON seq = event_seq WHERE order_id = ?`, id).Scan(&status, &attempts); err != nil {
		t.Fatal(err)
	}
	if status != "delivered" || attempts != 2 {
		t.Errorf("the event is %s after %d attempts", status, attempts)
	}

	// Every payment of this run has exactly one event, and it was delivered.
	rows, err := database(t).Query(`SELECT id FROM orders WHERE paid_by IS NOT NULL AND id <> ?`, id)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var other string
		if err := rows.Scan(&other); err != nil {
			t.Fatal(err)
		}
		paid := map[string]bool{} // by ID: the console sent one again
		for _, e := range world.backEnd.EventsOf(other) {
			if e.Type == webhook.OrderPaid {
				paid[e.ID] = true
			}
		}
		if len(paid) != 1 {
			t.Errorf("the back end got %d order.paid events of %s", len(paid), other)
		}
	}
	for _, err := range world.backEnd.Rejected()[before:] {
		t.Error(err)
	}
}

// makeEventsDue makes the next attempts of an order's events due, because the Worker's clock cannot
// be changed.
func makeEventsDue(t *testing.T, id string) {
	t.Helper()
	execSQL(t, `UPDATE deliveries SET next_at = ?1 WHERE event_seq IN (SELECT seq FROM events WHERE order_id = ?2)`, time.Now().UnixMilli(), id)
}
