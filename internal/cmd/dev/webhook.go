package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"h5pay/internal/fen"
	"h5pay/internal/stack"
	"h5pay/simulator/server"
	"h5pay/webhook"
)

// webhookReceiver is a webhook endpoint for development. It prints the webhooks whose signature is
// valid.
type webhookReceiver struct {
	URL, Secret string

	server *http.Server
}

// startWebhookReceiver starts a receiver. If the settings contain a WEBHOOK_URL, it returns nil and
// webhooks go there.
func startWebhookReceiver(env map[string]string) (*webhookReceiver, error) {
	if env["WEBHOOK_URL"] != "" {
		return nil, nil
	}
	secret := cmp.Or(env["WEBHOOK_SECRET"], webhook.NewSecret())
	if _, err := webhook.ParseSecret(secret); err != nil {
		return nil, fmt.Errorf("WEBHOOK_SECRET in %s: %w; without that file `make dev` draws one", envFile, err)
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	b := &webhookReceiver{URL: "http://" + l.Addr().String() + "/h5pay", Secret: secret}
	b.server = &http.Server{Handler: b}
	go b.server.Serve(l)
	return b, nil
}

// Close stops the receiver.
func (b *webhookReceiver) Close() {
	if b != nil {
		b.server.Close()
	}
}

// vars returns the signer's settings for the receiver.
func (b *webhookReceiver) vars() map[string]string {
	if b == nil {
		return nil
	}
	return map[string]string{"WEBHOOK_URL": b.URL, "WEBHOOK_SECRET": b.Secret}
}

func (b *webhookReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := webhook.Receiver{Secrets: []string{b.Secret}, Simulated: true}.Receive(r, time.Now())
	if err != nil {
		fmt.Println("webhook rejected:", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	amount := e.Data.Order.Total
	if e.Data.Refund != nil {
		amount = e.Data.Refund.Amount
	}
	fmt.Printf("webhook, signature verified: %s of order %s, %s %s, event %s\n", e.Type, e.Data.Order.ID, fen.Fen(amount), e.Data.Order.Currency, e.ID)
	w.WriteHeader(http.StatusNoContent)
}

// deliveryTrigger runs the delivery of webhooks when WeChat's ledger has changed. Without it a
// webhook would wait up to a minute. It does nothing without a change, to keep the log short.
type deliveryTrigger struct {
	sim            *server.Server
	shop           *stack.Shop
	completed      int // payments and refunds that have ended
	deliveriesLeft int // runs left after the last change
}

// poll is called about once per second.
func (d *deliveryTrigger) poll(ctx context.Context) error {
	ledger := d.sim.Ledger()
	n := len(ledger.Trades)
	for _, r := range ledger.Refunds {
		if !r.Done.IsZero() {
			n++
		}
	}
	if n != d.completed {
		d.completed, d.deliveriesLeft = n, 2
		return nil // the shop has not received the notification yet
	}
	if d.deliveriesLeft == 0 {
		return nil
	}
	d.deliveriesLeft--
	return d.shop.Deliver(ctx)
}
