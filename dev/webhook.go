package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/stack"
	"h5pay/simulator/server"
	"h5pay/webhook"
)

// backEnd stands in for the merchant's: it prints the webhooks it believes.
type backEnd struct {
	URL, Secret string

	server *http.Server
}

// startBackEnd starts one, unless the settings name another: then that one gets
// the webhooks, and nil is returned.
func startBackEnd(env map[string]string) (*backEnd, error) {
	if env["WEBHOOK_URL"] != "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	b := &backEnd{
		URL:    "http://" + l.Addr().String() + "/h5pay",
		Secret: cmp.Or(env["WEBHOOK_SECRET"], rand.Text()+rand.Text()),
	}
	b.server = &http.Server{Handler: b}
	go b.server.Serve(l)
	return b, nil
}

// Close ends it.
func (b *backEnd) Close() {
	if b != nil {
		b.server.Close()
	}
}

// vars are the settings with which the signer finds it.
func (b *backEnd) vars() map[string]string {
	if b == nil {
		return nil
	}
	return map[string]string{"WEBHOOK_URL": b.URL, "WEBHOOK_SECRET": b.Secret}
}

func (b *backEnd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := webhook.Receiver{Secrets: []string{b.Secret}, Simulated: true}.Receive(r, time.Now())
	if err != nil {
		fmt.Println("webhook refused:", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	amount := e.Data.Order.Total
	if e.Data.Refund != nil {
		amount = e.Data.Refund.Amount
	}
	fmt.Printf("webhook, signature verified: %s of order %s, %s %s, event %s\n", e.Type, e.Data.Order.ID, api.Fen(amount), e.Data.Order.Currency, e.ID)
	w.WriteHeader(http.StatusNoContent)
}

// deliverer fires the trigger that delivers webhooks when WeChat's ledger has
// changed: the shop hears of it a moment later, and nobody wants to wait for the
// minute. Without a change it leaves the screen in peace.
type deliverer struct {
	sim  *server.Server
	shop *stack.Shop
	seen int // payments and refunds that have come to an end
	left int // times to fire
}

// look is called every second or so.
func (d *deliverer) look(ctx context.Context) error {
	ledger := d.sim.Ledger()
	n := len(ledger.Trades)
	for _, r := range ledger.Refunds {
		if !r.Done.IsZero() {
			n++
		}
	}
	if n != d.seen {
		d.seen, d.left = n, 2
		return nil // the notification is on its way
	}
	if d.left == 0 {
		return nil
	}
	d.left--
	return d.shop.Deliver(ctx)
}
