package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestPaymentIsToldOnce(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	p := r.SignedIn(0)
	o := r.PaidOrderOf(p, "tea")
	if r.Announced != 1 {
		t.Errorf("announced %d times", r.Announced)
	}
	for range 3 {
		r.Deliver()
		r.Sim.Advance(time.Hour)
	}
	if len(r.Events) != 1 {
		t.Fatalf("%d deliveries", len(r.Events))
	}
	got, ledger := r.Events[0], r.Sim.Ledger().Trades[0]
	want := webhook.Event{ID: "evt_paid_" + o.ID, Type: webhook.OrderPaid, CreatedAt: got.CreatedAt,
		Shop: paytest.ShopURL, AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID, Data: webhook.Data{Order: webhook.Order{
			ID: o.ID, OutTradeNo: ledger.OutTradeNo, Status: "paid", TradeType: "JSAPI", Total: int64(o.Total), Currency: "CNY",
			Items:     []webhook.Item{{ProductID: "tea", Name: o.Items[0].Name, Price: int64(o.Items[0].Price), Quantity: 1}},
			CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt,
			TransactionID: ledger.TransactionID, Payer: p.User.OpenID, PaidAt: p.GetOrder(o.ID).PaidAt,
		}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if e := r.EventOf(o.ID); e.Status != api.EventDelivered || e.Attempts != 1 || e.ID != got.ID {
		t.Errorf("%+v", e)
	}
}

// Only a 2xx is an acknowledgement. Whatever else comes is tried again, with the
// same bytes.
func TestWhatCountsAsAcknowledged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		err    error
		why    string // "" when acknowledged
	}{
		"200":                 {status: 200},
		"299":                 {status: 299},
		"early hints":         {status: 103, why: "HTTP 103"},
		"redirect":            {status: 301, why: "HTTP 301"},
		"bad request":         {status: 400, why: "HTTP 400"},
		"server error":        {status: 500, why: "HTTP 500"},
		"nobody there":        {err: errors.New("dial tcp: lookup erp.example.com: no such host"), why: "no answer"},
		"hangs":               {err: context.DeadlineExceeded, why: "no answer in 10 s"},
		"dies midway":         {err: io.ErrUnexpectedEOF, why: "no answer"},
		"hangs, in a wrapper": {err: &url.Error{Op: "Post", URL: "https://erp.example.com", Err: context.DeadlineExceeded}, why: "no answer in 10 s"},
	} {
		t.Run(name, func(t *testing.T) {
			r := paytest.NewMerchant(t)
			r.Respond = func(n int, _ webhook.Event) (int, error) {
				if n > 1 {
					return 200, nil
				}
				return test.status, test.err
			}
			o := r.PaidOrderOf(r.SignedIn(0), "test")
			r.Deliver()
			e := r.EventOf(o.ID)
			if test.why == "" {
				if e.Status != api.EventDelivered || len(r.Events) != 1 {
					t.Errorf("%d deliveries, %+v", len(r.Events), e)
				}
				return
			}
			if e.Status != api.EventPending || e.LastError != test.why || e.NextAt.Sub(r.Now()) < 14*time.Second || e.NextAt.Sub(r.Now()) > 17*time.Second {
				t.Errorf("%+v at %s, want %q", e, r.Now(), test.why)
			}
			r.Deliver() // too early
			r.Sim.Advance(17 * time.Second)
			r.Deliver()
			if len(r.Bodies) != 2 || r.Bodies[0] != r.Bodies[1] {
				t.Errorf("deliveries differ:\n%s", strings.Join(r.Bodies, "\n"))
			}
			if e := r.EventOf(o.ID); e.Status != api.EventDelivered || e.Attempts != 2 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// A receiver says when it wants the next try. That is no sooner than the schedule's,
// and at most an hour away.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status      int
		after       string
		least, most time.Duration
	}{
		"two minutes":       {503, "120", 2 * time.Minute, 2 * time.Minute},
		"too many requests": {429, "120", 2 * time.Minute, 2 * time.Minute},
		"an error":          {500, "120", 2 * time.Minute, 2 * time.Minute},
		"a date":            {503, "date", 3 * time.Minute, 3 * time.Minute},
		"a day":             {503, "86400", time.Hour, time.Hour},
		"a date far away":   {503, "Fri, 31 Dec 9999 23:59:59 GMT", time.Hour, time.Hour},
		"more than a clock": {503, strings.Repeat("9", 40), time.Hour, time.Hour},
		"sooner":            {503, "1", 15 * time.Second, 17 * time.Second},
		"none":              {503, "", 15 * time.Second, 17 * time.Second},
		"yesterday":         {503, "Mon, 02 Jan 2006 15:04:05 GMT", 15 * time.Second, 17 * time.Second},
		"no number":         {503, "soon", 15 * time.Second, 17 * time.Second},
		"negative":          {503, "-120", 15 * time.Second, 17 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			r := paytest.NewMerchant(t)
			r.Respond = func(int, webhook.Event) (int, error) { return test.status, nil }
			if r.RetryAfter = test.after; test.after == "date" {
				r.RetryAfter = r.Now().Add(3 * time.Minute).UTC().Format(http.TimeFormat)
			}
			o := r.PaidOrderOf(r.SignedIn(0), "test")
			r.Deliver()
			e := r.EventOf(o.ID)
			if away := e.NextAt.Sub(r.Now()); e.Status != api.EventPending || away < test.least-5*time.Second || away > test.most {
				t.Errorf("the next try is %s away, want %s to %s", away, test.least, test.most)
			}
			r.Respond = nil
			r.Sim.Advance(test.least - 10*time.Second)
			r.Deliver()
			if e := r.EventOf(o.ID); e.Status != api.EventPending {
				t.Error("tried too early")
			}
			r.Sim.Advance(12 * time.Second)
			r.Deliver()
			if e := r.EventOf(o.ID); e.Status != api.EventDelivered {
				t.Errorf("%+v", e)
			}
		})
	}
}

// A receiver that says 410 gets nothing more. Nothing is lost: its event is dead, the
// others wait, and all arrive once the operator has replayed the dead one.
func TestGoneReceiverGetsNothingMore(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	r.Reconcile()
	p := r.SignedIn(0)
	first := r.PaidOrderOf(p, "test")
	r.Respond = func(int, webhook.Event) (int, error) { return 410, nil }
	r.Deliver()
	gone := r.EventOf(first.ID)
	if gone.Status != api.EventDead || gone.Attempts != 1 || gone.LastError != "HTTP 410 Gone" || len(r.Events) != 1 {
		t.Errorf("%d deliveries, %+v", len(r.Events), gone)
	}
	if n := r.ErrorLines(); n != 1 || !strings.Contains(r.Log.String(), "the receiver wants no events any more") {
		t.Errorf("%d loud lines:\n%s", n, r.Log)
	}
	r.WantWrong("outbox", "410 Gone")
	r.Respond = nil
	var others []api.Order
	for range 6 {
		others = append(others, r.PaidOrderOf(p, "test"))
	}
	for range 3 {
		r.Sim.Advance(time.Hour)
		r.Deliver()
	}
	if len(r.Events) != 1 {
		t.Errorf("%d deliveries after a 410", len(r.Events)-1)
	}
	for _, o := range others {
		if e := r.EventOf(o.ID); e.Status != api.EventPending || e.Attempts != 0 {
			t.Errorf("%+v", e)
		}
	}
	r.Operator().Must("POST", paytest.ReplayPath(gone.ID), struct{}{}, &api.Event{})
	r.Deliver()
	for _, o := range append(others, first) {
		if e := r.EventOf(o.ID); e.Status != api.EventDelivered {
			t.Errorf("%+v", e)
		}
	}
	r.Reconcile()
	r.WantWrong("", "")
}

// The signer dies after the receiver has acknowledged and before it has noted so.
func TestCrashBetweenSendingAndMarking(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	o := r.PaidOrderOf(r.SignedIn(0), "tea")
	r.Respond = func(n int, _ webhook.Event) (int, error) {
		if n == 1 {
			storetest.Exec(t, r.DB, `CREATE TRIGGER dead BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'dead'); END`)
		}
		return 200, nil
	}
	if err := r.Signer.Deliver(context.Background()); err == nil {
		t.Error("a dead database is not told of")
	}
	storetest.Exec(t, r.DB, `DROP TRIGGER dead`)
	r.Deliver()
	if len(r.Events) != 1 {
		t.Fatal("sent again while somebody may be sending it")
	}
	r.Sim.Advance(order.EventLease)
	r.Deliver()
	if len(r.Events) != 2 || r.Acknowledged[r.Events[0].ID] != 2 {
		t.Errorf("%d deliveries, %v", len(r.Events), r.Acknowledged)
	}
	if e := r.EventOf(o.ID); e.Status != api.EventDelivered || e.Attempts != 2 {
		t.Errorf("%+v", e)
	}
}

func TestEventIsGivenUpLoudly(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	o := r.PaidOrderOf(r.SignedIn(0), "tea")
	r.Respond = func(int, webhook.Event) (int, error) { return 500, nil }
	for _, pause := range order.EventSchedule() {
		if n := r.ErrorLines(); n != 0 {
			t.Fatalf("%d loud lines before the last try", n)
		}
		r.Sim.Advance(pause + pause/10)
		r.Deliver()
	}
	r.Sim.Advance(1000 * time.Hour)
	r.Deliver()
	if e := r.EventOf(o.ID); e.Status != api.EventDead || e.Attempts != 10 || e.LastError != "HTTP 500" || len(r.Events) != 10 {
		t.Errorf("%d deliveries, %+v", len(r.Events), e)
	}
	if n := r.ErrorLines(); n != 1 || !strings.Contains(r.Log.String(), "event given up") {
		t.Errorf("%d loud lines:\n%s", n, r.Log)
	}
}

func TestManyDeliverersSendEachEventOnce(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	p := r.SignedIn(0)
	for range 30 {
		r.PaidOrderOf(p, "test")
	}
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			if err := r.Signer.Deliver(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	r.Check()
	if len(r.Events) != 30 || len(r.Acknowledged) != 30 {
		t.Errorf("%d deliveries of %d events, want 30", len(r.Events), len(r.Acknowledged))
	}
}

// Nobody answers: a call tries a few, so as not to hang for all of them.
func TestNobodyThereEndsTheRun(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	p := r.SignedIn(0)
	for range 10 {
		r.PaidOrderOf(p, "test")
	}
	r.Respond = func(int, webhook.Event) (int, error) { return 0, context.DeadlineExceeded }
	r.Deliver()
	if len(r.Events) != 5 {
		t.Errorf("%d tries of 10 events", len(r.Events))
	}
	r.Respond = nil
	r.Sim.Advance(time.Minute)
	r.Deliver()
	if len(r.Acknowledged) != 10 {
		t.Errorf("%d of 10 events arrived", len(r.Acknowledged))
	}
}

// A receiver that is overloaded ends a call: it gets a few events, not all of them.
func TestBusyReceiverEndsTheRun(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 502, 503, 504} {
		r := paytest.NewMerchant(t)
		p := r.SignedIn(0)
		for range 10 {
			r.PaidOrderOf(p, "test")
		}
		r.Respond = func(int, webhook.Event) (int, error) { return status, nil }
		r.Deliver()
		if len(r.Events) != 5 {
			t.Errorf("HTTP %d: %d tries of 10 events", status, len(r.Events))
		}
	}
}

// A receiver that takes nearly all the time it has does not make a call endless.
func TestSlowReceiverIsBounded(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	p := r.SignedIn(0)
	for range 40 {
		r.PaidOrderOf(p, "test")
	}
	r.Respond = func(n int, _ webhook.Event) (int, error) {
		if n%5 == 0 {
			r.AdvanceClock(9 * time.Second)
		}
		return 200, nil
	}
	r.Deliver()
	if len(r.Events) != 20 {
		t.Errorf("%d deliveries of 9 s for each five, want 20 in 30 s", len(r.Events))
	}
	r.Respond = nil
	r.Deliver()
	if len(r.Acknowledged) != 40 {
		t.Errorf("%d of 40 events arrived", len(r.Acknowledged))
	}
}

// A receiver that hangs does not keep the shop from finding payments.
func TestHangingReceiverHoldsUpNothing(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	p := r.SignedIn(0)
	r.PaidOrderOf(p, "test")
	c := p.Order("tea", 1)
	hanging, release := make(chan struct{}), make(chan struct{})
	r.Respond = func(n int, _ webhook.Event) (int, error) {
		if n == 1 {
			close(hanging)
			<-release
		}
		return 200, nil
	}
	var group sync.WaitGroup
	group.Go(func() {
		if err := r.Signer.Deliver(context.Background()); err != nil {
			t.Error(err)
		}
	})
	<-hanging
	p.Pay(c.Pay)
	r.Shop.Deliver()
	r.Reconcile()
	r.WantStatus(c.Order.ID, api.StatusPaid)
	r.Deliver()
	if e := r.EventOf(c.Order.ID); e.Status != api.EventDelivered {
		t.Errorf("the other event waits too: %+v", e)
	}
	close(release)
	group.Wait()
	r.Check()
}

// Without a webhook events are kept; once there is one they are sent.
func TestEventsWaitForAWebhook(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	with := r.Signer
	r.Handler = r.Open(nil)
	o := r.PaidOrderOf(r.SignedIn(0), "tea")
	for range 20 {
		r.Sim.Advance(24 * time.Hour)
		r.Deliver()
	}
	if e := r.EventOf(o.ID); e.Status != api.EventPending || e.Attempts != 0 || len(r.Events) != 0 {
		t.Errorf("%+v", e)
	}
	r.Signer = with
	r.Deliver()
	if e := r.EventOf(o.ID); e.Status != api.EventDelivered {
		t.Errorf("%+v", e)
	}
}

// While a secret is being changed, receivers with either take deliveries.
func TestWebhookSecretIsChanged(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	p := r.SignedIn(0)
	for _, step := range []struct{ sends, takes []string }{
		{[]string{paytest.OldWebhookSecret}, []string{paytest.OldWebhookSecret}},
		{[]string{paytest.WebhookSecret, paytest.OldWebhookSecret}, []string{paytest.OldWebhookSecret}},
		{[]string{paytest.WebhookSecret, paytest.OldWebhookSecret}, []string{paytest.WebhookSecret}},
		{[]string{paytest.WebhookSecret}, []string{paytest.WebhookSecret}},
	} {
		r.Accept.Secrets = step.takes
		r.Handler = r.Open(func(cfg *paytest.Settings, _ *wechat.Config) {
			cfg.Webhook = &outbox.Webhook{URL: "https://erp.example.com/h5pay", Doer: r}
			for _, secret := range step.sends {
				cfg.Webhook.Secrets = append(cfg.Webhook.Secrets, wechat.Secret(secret))
			}
		})
		o := r.PaidOrderOf(p, "test")
		r.Deliver()
		if e := r.EventOf(o.ID); e.Status != api.EventDelivered {
			t.Errorf("%q to %q: %+v", step.sends, step.takes, e)
		}
	}
}

// An event says of which shop, appid and merchant its order is. A database that was
// moved to another shop, or copied beside a simulator, does not lie.
func TestEventsSayWhoseTheyAre(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		made, paid, delivered bool // by a shop with a simulator
		want                  bool
	}{
		"real":                             {},
		"simulated":                        {true, true, true, true},
		"made in a simulation, moved":      {made: true, want: true},
		"paid in a simulation, moved back": {paid: true, want: true},
		"real, delivered by a copy beside a simulator": {delivered: true, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := paytest.NewMerchant(t)
			r.Accept.Simulated = true
			open := func(simulated bool) {
				r.Handler = r.Open(func(cfg *paytest.Settings, wx *wechat.Config) {
					r.Configure(cfg, wx)
					cfg.Simulated = simulated
				})
			}
			open(test.made)
			p := r.SignedIn(0)
			c := p.Order("tea", 1)
			open(test.paid)
			r.Fault(wechattest.FaultNotifyLost, "") // the timer of this signer asks
			p.Pay(c.Pay)
			r.Sim.Advance(2 * time.Minute)
			r.Reconcile()
			r.Handler = r.Open(func(cfg *paytest.Settings, wx *wechat.Config) {
				r.Configure(cfg, wx)
				// Another shop of another merchant, with the same secret and the database.
				cfg.Simulated, cfg.ShopURL, cfg.MchID, cfg.AppID = test.delivered, "https://other.example.com", "1900009999", "wx0000000000000000"
				wx.MchID, wx.AppID = cfg.MchID, cfg.AppID
			})
			r.Deliver()
			if len(r.Events) != 1 {
				t.Fatalf("%d events", len(r.Events))
			}
			e := r.Events[0]
			if e.Shop != paytest.ShopURL || e.AppID != wechattest.DefaultAppID || e.MchID != wechattest.DefaultMchID || e.Simulated != test.want {
				t.Errorf("the event is of %s, %s, %s, simulated %t; want %t", e.Shop, e.AppID, e.MchID, e.Simulated, test.want)
			}
			if strings.Contains(r.Bodies[0], "simulated") != test.want {
				t.Errorf("%s", r.Bodies[0])
			}
		})
	}
}
