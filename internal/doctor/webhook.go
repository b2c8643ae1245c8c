package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"h5pay/internal/cause"
	"h5pay/internal/v1"
	"h5pay/webhook"
)

// testEvent is the type of the event that the doctor sends. Receivers respond with 2xx to types that
// they do not know.
const testEvent = "doctor.test"

// endpoints sends a test event to each webhook endpoint.
func (d *Doctor) endpoints(ctx context.Context) []v1.CheckResult {
	var endpoints []Endpoint
	if d.cfg.Endpoints != nil {
		var err error
		if endpoints, err = d.cfg.Endpoints(ctx); err != nil {
			return []v1.CheckResult{present(cause.Webhook, skip("reading the webhook endpoints failed"))}
		}
	}
	if len(endpoints) == 0 {
		return []v1.CheckResult{present(cause.Webhook, skip("there is no webhook endpoint"))}
	}
	results := make([]v1.CheckResult, len(endpoints))
	var group sync.WaitGroup
	for i, e := range endpoints {
		group.Go(func() {
			began := d.now()
			results[i] = present(cause.Webhook, d.safely(func() result { return d.endpoint(ctx, e) }))
			results[i].TookMS = d.now().Sub(began).Milliseconds()
		})
	}
	group.Wait()
	return results
}

// endpoint sends an event with a correct signature, which the receiver must accept, and one
// with a wrong signature, which it must reject.
func (d *Doctor) endpoint(ctx context.Context, e Endpoint) result {
	host := ""
	if u, err := url.Parse(e.URL); err == nil {
		host = u.Host
	}
	secrets := make([]string, len(e.Secrets))
	for i, secret := range e.Secrets {
		secrets[i] = string(secret)
	}
	status, err := d.post(ctx, e, secrets)
	switch {
	case err != nil:
		return result{cause: cause.WebhookUnreachable, setting: "WEBHOOK_URL", detail: host + ": " + reason(err)}
	case status >= 300 && status < 400:
		return result{cause: cause.WebhookRedirected, setting: "WEBHOOK_URL", detail: fmt.Sprintf("%s: HTTP status %d", host, status)}
	case status < 200 || status > 299:
		return result{cause: cause.WebhookDeclined, setting: "WEBHOOK_SECRET", detail: fmt.Sprintf("%s: HTTP status %d", host, status)}
	}
	if status, err = d.post(ctx, e, []string{webhook.NewSecret()}); err == nil && status >= 200 && status <= 299 {
		return result{cause: cause.WebhookUnverified, detail: fmt.Sprintf("%s: HTTP status %d", host, status)}
	}
	return result{}
}

// reason describes an error without its text, because the text may contain the URL.
func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no response in %v", callTimeout)
	}
	return "no response"
}

// post sends a test event, signed with the secrets.
func (d *Doctor) post(ctx context.Context, e Endpoint, secrets []string) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now := d.now()
	id := "evt_test_" + random()
	body, err := json.Marshal(map[string]any{
		"id": id, "type": testEvent, "created_at": now.UnixMilli(), "shop": d.cfg.ShopURL, "appid": d.cfg.AppID, "mch_id": d.cfg.MchID,
		"simulated": d.cfg.Simulated, "data": struct{}{},
	})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	header, err := webhook.Sign(id, now.Truncate(time.Second), body, secrets...)
	if err != nil {
		return 0, err
	}
	header.Set(req.Header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "h5pay")
	res, err := e.Doer.Do(req)
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	return res.StatusCode, nil
}
