package main

import (
	"html"
	"slices"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/v1"
)

// A payment without a notification is on Today and among the notifications. Both lead to the checks
// that call WeChat, which run at once, and name the cause and the repair.
func TestWhyANotificationDidNotArrive(t *testing.T) {
	missing := v1.CheckResult{ID: "notifications", Status: v1.CheckWarn, Cause: string(cause.NotificationMissing)}
	row, ok := cause.Explain(cause.EchoNotReceived, "")
	if !ok {
		t.Fatal("no such cause")
	}
	f := full(t, every).on("GET /v1/checks?network=true", v1.Checks{Network: true, Checks: []v1.CheckResult{
		{ID: "database", Status: v1.CheckOK}, {ID: "api_v2", Status: v1.CheckSkipped}, missing, {ID: "echo", Status: v1.CheckFail, Cause: string(cause.EchoNotReceived)}}})
	f.script["GET /v1/checks"] = []any{v1.Checks{OK: true, Checks: []v1.CheckResult{{ID: "database", Status: v1.CheckOK}, missing}}}
	for _, path := range []string{"/console", "/console/notifications"} {
		screen, _ := opened(t, f, screensOf()[path])
		if html := htmlOf(screen); !strings.Contains(html, `data-check="notifications"`) || !strings.Contains(html, `href="/console/check?network=true"`) {
			t.Errorf("%s: %s", path, html)
		}
	}
	f.query = "network=true"
	screen, client := opened(t, f, screensOf()["/console/check"])
	shown := htmlOf(screen)
	for _, part := range []string{row.ZH.Problem, row.ZH.Effect, row.ZH.Repair, row.ZH.Menu} {
		if !strings.Contains(shown, html.EscapeString(part)) {
			t.Errorf("the check does not say %s", part)
		}
	}
	var order []int
	for _, id := range []string{"echo", "notifications", "database", "api_v2"} {
		order = append(order, strings.Index(shown, `data-check="`+id+`"`))
	}
	if !slices.IsSorted(order) || order[0] < 0 {
		t.Errorf("what is wrong does not come first: %v", order)
	}
	// The results stay, and the screen does not call WeChat again by itself.
	f.calls = nil
	p := screen.(*checkScreen)
	p.again(p.page)
	settle(client)
	if len(f.calls) > 0 {
		t.Errorf("the screen calls %q by itself", f.calls)
	}
	p.quick(p.page)
	settle(client)
	p.again(p.page)
	settle(client)
	if !slices.Equal(f.calls, []string{"GET /v1/checks", "GET /v1/checks"}) || strings.Contains(htmlOf(screen), `data-check="echo"`) {
		t.Errorf("%q", f.calls)
	}
}

// While the checks that call WeChat ran just now, the others are shown.
func TestChecksThatRanJustNow(t *testing.T) {
	f := full(t, every).on("GET /v1/checks?network=true", api.CodeRateLimited)
	f.query = "network=true"
	screen, _ := opened(t, f, screensOf()["/console/check"])
	if html := htmlOf(screen); !strings.Contains(html, `data-check="database"`) || !strings.Contains(html, errorTexts[api.CodeRateLimited].ZH) {
		t.Errorf("%s", html)
	}
}

// Today shows what an operator has to look at, also if payments work. It leads nobody to a screen
// that the key may not see.
func TestNeedsAttention(t *testing.T) {
	for _, test := range []struct {
		result v1.CheckResult
		scopes []v1.Scope
		href   string
	}{
		{v1.CheckResult{ID: "refunds", Status: v1.CheckWarn, Cause: string(cause.RefundsAbnormal)}, every.Scopes, "/console/orders?status=refunding"},
		{v1.CheckResult{ID: "outbox", Status: v1.CheckFail, Cause: string(cause.EventsDead)}, every.Scopes, "/console/events?status=dead"},
		{v1.CheckResult{ID: "outbox", Status: v1.CheckFail, Cause: string(cause.WebhookGone)}, every.Scopes, "/console/endpoints"},
		{v1.CheckResult{ID: "outbox", Status: v1.CheckFail, Cause: string(cause.WebhookGone)}, []v1.Scope{v1.ScopeRead}, "/console/check"},
		{v1.CheckResult{ID: "outbox", Status: v1.CheckWarn, Cause: string(cause.WebhookUnset)}, every.Scopes, ""},
		{v1.CheckResult{ID: "cron", Status: v1.CheckOK}, every.Scopes, ""},
	} {
		f := full(t, session(test.scopes...))
		f.script["GET /v1/checks"] = []any{v1.Checks{Checks: []v1.CheckResult{test.result}}}
		screen, _ := opened(t, f, screensOf()["/console"])
		_, trouble, there := strings.Cut(htmlOf(screen), `data-check="`+test.result.ID+`"`)
		trouble, _, _ = strings.Cut(trouble, "</li>")
		if there != (test.href != "") || there && !strings.Contains(trouble, `href="`+test.href+`"`) {
			t.Errorf("%+v: %s", test.result, trouble)
		}
	}
}

// An operator stops selling after a question, and resumes it.
func TestSellingSwitch(t *testing.T) {
	f := full(t, every).on("PUT /v1/selling", v1.Selling{})
	screen, client := opened(t, f, screensOf()["/console/more"])
	p := screen.(*moreScreen)
	f.script["GET /v1/selling"] = []any{v1.Selling{}}
	p.sell(p.page, false, textStoppedSelling)
	settle(client)
	if html := htmlOf(screen); !slices.Contains(f.calls, `PUT /v1/selling {"selling":false}`) || !strings.Contains(html, textResume.ZH) || strings.Contains(html, ">"+textStopSelling.ZH) {
		t.Errorf("%q: %s", f.calls, html)
	}
	f = full(t, session(v1.ScopeRead))
	screen, _ = opened(t, f, screensOf()["/console/more"])
	if html := htmlOf(screen); strings.Contains(html, ">"+textStopSelling.ZH) || !strings.Contains(html, textSells.ZH) {
		t.Errorf("%s", html)
	}
}
