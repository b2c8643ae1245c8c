package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/webhook"
	"h5pay/wechat"
)

// manyEndpoints is a merchant whose shop has endpoints beside that of the settings.
func manyEndpoints(t *testing.T) (*paytest.Merchant, *paytest.Endpoints, *backEnd) {
	t.Helper()
	r := paytest.NewMerchant(t)
	receivers := &paytest.Endpoints{}
	change := func(cfg *paytest.Settings, wx *wechat.Config) {
		r.Configure(cfg, wx)
		cfg.EndpointDoer = receivers
	}
	r.Reopen(change)
	return r, receivers, newBackEnd(r.Shop, v1.ScopeAdmin)
}

// createdEndpoint makes an endpoint.
func (b *backEnd) createdEndpoint(req v1.CreateEndpoint) (e v1.Endpoint) {
	b.T.Helper()
	b.must("POST", "/v1/endpoints", req, &e)
	return e
}

// Only the response to the call that makes an endpoint has the secret.
func TestCreateEndpoint(t *testing.T) {
	t.Parallel()
	r, _, admin := manyEndpoints(t)
	begun := r.Now().UnixMilli()
	made := admin.createdEndpoint(v1.CreateEndpoint{URL: "https://crm.example/hook?shop=1", Description: "CRM", Types: []api.EventType{api.EventOrderPaid}})
	if _, err := webhook.ParseSecret(made.Secret); err != nil || made.CreatedAt < begun {
		t.Errorf("%+v: %v", made, err)
	}
	want := v1.Endpoint{ID: made.ID, URL: "https://crm.example/hook?shop=1", Description: "CRM", Types: []api.EventType{api.EventOrderPaid}, State: v1.EndpointEnabled, CreatedAt: made.CreatedAt}
	var one v1.Endpoint
	admin.must("GET", "/v1/endpoints/"+made.ID, nil, &one)
	if d := cmp.Diff(want, one); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var list v1.Endpoints
	admin.must("GET", "/v1/endpoints", nil, &list)
	settings := v1.Endpoint{ID: order.SettingsEndpoint, URL: "https://erp.example.com", Types: []api.EventType{}, State: v1.EndpointEnabled}
	if d := cmp.Diff(v1.Endpoints{Endpoints: []v1.Endpoint{settings, want}}, list); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	secret := strings.TrimPrefix(made.Secret, "whsec_")
	if text := r.Log.String(); strings.Contains(text, secret) || strings.Contains(text, "crm.example") {
		t.Errorf("the log has the secret or the URL:\n%s", text)
	}
}

// A repeated call makes no second endpoint and shows the secret of the first, for a day.
func TestCreateEndpointIsIdempotent(t *testing.T) {
	t.Parallel()
	r, _, admin := manyEndpoints(t)
	create := func(idempotencyKey, body string) v1Answer {
		q := admin.request("POST", "/v1/endpoints", body)
		q.Header.Set("Idempotency-Key", idempotencyKey)
		return admin.send(q)
	}
	const body = `{"url":"https://crm.example/hook"}`
	first := create("k1", body)
	changesNothing(r.Shop, func() {
		if again := create("k1", ` {"url" : "https://crm.example/hook"}`); again.Status != 201 || string(again.Body) != string(first.Body) {
			t.Errorf("repeated: %d %s, first %s", again.Status, again.Body, first.Body)
		}
		if a := create("k1", `{"url":"https://other.example/hook"}`); a.Status != 409 || a.Err.Code != v1.CodeIdempotency {
			t.Errorf("another body: %d %s", a.Status, a.Body)
		}
	})
	r.Sim.Advance(outbox.Shown)
	var later v1.Endpoint
	if err := json.Unmarshal(create("k1", body).Body, &later); err != nil || later.Secret != "" || later.ID == "" {
		t.Errorf("after a day: %+v, %v", later, err)
	}
	// A shop has at most five endpoints beside that of the settings. After a deletion another one can
	// be made.
	for i := range 4 {
		create(fmt.Sprint("more-", i), fmt.Sprintf(`{"url":"https://crm%d.example/hook"}`, i))
	}
	changesNothing(r.Shop, func() { admin.fails(v1.CodeFull, "", "POST", "/v1/endpoints", body) })
	admin.must("DELETE", "/v1/endpoints/"+later.ID, nil, &later)
	admin.createdEndpoint(v1.CreateEndpoint{URL: "https://crm.example/hook"})
}

// Bad input is rejected by its field and stores nothing.
func TestBadEndpoints(t *testing.T) {
	t.Parallel()
	r, _, admin := manyEndpoints(t)
	made := admin.createdEndpoint(v1.CreateEndpoint{URL: "https://crm.example/hook"})
	changesNothing(r.Shop, func() {
		for body, field := range map[string]string{
			`{}`:                                 "url",
			`{"url":""}`:                         "url",
			`{"url":"http://crm.example/hook"}`:  "url",
			`{"url":"https://10.0.0.1/hook"}`:    "url",
			`{"url":"https://169.254.169.254/"}`: "url",
			`{"url":"http://localhost:3000/"}`:   "url",
			`{"url":"https://a:b@crm.example/"}`: "url",
			`{"url":"https://` + strings.Repeat("x", 500) + `.example/"}`:                     "url",
			`{"url":"https://crm.example/","types":["order.lost"]}`:                           "types[0]",
			`{"url":"https://crm.example/","types":["order.paid","order.paid"]}`:              "types",
			`{"url":"https://crm.example/","types":["endpoint.test"]}`:                        "types[0]",
			`{"url":"https://crm.example/","description":"` + strings.Repeat("x", 201) + `"}`: "description",
			`{"url":"https://crm.example/","secret":"whsec_mine"}`:                            "secret",
		} {
			admin.fails(api.CodeBadRequest, field, "POST", "/v1/endpoints", body)
		}
		for body, field := range map[string]string{
			`{"url":""}`:              "url",
			`{"url":"https://10.1/"}`: "url",
			`{"types":["x"]}`:         "types[0]",
			`{"enabled":1}`:           "enabled",
			`{"state":"enabled"}`:     "state",
		} {
			admin.fails(api.CodeBadRequest, field, "PATCH", "/v1/endpoints/"+made.ID, body)
		}
		for _, body := range []string{`{"keep_old":-1}`, `{"keep_old":604801}`, `{"keep_old":1.5}`} {
			admin.fails(api.CodeBadRequest, "keep_old", "POST", "/v1/endpoints/"+made.ID+"/secret", body)
		}
		for _, call := range [][2]string{{"GET", ""}, {"PATCH", ""}, {"DELETE", ""}, {"POST", "/secret"}, {"POST", "/test"}} {
			admin.fails(api.CodeNotFound, "", call[0], "/v1/endpoints/ep_none"+call[1], struct{}{})
		}
		admin.fails(v1.CodeOfSettings, "", "PATCH", "/v1/endpoints/settings", `{"url":"https://crm.example/"}`)
		admin.fails(v1.CodeOfSettings, "", "DELETE", "/v1/endpoints/settings", nil)
		admin.fails(v1.CodeOfSettings, "", "POST", "/v1/endpoints/settings/secret", `{}`)
	})
	// A key without the scope cannot read, make or test an endpoint.
	for _, other := range []*backEnd{newBackEnd(r.Shop, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)} {
		changesNothing(r.Shop, func() {
			other.fails(v1.CodeScopeMissing, "", "POST", "/v1/endpoints", v1.CreateEndpoint{URL: "https://crm.example/hook"})
			other.fails(v1.CodeScopeMissing, "", "GET", "/v1/endpoints", nil)
			for _, call := range [][2]string{{"GET", ""}, {"PATCH", ""}, {"DELETE", ""}, {"POST", "/secret"}, {"POST", "/test"}} {
				other.fails(v1.CodeScopeMissing, "", call[0], "/v1/endpoints/"+made.ID+call[1], struct{}{})
			}
		})
	}
}

// An event shows its deliveries at each endpoint, and is replayed to one of them.
func TestDeliveriesOfAnEvent(t *testing.T) {
	t.Parallel()
	r, receivers, admin := manyEndpoints(t)
	r.Reconcile()
	made := admin.createdEndpoint(v1.CreateEndpoint{URL: "https://crm.example/hook"})
	crm := &paytest.Receiver{Verify: webhook.Receiver{Secrets: []string{made.Secret}}, Now: r.Now}
	crm.Answer = func(w http.ResponseWriter, _ *http.Request, _ webhook.Event) { w.WriteHeader(http.StatusGone) }
	receivers.Serve("crm.example", crm)
	o := r.PaidOrderOf(r.SignedIn(0), "tea")
	r.Deliver()
	b := newBackEnd(r.Shop, v1.ScopeRead, v1.ScopeWrite, v1.ScopeAdmin)
	read := func() (e v1.Event) {
		t.Helper()
		b.must("GET", "/v1/events/evt_paid_"+o.ID, nil, &e)
		return e
	}
	e := read()
	want := []v1.Delivery{
		{EndpointID: made.ID, Status: api.EventDead, Attempts: 1, LastStatus: 410, LastError: "HTTP 410 Gone"},
		{EndpointID: order.SettingsEndpoint, Status: api.EventDelivered, Attempts: 1, LastStatus: 204},
	}
	for i := range e.Deliveries {
		e.Deliveries[i].DeliveredAt = 0
	}
	if e.Deliveries[0].EndpointID == order.SettingsEndpoint {
		e.Deliveries[0], e.Deliveries[1] = e.Deliveries[1], e.Deliveries[0]
	}
	if d := cmp.Diff(want, e.Deliveries); d != "" || e.Status != api.EventDead || e.Attempts != 2 {
		t.Errorf("%+v (-want +got):\n%s", e, d)
	}
	r.WantWrong("outbox", "endpoint "+made.ID+": the back end responded 410 Gone")
	var dead v1.Events
	b.must("GET", "/v1/events?status=dead", nil, &dead)
	if len(dead.Events) != 1 || dead.Events[0].ID != e.ID {
		t.Errorf("%+v", dead)
	}
	crm.Answer = nil
	b.must("POST", "/v1/events/"+e.ID+"/replay?endpoint="+made.ID, struct{}{}, &e)
	r.Deliver()
	if e := read(); e.Status != api.EventDelivered || len(crm.Events()) != 2 || len(r.Events) != 1 {
		t.Errorf("%+v, %d and %d deliveries", e, len(crm.Events()), len(r.Events))
	}
	r.WantWrong("", "")
	b.fails(v1.CodeNoEndpoint, "", "POST", "/v1/events/"+e.ID+"/replay?endpoint=ep_none", struct{}{})
	b.fails(api.CodeBadRequest, "endpoint", "POST", "/v1/events/replay", `{"from":1,"endpoint":"ep_none"}`)
	var replayed v1.Replayed
	b.must("POST", "/v1/events/replay", v1.ReplayEvents{From: 1, Endpoint: made.ID}, &replayed)
	r.Deliver()
	if replayed.Events != 1 || len(crm.Events()) != 3 || len(r.Events) != 1 {
		t.Errorf("%+v, %d and %d deliveries", replayed, len(crm.Events()), len(r.Events))
	}
	// An endpoint takes no event of a type that is not its own.
	none := v1.ChangeEndpoint{Types: []api.EventType{api.EventOrderClosed}}
	admin.must("PATCH", "/v1/endpoints/"+made.ID, none, &made)
	admin.must("PATCH", "/v1/endpoints/"+order.SettingsEndpoint, none, &v1.Endpoint{})
	last := r.PaidOrderOf(r.SignedIn(1), "test")
	var untaken v1.Events
	b.must("GET", "/v1/events?status=untaken", nil, &untaken)
	if len(untaken.Events) != 1 || untaken.Events[0].OrderID != last.ID || untaken.Events[0].Status != api.EventUntaken {
		t.Errorf("%+v", untaken)
	}
}

// Change, test, rotation and deletion by calls.
func TestChangeEndpoint(t *testing.T) {
	t.Parallel()
	r, receivers, admin := manyEndpoints(t)
	made := admin.createdEndpoint(v1.CreateEndpoint{URL: "https://crm.example/hook", Description: "CRM", Types: []api.EventType{api.EventOrderPaid}})
	receivers.Serve("erp2.example", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	url, text, no := "https://erp2.example/", "", false
	var got v1.Endpoint
	admin.must("PATCH", "/v1/endpoints/"+made.ID, v1.ChangeEndpoint{URL: &url, Description: &text, Enabled: &no}, &got)
	want := v1.Endpoint{ID: made.ID, URL: url, Types: []api.EventType{api.EventOrderPaid}, State: v1.EndpointDisabled, CreatedAt: made.CreatedAt}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	admin.must("PATCH", "/v1/endpoints/"+made.ID, json.RawMessage(`{"types":[]}`), &got)
	if len(got.Types) != 0 || got.URL != url {
		t.Errorf("%+v", got)
	}
	var result v1.EndpointTest
	admin.must("POST", "/v1/endpoints/"+made.ID+"/test", nil, &result)
	if result.OK || result.Status != http.StatusTeapot || result.Problem != "HTTP 418" {
		t.Errorf("%+v", result)
	}
	q := admin.request("POST", "/v1/endpoints/"+made.ID+"/secret", `{"keep_old":3600}`)
	first := admin.send(q)
	if err := json.Unmarshal(first.Body, &got); err != nil || got.Secret == made.Secret || got.Secret == "" || got.OldSecretUntil < r.Now().Add(time.Hour-time.Minute).UnixMilli() {
		t.Errorf("%d %s, %v", first.Status, first.Body, err)
	}
	again := admin.request("POST", "/v1/endpoints/"+made.ID+"/secret", `{"keep_old":3600}`)
	again.Header.Set("Idempotency-Key", q.Header.Get("Idempotency-Key"))
	changesNothing(r.Shop, func() {
		if a := admin.send(again); string(a.Body) != string(first.Body) {
			t.Errorf("repeated: %d %s", a.Status, a.Body)
		}
		other := admin.request("POST", "/v1/endpoints/"+made.ID+"/secret", `{"keep_old":0}`)
		other.Header.Set("Idempotency-Key", q.Header.Get("Idempotency-Key"))
		if a := admin.send(other); a.Err.Code != v1.CodeIdempotency {
			t.Errorf("another body: %d %s", a.Status, a.Body)
		}
	})
	admin.must("DELETE", "/v1/endpoints/"+made.ID, nil, &got)
	admin.fails(api.CodeNotFound, "", "GET", "/v1/endpoints/"+made.ID, nil)
	r.Deliver() // deletes the rest of it
	var left int
	if err := r.DB.QueryRow(`SELECT COUNT(*) FROM endpoints WHERE id = ?`, made.ID).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d endpoints are left, %v", left, err)
	}
}

// A shop without WEBHOOK_URL is healthy with an endpoint that an API call made. A change of
// SESSION_KEY keeps the secret of the endpoint. If the old key is removed too early, the health
// page fails.
func TestEndpointWithoutWebhookURL(t *testing.T) {
	t.Parallel()
	const former = "a former session key of 32 chars"
	receivers := &paytest.Endpoints{}
	open := func(current, old string) func(*paytest.Settings, *wechat.Config) {
		return func(cfg *paytest.Settings, _ *wechat.Config) {
			cfg.EndpointDoer, cfg.SessionKey, cfg.SessionKeyOld = receivers, wechat.Secret(current), wechat.Secret(old)
		}
	}
	s := paytest.NewShop(t, open(former, ""))
	s.Reconcile()
	if _, without := s.Health(); !strings.Contains(without["outbox"], "no endpoint is enabled") {
		t.Errorf("without an endpoint: %v", without)
	}
	made := newBackEnd(s, v1.ScopeAdmin).createdEndpoint(v1.CreateEndpoint{URL: "https://crm.example/hook"})
	crm := &paytest.Receiver{Verify: webhook.Receiver{Secrets: []string{made.Secret}}, Now: s.Now}
	receivers.Serve("crm.example", crm)
	var list v1.Endpoints
	root(s).must("GET", "/v1/endpoints", nil, &list)
	if len(list.Endpoints) != 1 || list.Endpoints[0].ID != made.ID {
		t.Errorf("%+v", list)
	}
	deliver := func(n int) {
		t.Helper()
		s.SignedIn(0).PaidOrder("test", 1)
		if err := s.Signer.Deliver(t.Context()); err != nil {
			t.Error(err)
		}
		s.Check()
		if len(crm.Events()) != n || len(crm.Rejected()) != 0 {
			t.Errorf("%d deliveries, want %d, rejected %v", len(crm.Events()), n, crm.Rejected())
		}
	}
	deliver(1)
	if wrong, without := s.Health(); len(wrong) != 0 || without["outbox"] != "" {
		t.Errorf("wrong %v, without %v", wrong, without)
	}
	const current = "the current session key, 32 chars"
	s.Reopen(open(current, ""))
	s.WantWrong("outbox", "cannot be opened with SESSION_KEY")
	s.Reopen(open(current, former))
	deliver(2)
	s.Reopen(open(current, ""))
	s.WantWrong("", "")
	deliver(3)
}
