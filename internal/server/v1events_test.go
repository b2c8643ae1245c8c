package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
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

// events returns what a list of events names, and its cursor.
func (b *backEnd) events(query string) (orders []string, next string) {
	b.T.Helper()
	var list v1.Events
	b.must("GET", "/v1/events"+query, nil, &list)
	for _, e := range list.Events {
		orders = append(orders, e.OrderID)
	}
	return orders, list.Next
}

// A back end that was down reads the events in their order, each once, and continues from its last
// position.
func TestCatchUpWithEvents(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	p, b := r.SignedIn(0), newBackEnd(r.Shop, v1.ScopeRead)
	if got, next := b.events("?order=oldest"); len(got) != 0 || next != "" {
		t.Errorf("no event yet: %v, %q", got, next)
	}
	var want, got []string
	for range 5 {
		want = append(want, r.PaidOrderOf(p, "test").ID)
	}
	part, next := b.events("?order=oldest&limit=3")
	got = append(got, part...)
	part, next = b.events("?order=oldest&limit=3&cursor=" + next)
	got = append(got, part...)
	if d := cmp.Diff(want, got); d != "" || next == "" {
		t.Errorf("next %q (-want +got):\n%s", next, d)
	}
	if part, again := b.events("?order=oldest&cursor=" + next); len(part) != 0 || again != next {
		t.Errorf("nothing new: %v, next %q, want %q", part, again, next)
	}
	later := r.PaidOrderOf(p, "test").ID
	if part, _ := b.events("?order=oldest&cursor=" + next); !slices.Equal(part, []string{later}) {
		t.Errorf("then: %v, want %s", part, later)
	}
	if part, _ := b.events("?after=evt_paid_" + want[3]); !slices.Equal(part, []string{want[4], later}) {
		t.Errorf("after an event: %v", part)
	}
	slices.Reverse(want)
	newest := append([]string{later}, want...)
	part, next = b.events("?limit=4")
	if !slices.Equal(part, newest[:4]) {
		t.Errorf("newest first: %v", part)
	}
	if part, end := b.events("?cursor=" + next); !slices.Equal(part, newest[4:]) || end != "" {
		t.Errorf("the last part: %v, next %q", part, end)
	}
	if part, _ := b.events("?status=pending&order=oldest"); len(part) != 6 {
		t.Errorf("%d pending events", len(part))
	}
	for _, status := range []string{"delivered", "dead"} {
		if part, _ := b.events("?status=" + status); len(part) != 0 {
			t.Errorf("%d are %s", len(part), status)
		}
	}
	var e v1.Event
	b.must("GET", "/v1/events/evt_paid_"+later, nil, &e)
	var data webhook.Data
	if err := json.Unmarshal(e.Data, &data); err != nil || data.Order.ID != later || e.Status != api.EventPending || e.NextAt == 0 || e.Type != api.EventOrderPaid {
		t.Errorf("%+v, %v", e, err)
	}
	if e.Shop != paytest.ShopURL || e.AppID != wechattest.DefaultAppID || e.MchID != wechattest.DefaultMchID || e.Simulated {
		t.Errorf("the event is of %s, %s, %s, simulated %t", e.Shop, e.AppID, e.MchID, e.Simulated)
	}
	r.Reopen(func(cfg *paytest.Settings, wx *wechat.Config) {
		r.Configure(cfg, wx)
		cfg.Simulated = true
	})
	var simulated v1.Event
	if b.must("GET", "/v1/events/evt_paid_"+later, nil, &simulated); !simulated.Simulated {
		t.Error("with a simulated WeChat the event is not simulated")
	}
	for query, field := range map[string]string{
		"?order=random": "order", "?status=gone": "status", "?limit=0": "limit", "?limit=101": "limit", "?limit=x": "limit", "?cursor=x": "cursor",
		"?cursor=": "cursor", "?order=oldest&cursor=" + next: "cursor", "?after=evt_none": "after", "?after=evt_paid_" + later + "&order=newest": "after",
		"?after=evt_paid_" + later + "&cursor=" + next: "after", "?limit=1&limit=2": "limit", "?statu=dead": "statu",
	} {
		b.fails(api.CodeBadRequest, field, "GET", "/v1/events"+query, nil)
	}
	b.fails(api.CodeNotFound, "", "GET", "/v1/events/evt_none", nil)
}

func TestReplayOneEventByAPI(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	o := r.PaidOrderOf(r.SignedIn(0), "tea")
	r.Deliver()
	b := newBackEnd(r.Shop, v1.ScopeWrite)
	announced, id := r.Announced, "evt_paid_"+o.ID
	var e v1.Event
	b.must("POST", "/v1/events/"+id+"/replay", struct{}{}, &e)
	if e.ID != id || e.Status != api.EventPending || r.Announced != announced+1 {
		t.Errorf("%+v, announced %d times", e, r.Announced-announced)
	}
	r.Deliver()
	if r.Acknowledged[id] != 2 {
		t.Errorf("acknowledged %d times, want 2", r.Acknowledged[id])
	}
	b.fails(api.CodeNotFound, "", "POST", "/v1/events/evt_none/replay", struct{}{})
}

// A range is replayed in parts, each event once, and pending events do not change.
func TestReplayEventsOfATime(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	p := r.SignedIn(0)
	early := r.PaidOrderOf(p, "test")
	r.Sim.Advance(time.Hour)
	from := r.Now().UnixMilli()
	var ids []string
	for range 3 {
		ids = append(ids, "evt_paid_"+r.PaidOrderOf(p, "test").ID)
	}
	r.Deliver()
	to := r.Now().Add(time.Second).UnixMilli()
	r.Sim.Advance(time.Hour)
	late := r.PaidOrderOf(p, "test")
	r.Deliver()
	pending := r.PaidOrderOf(p, "test")
	b := newBackEnd(r.Shop, v1.ScopeWrite)
	replay := func(req v1.ReplayEvents) (result v1.Replayed) {
		t.Helper()
		b.must("POST", "/v1/events/replay", req, &result)
		return result
	}
	if got := replay(v1.ReplayEvents{From: from, To: to, Status: "dead"}); got.Events != 0 || got.Next != "" {
		t.Errorf("dead events: %+v", got)
	}
	announced := r.Announced
	if got := replay(v1.ReplayEvents{From: from, To: to}); got.Events != 3 || got.Next != "" || r.Announced != announced+1 {
		t.Errorf("%+v, announced %d times", got, r.Announced-announced)
	}
	if got := replay(v1.ReplayEvents{From: from, To: to}); got.Events != 0 {
		t.Errorf("pending events: %+v", got)
	}
	r.Deliver()
	want := map[string]int{"evt_paid_" + early.ID: 1, ids[0]: 2, ids[1]: 2, ids[2]: 2, "evt_paid_" + late.ID: 1, "evt_paid_" + pending.ID: 1}
	if d := cmp.Diff(want, r.Acknowledged); d != "" {
		t.Errorf("deliveries (-want +got):\n%s", d)
	}
	// The range has more events than one call replays.
	if _, err := r.DB.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
		INSERT INTO events (id, type, order_id, subject, data, created_at)
		SELECT 'evt_x_' || i, 'order.closed', 'x' || i, 'x' || i, '{}', ?1 FROM n`, to+500); err != nil {
		t.Fatal(err)
	}
	if _, err := r.DB.Exec(`UPDATE deliveries SET status = 'delivered', delivered_at = ?1, attempts = 1, tries = 1 WHERE created_at = ?1`, to+500); err != nil {
		t.Fatal(err)
	}
	first := replay(v1.ReplayEvents{From: to, To: to + 1000})
	rest := replay(v1.ReplayEvents{From: to, To: to + 1000, Cursor: first.Next})
	if first.Events != 200 || first.Next == "" || rest.Events != 50 || rest.Next != "" {
		t.Errorf("%+v, then %+v", first, rest)
	}
	for body, field := range map[string]string{
		`{}`:                                "from",
		`{"from":-1}`:                       "from",
		`{"from":1.5}`:                      "from",
		`{"from":9007199254740992}`:         "from",
		`{"from":2,"to":2}`:                 "to",
		`{"from":2,"to":1}`:                 "to",
		`{"from":1,"status":"pending"}`:     "status",
		`{"from":1,"cursor":"x"}`:           "cursor",
		`{"from":1,"cursor":"MSBh"}`:        "cursor",
		fmt.Sprintf(`{"from":%d}`, to*1000): "to",
	} {
		b.fails(api.CodeBadRequest, field, "POST", "/v1/events/replay", body)
	}
}

// A call reads a bounded number of events. A list or a replay continues where the call ended, even
// if the call found nothing.
func TestEventsThatMatchSeldomAreFound(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	at := r.Now().UnixMilli()
	for i := 0; i < 1100; i += 100 {
		if _, err := r.DB.Exec(`WITH RECURSIVE n(i) AS (SELECT ?2 + 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2 + 100)
			INSERT INTO events (id, type, order_id, subject, data, created_at)
			SELECT 'evt_x_' || i, 'order.closed', 'x' || i, 'x' || i, '{}', ?1 + i FROM n`, at, i); err != nil {
			t.Fatal(err)
		}
	}
	rare := []string{"x7", "x1050", "x1051"}
	for _, query := range []string{
		`UPDATE deliveries SET status = 'dead', attempts = 1, tries = 1`,
		`UPDATE deliveries SET status = 'delivered', delivered_at = created_at WHERE event_seq IN (SELECT seq FROM events WHERE order_id IN ('x7', 'x1050', 'x1051'))`,
	} {
		if _, err := r.DB.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	b := newBackEnd(r.Shop, v1.ScopeWrite, v1.ScopeRead)
	for _, direction := range []string{"oldest", "newest"} {
		want := slices.Clone(rare)
		if direction == "newest" {
			slices.Reverse(want)
		}
		var got []string
		calls, cursor := 0, ""
		for end := false; !end && calls < 10; calls++ {
			part, next := b.events("?status=delivered&limit=2&order=" + direction + cursor)
			got = append(got, part...)
			end = next == "" || cursor == "&cursor="+next
			cursor = "&cursor=" + next
		}
		if d := cmp.Diff(want, got); d != "" || calls > 5 {
			t.Errorf("%s first, after %d calls (-want +got):\n%s", direction, calls, d)
		}
	}
	if part, next := b.events("?status=untaken"); len(part) != 0 || next == "" {
		t.Errorf("untaken: %v, next %q", part, next)
	}
	req := v1.ReplayEvents{From: at, To: at + 10_000, Status: "delivered"}
	var parts []int
	for more := true; more; {
		var part v1.Replayed
		b.must("POST", "/v1/events/replay", req, &part)
		parts = append(parts, part.Events)
		req.Cursor, more = part.Next, part.Next != ""
	}
	if d := cmp.Diff([]int{1, 2}, parts); d != "" {
		t.Errorf("replayed in each call (-want +got):\n%s", d)
	}
}
