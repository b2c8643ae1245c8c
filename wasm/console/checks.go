package main

import (
	"h5pay/internal/cause"
	"h5pay/internal/v1"
)

// repairs are the screens on which the operator repairs the result of a check.
var repairs = map[cause.Check]string{
	cause.Outbox: "/console/events?status=dead", cause.Orders: "/console/orders?status=open", cause.Refunds: "/console/orders?status=refunding",
	cause.Bills: "/console/bills", cause.Catalogue: "/console/products", cause.Selling: "/console/more", cause.Notifications: "/console/check?network=true",
	cause.Webhook: pathEndpoints,
}

// pathEndpoints is the path of a screen that needs the scope admin.
const pathEndpoints = "/console/endpoints"

// repairOf returns the screen on which the operator repairs the result of a check, "" if it is elsewhere or the
// operator may not see it.
func (s *base) repairOf(c v1.CheckResult) string {
	href := repairs[cause.Check(c.ID)]
	switch cause.ID(c.Cause) {
	case "":
		return ""
	case cause.WebhookUnset, cause.WebhookGone, cause.EndpointUnsealed:
		href = pathEndpoints
	}
	if href == pathEndpoints && !s.may(v1.ScopeAdmin) {
		return ""
	}
	return href
}

// needsAttention reports whether a check found something for the operator to do. A shop without a
// back end needs no webhook.
func needsAttention(c v1.CheckResult) bool {
	return c.Status == v1.CheckFail || c.Status == v1.CheckWarn && c.Cause != string(cause.WebhookUnset)
}

func checkName(id string) text {
	for _, t := range cause.Titles() {
		if string(t.Check) == id {
			return text{t.ZH, t.EN}
		}
	}
	return text{id, id}
}

// problem returns the explanation of a check's result.
func (s *base) problem(c v1.CheckResult) string {
	if row, ok := cause.Explain(cause.ID(c.Cause), c.Setting); ok {
		return s.tr(text{row.ZH.Problem, row.EN.Problem})
	}
	return c.Detail
}
