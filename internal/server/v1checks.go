package server

import (
	"context"
	"slices"
	"strconv"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/cst"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

const (
	// pathChecks is the path of the checks. A signer with wrong settings has it too.
	pathChecks = "/v1/checks"
	// checksEvery is the least time between two runs of the checks that make calls.
	checksEvery = 10 * time.Second
	// databaseSlow is the time of one statement from which on the database is slow.
	databaseSlow = time.Second
	// billHour is when the bill of yesterday is compared at the latest, in Beijing.
	billHour = 12
)

// listChecks returns the checks. The status is 200 also if one fails.
func (b backend) listChecks(ctx context.Context, c *v1Call) (any, error) {
	network := c.query.(v1.CheckQuery).Network
	if network {
		claimed, err := b.cfg.Store.ClaimChecks(ctx, checksEvery, b.now())
		if err != nil {
			return nil, err
		}
		if !claimed {
			seconds := strconv.Itoa(int(checksEvery / time.Second))
			return nil, &v1.Error{Code: api.CodeRateLimited, Message: "the checks ran just now: call again in " + seconds + " s"}
		}
	}
	return b.Check(ctx, network), nil
}

// Check runs the checks. With network it makes calls to WeChat, to the webhook endpoints and, where the
// platform can, to the shop's own address.
func (s *Server) Check(ctx context.Context, network bool) v1.Checks {
	began := s.now()
	database := s.checkDatabase(ctx) // first, because it measures the time of one statement
	results := merge(resultsOf(s.checkHealth(ctx)), database)
	if s.cfg.Findings != nil {
		results = merge(results, s.cfg.Findings())
	}
	all := v1.Checks{Network: network && s.cfg.Doctor != nil}
	if all.Network {
		token := s.probes.Token(s.now())
		calls := s.cfg.Doctor.Run(ctx, token)
		skipOldCertificates(results, calls)
		results = append(results, calls...)
		all.Probe = &v1.Probe{URL: s.shop.Origin + api.PathNotifyPay, Token: token}
	}
	all.Checks = results
	return s.complete(all, began)
}

// merge adds results. A result with a cause replaces an OK result of the same check. If the
// schema differs, other checks that cannot read the database are skipped.
func merge(all, more []v1.CheckResult) []v1.CheckResult {
	for _, c := range more {
		outdated := c.Cause == string(cause.SchemaOutdated)
		for i, old := range all {
			if outdated && old.Cause == string(cause.DatabaseUnreadable) {
				all[i] = v1.CheckResult{ID: old.ID, Status: v1.CheckSkipped, Detail: "not read: the schema differs"}
			}
		}
		i := slices.IndexFunc(all, func(old v1.CheckResult) bool { return old.ID == c.ID && old.Status == v1.CheckOK })
		if i >= 0 {
			all[i] = c
		} else {
			all = append(all, c)
		}
	}
	return all
}

// skipOldCertificates skips the check of the stored certificates if a call has found why they
// are not downloaded.
func skipOldCertificates(results, calls []v1.CheckResult) {
	failed := slices.ContainsFunc(calls, func(c v1.CheckResult) bool {
		reached := cause.ID(c.Cause) != cause.WeChatUnreachable && cause.ID(c.Cause) != cause.WeChatIntercepted
		return c.Status == v1.CheckFail && (!reached || slices.Contains([]cause.Check{cause.CallV3, cause.PlatformKeys, cause.Clock}, cause.Check(c.ID)))
	})
	for i, c := range results {
		if failed && c.Cause == string(cause.CertificatesOld) {
			results[i] = v1.CheckResult{ID: c.ID, Status: v1.CheckSkipped, Detail: "follows from a check that calls WeChat"}
		}
	}
}

// complete sets the fields that follow from the results.
func (s *Server) complete(all v1.Checks, began time.Time) v1.Checks {
	all.OK, all.CheckedAt, all.TookMS = true, began.UnixMilli(), s.now().Sub(began).Milliseconds()
	for i, c := range all.Checks {
		all.OK = all.OK && c.Status != v1.CheckFail
		if s.cfg.Explain != nil && c.Cause != "" {
			all.Checks[i].ZH, all.Checks[i].EN = s.cfg.Explain(cause.ID(c.Cause), c.Setting)
		}
	}
	return all
}

// resultsOf returns the checks of the health page in the form of package v1.
func resultsOf(health []api.HealthCheck) []v1.CheckResult {
	var all []v1.CheckResult
	for _, h := range health {
		all = append(all, v1.CheckResult{ID: h.Name, Status: checkStatus(h), Cause: h.Cause, Setting: h.Setting, Detail: h.Problem})
	}
	return all
}

// checkStatus returns the status of a check of the health page.
func checkStatus(h api.HealthCheck) v1.CheckStatus {
	switch {
	case !h.OK:
		return v1.CheckFail
	case h.Cause != "":
		return v1.CheckWarn
	}
	return v1.CheckOK
}

// checkDatabase checks the schema, the speed, and that the bill of yesterday was compared.
func (s *Server) checkDatabase(ctx context.Context) []v1.CheckResult {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	began := s.now()
	applied, err := s.cfg.Store.AppliedSchema(ctx)
	took := s.now().Sub(began)
	if err != nil {
		// The check of the health page has the same cause.
		return []v1.CheckResult{{ID: string(cause.Schema), Status: v1.CheckSkipped, Detail: "the database cannot be read"}}
	}
	schema := v1.CheckResult{ID: string(cause.Schema), Status: v1.CheckOK}
	if applied != store.Schema() {
		schema.Status, schema.Cause = v1.CheckFail, string(cause.SchemaOutdated)
		schema.Detail = "the database has " + applied + ", and this version wants " + store.Schema()
	}
	speed := v1.CheckResult{ID: string(cause.Speed), Status: v1.CheckOK, TookMS: took.Milliseconds()}
	if took >= databaseSlow {
		speed.Status, speed.Cause = v1.CheckWarn, string(cause.DatabaseSlow)
		speed.Detail = "one statement took " + took.Round(time.Millisecond).String()
	}
	results := []v1.CheckResult{schema, speed}
	if missing, err := s.billMissing(ctx); err == nil && missing != "" {
		results = append(results, v1.CheckResult{ID: string(cause.Bills), Status: v1.CheckWarn, Cause: string(cause.BillMissing), Detail: missing})
	}
	return results
}

// billMissing returns that the bill of yesterday was not compared, "" if it was or is not
// due.
func (s *Server) billMissing(ctx context.Context) (string, error) {
	now := s.now()
	yesterday := cst.Day(now).AddDate(0, 0, -1)
	if now.Before(cst.Day(now).Add(billHour * time.Hour)) {
		return "", nil
	}
	first, err := s.cfg.Store.FirstOrder(ctx)
	if err != nil || first.IsZero() || !first.Before(cst.Day(now)) {
		return "", err // there is nothing to compare
	}
	checks, err := s.cfg.Store.BillChecks(ctx, yesterday.Format(time.DateOnly), 1, 1)
	if err != nil || len(checks) > 0 && checks[0].Status != order.BillWaiting {
		return "", err
	}
	return "the bill of " + yesterday.Format(time.DateOnly) + " was not compared by " + strconv.Itoa(billHour) + " o'clock", nil
}
