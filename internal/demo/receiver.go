package demo

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"h5pay/internal/fen"
	"h5pay/webhook"
)

// receiver is a webhook endpoint. It prints the webhooks whose signature is valid.
type receiver struct {
	url, secret string

	out    io.Writer
	server *http.Server
}

// startReceiver starts a receiver. If the settings contain a WEBHOOK_URL, it returns nil and
// webhooks go there.
func startReceiver(env map[string]string, out io.Writer) (*receiver, error) {
	if env["WEBHOOK_URL"] != "" {
		return nil, nil
	}
	secret := cmp.Or(env["WEBHOOK_SECRET"], webhook.NewSecret())
	if _, err := webhook.ParseSecret(secret); err != nil {
		return nil, fmt.Errorf("setting WEBHOOK_SECRET: %w", err)
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	b := &receiver{url: "http://" + l.Addr().String() + "/h5pay", secret: secret, out: out}
	b.server = &http.Server{Handler: b}
	go b.server.Serve(l)
	return b, nil
}

// close stops the receiver.
func (b *receiver) close() {
	if b != nil {
		b.server.Close()
	}
}

// vars returns the signer's settings for the receiver.
func (b *receiver) vars() map[string]string {
	if b == nil {
		return nil
	}
	return map[string]string{"WEBHOOK_URL": b.url, "WEBHOOK_SECRET": b.secret}
}

func (b *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := webhook.Receiver{Secrets: []string{b.secret}, Simulated: true}.Receive(r, time.Now())
	if err != nil {
		fmt.Fprintln(b.out, "webhook rejected:", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if e.Data.Order.ID == "" {
		fmt.Fprintf(b.out, "webhook, signature verified: %s, event %s\n", e.Type, e.ID)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	amount := e.Data.Order.Total
	if e.Data.Refund != nil {
		amount = e.Data.Refund.Amount
	}
	fmt.Fprintf(b.out, "webhook, signature verified: %s of order %s, %s %s, event %s\n", e.Type, e.Data.Order.ID, fen.Fen(amount), e.Data.Order.Currency, e.ID)
	w.WriteHeader(http.StatusNoContent)
}
