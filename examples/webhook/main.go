// Command webhook is a merchant's back end in its smallest form: it receives h5pay's
// webhooks, verifies their signatures, and fulfils each order once.
//
//	WEBHOOK_SECRET=whsec_... SHOP_URL=https://shop.example.com go run ./examples/webhook
//
// With SHOP_URL, WECHAT_APPID or WECHAT_MCH_ID it rejects the events of others. With
// ACCEPT_SIMULATED=1 it accepts events of a simulated WeChat too, for tests.
//
// receiver.mjs beside it is the same in JavaScript.
package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"h5pay/webhook"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	r := &receiver{done: map[string]bool{}, accept: webhook.Receiver{
		Shop: os.Getenv("SHOP_URL"), AppID: os.Getenv("WECHAT_APPID"), MchID: os.Getenv("WECHAT_MCH_ID"),
		Simulated: os.Getenv("ACCEPT_SIMULATED") == "1",
	}}
	// While the secret is being changed both are valid: docs/webhooks.md.
	for _, name := range []string{"WEBHOOK_SECRET", "WEBHOOK_SECRET_OLD"} {
		secret := os.Getenv(name)
		if secret == "" && name == "WEBHOOK_SECRET_OLD" {
			continue
		}
		if _, err := webhook.ParseSecret(secret); err != nil {
			return errors.New(name + " must be whsec_ and the base64 of 24 to 64 bytes, the same as the shop's")
		}
		r.accept.Secrets = append(r.accept.Secrets, secret)
	}
	l, err := net.Listen("tcp", "localhost:"+os.Getenv("PORT")) // without PORT any that is free
	if err != nil {
		return fmt.Errorf("PORT: %w", err)
	}
	fmt.Printf("receiver listens at http://%s/h5pay\n", l.Addr())
	http.Handle("POST /h5pay", r)
	return http.Serve(l, nil)
}

// receiver takes deliveries.
type receiver struct {
	accept webhook.Receiver

	mu   sync.Mutex
	done map[string]bool // ids of events; yours is a unique column, written together with what the event causes
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := rc.accept.Receive(r, time.Now())
	if err != nil {
		fmt.Println("rejected:", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if rc.done[e.ID] {
		fmt.Println("again:", e.ID)
	} else {
		handle(e)
		rc.done[e.ID] = true
	}
	// The acknowledgement comes last, because the shop sends an event again that is not acknowledged.
	w.WriteHeader(http.StatusNoContent)
}

// handle processes an event once.
func handle(e webhook.Event) {
	o := e.Data.Order
	switch e.Type {
	case webhook.OrderPaid:
		fmt.Printf("ship order %s: %d fen paid by %s\n", o.ID, o.Total, e.Data.Payment.TransactionID)
	case webhook.OrderRefunded:
		fmt.Printf("refund %s of order %s: %d fen, %d of %d in all\n", e.Data.Refund.ID, o.ID, e.Data.Refund.Amount, o.Refunded, o.Total)
	case webhook.OrderClosed:
		fmt.Printf("release the stock of order %s\n", o.ID)
	case webhook.PaymentDuplicate:
		fmt.Printf("order %s was paid twice: %d fen go back by themselves\n", o.ID, e.Data.Refund.Amount)
	}
}
