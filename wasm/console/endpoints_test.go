package main

import (
	"slices"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

// The endpoint of the settings can be tested and stopped. Its URL and its secret are not the
// console's.
func TestActionsOfAnEndpoint(t *testing.T) {
	f := full(t, every)
	screen, _ := opened(t, f, screensOf()["/console/endpoints"])
	html := htmlOf(screen)
	_, settings, _ := strings.Cut(html, `data-endpoint="settings"`)
	settings, own, _ := strings.Cut(settings, `data-endpoint="ep_1"`)
	for _, action := range []text{textTest, textDisable, textChange, textLastTries} {
		if !strings.Contains(settings, action.ZH) || !strings.Contains(own, action.ZH) {
			t.Errorf("an endpoint lacks %s", action.EN)
		}
	}
	for _, action := range []text{textRotate, textLeaked, textDelete} {
		if strings.Contains(settings, action.ZH) || !strings.Contains(own, action.ZH) {
			t.Errorf("%s: of the settings %t, of another %t", action.EN, strings.Contains(settings, action.ZH), strings.Contains(own, action.ZH))
		}
	}
}

// Each action makes its call. A secret is shown after the calls that make one.
func TestCallsOfTheEndpoints(t *testing.T) {
	secret := backEndEndpoint
	secret.Secret = "whsec_shown"
	f := full(t, every).on("POST /v1/endpoints", secret).on("POST /v1/endpoints/ep_1/secret", secret).on("PATCH /v1/endpoints/ep_1", backEndEndpoint).
		on("DELETE /v1/endpoints/ep_1", backEndEndpoint).on("POST /v1/endpoints/ep_1/test", v1.EndpointTest{Status: 500, Problem: "HTTP 500", TookMS: 31}, v1.EndpointTest{OK: true, Status: 204, TookMS: 30})
	screen, client := opened(t, f, screensOf()["/console/endpoints"])
	p := screen.(*endpointsScreen)
	after := func(what string, calls ...string) string {
		t.Helper()
		settle(client)
		var made []string
		for _, c := range f.calls {
			if !strings.HasPrefix(c, "GET") {
				made = append(made, c)
			}
		}
		if !slices.Equal(made, calls) {
			t.Errorf("%s: the calls are %q, want %q", what, made, calls)
		}
		f.calls = nil
		return htmlOf(screen)
	}
	p.form = endpointForm{url: " https://erp.example.com/hook ", types: []api.EventType{api.EventOrderPaid}}
	p.save()
	if html := after("making", `POST /v1/endpoints {"url":"https://erp.example.com/hook","types":["order.paid"]}`); !strings.Contains(html, "whsec_shown") || p.form.url != "" {
		t.Errorf("the secret is not shown: %s", html)
	}
	p.made = v1.Endpoint{}
	p.rotate(p.page, backEndEndpoint, v1.RotateSecret{KeepOld: new(int64)})
	if html := after("a leaked secret", `POST /v1/endpoints/ep_1/secret {"keep_old":0}`); !strings.Contains(html, "whsec_shown") {
		t.Errorf("the secret is not shown: %s", html)
	}
	p.rotate(p.page, backEndEndpoint, v1.RotateSecret{})
	after("another secret", `POST /v1/endpoints/ep_1/secret {}`)
	p.edit(backEndEndpoint)
	p.form.types = nil
	p.save()
	after("all types", `PATCH /v1/endpoints/ep_1 {"description":"","types":[],"url":"https://erp.example.com/hook"}`)
	p.edit(v1.Endpoint{ID: settingsEndpoint, URL: "https://shop.example.com"})
	f.on("PATCH /v1/endpoints/settings", backEndEndpoint)
	p.save()
	after("the endpoint of the settings", `PATCH /v1/endpoints/settings {"types":[]}`)
	p.enable(p.page, backEndEndpoint, false, textDisableDone)
	after("disabling", `PATCH /v1/endpoints/ep_1 {"enabled":false}`)
	p.test(p.page, backEndEndpoint)
	if html := after("a test that fails", "POST /v1/endpoints/ep_1/test"); !strings.Contains(html, `data-test="failed"`) || !strings.Contains(html, "HTTP 500") || !p.wrong {
		t.Errorf("%s", html)
	}
	p.test(p.page, backEndEndpoint)
	if html := after("a test", "POST /v1/endpoints/ep_1/test"); !strings.Contains(html, `data-test="ok"`) || !strings.Contains(html, "HTTP 204") || p.wrong {
		t.Errorf("%s", html)
	}
	p.remove(p.page, backEndEndpoint)
	if html := after("deleting", "DELETE /v1/endpoints/ep_1"); strings.Contains(html, "whsec_shown") {
		t.Errorf("the secret of a deleted endpoint: %s", html)
	}
}

// The last deliveries are those of the endpoint alone.
func TestLastDeliveriesOfAnEndpoint(t *testing.T) {
	event := v1.Event{ID: "evt_paid_o1", Type: api.EventOrderPaid, OrderID: "o1", Status: api.EventPending, Deliveries: []v1.Delivery{
		{EndpointID: "settings", Status: api.EventDelivered, Attempts: 1, LastStatus: 204}, {EndpointID: "ep_1", Status: api.EventPending, Attempts: 3, LastStatus: 502, LastError: "HTTP 502"}}}
	f := full(t, every)
	f.script["GET /v1/events/evt_paid_o1"] = []any{event}
	screen, client := opened(t, f, screensOf()["/console/endpoints"])
	p := screen.(*endpointsScreen)
	p.lookBack(p.page, backEndEndpoint)
	settle(client)
	if html := htmlOf(screen); !strings.Contains(html, "3 "+textAttempts.ZH+" · HTTP 502") || strings.Contains(html, "HTTP 204") {
		t.Errorf("%s", html)
	}
	f.script["GET /v1/events"] = []any{v1.Events{}}
	p.lookBack(p.page, backEndEndpoint)
	settle(client)
	if html := htmlOf(screen); !strings.Contains(html, textNoTries.ZH) {
		t.Errorf("%s", html)
	}

	f.script["GET /v1/events"] = []any{v1.Events{Events: []v1.Event{event}}}
	f.query = "id=o1"
	screen, _ = opened(t, f, screensOf()["/console/order"])
	if html := htmlOf(screen); !strings.Contains(html, `data-delivery="ep_1"`) || !strings.Contains(html, "HTTP 502") {
		t.Errorf("an order does not show each delivery: %s", html)
	}
}
