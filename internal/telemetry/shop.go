package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// shop reads the state of a shop from its database for each scrape. Every node of a shop returns the
// same state.
type shop struct {
	store *store.Store
	mchID string
	unset bool // the settings have no endpoint for webhooks
	log   *slog.Logger

	mu     sync.Mutex
	last   int64                     // position of the last event that is counted
	events map[api.EventType]float64 // since the start
}

// scrapeTime bounds the reading for a scrape.
const scrapeTime = 5 * time.Second

var (
	eventsDesc  = shopDesc("events_total", "Events since the start of this process, by type: orders paid and closed, refunds, second payments.", "type")
	pendingDesc = shopDesc("outbox_pending", "Deliveries that wait at the endpoints that may get them.")
	oldestDesc  = shopDesc("outbox_oldest_seconds", "Age of the oldest delivery that is due, 0 without one, by endpoint and by whether it is about money.", "endpoint", "about")
	deadDesc    = shopDesc("outbox_dead", "Deliveries that are dead after their last try, 100 of each endpoint at most.", "endpoint")
	goneDesc    = shopDesc("outbox_gone", "1 if the receiver wants no more events.", "endpoint")
	triesDesc   = shopDesc("outbox_failures", "Deliveries that failed since the last one that was acknowledged.", "endpoint")
	refundsDesc = shopDesc("refunds_trouble", "Refunds that need an operator, by why, 100 of each at most.", "why")
	openDesc    = shopDesc("orders_open", "Open payments and refunds that the timer looks after, by version of the API, 200 of each at most.", "api")
	guestsDesc  = shopDesc("guest_orders_open", "Orders of guests that wait for a payment.")
	billsDesc   = shopDesc("bills_unbalanced", "Bills of the last days that differ from the orders, or that could not be downloaded or read.")
	usedDesc    = shopDesc("database_bytes", "Size of the database.")
	roomDesc    = shopDesc("database_capacity_bytes", "Size that the database may reach.")
	timerDesc   = shopDesc("reconciled_timestamp_seconds", "When the timer last queried WeChat about all that was due.")
	readDesc    = shopDesc("database_up", "1 if the state of the shop could be read.")
)

func shopDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(Namespace, "", name), help, labels, nil)
}

// Shop adds the state of a shop to the metrics: its outbox, refunds, bills and database. unset is true
// if the settings have no endpoint for webhooks: then no event waits for it.
func (m *Metrics) Shop(ctx context.Context, st *store.Store, mchID string, unset bool, log *slog.Logger) error {
	last, err := st.LastEvent(ctx)
	if err != nil {
		return err
	}
	s := &shop{store: st, mchID: mchID, unset: unset, log: log, last: last, events: map[api.EventType]float64{}}
	for _, kind := range []api.EventType{api.EventOrderPaid, api.EventOrderRefunded, api.EventOrderClosed, api.EventPaymentDuplicate} {
		s.events[kind] = 0 // a rate needs the first 0
	}
	return m.registry.Register(s)
}

// Describe implements prometheus.Collector.
func (s *shop) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{eventsDesc, pendingDesc, oldestDesc, deadDesc, goneDesc, triesDesc, refundsDesc, openDesc, guestsDesc, billsDesc, usedDesc, roomDesc, timerDesc, readDesc} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (s *shop) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.store.Health(ctx, s.mchID)
	var b store.Backlog
	if err == nil {
		b, err = s.store.Backlog(ctx, s.last, s.unset)
	}
	var endpoints []store.EndpointHealth
	if err == nil {
		endpoints, err = s.store.EndpointHealth(ctx)
	}
	if err != nil {
		s.log.Error("the metrics of the shop cannot be read", "error", err)
		gauge(readDesc, 0)
		return
	}
	gauge(readDesc, 1)
	s.last = b.Last
	for kind, n := range b.Made {
		s.events[kind] += float64(n)
	}
	for kind, n := range s.events {
		metrics <- prometheus.MustNewConstMetric(eventsDesc, prometheus.CounterValue, n, string(kind))
	}
	gauge(pendingDesc, float64(b.Pending))
	for _, e := range endpoints {
		if e.State == order.EndpointDisabled || e.State == order.EndpointUnset || s.unset && e.ID == order.SettingsEndpoint {
			e.OldestPending, e.OldestClosed = time.Time{}, time.Time{}
		}
		gauge(oldestDesc, age(e.OldestPending), e.ID, "money")
		gauge(oldestDesc, age(e.OldestClosed), e.ID, "closed")
		gauge(deadDesc, float64(e.Dead), e.ID)
		gauge(goneDesc, boolean(e.State == order.EndpointGone), e.ID)
		gauge(triesDesc, float64(e.Failures), e.ID)
	}
	gauge(refundsDesc, float64(v.Stuck), "stuck")
	gauge(refundsDesc, float64(v.Abnormal), "abnormal")
	gauge(refundsDesc, float64(v.Duplicates), "duplicate")
	gauge(openDesc, float64(v.OpenV2), "v2")
	gauge(openDesc, float64(v.OpenV3), "v3")
	gauge(guestsDesc, float64(v.OpenGuests))
	gauge(billsDesc, float64(v.Unbalanced))
	gauge(usedDesc, float64(v.Size.Used))
	gauge(roomDesc, float64(v.Size.Capacity))
	if !v.Reconciled.IsZero() {
		gauge(timerDesc, float64(v.Reconciled.UnixMilli())/1000)
	}
}

func age(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(0, time.Since(t).Seconds())
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
