package outbox_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat"
)

// endpoint is an endpoint that an API call made, and its receiver.
type endpoint struct {
	order.Endpoint
	secret   string
	receiver *paytest.Receiver
}

// endpoint makes an endpoint with its own host.
func (b *backEnd) endpoint(host string, types ...api.EventType) *endpoint {
	b.t.Helper()
	made, secret, err := b.sender.CreateEndpoint(b.t.Context(), order.Endpoint{
		URL: "https://" + host + "/hook", Types: types, State: order.EndpointEnabled, MadeBy: "root", IdempotencyKey: host, Fingerprint: host,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	e := &endpoint{made, secret, &paytest.Receiver{Verify: webhook.Receiver{Secrets: []string{secret}}, Now: b.now}}
	e.status(http.StatusNoContent)
	b.endpoints.Serve(host, e.receiver)
	return e
}

// status makes the receiver respond with a status from now on.
func (e *endpoint) status(code int) {
	e.receiver.Answer = func(w http.ResponseWriter, _ *http.Request, _ webhook.Event) { w.WriteHeader(code) }
}

// types returns the types of the events that arrived, sorted.
func types(r *paytest.Receiver) string {
	var all []string
	for _, e := range r.Events() {
		all = append(all, string(e.Type))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// delivery returns the only event of an order at an endpoint.
func (b *backEnd) delivery(o api.Order, endpoint string) order.Delivery {
	b.t.Helper()
	for _, d := range b.stored(o).Deliveries {
		if d.EndpointID == endpoint {
			return d
		}
	}
	b.t.Fatalf("the event of order %s has no delivery at %s", o.ID, endpoint)
	return order.Delivery{}
}

// read returns an endpoint as it is stored.
func (b *backEnd) read(id string) order.Endpoint {
	b.t.Helper()
	e, err := b.sender.Endpoint(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// Each endpoint gets the events of its types, signed with its own secret.
func TestEndpointsGetTheirTypes(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	all, money, closes := b.endpoint("all.example"), b.endpoint("money.example", api.EventOrderPaid, api.EventOrderRefunded), b.endpoint("closes.example", api.EventOrderClosed)
	o := b.paid()
	b.refund(o, 600)
	b.closed()
	b.deliver()
	b.deliver()
	for name, c := range map[string]struct {
		receiver *paytest.Receiver
		want     string
	}{
		"settings": {b.receiver, "order.closed order.paid order.refunded"},
		"all":      {all.receiver, "order.closed order.paid order.refunded"},
		"money":    {money.receiver, "order.paid order.refunded"},
		"closes":   {closes.receiver, "order.closed"},
	} {
		if got := types(c.receiver); got != c.want || len(c.receiver.Rejected()) > 0 {
			t.Errorf("%s got %s, want %s, rejected %v", name, got, c.want, c.receiver.Rejected())
		}
	}
	if all.secret == money.secret || all.secret == secret {
		t.Error("two endpoints have one secret")
	}
	if got := b.read(money.ID); got.Attempts != 2 || got.Failures != 0 || got.LastSuccessAt != b.now() || !got.LastFailureAt.IsZero() {
		t.Errorf("%+v", got)
	}
}

// A receiver that hangs, or is down, delays no other endpoint.
func TestDeadEndpointDelaysNoOther(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	hanging, down := b.endpoint("hangs.example"), b.endpoint("down.example")
	released := make(chan struct{})
	hanging.receiver.Answer = func(http.ResponseWriter, *http.Request, webhook.Event) { <-released }
	b.endpoints.Serve("down.example", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	for range 12 {
		b.paid()
	}
	done := make(chan error)
	go func() { done <- b.sender.Deliver(t.Context()) }()
	for range 1000 {
		if len(b.receiver.Events()) == 12 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.wantArrivals(12) // while one receiver hangs
	got := hanging.receiver.Events()
	// Later calls deliver what is due elsewhere, and do not wait for the receiver that hangs.
	announced := b.announced.Load()
	for n := range 3 {
		b.paid()
		b.deliver()
		b.wantArrivals(13 + n)
	}
	if n := len(hanging.receiver.Events()); n != len(got) || n == 0 {
		t.Errorf("the receiver that hangs got %d events, and then %d", len(got), n)
	}
	if n := b.announced.Load(); n != announced {
		t.Errorf("%d calls are announced while the receiver hangs", n-announced)
	}
	close(released)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := b.announced.Load(); n != announced+1 {
		t.Errorf("%d calls are announced for what was passed over, want 1", n-announced)
	}
	b.deliver()
	if n := len(hanging.receiver.Events()); n != 15 {
		t.Errorf("the receiver that worked again has %d events, want 15", n)
	}
	if got := b.read(down.ID); got.Failures == 0 || got.LastError != "HTTP 502" || got.LastFailureAt != b.now() {
		t.Errorf("%+v", got)
	}
	if got := b.read(order.SettingsEndpoint); got.Failures != 0 || got.Attempts != 15 {
		t.Errorf("%+v", got)
	}
}

// An event that waits at an endpoint which answered 410 loses its payer like one that is delivered:
// nobody may enable the endpoint again, and each run would read all that wait there.
func TestPayerIsForgottenAtAGoneEndpoint(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	gone := b.endpoint("gone.example")
	gone.status(http.StatusGone)
	b.paid()
	b.deliver()
	waits := b.paid()
	b.deliver()
	b.advance(31 * 24 * time.Hour)
	if err := b.sender.RemovePayers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := b.delivery(waits, gone.ID); d.Status != api.EventPending {
		t.Errorf("the delivery is %s", d.Status)
	}
	if strings.Contains(b.stored(waits).Data, b.buyer.User.OpenID) {
		t.Error("the event has its payer after 31 days")
	}
	b.check()
}

// A response 410 stops only its endpoint. After it is enabled, it gets the events that
// waited. The event that it rejected with 410 is dead until it is replayed.
func TestGoneEndpoint(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	gone := b.endpoint("gone.example")
	gone.status(http.StatusGone)
	first := b.paid()
	b.deliver()
	second := b.paid()
	b.deliver()
	b.wantArrivals(2)
	if got := b.read(gone.ID); got.State != order.EndpointGone || len(gone.receiver.Events()) != 1 || got.LastError != "HTTP 410 Gone" {
		t.Errorf("%+v after %d deliveries", got, len(gone.receiver.Events()))
	}
	if d := b.delivery(second, gone.ID); d.Status != api.EventPending || d.Attempts != 0 {
		t.Errorf("%+v", d)
	}
	gone.status(http.StatusNoContent)
	yes := true
	if got, err := b.sender.ChangeEndpoint(t.Context(), gone.ID, store.EndpointChange{Enabled: &yes}); err != nil || got.State != order.EndpointEnabled {
		t.Errorf("%+v, %v", got, err)
	}
	b.deliver()
	if d := b.delivery(second, gone.ID); d.Status != api.EventDelivered || d.LastStatus != http.StatusNoContent {
		t.Errorf("%+v", d)
	}
	if d := b.delivery(first, gone.ID); d.Status != api.EventDead || d.LastStatus != http.StatusGone || b.stored(first).Status != api.EventDead {
		t.Errorf("%+v", d)
	}
	if _, err := b.sender.Replay(t.Context(), b.stored(first).ID, gone.ID); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	b.wantDelivered(first, second)
	b.wantArrivals(2) // of the settings: the replay was only for the other endpoint
}

// A disabled endpoint gets no new events. The events that waited for it still wait.
func TestDisabledEndpoint(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	e := b.endpoint("erp.example")
	waits := b.paid()
	no, yes := false, true
	if _, err := b.sender.ChangeEndpoint(t.Context(), e.ID, store.EndpointChange{Enabled: &no}); err != nil {
		t.Fatal(err)
	}
	missed := b.paid()
	b.deliver()
	if n := len(e.receiver.Events()); n != 0 || len(b.stored(missed).Deliveries) != 1 {
		t.Errorf("%d deliveries, the event has %+v", n, b.stored(missed).Deliveries)
	}
	if _, err := b.sender.Replay(t.Context(), b.stored(missed).ID, e.ID); !errors.Is(err, outbox.ErrNoEndpoint) {
		t.Errorf("replayed to a disabled endpoint: %v", err)
	}
	if _, err := b.sender.ChangeEndpoint(t.Context(), e.ID, store.EndpointChange{Enabled: &yes}); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	if d := b.delivery(waits, e.ID); d.Status != api.EventDelivered || len(e.receiver.Events()) != 1 {
		t.Errorf("%+v", d)
	}
	// A range brings what it missed, to this endpoint alone.
	events, next, err := b.sender.ReplayRange(t.Context(), store.ReplayRange{From: time.UnixMilli(1), To: b.now().Add(time.Hour), Endpoint: e.ID, Limit: 10})
	if err != nil || events != 2 || next != nil {
		t.Errorf("%d, then %+v, %v", events, next, err)
	}
	b.deliver()
	if d := b.delivery(missed, e.ID); d.Status != api.EventDelivered || len(e.receiver.Events()) != 3 || len(b.receiver.Events()) != 2 {
		t.Errorf("%+v", d)
	}
}

// After a rotation both secrets sign until the old one ends, then only the new one.
func TestSecretOfAnEndpointIsRotated(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	e := b.endpoint("erp.example")
	deliver := func(accepted string, signatures int) {
		t.Helper()
		e.receiver.Verify.Secrets = []string{accepted}
		e.receiver.Answer = func(w http.ResponseWriter, r *http.Request, _ webhook.Event) {
			if n := len(strings.Fields(r.Header.Get(webhook.SignatureHeader))); n != signatures {
				t.Errorf("%d signatures, want %d", n, signatures)
			}
		}
		o := b.paid()
		b.deliver()
		if d := b.delivery(o, e.ID); d.Status != api.EventDelivered {
			t.Errorf("%+v, rejected %v", d, e.receiver.Rejected())
		}
	}
	deliver(e.secret, 1)
	rotated, next, err := b.sender.RotateSecret(t.Context(), e.ID, "root k1", "f", time.Hour)
	if err != nil || next == e.secret || rotated.OldUntil != b.now().Add(time.Hour) {
		t.Fatalf("%+v, %v", rotated, err)
	}
	deliver(e.secret, 2)
	deliver(next, 2)
	if _, again, err := b.sender.RotateSecret(t.Context(), e.ID, "root k1", "f", time.Hour); err != nil || again != next {
		t.Errorf("a repeated rotation gives another secret, %v", err)
	}
	if _, _, err := b.sender.RotateSecret(t.Context(), e.ID, "root k1", "g", time.Hour); !errors.Is(err, outbox.ErrRepeated) {
		t.Errorf("a repeated rotation with another body: %v", err)
	}
	b.advance(time.Hour)
	deliver(next, 1)
	// A leaked secret that is replaced with keep_old 0 no longer signs.
	_, last, err := b.sender.RotateSecret(t.Context(), e.ID, "root k2", "f", 0)
	if err != nil {
		t.Fatal(err)
	}
	deliver(last, 1)
}

// Nobody can sign with the database alone, because secrets are sealed with SESSION_KEY. They
// are sealed again with a new key, so that the old one can be removed. Without the key
// nothing is sent, and nothing is lost.
func TestSecretsOfEndpointsAreSealed(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	e := b.endpoint("erp.example")
	if _, _, err := b.sender.RotateSecret(t.Context(), e.ID, "root k1", "f", time.Hour); err != nil {
		t.Fatal(err)
	}
	var row string
	if err := b.DB.QueryRow(`SELECT group_concat(id || url || secret || secret_old || rotation) FROM endpoints WHERE id <> 'settings'`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(row, "whsec_") || strings.Contains(row, strings.TrimPrefix(e.secret, "whsec_")) {
		t.Errorf("the database has a secret: %s", row)
	}
	key := func(current, old wechat.Secret) {
		b.open(func(c *outbox.Config) { c.SessionKey, c.SessionKeyOld = current, old })
	}
	deliver := func() order.Delivery {
		t.Helper()
		o := b.paid()
		b.deliver()
		return b.delivery(o, e.ID)
	}
	key(newSessionKey, "")
	if d := deliver(); d.Status != api.EventPending || d.Attempts != 0 || b.sender.CanSign(b.read(e.ID)) {
		t.Errorf("without the key: %+v", d)
	}
	if lines := b.Log.Lines("cannot be opened with SESSION_KEY"); len(lines) == 0 || !strings.Contains(lines[0], e.ID) {
		t.Errorf("log %q", lines)
	}
	key(newSessionKey, sessionKey)
	if d := deliver(); d.Status != api.EventDelivered {
		t.Errorf("with both keys: %+v", d)
	}
	key(newSessionKey, "")
	if d := deliver(); d.Status != api.EventDelivered || !b.sender.CanSign(b.read(e.ID)) {
		t.Errorf("with the new key: %+v", d)
	}
	if n := len(e.receiver.Events()); n != 3 || len(e.receiver.Rejected()) != 0 {
		t.Errorf("%d deliveries, want 3, rejected %v", n, e.receiver.Rejected())
	}
}

// An endpoint that gets no events also keeps its secret when SESSION_KEY changes.
func TestSecretOfAQuietEndpointIsSealedAgain(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	e := b.endpoint("erp.example", api.EventPaymentDuplicate)
	for _, keys := range [][2]wechat.Secret{{newSessionKey, sessionKey}, {newSessionKey, ""}} {
		b.open(func(c *outbox.Config) { c.SessionKey, c.SessionKeyOld = keys[0], keys[1] })
		if err := b.sender.SealAgain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !b.sender.CanSign(b.read(e.ID)) {
		t.Error("the secret is lost with the old key")
	}
	if got, err := b.sender.TestEndpoint(t.Context(), e.ID); err != nil || got.Problem != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// Deliveries of a deleted endpoint are deleted in parts, and then the endpoint.
func TestDeletedEndpoint(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	e := b.endpoint("erp.example")
	b.paidEvents(600)
	if _, err := b.sender.DeleteEndpoint(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.sender.Endpoint(t.Context(), e.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the endpoint is still there: %v", err)
	}
	left := func() (deliveries, endpoints int) {
		t.Helper()
		b.deliver()
		if err := b.DB.QueryRow(`SELECT (SELECT COUNT(*) FROM deliveries WHERE endpoint_id = ?1), (SELECT COUNT(*) FROM endpoints WHERE id = ?1)`, e.ID).Scan(&deliveries, &endpoints); err != nil {
			t.Fatal(err)
		}
		return deliveries, endpoints
	}
	if n, m := left(); n != 100 || m != 1 {
		t.Errorf("%d deliveries, %d endpoints; want 100 and 1", n, m)
	}
	if n, m := left(); n != 0 || m != 0 {
		t.Errorf("%d deliveries, %d endpoints; want none", n, m)
	}
	if n := len(e.receiver.Events()); n != 0 {
		t.Errorf("%d deliveries to a deleted endpoint", n)
	}
}

// A shop without WEBHOOK_URL that has another endpoint keeps no events for the settings. A
// URL that is set later gets the events from then on.
func TestShopWithoutWebhookAndWithAnEndpoint(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) { c.Webhook = nil })
	before := b.paid()
	e := b.endpoint("erp.example")
	o := b.paid()
	b.deliver()
	if got := b.stored(o); got.Status != api.EventDelivered || len(got.Deliveries) != 1 || b.stored(before).Status != api.EventPending {
		t.Errorf("%+v, before %+v", got, b.stored(before))
	}
	if list, err := b.sender.Endpoints(t.Context()); err != nil || len(list) != 1 || list[0].ID != e.ID {
		t.Errorf("%+v, %v", list, err)
	}
	b.open(nil)
	b.deliver()
	b.wantDelivered(before)
	last := b.paid()
	b.deliver()
	b.wantDelivered(last)
	b.wantArrivals(2)
	if n := len(e.receiver.Events()); n != 2 {
		t.Errorf("%d deliveries, want 2", n)
	}
}

// With many endpoints each gets one event at a time. Events about money still come first, and
// a fifth is reserved for order.closed.
func TestMoneyComesFirstAtEachEndpoint(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) { c.Statements = 1000 })
	all := []*endpoint{b.endpoint("a.example"), b.endpoint("b.example"), b.endpoint("c.example")}
	for range 4 {
		b.closed()
	}
	for range 12 {
		b.paid()
	}
	b.deliver()
	for _, e := range all {
		var order []string
		closed := 0
		for i, event := range e.receiver.Events() {
			order = append(order, string(event.Type))
			if event.Type == webhook.OrderClosed {
				if closed++; i < 12 && closed > i/5+1 {
					t.Errorf("%s: %v", e.URL, order)
				}
			}
		}
		if len(order) != 16 || closed != 4 {
			t.Errorf("%s got %v", e.URL, order)
		}
	}
}

// The endpoints share the statements of one call.
func TestEndpointsShareTheStatements(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) { c.Statements = 50 })
	var all []*endpoint
	for _, host := range []string{"a.example", "b.example", "c.example", "d.example", "e.example"} {
		all = append(all, b.endpoint(host))
	}
	b.paidEvents(40)
	b.deliver()
	// Six endpoints have 8 statements each, for four rounds of one event.
	b.wantArrivals(4)
	for _, e := range all {
		if n := len(e.receiver.Events()); n != 4 {
			t.Errorf("%s got %d events, want 4", e.URL, n)
		}
	}
}

// A test event is signed and has the shop's numbers. It is not stored.
func TestTestEvent(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) {
		c.Origin = outbox.Origin{Shop: paytest.ShopURL, AppID: "wx", MchID: "1900000109"}
	})
	e := b.endpoint("erp.example", api.EventOrderClosed)
	for status, want := range map[int]string{204: "", 500: "HTTP 500", 410: "HTTP 410"} {
		e.status(status)
		got, err := b.sender.TestEndpoint(t.Context(), e.ID)
		if err != nil || got.Status != status || got.Problem != want {
			t.Errorf("%d: %+v, %v", status, got, err)
		}
	}
	b.endpoints.Serve("erp.example", nil)
	if got, err := b.sender.TestEndpoint(t.Context(), e.ID); err != nil || got.Status != 0 || got.Problem != "no response" {
		t.Errorf("%+v, %v", got, err)
	}
	events := e.receiver.Events()
	want := webhook.Event{ID: events[0].ID, Type: "endpoint.test", CreatedAt: b.now().UnixMilli(), Shop: paytest.ShopURL, AppID: "wx", MchID: "1900000109"}
	if d := cmp.Diff(want, events[0]); d != "" || !strings.HasPrefix(want.ID, "evt_test_") {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := b.read(e.ID); got.State != order.EndpointEnabled || got.Attempts != 0 {
		t.Errorf("%+v", got)
	}
	if _, err := b.sender.TestEndpoint(t.Context(), "ep_none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown endpoint: %v", err)
	}
	var stored int
	if err := b.DB.QueryRow(`SELECT COUNT(*) FROM events`).Scan(&stored); err != nil || stored != 0 {
		t.Errorf("%d events are stored, %v", stored, err)
	}
}

// A call may name public https URLs only, and this machine beside a simulator.
func TestURLsOfEndpoints(t *testing.T) {
	t.Parallel()
	live := newBackEnd(t, nil).sender
	simulated := newBackEnd(t, func(c *outbox.Config) { c.Simulated = true }).sender
	for url, want := range map[string]struct{ live, simulated bool }{
		"https://erp.example.com/h5pay?shop=1":     {true, true},
		"https://erp.example.com:8443":             {true, true},
		"https://8.8.8.8/":                         {true, true},
		"https://[2606:4700::1111]/":               {true, true},
		"http://erp.example.com/":                  {},
		"http://localhost:3000/hook":               {false, true},
		"https://localhost/hook":                   {false, true},
		"http://127.0.0.1:3000/":                   {false, true},
		"http://[::1]:3000/":                       {false, true},
		"https://127.0.0.1/":                       {false, true},
		"https://10.0.0.1/":                        {},
		"https://192.168.1.1/":                     {},
		"https://172.16.0.1/":                      {},
		"https://169.254.169.254/latest/meta-data": {},
		"https://100.100.100.200/":                 {},
		"https://[fd00::1]/":                       {},
		"https://[fe80::1]/":                       {},
		"https://[::ffff:10.0.0.1]/":               {},
		"https://0.0.0.0/":                         {},
		"https://2130706433/":                      {},
		"https://127.1/":                           {},
		"https://0x7f000001/":                      {},
		"https://intranet/":                        {},
		"https://user:pw@erp.example.com/":         {},
		"https://erp.example.com/#x":               {},
		"https://erp example.com/":                 {},
		"https:///path":                            {},
		"ftp://erp.example.com/":                   {},
		"javascript:alert(1)":                      {},
		"":                                         {},
	} {
		if got := live.URLProblem(url) == ""; got != want.live {
			t.Errorf("%q: accepted %t, want %t", url, got, want.live)
		}
		if got := simulated.URLProblem(url) == ""; got != want.simulated {
			t.Errorf("%q beside a simulator: accepted %t, want %t", url, got, want.simulated)
		}
	}
}

// If the database fails for one endpoint, the others still get their events.
func TestFailureAtOneEndpoint(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	e := b.endpoint("erp.example")
	storetest.Exec(t, b.DB, `CREATE TRIGGER dead BEFORE UPDATE ON deliveries WHEN NEW.endpoint_id <> 'settings' BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	o := b.paid()
	if err := b.sender.Deliver(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "delivering events: ") {
		t.Errorf("error %v", err)
	}
	b.wantArrivals(1)
	storetest.Exec(t, b.DB, `DROP TRIGGER dead`)
	b.deliver()
	b.wantDelivered(o)
	if n := len(e.receiver.Events()); n != 1 {
		t.Errorf("%d deliveries", n)
	}
}
