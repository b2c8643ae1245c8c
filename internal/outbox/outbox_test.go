package outbox_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/outbox"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// A wrong configuration is an error that names its field and holds no value.
func TestConfigIsValidated(t *testing.T) {
	t.Parallel()
	db := store.New(storetest.Open(t))
	for name, c := range map[string]struct {
		change func(*outbox.Config)
		want   string // "" if it is right
	}{
		"complete":            {func(*outbox.Config) {}, ""},
		"no webhook":          {func(c *outbox.Config) { c.Webhook = nil }, ""},
		"for this machine":    {func(c *outbox.Config) { c.Webhook.URL = "http://localhost:8080/events" }, ""},
		"50 statements":       {func(c *outbox.Config) { c.Statements = 50 }, ""},
		"no store":            {func(c *outbox.Config) { c.Store = nil }, "Store is nil"},
		"negative days":       {func(c *outbox.Config) { c.PayerDays = -1 }, "PayerDays: want 0 or more"},
		"49 statements":       {func(c *outbox.Config) { c.Statements = 49 }, "Statements: want 0 or at least 50"},
		"negative statements": {func(c *outbox.Config) { c.Statements = -1 }, "Statements: want 0 or at least 50"},
		"no URL":              {func(c *outbox.Config) { c.Webhook.URL = "" }, "Webhook.URL"},
		"no scheme":           {func(c *outbox.Config) { c.Webhook.URL = "erp.example.com/private" }, "Webhook.URL"},
		"another scheme":      {func(c *outbox.Config) { c.Webhook.URL = "ftp://erp.example.com/private" }, "Webhook.URL"},
		"no host":             {func(c *outbox.Config) { c.Webhook.URL = "https:///private" }, "Webhook.URL"},
		"a password":          {func(c *outbox.Config) { c.Webhook.URL = "https://shop:private@erp.example.com" }, "Webhook.URL"},
		"a fragment":          {func(c *outbox.Config) { c.Webhook.URL = "https://erp.example.com/#private" }, "Webhook.URL"},
		"not a URL":           {func(c *outbox.Config) { c.Webhook.URL = "https://erp.example.com/private%" }, "Webhook.URL"},
		"no secret":           {func(c *outbox.Config) { c.Webhook.Secrets = nil }, "Webhook.Secrets is empty"},
		"a bad secret":        {func(c *outbox.Config) { c.Webhook.Secrets = []wechat.Secret{secret, "private"} }, "Webhook.Secrets: want whsec_"},
		"no endpoint doer":    {func(c *outbox.Config) { c.EndpointDoer = nil }, "EndpointDoer is nil"},
		"short key":           {func(c *outbox.Config) { c.SessionKey = "private" }, "SessionKey: want"},
		"short old key":       {func(c *outbox.Config) { c.SessionKeyOld = "private" }, "SessionKeyOld: want"},
		"no doer":             {func(c *outbox.Config) { c.Webhook.Doer = nil }, "Webhook.Doer is nil"},
	} {
		cfg := outbox.Config{Store: db, EndpointDoer: http.DefaultClient, SessionKey: sessionKey, Webhook: &outbox.Webhook{URL: "https://erp.example.com/h5pay", Secrets: []wechat.Secret{secret}, Doer: http.DefaultClient}}
		c.change(&cfg)
		s, err := outbox.New(cfg)
		switch {
		case c.want == "":
			if err != nil || s.HasWebhook() != (cfg.Webhook != nil) {
				t.Errorf("%s: %v", name, err)
			}
		case err == nil || !strings.HasPrefix(err.Error(), "outbox: "+c.want) || strings.Contains(err.Error(), "private"):
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// The zero value of an optional field has a default: real time, and no announcements.
func TestDefaults(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) { c.Announce, c.Log, c.Now = nil, nil, nil })
	b.receiver.Now = nil
	o := b.paid()
	storetest.Exec(t, b.DB, `UPDATE deliveries SET next_at = 0`) // by any clock
	if err := b.sender.Deliver(t.Context()); err != nil {
		t.Error(err)
	}
	b.wantDelivered(o)
	if _, err := b.sender.Replay(t.Context(), b.stored(o).ID, ""); err != nil {
		t.Error(err)
	}
}

// A replayed event is announced, and delivered as if it were new.
func TestReplay(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	o := b.paid()
	if _, err := b.sender.Replay(t.Context(), "evt_unknown", ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown event: %v", err)
	}
	if n := b.announced.Load(); n != 0 {
		t.Errorf("announced %d times", n)
	}
	b.deliver()
	b.wantDelivered(o)
	b.advance(time.Hour)
	e, err := b.sender.Replay(t.Context(), b.stored(o).ID, "")
	if err != nil || e.Status != api.EventPending || e.NextAt != b.now() || e.Tries != 0 || e.Attempts != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	if n := b.announced.Load(); n != 1 {
		t.Errorf("announced %d times, want 1", n)
	}
	if lines := b.Log.Lines(`msg="event replayed"`); len(lines) != 1 || !strings.Contains(lines[0], "event="+e.ID+" type=order.paid order="+o.ID+" attempts=1") {
		t.Errorf("%q", lines)
	}
	b.deliver()
	b.wantDelivered(o)
	b.wantArrivals(2)
	if b.bodies[0] != b.bodies[1] {
		t.Errorf("the deliveries differ:\n%s", strings.Join(b.bodies, "\n"))
	}
}

// A delivered event loses its payer after some days. A pending event keeps it, unless no
// endpoint can get it.
func TestPayersAreForgotten(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		change             func(*outbox.Config)
		delivered          bool
		keepUntil, forgets time.Duration // 0 if the payer is never removed
	}{
		"delivered":           {nil, true, 30 * day, 30*day + time.Millisecond},
		"delivered, two days": {func(c *outbox.Config) { c.PayerDays = 2 }, true, 2 * day, 2*day + time.Millisecond},
		"waits":               {nil, false, 400 * day, 0},
		"no webhook":          {func(c *outbox.Config) { c.Webhook = nil }, false, 30 * day, 30*day + time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackEnd(t, c.change)
			o := b.paid()
			if c.delivered {
				b.deliver()
			}
			elapsed := b.now().Sub(b.stored(o).CreatedAt)
			hasPayer := func(after time.Duration) bool {
				t.Helper()
				b.advance(after - elapsed)
				elapsed = after
				if err := b.sender.RemovePayers(t.Context()); err != nil {
					t.Fatal(err)
				}
				return strings.Contains(b.stored(o).Data, b.buyer.User.OpenID)
			}
			if !hasPayer(c.keepUntil) {
				t.Errorf("the payer is gone after %s", c.keepUntil)
			}
			if c.forgets != 0 && hasPayer(c.forgets) {
				t.Errorf("the payer is still there after %s", c.forgets)
			}
			b.check()
		})
	}
}

// One call removes the payers of 500 events at most: D1 bills each row that is written.
func TestPayersAreForgottenInParts(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) { c.Webhook = nil })
	b.paidEvents(601)
	b.advance(31 * 24 * time.Hour)
	for _, want := range []int{101, 0} {
		if err := b.sender.RemovePayers(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := b.DB.QueryRow(`SELECT COUNT(*) FROM events WHERE json_extract(data, '$.payment.payer') IS NOT NULL`).Scan(&left); err != nil || left != want {
			t.Errorf("%d events have a payer, %v; want %d", left, err, want)
		}
	}
}
