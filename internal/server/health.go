package server

import (
	"context"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// Limits of the checks. The timers run every minute.
const (
	reconcileStale = 5 * time.Minute  // since Reconcile last completed
	eventStale     = 15 * time.Minute // that an event may wait for its delivery
	healthTimeout  = 3 * time.Second  // for the database
	notifyGrace    = time.Minute      // in which a notification of a payment arrives
)

// getHealth reports whether the shop works. Anyone may call it, for example a monitor. With the
// operator's token the response has the checks, which name settings and bindings without their
// values.
func (s *Server) getHealth(w http.ResponseWriter, r *http.Request) error {
	return s.writeHealth(w, r, s.checkHealth(r.Context()))
}

// checkHealth makes the checks. Without the database it makes only those that need none.
func (s *Server) checkHealth(ctx context.Context) []api.HealthCheck {
	checks := append([]api.HealthCheck{{Name: "settings", OK: true}}, s.cfg.Checks...)
	checks = append(checks, s.sightings.check(s.now()))
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	v, err := s.cfg.Store.Health(ctx, s.shop.MchID)
	if err != nil {
		s.logger(ctx).Error("the database does not answer", "error", err)
		return append(checks, failed(cause.DatabaseUnreadable, "database", strings.Join(strings.Fields("the database "+s.cfg.Database+" cannot be read, or lacks a migration"), " ")))
	}
	checks = append(checks, api.HealthCheck{Name: "database", OK: true})
	if s.cfg.Nodes != nil {
		checks = append(checks, s.cfg.Nodes(ctx))
	}
	checks = append(checks, s.timerCheck(v), s.outboxCheck(ctx), s.ordersCheck(v), sizeCheck(v.Size), s.notificationCheck(ctx))
	if s.cfg.Certificates != nil {
		checks = append(checks, s.certificatesCheck(ctx))
	}
	return append(checks, refundsCheck(v), s.sellingCheck(ctx), billsCheck(v), s.catalogueCheck(v))
}

// timerCheck reports a timer that does not run.
func (s *Server) timerCheck(v store.Health) api.HealthCheck {
	switch now := s.now(); {
	case v.Reconciled.IsZero():
		return failed(cause.TimerNeverRan, "cron", "the timer has not run yet")
	case now.Sub(v.Reconciled) > reconcileStale:
		return failed(cause.TimerStopped, "cron", "the timer last completed "+ago(now.Sub(v.Reconciled)))
	}
	return api.HealthCheck{Name: "cron", OK: true}
}

// ordersCheck reports open payments about which WeChat cannot be queried, and the limit of guests.
func (s *Server) ordersCheck(v store.Health) api.HealthCheck {
	if v.Foreign > 0 {
		return failed(cause.OrdersOfOtherMerchant, "orders", counted(v.Foreign, "unpaid payment was", "unpaid payments were")+" made for another merchant than WECHAT_MCH_ID: WeChat cannot be queried about them")
	}
	if problem := s.openWithoutKeys(v); problem != "" {
		return failed(cause.OrdersWithoutKeys, "orders", problem)
	}
	if most := s.cfg.Store.Bounds.Guests; v.OpenGuests >= most {
		// Not a failure: strangers can reach the limit, and buyers who sign in are not affected.
		return noted(cause.GuestOrdersAtLimit, "orders", fmt.Sprintf("%d orders of guests are unpaid, which is the limit: guests cannot order", v.OpenGuests))
	}
	return api.HealthCheck{Name: "orders", OK: true}
}

// certificatesCheck reports WeChat's platform certificates that were not refreshed.
func (s *Server) certificatesCheck(ctx context.Context) api.HealthCheck {
	if problem := s.cfg.Certificates(ctx); problem != "" {
		return failed(cause.CertificatesOld, "certificates", problem)
	}
	return api.HealthCheck{Name: "certificates", OK: true}
}

// refundsCheck reports refunds that wait for the operator.
func refundsCheck(v store.Health) api.HealthCheck {
	switch {
	case v.Stuck > 0:
		return failed(cause.RefundsStuck, "refunds", fmt.Sprintf("%s declined by WeChat until the operator acts: see GET /v1/orders?status=refunding", counted(v.Stuck, "refund is", "refunds are")))
	case v.Duplicates > 0:
		return failed(cause.DuplicatesKept, "refunds", fmt.Sprintf("%s not given back, though the order is paid by another one: see the events payment.duplicate of GET /v1/events, and refund by out_trade_no",
			counted(v.Duplicates, "second payment is", "second payments are")))
	case v.Abnormal > 0:
		return noted(cause.RefundsAbnormal, "refunds", fmt.Sprintf("%s to be paid out at the merchant platform: see GET /v1/orders?status=refunding", counted(v.Abnormal, "refund has", "refunds have")))
	}
	return api.HealthCheck{Name: "refunds", OK: true}
}

// sellingCheck reports that no order is accepted. It is no failure, because the operator switched
// it. The page reports it as a reminder.
func (s *Server) sellingCheck(ctx context.Context) api.HealthCheck {
	var rejected *api.Error
	switch err := s.payment.Selling(ctx); {
	case err != nil && !errors.As(err, &rejected):
		s.logger(ctx).Error("the database does not answer", "error", err)
		return failed(cause.DatabaseUnreadable, "selling", "the switch of selling cannot be read, or the database lacks a migration")
	case err != nil:
		return noted(cause.SellingStopped, "selling", "the operator has stopped selling, or SELLING is off: no order is accepted")
	}
	return api.HealthCheck{Name: "selling", OK: true}
}

// billsCheck reports bills that differ. It is no failure: with a second shop of the same merchant the
// bill of every day differs.
func billsCheck(v store.Health) api.HealthCheck {
	if v.Unbalanced > 0 {
		return noted(cause.BillsDiffer, "bills", fmt.Sprintf("of the bills of the last %d days, %d differ from the books or are unavailable: see GET /v1/bills", order.BillDays, v.Unbalanced))
	}
	return api.HealthCheck{Name: "bills", OK: true}
}

// catalogueCheck reports that no product is for sale, unless a back end makes the orders.
func (s *Server) catalogueCheck(v store.Health) api.HealthCheck {
	switch {
	case !v.ForSale && v.BackEnd:
		return api.HealthCheck{Name: "catalogue", OK: true, Problem: "no product is for sale: only a back end makes orders"}
	case !v.ForSale:
		return failed(cause.CatalogueEmpty, "catalogue", strings.TrimRight("no product is for sale; "+s.cfg.CatalogueHint, "; "))
	}
	return api.HealthCheck{Name: "catalogue", OK: true}
}

// notificationCheck reports that the last payment was found without a notification. It is no failure:
// WeChat does not guarantee that one arrives, and the timer finds the payment.
func (s *Server) notificationCheck(ctx context.Context) api.HealthCheck {
	missing, err := s.cfg.Store.Unnotified(ctx, notifyGrace, s.now())
	switch {
	case err != nil:
		s.logger(ctx).Error("the database does not answer", "error", err)
		return failed(cause.DatabaseUnreadable, "notifications", "the notifications cannot be read, or the database lacks a migration")
	case missing:
		return noted(cause.NotificationMissing, "notifications", "no notification of the last payment has arrived: it was found by a query; GET /v1/checks?network=true and h5pay doctor look for the reason")
	}
	return api.HealthCheck{Name: "notifications", OK: true}
}

// outboxCheck reports the first endpoint that does not get its events.
func (s *Server) outboxCheck(ctx context.Context) api.HealthCheck {
	check := api.HealthCheck{Name: "outbox", OK: true}
	endpoints, err := s.cfg.Store.EndpointHealth(ctx)
	if err != nil {
		s.logger(ctx).Error("the database does not answer", "error", err)
		return failed(cause.DatabaseUnreadable, "outbox", "the endpoints cannot be read, or the database lacks a migration")
	}
	sent := 0
	for _, e := range endpoints {
		if e.ID == order.SettingsEndpoint && !s.outbox.HasWebhook() || e.State == order.EndpointUnset {
			continue
		}
		if e.State != order.EndpointDisabled {
			sent++
		}
		found := s.endpointCheck(e)
		if !found.OK && check.OK || found.Problem != "" && check.Problem == "" {
			check = found
		}
	}
	if sent == 0 && check.Problem == "" {
		return noted(cause.WebhookUnset, "outbox", "WEBHOOK_URL is not set, and no endpoint is enabled: no back end is notified of payments")
	}
	return check
}

// endpointCheck reports why an endpoint does not get its events.
func (s *Server) endpointCheck(e store.EndpointHealth) api.HealthCheck {
	now := s.now()
	prefix := ""
	if e.ID != order.SettingsEndpoint {
		prefix = "endpoint " + e.ID + ": "
	}
	switch {
	case e.State == order.EndpointGone:
		return failed(cause.WebhookGone, "outbox", prefix+"the back end responded 410 Gone: no event is sent until one is replayed, or the endpoint is enabled: see GET /v1/endpoints")
	case e.Dead > 0:
		return failed(cause.EventsDead, "outbox", prefix+counted(e.Dead, "event is", "events are")+" no longer retried, and can be replayed")
	case e.State == order.EndpointDisabled: // an operator did it
	case !s.outbox.CanSign(e.Endpoint):
		return failed(cause.EndpointUnsealed, "outbox", prefix+"its secret cannot be opened with SESSION_KEY: change the secret")
	case !e.OldestPending.IsZero() && now.Sub(e.OldestPending) > eventStale:
		return failed(cause.EventsWaiting, "outbox", prefix+"the oldest undelivered event was made "+ago(now.Sub(e.OldestPending)))
	case !e.OldestClosed.IsZero() && now.Sub(e.OldestClosed) > eventStale:
		// Not a failure: anyone can cause order.closed by cancelling orders.
		return noted(cause.EventsWaiting, "outbox", prefix+"the oldest undelivered order.closed was made "+ago(now.Sub(e.OldestClosed)))
	}
	return api.HealthCheck{Name: "outbox", OK: true}
}

// openWithoutKeys returns a problem if orders or refunds are open whose API version has no keys in
// the settings.
func (s *Server) openWithoutKeys(v store.Health) string {
	for _, open := range []struct {
		version  wechat.Version
		n        int
		settings string
	}{{wechat.V2, v.OpenV2, "WECHAT_API_KEY"}, {wechat.V3, v.OpenV3, "WECHAT_MCH_KEY and the other settings of APIv3"}} {
		if _, err := s.cfg.WeChat.For(open.version); err != nil && open.n > 0 {
			return counted(open.n, "unpaid payment or open refund was", "unpaid payments and open refunds were") +
				fmt.Sprintf(" made with API%s: WeChat cannot be queried about them without %s", open.version, open.settings)
		}
	}
	return ""
}

// failed is a check that fails.
func failed(id cause.ID, name, problem string) api.HealthCheck {
	return api.HealthCheck{Name: name, Problem: problem, Cause: string(id)}
}

// noted is a check that is OK and reports something.
func noted(id cause.ID, name, problem string) api.HealthCheck {
	return api.HealthCheck{Name: name, OK: true, Problem: problem, Cause: string(id)}
}

// counted prints a number of store.Health with its noun and verb. Health counts up to
// MaxCounted.
func counted(n int, one, many string) string {
	switch {
	case n == 1:
		return "1 " + one
	case n >= store.MaxCounted:
		return fmt.Sprintf("%d or more %s", n, many)
	}
	return fmt.Sprintf("%d %s", n, many)
}

// sizeCheck reports how full the database is. The size is unknown until the timer has run.
func sizeCheck(size store.Size) api.HealthCheck {
	const mega = 1_000_000
	switch {
	case size.Full():
		return failed(cause.DatabaseFull, "size", fmt.Sprintf("the database has %d of %d MB: new orders are rejected", size.Used/mega, size.Capacity/mega))
	case size.Used >= size.Capacity/4*3 && size.Capacity > 0:
		return noted(cause.DatabaseFilling, "size", fmt.Sprintf("the database has %d of %d MB; from 90 %% on new orders are rejected", size.Used/mega, size.Capacity/mega))
	}
	return api.HealthCheck{Name: "size", OK: true}
}

func ago(d time.Duration) string { return d.Truncate(time.Minute).String() + " ago" }

// misconfigured returns the checks of a signer that could not start because of err, one for each
// error joined in it.
func misconfigured(err error) []api.HealthCheck {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		check := failed(cause.SettingMalformed, "settings", err.Error())
		var known interface{ Cause() (cause.ID, string) }
		if errors.As(err, &known) {
			id, setting := known.Cause()
			check.Cause, check.Setting = string(id), setting
		}
		return []api.HealthCheck{check}
	}
	var checks []api.HealthCheck
	for _, err := range joined.Unwrap() {
		checks = append(checks, misconfigured(err)...)
	}
	return checks
}

// writeHealth responds to a browser with a page and to others with JSON. It logs problems
// once a minute.
func (s *Server) writeHealth(w http.ResponseWriter, r *http.Request, checks []api.HealthCheck) error {
	health := api.Health{OK: true, Checks: checks}
	for _, c := range checks {
		if !c.OK {
			health.OK = false
			s.logSeldom(r.Context(), slog.LevelWarn, "a health check failed: "+c.Name, "problem", c.Problem)
		}
	}
	if !s.operator.isSent(r) {
		health.Checks = nil
	}
	status := http.StatusOK
	if !health.OK {
		status = http.StatusServiceUnavailable
	}
	w.Header().Add("Vary", "Accept, Authorization")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return writeJSON(w, status, health)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(healthPage(health)))
	return nil
}

// healthPage needs no other file, not even a style sheet.
func healthPage(h api.Health) string {
	var b strings.Builder
	title := "The shop works"
	if !h.OK {
		title = "The shop has problems"
	}
	b.WriteString(`<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
		`<meta name="color-scheme" content="light dark"><title>` + title + `</title><h1>` + title + `</h1><dl>`)
	for _, c := range h.Checks {
		state := "good"
		switch {
		case !c.OK:
			state = "BAD: " + c.Problem
		case c.Problem != "":
			state = "good, but: " + c.Problem
		}
		b.WriteString(`<dt><b>` + html.EscapeString(c.Name) + `</b><dd>` + html.EscapeString(state))
	}
	b.WriteString(`</dl>`)
	if h.Checks == nil {
		b.WriteString(`<p>The operator's token shows the checks: <code>curl -H "Authorization: Bearer $ADMIN_TOKEN"</code> with this address.`)
	}
	return b.String()
}
