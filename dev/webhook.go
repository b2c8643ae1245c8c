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
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// webhookReceiver stands in for the merchant's: it prints the webhooks it believes.
type webhookReceiver struct {
	URL, Secret string

	server *http.Server
}

// startWebhookReceiver starts one, unless the settings name another: then that one gets
// the webhooks, and nil is returned.
func startWebhookReceiver(env map[string]string) (*webhookReceiver, error) {
	if env["WEBHOOK_URL"] != "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	b := &webhookReceiver{
		URL:    "http://" + l.Addr().String() + "/h5pay",
		Secret: cmp.Or(env["WEBHOOK_SECRET"], rand.Text()+rand.Text()),
	}
	b.server = &http.Server{Handler: b}
	go b.server.Serve(l)
	return b, nil
}

// Close ends it.
func (b *webhookReceiver) Close() {
	if b != nil {
		b.server.Close()
	}
}

// vars are the settings with which the signer finds it.
func (b *webhookReceiver) vars() map[string]string {
	if b == nil {
		return nil
	}
	return map[string]string{"WEBHOOK_URL": b.URL, "WEBHOOK_SECRET": b.Secret}
}

func (b *webhookReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

// deliveryTrigger fires the trigger that delivers webhooks when WeChat's ledger has
// changed: the shop hears of it a moment later, and nobody wants to wait for the
// minute. Without a change it leaves the screen in peace.
type deliveryTrigger struct {
	sim  *wechattest.Server
	shop *stack.Shop
	completed int // payments and refunds that have come to an end
	deliveriesLeft int // times to fire
}

// poll is called every second or so.
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
		return nil // the notification is on its way
	}
	if d.deliveriesLeft == 0 {
		return nil
	}
	d.deliveriesLeft--
	return d.shop.Deliver(ctx)
}
