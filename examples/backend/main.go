// Command backend is a tiny shop that takes payments through h5pay's API. docs/backend.md explains it.
//
//	H5PAY_URL=http://localhost:8802 H5PAY_KEY=h5pay_... WEBHOOK_SECRET=whsec_... go run ./examples/backend
package main

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

var (
	h5pay, key, secret = os.Getenv("H5PAY_URL"), os.Getenv("H5PAY_KEY"), os.Getenv("WEBHOOK_SECRET")
	address            = "localhost:" + cmp.Or(os.Getenv("PORT"), "3000")
	verifier, failed   = webhooks.NewWebhook(secret)
	client             = http.Client{Timeout: 10 * time.Second}
	mu                 sync.Mutex
	orders             = map[string]*order{} // by reference; yours are in a database
)

type order struct {
	ID, Reference, Status, Currency string // Status is new, paid or closed
	Total, Refunded                 int64  // fen
}

func main() {
	if failed != nil || !strings.HasPrefix(h5pay, "http") || key == "" || len(secret) < len("whsec_")+32 {
		log.Fatal("set H5PAY_URL, H5PAY_KEY and WEBHOOK_SECRET (whsec_ and the base64 of 24 to 64 bytes)")
	}
	page := `<!doctype html><form method="post" action="/buy"><button>高山乌龙茶 ¥68.00</button></form>`
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })
	http.HandleFunc("POST /buy", buy)
	http.HandleFunc("POST /webhook", receive)
	http.HandleFunc("GET /orders/{reference}", func(w http.ResponseWriter, r *http.Request) { json.NewEncoder(w).Encode(find(r)) })
	http.HandleFunc("POST /orders/{reference}/refund", refund)
	log.Print("the shop is at http://", address)
	log.Fatal(http.ListenAndServe(address, nil))
}

func buy(w http.ResponseWriter, r *http.Request) {
	o := &order{Reference: rand.Text(), Status: "new", Currency: "CNY", Total: 6800}
	mu.Lock()
	orders[o.Reference] = o // before the call, because the webhook can come before the response
	mu.Unlock()
	body := map[string]any{"amount": o.Total, "description": "高山乌龙茶", "reference": o.Reference}
	if public := os.Getenv("PUBLIC_URL"); public != "" {
		body["return_url"] = public + "/orders/" + o.Reference
	}
	if made, err := call("/v1/orders", o.Reference, body); err != nil {
		fail(w, http.StatusBadGateway, err)
	} else {
		http.Redirect(w, r, made["url"].(string), http.StatusSeeOther)
	}
}

func receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err = errors.Join(err, verifier.Verify(body, r.Header)); err == nil { // the received bytes, before a parser changes them
		err = handle(body)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("webhook rejected: %w", err)) // h5pay sends the event again later
	}
}

// handle processes a verified event once, however often it arrives.
func handle(body []byte) error {
	var event struct {
		Type, Shop string
		Simulated  bool
		Data       struct{ Order order }
	}
	err := json.Unmarshal(body, &event)
	if err != nil || event.Shop != h5pay || event.Simulated && os.Getenv("ACCEPT_SIMULATED") != "1" {
		return fmt.Errorf("the event is of another shop (%s), or simulated, or malformed (%v)", event.Shop, err)
	}
	mu.Lock()
	defer mu.Unlock()
	switch sold, o := event.Data.Order, orders[event.Data.Order.Reference]; {
	case o == nil: // another program's order
	case sold.Total != o.Total || sold.Currency != o.Currency:
		return fmt.Errorf("order %s has another amount", o.Reference)
	case event.Type == "order.paid" && o.Status != "paid": // also after order.closed: a late payment counts
		o.ID, o.Status = sold.ID, "paid"
		log.Print("ship order ", o.Reference) // in a real shop: in the transaction that marks the order as paid
	case event.Type == "order.closed" && o.Status == "new":
		o.Status = "closed"
	case event.Type == "order.refunded":
		o.Refunded = max(o.Refunded, sold.Refunded)
	}
	return nil
}

func refund(w http.ResponseWriter, r *http.Request) {
	token, o := "Bearer "+os.Getenv("OPERATOR_TOKEN"), find(r)
	if token == "Bearer " || subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(token)) != 1 {
		fail(w, http.StatusUnauthorized, errors.New("a refund without the operator's token"))
	} else if o.Status != "paid" {
		fail(w, http.StatusConflict, errors.New("a refund of an order that is not paid"))
	} else if made, err := call("/v1/orders/"+o.ID+"/refunds", "refund-"+o.Reference, map[string]any{"reason": "退货"}); err != nil {
		fail(w, http.StatusBadGateway, err)
	} else {
		json.NewEncoder(w).Encode(made)
	}
}

func find(r *http.Request) order {
	mu.Lock()
	defer mu.Unlock()
	return *cmp.Or(orders[r.PathValue("reference")], &order{})
}

func fail(w http.ResponseWriter, status int, err error) {
	log.Print(err)
	http.Error(w, http.StatusText(status), status)
}

// call posts to h5pay. It repeats a call without a response; the Idempotency-Key lets none take effect twice.
func call(path, idempotencyKey string, body map[string]any) (made map[string]any, err error) {
	text, _ := json.Marshal(body) // strings and numbers never fail
	for range 3 {
		req, _ := http.NewRequest("POST", h5pay+path, strings.NewReader(string(text)))
		req.Header = http.Header{"Authorization": {"Bearer " + key}, "Idempotency-Key": {idempotencyKey}, "Content-Type": {"application/json"}}
		var res *http.Response
		if res, err = client.Do(req); err == nil {
			err = json.NewDecoder(res.Body).Decode(&made)
			res.Body.Close()
			if err == nil && res.StatusCode == http.StatusCreated {
				return made, nil
			} else if err = fmt.Errorf("%s: %s %v %v", path, res.Status, made["code"], made["message"]); res.StatusCode < 500 {
				break
			}
		}
		time.Sleep(time.Second)
	}
	return nil, err
}
