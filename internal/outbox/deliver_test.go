package outbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat"
)

// Events about money come first. One of five events that are sent at once is an order.closed. Both
// kinds are sent in the order in which they became due.
func TestEventsAboutMoneyComeFirst(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) { c.Statements = 1000 })
	var closed, paid []string
	for range 6 {
		closed = append(closed, b.closed().ID)
	}
	for range 9 {
		paid = append(paid, b.paid().ID)
	}
	b.deliver()
	events := b.receiver.Events()
	if len(events) != 15 {
		t.Fatalf("%d deliveries, want 15", len(events))
	}
	for round, want := range [][]string{append(paid[:4:4], closed[0]), append(paid[4:8:8], closed[1]), append(closed[2:6:6], paid[8])} {
		got := map[string]bool{}
		for _, e := range events[5*round : 5*round+5] {
			got[e.Data.Order.ID] = true
		}
		for _, id := range want {
			if !got[id] {
				t.Errorf("round %d lacks order %s, it has %v", round+1, id, got)
			}
		}
	}
}

// The events of one order arrive in the order in which they were made, within one call.
func TestEventsOfAnOrderAreDeliveredInOrder(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	o := b.paid()
	first, second := b.refund(o, 600), b.refund(o, 13000)
	b.deliver()
	var got []string
	for _, e := range b.receiver.Events() {
		got = append(got, e.ID)
	}
	if d := cmp.Diff([]string{"evt_paid_" + o.ID, "evt_refunded_" + first.ID, "evt_refunded_" + second.ID}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A later event of an order is sent in the call in which the previous event becomes dead.
func TestDeadEventHoldsUpNoLaterEvent(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	o := b.paid()
	b.refund(o, 600)
	b.receiver.Answer = func(w http.ResponseWriter, _ *http.Request, e webhook.Event) {
		if e.Type == webhook.OrderPaid {
			w.WriteHeader(http.StatusBadRequest)
		}
	}
	for _, pause := range order.EventSchedule() {
		if len(b.receiver.Events()) > 0 && b.receiver.Events()[len(b.receiver.Events())-1].Type != webhook.OrderPaid {
			t.Fatal("the refund came before the payment's event was dead")
		}
		b.advance(pause + pause/10)
		b.deliver()
	}
	events := b.receiver.Events()
	if n := len(order.EventSchedule()); len(events) != n+1 || events[n].Type != webhook.OrderRefunded {
		t.Errorf("%d deliveries, want %d and a refund", len(events), n)
	}
}

// Each pause is as long as the schedule says, and up to a tenth longer. After the last try the event
// is dead, and one line of level ERROR says so.
func TestEventIsRetriedOnSchedule(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	o := b.paid()
	b.status(http.StatusInternalServerError)
	for i, pause := range order.EventSchedule() {
		if pause > 0 {
			b.advance(pause - time.Millisecond)
			b.deliver()
			b.wantArrivals(i)
			b.advance(pause/10 + time.Millisecond)
		}
		if lines := b.Log.Lines("level=ERROR"); len(lines) != 0 {
			t.Fatalf("before try %d: %q", i+1, lines)
		}
		b.deliver()
		b.wantArrivals(i + 1)
	}
	e := b.stored(o)
	if e.Status != api.EventDead || e.Attempts != 10 || e.LastError != "HTTP 500" {
		t.Errorf("%+v", e)
	}
	if lines := b.Log.Lines("level=ERROR"); len(lines) != 1 || !strings.Contains(lines[0], "the event is dead after its last try") || !strings.Contains(lines[0], `reason="HTTP 500"`) {
		t.Errorf("%q", lines)
	}
	if lines := b.Log.Lines("the receiver did not acknowledge the event"); len(lines) != 9 || !strings.Contains(lines[0], "attempt=1 ") || !strings.Contains(lines[8], "attempt=9 ") {
		t.Errorf("%q", lines)
	}
	b.advance(1000 * time.Hour)
	b.deliver()
	b.wantArrivals(10)
	for i, body := range b.bodies {
		if body != b.bodies[0] {
			t.Errorf("delivery %d differs from the first:\n%s\n%s", i+1, body, b.bodies[0])
		}
	}
}

// Events that fail together have different pauses.
func TestEventsThatFailTogetherAreRetriedApart(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	const n = 15
	b.paidEvents(n)
	b.status(http.StatusInternalServerError)
	b.deliver()
	at := map[time.Time]bool{}
	events, _, err := b.store.Events(t.Context(), store.EventPage{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		at[e.NextAt] = true
		if pause := e.NextAt.Sub(b.now()); pause < 15*time.Second || pause > 16500*time.Millisecond {
			t.Errorf("the pause is %s, want 15 s to 16.5 s", pause)
		}
	}
	if len(at) != n {
		t.Errorf("%d events are due at %d times", n, len(at))
	}
}

// Only a 2xx acknowledges an event.
func TestWhichStatusAcknowledges(t *testing.T) {
	t.Parallel()
	for status, ok := range map[int]bool{
		199: false, 200: true, 204: true, 299: true, 300: false, 304: false, 307: false, 400: false, 404: false, 409: false, 413: false, 500: false,
	} {
		b := newBackEnd(t, func(c *outbox.Config) {
			if status == 199 { // for a client it is an informational response
				c.Webhook.Doer = doer(func(*http.Request) (*http.Response, error) { return respond(199), nil })
			}
		})
		o := b.paid()
		b.status(status)
		b.deliver()
		e := b.stored(o)
		switch {
		case ok && (e.Status != api.EventDelivered || e.DeliveredAt != b.now() || e.LastError != ""):
			t.Errorf("%d: %+v", status, e)
		case !ok && (e.Status != api.EventPending || e.LastError != fmt.Sprint("HTTP ", status)):
			t.Errorf("%d: %+v", status, e)
		}
		if lines := b.Log.Lines(`msg="event delivered"`); (len(lines) == 1) != ok {
			t.Errorf("%d: %q", status, lines)
		}
	}
}

// A receiver that answers 410 gets nothing more until the dead event is replayed.
func TestGoneReceiver(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	first := b.paid()
	b.status(http.StatusGone)
	b.deliver()
	e := b.stored(first)
	if e.Status != api.EventDead || e.Attempts != 1 || e.LastError != "HTTP 410 Gone" {
		t.Errorf("%+v", e)
	}
	if lines := b.Log.Lines("level=ERROR"); len(lines) != 1 || !strings.Contains(lines[0], "the receiver responded 410 Gone") {
		t.Errorf("%q", lines)
	}
	b.status(http.StatusNoContent)
	orders := []api.Order{first, b.paid(), b.closed()}
	b.advance(48 * time.Hour)
	b.deliver()
	b.wantArrivals(1)
	if _, err := b.sender.Replay(t.Context(), e.ID, ""); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	b.wantArrivals(4)
	b.wantDelivered(orders...)
}

// Calls of six nodes at once deliver each event once.
func TestCallsAtOnceDeliverEachEventOnce(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	b.paidEvents(30)
	var group sync.WaitGroup
	for range 6 {
		b.open(nil)
		node := b.sender
		group.Go(func() {
			if err := node.Deliver(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	b.check()
	ids := map[string]bool{}
	for _, e := range b.receiver.Events() {
		ids[e.ID] = true
	}
	b.wantArrivals(30)
	if len(ids) != 30 {
		t.Errorf("%d events arrived, want 30", len(ids))
	}
}

// A call that waits for its receiver delays no call of another node. No other call sends its event
// until the lease ends. Then a second call sends it, and a late response to the first call
// changes nothing.
func TestClaimedEventBelongsToOneCall(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	first := b.paid()
	claimed := b.now()
	hanging, release := make(chan struct{}), make(chan struct{})
	b.answer(func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 1 {
			close(hanging)
			<-release
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	var group sync.WaitGroup
	node := b.sender
	group.Go(func() {
		if err := node.Deliver(t.Context()); err != nil {
			t.Error(err)
		}
	})
	<-hanging
	b.open(nil)
	second := b.paid()
	b.advance(claimed.Add(order.EventLease - time.Millisecond).Sub(b.now())) // the pause before the second try is shorter
	b.deliver()
	b.wantArrivals(2)
	b.wantDelivered(second)
	b.advance(time.Millisecond)
	b.deliver()
	b.wantArrivals(3)
	close(release)
	group.Wait()
	b.check()
	b.wantDelivered(first)
	if e := b.stored(first); e.Attempts != 2 {
		t.Errorf("%d attempts, want 2", e.Attempts)
	}
	if lines := b.Log.Lines("the receiver did not acknowledge the event"); len(lines) != 0 {
		t.Errorf("a try that lost its claim is logged: %q", lines)
	}
}

// If the database fails after the receiver has acknowledged, the event is sent again, with
// the same ID and the same bytes.
func TestDatabaseFailsAfterAnAcknowledgement(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	o := b.paid()
	b.answer(func(http.ResponseWriter, *http.Request, int) {
		storetest.Exec(t, b.DB, `CREATE TRIGGER dead BEFORE UPDATE ON deliveries BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	})
	if err := b.sender.Deliver(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "delivering events: ") {
		t.Errorf("error %v", err)
	}
	if err := b.sender.Deliver(t.Context()); err != nil { // the event is claimed
		t.Error(err)
	}
	b.advance(order.EventLease)
	if err := b.sender.Deliver(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "delivering events: ") {
		t.Errorf("error %v", err)
	}
	b.wantArrivals(1)
	storetest.Exec(t, b.DB, `DROP TRIGGER dead`)
	b.status(http.StatusOK)
	b.deliver()
	b.wantDelivered(o)
	b.wantArrivals(2)
	if e := b.receiver.Events(); e[0].ID != e[1].ID || b.bodies[0] != b.bodies[1] {
		t.Errorf("the deliveries differ:\n%s", strings.Join(b.bodies, "\n"))
	}
}

// If the database fails after a try that was not acknowledged, Deliver returns an error too.
func TestDatabaseFailsAfterATry(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	b.paid()
	b.answer(func(w http.ResponseWriter, _ *http.Request, _ int) {
		storetest.Exec(t, b.DB, `CREATE TRIGGER dead BEFORE UPDATE ON deliveries BEGIN SELECT RAISE(ABORT, 'dead'); END`)
		w.WriteHeader(http.StatusInternalServerError)
	})
	if err := b.sender.Deliver(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "delivering events: ") {
		t.Errorf("error %v", err)
	}
	b.wantArrivals(1)
}

// Nothing is sent after the context has ended. The result of a delivery is stored even if its
// context ends during it.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	o := b.paid()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.sender.Deliver(ctx); err != nil {
		t.Error(err)
	}
	b.wantArrivals(0)
	if e := b.stored(o); e.Attempts != 0 {
		t.Errorf("%+v", e)
	}

	// The context ends during the delivery: there is no response, and the next try is on
	// schedule.
	ctx, cancel = context.WithCancel(t.Context())
	b.answer(func(_ http.ResponseWriter, r *http.Request, _ int) {
		cancel()
		<-r.Context().Done()
	})
	if err := b.sender.Deliver(ctx); err != nil {
		t.Error(err)
	}
	b.check()
	if e := b.stored(o); e.Status != api.EventPending || e.LastError != "no response" {
		t.Errorf("%+v", e)
	}
	b.status(http.StatusNoContent)
	b.advance(17 * time.Second) // less than the lease
	b.deliver()
	b.wantDelivered(o)

	// The context ends with the response: the acknowledgement counts, and no other round
	// begins.
	ctx, cancel = context.WithCancel(t.Context())
	b.open(func(c *outbox.Config) {
		send := c.Webhook.Doer
		c.Webhook.Doer = doer(func(r *http.Request) (*http.Response, error) {
			res, err := send.Do(r.WithContext(context.WithoutCancel(r.Context())))
			cancel()
			return res, err
		})
	})
	var orders []api.Order
	for range 6 {
		orders = append(orders, b.paid())
	}
	if err := b.sender.Deliver(ctx); err != nil {
		t.Error(err)
	}
	b.check()
	b.wantArrivals(2 + 5)
	b.wantDelivered(orders[:5]...)
}

// A panic while one event is sent ends the call with an error. The other events of the round are
// delivered.
func TestPanicDuringADelivery(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) {
		send := c.Webhook.Doer
		var n atomic.Int32
		c.Webhook.Doer = doer(func(r *http.Request) (*http.Response, error) {
			if n.Add(1) == 1 {
				panic(r) // holds the URL and the signature
			}
			return send.Do(r)
		})
	})
	b.paidEvents(5)
	if err := b.sender.Deliver(t.Context()); err == nil || err.Error() != "delivering events: a panic, see the log" {
		t.Errorf("error %v", err)
	}
	b.check()
	b.wantArrivals(4)
	if lines := b.Log.Lines("level=ERROR msg=panic"); len(lines) != 1 || !strings.Contains(lines[0], "*http.Request") {
		t.Errorf("%q", lines)
	}
	b.advance(order.EventLease)
	b.deliver()
	b.wantArrivals(5)
}

// Without a webhook events wait, and the first Sender with one delivers them.
func TestEventsWaitForTheirWebhook(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) { c.Webhook = nil })
	o := b.paid()
	if b.sender.HasWebhook() {
		t.Error("a Sender without a webhook has one")
	}
	for range 20 {
		b.deliver()
		b.advance(24 * time.Hour)
	}
	if e := b.stored(o); e.Status != api.EventPending || e.Attempts != 0 {
		t.Errorf("%+v", e)
	}
	b.open(nil)
	if !b.sender.HasWebhook() {
		t.Error("a Sender with a webhook has none")
	}
	b.deliver()
	b.wantDelivered(o)
}

// The log of a delivery that a request caused has the ID of that request, and it names the event.
func TestLogOfADelivery(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	o := b.paid()
	ctx := reqlog.With(t.Context(), "request-1", slog.New(slog.NewTextHandler(b.Log, nil)))
	if err := b.sender.Deliver(ctx); err != nil {
		t.Error(err)
	}
	b.check()
	want := "request_id=request-1 event=evt_paid_" + o.ID + " type=order.paid order=" + o.ID + " attempt=1"
	if lines := b.Log.Lines(`msg="event delivered"`); len(lines) != 1 || !strings.Contains(lines[0], want) {
		t.Errorf("%q, want %s", lines, want)
	}
}

// While a secret is changed, each delivery has a signature by each of the two secrets.
func TestSecretIsRotated(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	for _, step := range []struct {
		signs      []wechat.Secret
		accepts    string
		signatures int
	}{
		{[]wechat.Secret{oldSecret}, oldSecret, 1},
		{[]wechat.Secret{secret, oldSecret}, oldSecret, 2},
		{[]wechat.Secret{secret, oldSecret}, secret, 2},
		{[]wechat.Secret{secret}, secret, 1},
	} {
		b.receiver.Verify.Secrets = []string{step.accepts}
		b.answer(func(_ http.ResponseWriter, r *http.Request, _ int) {
			if n := len(strings.Fields(r.Header.Get(webhook.SignatureHeader))); n != step.signatures {
				t.Errorf("%d signatures, want %d", n, step.signatures)
			}
		})
		b.open(func(c *outbox.Config) { c.Webhook.Secrets = step.signs })
		o := b.paid()
		b.deliver()
		b.wantDelivered(o)
	}
}
