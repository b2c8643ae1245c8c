// Command webhook is a merchant's back end in its smallest form: it takes h5pay's
// webhooks, believes those that are signed, and fulfils each order once.
//
//	WEBHOOK_SECRET=... go run ./examples/webhook
//
// receiver.mjs beside it is the same in JavaScript.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"h5pay/webhook"
)

func main() {
	// While the secret is being changed both count: docs/webhooks.md.
	secrets := []string{os.Getenv("WEBHOOK_SECRET")}
	if old := os.Getenv("WEBHOOK_SECRET_OLD"); old != "" {
		secrets = append(secrets, old)
	}
	if len(secrets[0]) < webhook.MinSecret {
		fmt.Fprintln(os.Stderr, "WEBHOOK_SECRET needs at least 32 characters, the same as the shop's")
		os.Exit(1)
	}
	l, err := net.Listen("tcp", "localhost:"+os.Getenv("PORT")) // without PORT any that is free
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("receiver listens at http://%s/h5pay\n", l.Addr())
	r := &receiver{secrets: secrets, done: map[string]bool{}}
	http.Handle("POST /h5pay", r)
	fmt.Fprintln(os.Stderr, http.Serve(l, nil))
	os.Exit(1)
}

// receiver takes deliveries.
type receiver struct {
	secrets []string

	mu   sync.Mutex
	done map[string]bool // ids of events; yours is a unique column, written together with what the event causes
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := webhook.Receive(r, time.Now(), rc.secrets...)
	if err != nil {
		fmt.Println("refused:", err)
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
	// Only now: what is not acknowledged comes again.
	w.WriteHeader(http.StatusNoContent)
}

// handle does what an event asks for, once.
func handle(e webhook.Event) {
	o := e.Data.Order
	switch e.Type {
	case webhook.OrderPaid:
		fmt.Printf("ship order %s: %d fen paid by %s\n", o.ID, o.Total, o.TransactionID)
	case webhook.OrderRefunded:
		fmt.Printf("refund %s of order %s: %d fen, %d of %d in all\n", e.Data.Refund.ID, o.ID, e.Data.Refund.Amount, o.Refunded, o.Total)
	case webhook.OrderClosed:
		fmt.Printf("release the stock of order %s\n", o.ID)
	}
}
