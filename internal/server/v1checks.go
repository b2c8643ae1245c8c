package server

import (
	"context"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

// pathChecks is the path of the checks. A signer with wrong settings has it too.
const pathChecks = "/v1/checks"

// listChecks returns the checks. The status is 200 also if one fails.
func (b backend) listChecks(ctx context.Context, _ *v1Call) (any, error) {
	began := b.now()
	return b.checks(b.checkHealth(ctx), began), nil
}

// checks returns the checks of the health page in the form of package v1.
func (s *Server) checks(health []api.HealthCheck, began time.Time) v1.Checks {
	all := v1.Checks{OK: true, CheckedAt: began.UnixMilli(), Checks: []v1.CheckResult{}}
	for _, h := range health {
		all.OK = all.OK && h.OK
		all.Checks = append(all.Checks, v1.CheckResult{ID: h.Name, Status: checkStatus(h), Cause: h.Cause, Setting: h.Setting, Detail: h.Problem})
	}
	all.TookMS = s.now().Sub(began).Milliseconds()
	return all
}

// checkStatus returns the status of a check of the health page.
func checkStatus(h api.HealthCheck) v1.CheckStatus {
	switch {
	case !h.OK:
		return v1.CheckFail
	case h.Problem != "":
		return v1.CheckWarn
	}
	return v1.CheckOK
}
