package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Type is the type of an event.
type Type string

// The types. There may be more one day: respond with 2xx to types that you do not know.
const (
	OrderPaid     Type = "order.paid"     // fulfil the order; one event per order
	OrderRefunded Type = "order.refunded" // once for a refund of the order that succeeded
	OrderClosed   Type = "order.closed"   // it can no longer be paid; a late payment may still follow

	// PaymentDuplicate reports a second payment of an order. The shop refunds it in full by itself:
	// there is nothing to do.
	PaymentDuplicate Type = "payment.duplicate"
)

// Event is the body of a delivery. It describes the time when the event was made. Every
// delivery has the same bytes.
type Event struct {
	ID        string `json:"id"` // the same in every delivery; store it to process the event once
	Type      Type   `json:"type"`
	CreatedAt int64  `json:"created_at"` // Unix ms
	Shop      string `json:"shop"`       // the origin of the shop, "https://shop.example.com"
	AppID     string `json:"appid"`      // under which the order was made
	MchID     string `json:"mch_id"`     // the merchant who got the money
	// Simulated reports that WeChat was a simulator: no money was paid.
	Simulated bool `json:"simulated"`
	Data      Data `json:"data"`
}

// Data is the subject of an event.
type Data struct {
	Order   Order    `json:"order"`
	Payment *Payment `json:"payment"` // that pays the order, or the duplicate; null with OrderClosed
	Refund  *Refund  `json:"refund"`  // with OrderRefunded, and with PaymentDuplicate, which begins it
}

// Order is the order as it was then. Money is in fen, a hundredth of a yuan;
// times are Unix ms.
type Order struct {
	ID          string          `json:"id"`        // in the shop's own URLs
	Reference   string          `json:"reference"` // your own number, if the order was made by API with one
	Source      string          `json:"source"`    // "shop", "api" or "link": what made the order
	LinkID      string          `json:"link_id"`   // of the payment link, with the source "link"
	Status      string          `json:"status"`    // "paid", "refunding", "closed", or "refunded" after a full refund
	Items       []Item          `json:"items"`
	Description string          `json:"description"` // the payer read it on the payment sheet
	Metadata    json.RawMessage `json:"metadata"`    // your own object, if the order was made by API with one
	Total       int64           `json:"total"`
	Currency    string          `json:"currency"` // "CNY"
	Refunded    int64           `json:"refunded"` // the refunded amount so far
	CreatedAt   int64           `json:"created_at"`
	ExpiresAt   int64           `json:"expires_at"`
}

// Payment is one payment of an order. Payer and PaidAt are null, and zero here, when
// WeChat has not reported them: docs/webhooks.md.
type Payment struct {
	OutTradeNo    string `json:"out_trade_no"`   // at WeChat
	TransactionID string `json:"transaction_id"` // WeChat's
	TradeType     string `json:"trade_type"`     // "JSAPI", "NATIVE", "MWEB"
	Payer         string `json:"payer"`          // the openid of who paid
	PaidAt        int64  `json:"paid_at"`        // WeChat's time
	APIVersion    string `json:"api_version"`    // of WeChat's API, "v2" or "v3"
	AppID         string `json:"appid"`
	MchID         string `json:"mch_id"`
}

// Item is a line of an order.
type Item struct {
	ProductID string `json:"product_id"`
	Name      string `json:"name"`
	Price     int64  `json:"price"` // of one, in fen
	Quantity  int64  `json:"quantity"`
}

// Refund is a refund to the payer.
type Refund struct {
	ID        string `json:"id"`        // WeChat's out_refund_no
	RefundID  string `json:"refund_id"` // WeChat's own number; null with PaymentDuplicate
	Amount    int64  `json:"amount"`    // fen
	Reason    string `json:"reason"`
	CreatedAt int64  `json:"created_at"` // Unix ms
	EndedAt   int64  `json:"ended_at"`   // Unix ms
}

// maxBody is larger than any event, in bytes.
const maxBody = 1 << 20

// Receiver configures the deliveries to accept. Only Secrets is required.
type Receiver struct {
	Secrets []string // any of which may have signed; at least one

	// The shop and account that an event must have; "" accepts every one. Several shops may share a
	// secret by mistake, a copy for tests and the shop for example.
	Shop, AppID, MchID string

	// Simulated accepts events of a simulated WeChat too: for tests.
	Simulated bool
}

// Receive reads a request with a Receiver that has nothing but secrets.
func Receive(r *http.Request, now time.Time, secrets ...string) (Event, error) {
	return Receiver{Secrets: secrets}.Receive(r, now)
}

// Receive reads a request and does what Read does. Respond with 400 if it returns an error.
func (rc Receiver) Receive(r *http.Request, now time.Time) (Event, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return Event{}, fmt.Errorf("webhook: reading the body: %w", err)
	}
	if len(body) > maxBody {
		return Event{}, fmt.Errorf("webhook: the body is over %d bytes", maxBody)
	}
	return rc.Read(HeaderOf(r.Header), body, now)
}

// Read verifies a delivery and returns its event. The errors are those of Verify,
// ErrID, ErrSimulated, ErrShop, ErrAppID and ErrMchID, and an error about a signed
// body that is not an event.
func (rc Receiver) Read(h Header, body []byte, now time.Time) (Event, error) {
	if err := Verify(h, body, now, rc.Secrets...); err != nil {
		return Event{}, err
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, fmt.Errorf("webhook: the body is not an event: %w", err)
	}
	if e.ID != h.ID {
		return Event{}, ErrID
	}
	if err := rc.check(e); err != nil {
		return Event{}, err
	}
	return e, nil
}

// check returns why an event with a valid signature is not for this receiver.
func (rc Receiver) check(e Event) error {
	switch {
	case e.Simulated && !rc.Simulated:
		return ErrSimulated
	case rc.Shop != "" && e.Shop != rc.Shop:
		return ErrShop
	case rc.AppID != "" && e.AppID != rc.AppID:
		return ErrAppID
	case rc.MchID != "" && e.MchID != rc.MchID:
		return ErrMchID
	}
	return nil
}
