package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"h5pay/e2e/proc"
	"h5pay/internal/api"
	"h5pay/internal/stack"
	"h5pay/internal/v1"
)

// load is the result of one round of one flow on one Worker.
type load struct {
	latencies []time.Duration
	elapsed   time.Duration
	cpu       time.Duration // of workerd, for all requests
}

// driver sends the requests of the flows to one Worker.
type driver struct {
	name string
	v3   bool // WeChat's API
	*stack.Workerd
	up     *upstream
	shop   string // the Origin
	cookie string
	apiKey string
	client *http.Client
	keys   atomic.Int64
}

// usesV3 reports whether a Worker has the settings of APIv3.
func usesV3(name string) bool { return strings.HasSuffix(name, "-v3") }

func newDriver(name string, w *stack.Workerd, up *upstream, shop string) *driver {
	return &driver{name: name, v3: usesV3(name), Workerd: w, up: up, shop: shop, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		Timeout:   time.Minute,
	}}
}

func (d *driver) close() {
	d.client.CloseIdleConnections()
	d.Workerd.Close()
}

// post sends JSON and returns the response, whose status must be 200.
func (d *driver) post(ctx context.Context, path string, body []byte) ([]byte, *http.Response, error) {
	return d.send(ctx, path, http.Header{"Content-Type": {"application/json"}}, body)
}

// send sends a request and returns the response, whose status must be 200, 201 or 204.
func (d *driver) send(ctx context.Context, path string, header http.Header, body []byte) ([]byte, *http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header = header
	return d.do(req)
}

// get requests a path; the status of the response must be 200.
func (d *driver) get(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL+path, nil)
	if err != nil {
		return err
	}
	_, _, err = d.do(req)
	return err
}

// do sends a request and returns the response, whose status must be 200, 201 or 204.
func (d *driver) do(req *http.Request) ([]byte, *http.Response, error) {
	req.Header.Set("Origin", d.shop)
	req.Header.Set("CF-Connecting-IP", "203.0.113.7")
	if d.cookie != "" {
		req.Header.Set("Cookie", d.cookie)
	}
	res, err := d.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	response, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Contains([]int{http.StatusOK, http.StatusCreated, http.StatusNoContent}, res.StatusCode) {
		return nil, nil, fmt.Errorf("%s: %s %s: %s", d.name, req.URL.Path, res.Status, response)
	}
	return response, res, nil
}

// signIn returns a session cookie. Every Worker with the same SESSION_KEY accepts it.
func (d *driver) signIn(ctx context.Context) (string, error) {
	response, res, err := d.post(ctx, api.PathAuthorize, []byte(`{"return_to":"/"}`))
	if err != nil {
		return "", err
	}
	var begun api.AuthorizeResponse
	if err := json.Unmarshal(response, &begun); err != nil {
		return "", err
	}
	u, err := url.Parse(begun.URL)
	if err != nil {
		return "", err
	}
	d.cookie = cookies(res)
	defer func() { d.cookie = "" }()
	_, res, err = d.post(ctx, api.PathToken, fmt.Appendf(nil, `{"code":"071bench","state":%q}`, u.Query().Get("state")))
	if err != nil {
		return "", err
	}
	return cookies(res), nil
}

// cookies returns the Cookie header that a browser would send.
func cookies(res *http.Response) string {
	var all []string
	for _, c := range res.Cookies() {
		if c.MaxAge >= 0 {
			all = append(all, c.Name+"="+c.Value)
		}
	}
	return strings.Join(all, "; ")
}

// createKey returns a new API key that may create orders. Every Worker with the same database accepts it.
func (d *driver) createKey(ctx context.Context, adminToken string) (string, error) {
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + adminToken}, "Idempotency-Key": {"benchmark-key-0001"}}
	response, _, err := d.send(ctx, "/v1/keys", header, []byte(`{"name":"bench","scopes":["write"]}`))
	if err != nil {
		return "", err
	}
	var k v1.Key
	err = json.Unmarshal(response, &k)
	return k.Key, err
}

// backEndOrder creates one order with the API for back ends.
func (d *driver) backEndOrder(ctx context.Context) error {
	n := d.keys.Add(1)
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + d.apiKey}, "Idempotency-Key": {fmt.Sprintf("%s-%016d", d.name, n)}}
	response, _, err := d.send(ctx, "/v1/orders", header, fmt.Appendf(nil, `{"amount":18480,"description":"tea and cake","reference":"%s-%d"}`, d.name, n))
	if err != nil {
		return err
	}
	var o v1.Order
	if err := json.Unmarshal(response, &o); err != nil {
		return err
	}
	if o.Amount != 18480 || o.URL == "" {
		return fmt.Errorf("%s: want an order with its address in the response", d.name)
	}
	return nil
}

// order creates one order and requests what pays it: the two requests from the tap on "order" to
// the payment sheet.
func (d *driver) order(ctx context.Context) error {
	id, err := d.createOrder(ctx)
	if err != nil {
		return err
	}
	return d.pay(ctx, id)
}

// createOrder creates one order and returns its id.
func (d *driver) createOrder(ctx context.Context) (string, error) {
	body := fmt.Appendf(nil, `{"items":[{"product_id":"tea","quantity":2},{"product_id":"cake","quantity":1}],"client_key":"%s-%016d"}`, d.name, d.keys.Add(1))
	response, _, err := d.post(ctx, api.PathOrders, body)
	if err != nil {
		return "", err
	}
	var o api.Order
	err = json.Unmarshal(response, &o)
	return o.ID, err
}

// pay requests the payment parameters of an order.
func (d *driver) pay(ctx context.Context, id string) error {
	response, _, err := d.post(ctx, api.OrderPayPath(id), []byte(`{"trade_types":["JSAPI"]}`))
	if err != nil {
		return err
	}
	var got api.Checkout
	if err := json.Unmarshal(response, &got); err != nil {
		return err
	}
	if got.Pay == nil || got.Order.Total < 1 || !strings.HasPrefix(got.Pay.Package, "prepay_id=wx") {
		return fmt.Errorf("%s: want payment parameters in the response", d.name)
	}
	return nil
}

// notify sends a notification that an order is paid.
func (d *driver) notify(ctx context.Context, o placed) error {
	header, body := http.Header{"Content-Type": {"text/xml"}}, d.up.notification(o)
	if d.v3 {
		var err error
		if header, body, err = d.up.v3Notification(o); err != nil {
			return err
		}
	}
	response, res, err := d.send(ctx, api.PathNotifyPay, header, body)
	if err == nil && res.StatusCode == http.StatusOK && !bytes.Contains(response, []byte("SUCCESS")) {
		return fmt.Errorf("%s: notification: want SUCCESS, got %s", d.name, response)
	}
	return err
}

// run sends n requests over conns connections. do gets the number of the request.
func (d *driver) run(ctx context.Context, n, conns int, do func(context.Context, int) error) (load, error) {
	before, err := proc.CPUTime(d.PID)
	if err != nil {
		return load{}, err
	}
	l := load{latencies: make([]time.Duration, n)}
	errs := make(chan error, conns)
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range conns {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				t := time.Now()
				if err := do(ctx, i); err != nil {
					errs <- err
					return
				}
				l.latencies[i] = time.Since(t)
			}
		})
	}
	wg.Wait()
	l.elapsed = time.Since(start)
	select {
	case err := <-errs:
		return load{}, err
	default:
	}
	after, err := proc.CPUTime(d.PID)
	l.cpu = after - before
	return l, err
}

// percentile returns the p-th percentile, 0 to 1.
func percentile(latencies []time.Duration, p float64) time.Duration {
	sorted := slices.Sorted(slices.Values(latencies))
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}
