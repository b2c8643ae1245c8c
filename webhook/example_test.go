package webhook_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"h5pay/webhook"
)

// A back end fulfils each order once, and answers 2xx when that is done.
func ExampleReceiver_Receive() {
	secret := webhook.NewSecret() // the shop has the same one, in WEBHOOK_SECRET
	receiver := webhook.Receiver{Secrets: []string{secret}, Shop: "https://shop.example.com"}
	done := map[string]bool{} // in a real back end a unique column
	backEnd := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := receiver.Receive(r, time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if event.Type == webhook.OrderPaid && !done[event.ID] {
			done[event.ID] = true
			fmt.Println("ship order", event.Data.Order.ID)
		}
		w.WriteHeader(http.StatusNoContent)
	})

	// A test forges deliveries with Sign, as the shop sends them.
	body := `{"id":"evt_paid_1","type":"order.paid","shop":"https://shop.example.com","data":{"order":{"id":"1"}}}`
	header, err := webhook.Sign("evt_paid_1", time.Now(), []byte(body), secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	deliver := func(body string) {
		r := httptest.NewRequest("POST", "/h5pay", strings.NewReader(body))
		header.Set(r.Header)
		w := httptest.NewRecorder()
		backEnd.ServeHTTP(w, r)
		fmt.Printf("%d %s\n", w.Code, cmp.Or(strings.TrimSpace(w.Body.String()), "without a body"))
	}
	deliver(body)
	deliver(body) // the shop did not get the first answer
	deliver(strings.Replace(body, `"id":"1"`, `"id":"2"`, 1))
	// Output:
	// ship order 1
	// 204 without a body
	// 204 without a body
	// 400 webhook: no signature matches
}

// While a secret is being changed, the shop signs with both, and the receiver may
// know either of them.
func ExampleVerify() {
	oldSecret, newSecret := webhook.NewSecret(), webhook.NewSecret()
	body, now := []byte(`{"id":"evt_paid_1"}`), time.Now()
	header, err := webhook.Sign("evt_paid_1", now, body, newSecret, oldSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(webhook.Verify(header, body, now, oldSecret))
	fmt.Println(webhook.Verify(header, body, now, newSecret))
	fmt.Println(errors.Is(webhook.Verify(header, body, now.Add(6*time.Minute), newSecret), webhook.ErrTime))
	// Output:
	// <nil>
	// <nil>
	// true
}
