package outbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/webhook"
	"h5pay/wechat"
)

// Webhook is the endpoint of the settings.
type Webhook struct {
	URL string // https, or http for this machine
	// Secrets sign each delivery, in the form of webhook.ParseSecret: the current one
	// and, while it is being changed, the one before.
	Secrets []wechat.Secret
	// Doer must not follow redirects. Only the status and Retry-After of a response are read.
	Doer wechat.Doer
}

// webhookTimeout is how long the merchant's back end may take to respond.
const webhookTimeout = 10 * time.Second

// check returns the fault of w, "" if it is valid.
func (w *Webhook) check() string {
	if w == nil {
		return ""
	}
	u, err := url.Parse(w.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return "Webhook.URL: want a URL like https://erp.example.com/h5pay"
	}
	if len(w.Secrets) == 0 {
		return "Webhook.Secrets is empty"
	}
	for _, secret := range w.Secrets {
		if _, err := webhook.ParseSecret(string(secret)); err != nil {
			return "Webhook.Secrets: want whsec_ and the base64 of 24 to 64 bytes"
		}
	}
	if w.Doer == nil {
		return "Webhook.Doer is nil"
	}
	return ""
}

// The reasons why there is no status. They are stored, and contain nothing of the request.
var (
	errNoResponse = errors.New("no response")
	errTooSlow    = errors.New("no response in 10 s")

	// ErrPrivate is the error of a Doer for an address that is not public.
	ErrPrivate = errors.New("the address is not public")
)

// maxRetryAfter bounds a receiver's Retry-After. Otherwise a proxy in front of the receiver
// could delay the event of a payment for days.
const maxRetryAfter = time.Hour

// response is the receiver's response to a delivery.
type response struct {
	status     int
	retryAfter time.Time // zero without a Retry-After
}

// reason returns why a response is not a success.
func (r response) reason() string { return fmt.Sprint("HTTP ", r.status) }

// ok reports whether the event is acknowledged.
func (r response) ok() bool { return r.status >= 200 && r.status <= 299 }

// busy reports whether the receiver wants fewer deliveries.
func (r response) busy() bool {
	return r.status == http.StatusTooManyRequests || r.status >= http.StatusBadGateway && r.status <= http.StatusGatewayTimeout
}

// parseRetryAfter reads the value of Retry-After: seconds, or a date. It returns the
// zero time for anything else.
func parseRetryAfter(value string, now time.Time) time.Time {
	latest := now.Add(maxRetryAfter)
	at, err := http.ParseTime(value)
	if seconds, notNumber := strconv.ParseUint(value, 10, 64); notNumber == nil || errors.Is(notNumber, strconv.ErrRange) {
		at, err = now.Add(time.Duration(min(seconds, uint64(maxRetryAfter/time.Second)))*time.Second), nil
	}
	switch {
	case err != nil:
		return time.Time{}
	case at.After(latest):
		return latest
	}
	return at
}

// body returns the body of a delivery, nil if the data of the event is not JSON.
//
// The shop, the appid and the merchant are those of the order, so that they stay true in a database
// that was moved. An event is simulated if its order or this shop is. Otherwise a copy of the
// database with a simulator would look like the real shop.
func (s *Sender) body(e order.Event) []byte {
	body, err := json.Marshal(api.WebhookBody{
		ID: e.ID, Type: e.Type, CreatedAt: e.CreatedAt.UnixMilli(), Shop: e.Shop, AppID: e.AppID, MchID: e.MchID,
		Simulated: e.Simulated || s.cfg.Simulated, Data: json.RawMessage(e.Data),
	})
	if err != nil {
		return nil
	}
	return body
}

// send posts a body to an endpoint and returns the response. A redirect is not followed and
// not a success.
func (s *Sender) send(ctx context.Context, t target, id string, body []byte) (response, error) {
	if body == nil {
		return response{}, errors.New("the data of the event is not JSON")
	}
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return response{}, errNoResponse
	}
	header, err := webhook.Sign(id, s.now(), body, t.secrets...)
	if err != nil {
		return response{}, err
	}
	header.Set(req.Header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "h5pay")
	res, err := t.doer.Do(req)
	if err != nil {
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return response{}, errTooSlow
		case errors.Is(err, ErrPrivate):
			return response{}, ErrPrivate
		}
		return response{}, errNoResponse // the error's text may contain the URL
	}
	res.Body.Close()
	return response{res.StatusCode, parseRetryAfter(res.Header.Get("Retry-After"), s.now())}, nil
}
