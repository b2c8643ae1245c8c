package outbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/paytest"
	"h5pay/webhook"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// A delivery has the event in the documented form, with the shop, the appid and the merchant
// of the order.
func TestDelivery(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	b.answer(func(_ http.ResponseWriter, r *http.Request, _ int) {
		if r.Method != http.MethodPost || r.URL.String() != path || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "h5pay" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
	})
	o := b.paid()
	trade := b.Sim.Ledger().Trades[0]
	b.advance(time.Minute)
	b.deliver()
	paid := b.buyer.GetOrder(o.ID)
	want := []webhook.Event{{
		ID: "evt_paid_" + o.ID, Type: webhook.OrderPaid, CreatedAt: b.stored(o).CreatedAt.UnixMilli(),
		Shop: paytest.ShopURL, AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID,
		Data: webhook.Data{Order: webhook.Order{
			ID: o.ID, Source: "shop", Status: "paid", Total: 13600, Currency: "CNY", Description: order.Body(wechattest.DefaultShopName, []order.Line{{Name: "高山乌龙茶", Quantity: 2}}),
			Metadata:  json.RawMessage("null"),
			Items:     []webhook.Item{{ProductID: "tea", Name: "高山乌龙茶", Price: 6800, Quantity: 2}},
			CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt,
		}, Payment: &webhook.Payment{
			OutTradeNo: b.OutTradeNo(o.ID), TransactionID: trade.TransactionID, TradeType: "JSAPI", Payer: b.buyer.User.OpenID, PaidAt: paid.PaidAt,
			APIVersion: "v2", AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID,
		}},
	}}
	if d := cmp.Diff(want, b.receiver.Events()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if strings.Contains(b.bodies[0], "simulated") {
		t.Errorf("a real event mentions a simulation: %s", b.bodies[0])
	}
}

// An event is simulated if its order is, or if WeChat is a simulator when it is delivered.
func TestSimulatedEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ order, sender bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		b := newBackEnd(t, func(cfg *outbox.Config) { cfg.Simulated = c.sender })
		b.receiver.Verify.Simulated = true
		b.Reopen(func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Simulated = c.order })
		o := b.paid()
		b.deliver()
		b.wantDelivered(o)
		if e := b.receiver.Events(); len(e) != 1 || e[0].Simulated != (c.order || c.sender) {
			t.Errorf("order %t, sender %t: %+v", c.order, c.sender, e)
		}
	}
}

// A receiver may request a later try, up to an hour. It cannot request an earlier one.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const scheduled = 16500 * time.Millisecond // at most
	for name, c := range map[string]struct {
		status      int
		value       string // %s is three minutes from now
		least, most time.Duration
	}{
		"seconds":              {503, "120", 2 * time.Minute, 2 * time.Minute},
		"too many requests":    {429, "120", 2 * time.Minute, 2 * time.Minute},
		"another error":        {500, "120", 2 * time.Minute, 2 * time.Minute},
		"an hour":              {503, "3600", time.Hour, time.Hour},
		"a second more":        {503, "3601", time.Hour, time.Hour},
		"a day":                {503, "86400", time.Hour, time.Hour},
		"overflows a duration": {503, "9223372037", time.Hour, time.Hour},
		"overflows a number":   {503, strings.Repeat("9", 40), time.Hour, time.Hour},
		"a date":               {503, "%s", 179 * time.Second, 3 * time.Minute},
		"a date far away":      {503, "Fri, 31 Dec 9999 23:59:59 GMT", time.Hour, time.Hour},
		"sooner":               {503, "1", 15 * time.Second, scheduled},
		"yesterday":            {503, "Mon, 02 Jan 2006 15:04:05 GMT", 15 * time.Second, scheduled},
		"no number":            {503, "soon", 15 * time.Second, scheduled},
		"negative":             {503, "-120", 15 * time.Second, scheduled},
		"none":                 {503, "", 15 * time.Second, scheduled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackEnd(t, nil)
			o := b.paid()
			value := c.value
			if value == "%s" {
				value = b.now().Add(3 * time.Minute).UTC().Format(http.TimeFormat)
			}
			b.answer(func(w http.ResponseWriter, _ *http.Request, _ int) {
				if value != "" {
					w.Header().Set("Retry-After", value)
				}
				w.WriteHeader(c.status)
			})
			b.deliver()
			e := b.stored(o)
			if pause := e.NextAt.Sub(b.now()); e.Status != api.EventPending || pause < c.least || pause > c.most {
				t.Fatalf("%s until the next try, want %s to %s", pause, c.least, c.most)
			}
			b.status(http.StatusOK)
			b.advance(e.NextAt.Sub(b.now()) - time.Millisecond)
			b.deliver()
			b.wantArrivals(1)
			b.advance(time.Millisecond)
			b.deliver()
			b.wantArrivals(2)
			b.wantDelivered(o)
		})
	}
}

// A receiver has ten seconds to respond. The test shortens the time, and checks that Deliver set
// ten seconds.
func TestReceiverHangs(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) {
		send := c.Webhook.Doer
		c.Webhook.Doer = doer(func(r *http.Request) (*http.Response, error) {
			deadline, ok := r.Context().Deadline()
			if left := time.Until(deadline); !ok || left > 10*time.Second || left < 5*time.Second {
				t.Errorf("a delivery has %s, %t; want 10 s", left, ok)
			}
			ctx, cancel := context.WithTimeout(r.Context(), 200*time.Millisecond)
			defer cancel()
			return send.Do(r.WithContext(ctx))
		})
	})
	o := b.paid()
	b.answer(func(_ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() })
	b.deliver()
	if e := b.stored(o); e.Status != api.EventPending || e.LastError != "no response in 10 s" {
		t.Errorf("%+v", e)
	}
}

// Only the status and Retry-After of a response are read. An endless body neither blocks a
// delivery nor fills the memory.
func TestResponseBodyIsNotRead(t *testing.T) {
	t.Parallel()
	var body *closeRecorder
	b := newBackEnd(t, func(c *outbox.Config) {
		send := c.Webhook.Doer
		c.Webhook.Doer = doer(func(r *http.Request) (*http.Response, error) {
			res, err := send.Do(r)
			if err == nil {
				body = &closeRecorder{ReadCloser: res.Body}
				res.Body = body
			}
			return res, err
		})
	})
	o := b.paid()
	const enough = 64 << 20 // more than the buffers of a connection
	written, ended := 0, make(chan struct{})
	b.answer(func(w http.ResponseWriter, r *http.Request, _ int) {
		defer close(ended)
		w.WriteHeader(http.StatusOK)
		chunk := make([]byte, 1<<15)
		for written < enough {
			n, err := w.Write(chunk)
			if written += n; err != nil {
				return
			}
		}
	})
	b.deliver()
	select {
	case <-ended:
		if written >= enough {
			t.Errorf("%d bytes of the response are read", written)
		}
	case <-time.After(20 * time.Second):
		t.Error("the response stays open")
		b.server.CloseClientConnections()
	}
	b.wantDelivered(o)
	if body == nil || !body.closed {
		t.Error("the response is not closed")
	}
}

// closeRecorder records that it was closed.
type closeRecorder struct {
	io.ReadCloser
	closed bool
}

func (c *closeRecorder) Close() error {
	c.closed = true
	return c.ReadCloser.Close()
}

// If an event is too large for a receiver, it is sent again later, and the others are sent
// now.
func TestEventIsTooLargeForItsReceiver(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	o := b.paid()
	b.receiver.Answer = func(w http.ResponseWriter, r *http.Request, e webhook.Event) {
		if e.Data.Order.ID == o.ID {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}
	other := b.paid()
	b.deliver()
	b.wantDelivered(other)
	if e := b.stored(o); e.Status != api.EventPending || e.LastError != "HTTP 413" {
		t.Errorf("%+v", e)
	}
}

// The stored and the logged error of an unreachable receiver do not name its address.
func TestReceiverCannotBeReached(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"refused":    "", // the address of a server that has ended
		"no host":    "http://no-such-host.invalid" + path,
		"not TLS":    "https",
		"wrong port": "http://127.0.0.1:99999" + path,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackEnd(t, nil)
			switch url {
			case "":
				b.server.Close()
			case "https":
				url = strings.Replace(b.server.URL, "http:", "https:", 1) + path
			}
			b.open(func(c *outbox.Config) {
				if url != "" {
					c.Webhook.URL = url
				}
			})
			o := b.paid()
			b.deliver()
			if e := b.stored(o); e.Status != api.EventPending || e.LastError != "no response" || e.Attempts != 1 {
				t.Errorf("%+v", e)
			}
			if lines := b.Log.Lines("the receiver did not acknowledge the event"); len(lines) != 1 || !strings.Contains(lines[0], `reason="no response"`) || strings.Contains(lines[0], "invalid") {
				t.Errorf("%q", lines)
			}
		})
	}
}

// A redirect is not an acknowledgement, and is not followed.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	var mu sync.Mutex
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		elsewhere = append(elsewhere, r.URL.String())
	}))
	defer other.Close()
	o := b.paid()
	b.answer(func(w http.ResponseWriter, r *http.Request, _ int) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	b.deliver()
	if e := b.stored(o); e.Status != api.EventPending || e.LastError != "HTTP 307" {
		t.Errorf("%+v", e)
	}
	if mu.Lock(); len(elsewhere) != 0 {
		t.Errorf("the event went to %q", elsewhere)
	}
	mu.Unlock()
}

// An event whose data is not JSON is not sent, and its error says why.
func TestEventThatIsNotJSON(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	o := b.paid()
	for _, statement := range []string{`DROP TRIGGER keep_event`, `DROP INDEX events_with_payer`, `UPDATE events SET data = '{'`} {
		if _, err := b.DB.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.sender.Deliver(t.Context()); err != nil {
		t.Error(err)
	}
	b.wantArrivals(0)
	if e := b.stored(o); e.Status != api.EventPending || e.LastError != "the data of the event is not JSON" {
		t.Errorf("%+v", e)
	}
}

// An id that cannot be signed is not sent.
func TestEventThatCannotBeSigned(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	o := b.paid()
	for _, statement := range []string{`DROP TRIGGER keep_event`, fmt.Sprintf(`UPDATE events SET id = 'evt.%s'`, o.ID)} {
		if _, err := b.DB.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.sender.Deliver(t.Context()); err != nil {
		t.Error(err)
	}
	b.wantArrivals(0)
	if e := b.stored(o); e.Status != api.EventPending || e.LastError != webhook.ErrHeader.Error() {
		t.Errorf("%+v", e)
	}
}
