package server_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/webhook"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestPaymentHasOneEvent(t *testing.T) {
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
			ID: o.ID, Source: "shop", Status: "paid", Total: int64(o.Total), Currency: "CNY", Description: got.Data.Order.Description, Metadata: json.RawMessage("null"),
			Items:     []webhook.Item{{ProductID: "tea", Name: o.Items[0].Name, Price: int64(o.Items[0].Price), Quantity: 1}},
			CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt,
		}, Payment: &webhook.Payment{
			OutTradeNo: ledger.OutTradeNo, TransactionID: ledger.TransactionID, TradeType: "JSAPI", Payer: p.User.OpenID, PaidAt: p.GetOrder(o.ID).PaidAt,
			APIVersion: "v2", AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID,
		}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if e := r.EventOf(o.ID); e.Status != api.EventDelivered || e.Attempts != 1 || e.ID != got.ID {
		t.Errorf("%+v", e)
	}
}

// A receiver that answers 410 gets no more events. Nothing is lost: its event is dead, and the
// others wait. All arrive after the operator has replayed the dead one.
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
	if n := r.ErrorLines(); n != 1 || !strings.Contains(r.Log.String(), "the receiver responded 410 Gone") {
		t.Errorf("%d log lines of level ERROR:\n%s", n, r.Log)
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
	r.Operator().Must("POST", paytest.ReplayPath(gone.ID), nil, &v1.Event{})
	r.Deliver()
	for _, o := range append(others, first) {
		if e := r.EventOf(o.ID); e.Status != api.EventDelivered {
			t.Errorf("%+v", e)
		}
	}
	r.Reconcile()
	r.WantWrong("", "")
}

// A receiver that hangs does not delay the queries of payments.
func TestHangingReceiverDelaysNoQuery(t *testing.T) {
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
	node := r.Signer
	group.Go(func() {
		if err := node.Deliver(context.Background()); err != nil {
			t.Error(err)
		}
	})
	<-hanging
	r.Handler = r.Open(r.Configure) // another node: a node passes over a receiver that it waits for
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

// An event names the shop, appid and merchant of its order. That stays correct when the database is
// moved to another shop or copied to a simulation.
func TestEventsNameTheirShop(t *testing.T) {
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
			r.Fault(wechattest.FaultNotifyLost, "") // the timer of this signer queries WeChat
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
				t.Errorf("the event names %s, %s, %s, simulated %t; want %t", e.Shop, e.AppID, e.MchID, e.Simulated, test.want)
			}
			if strings.Contains(r.Bodies[0], "simulated") != test.want {
				t.Errorf("%s", r.Bodies[0])
			}
		})
	}
}
