package server_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
)

func (b *backEnd) audit() (list v1.Audit) {
	b.T.Helper()
	b.must("GET", "/v1/audit?limit=100", nil, &list)
	return list
}

func (b *backEnd) auditCheck() (check v1.AuditCheck) {
	b.T.Helper()
	b.must("GET", "/v1/audit/check", nil, &check)
	return check
}

// The list has each change with its API key and the object before and after. It has no call that
// changes nothing.
func TestAuditSaysWhoChangedWhat(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	admin := root(s)
	c, b := signIn(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)
	id := strings.Split(b.key, "_")[1]
	put := func(body string) {
		t.Helper()
		if a := c.call("PUT", "/v1/products/oolong", body); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	put(`{"name":"乌龙","price":6800}`)
	put(`{"name":"乌龙","price":6500}`)
	put(`{"name":"乌龙","price":6500}`) // changes nothing
	if a := c.call("PUT", "/v1/products/oolong", `{"name":"乌龙","price":6500,"min_amount":1}`); a.Status != 400 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	list := admin.audit()
	// The first entry is of the key that signIn made.
	if len(list.Entries) != 3 {
		t.Fatalf("%d entries: %+v", len(list.Entries), list)
	}
	last := list.Entries[0]
	if last.Action != "putProduct" || last.Object != "oolong" || last.KeyID != id || last.KeyName != "erp" || last.Seq != 3 || last.Unknown || last.RequestID == "" ||
		!strings.Contains(string(last.Before), `"price":6800`) || !strings.Contains(string(last.After), `"price":6500`) {
		t.Errorf("%+v", last)
	}
	first := list.Entries[2]
	if first.Action != "createKey" || first.KeyID != "root" || first.Object != id || strings.Contains(string(first.After), `"key"`) || !strings.Contains(string(first.After), `"refund"`) {
		t.Errorf("%+v", first)
	}
	text, err := json.Marshal(list)
	if err != nil || strings.Contains(string(text), strings.Split(b.key, "_")[2]) {
		t.Errorf("the list has a key: %s, %v", text, err)
	}
	if check := admin.auditCheck(); !check.OK || check.Entries != 3 || check.Hash != last.Hash || check.Next != "" {
		t.Errorf("%+v", check)
	}
	if !strings.Contains(s.Log.String(), last.Hash) {
		t.Error("the log lacks the hash of the last entry")
	}
}

// Every call of /v1 that changes something is in the list.
func TestEveryChangeIsAudited(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund, v1.ScopeAdmin)
	paid, open := b.createOrder(tea(6800)), b.createOrder(tea(1))
	b.payOrder(1, paid.ID)
	s.AdvanceTo(1, "10:30:00")
	event := "evt_paid_" + paid.ID
	var endpoint v1.Endpoint
	b.must("POST", "/v1/endpoints", v1.CreateEndpoint{URL: "https://erp.example.com/hook"}, &endpoint)
	link := b.createdLink(v1.CreateLink{Title: "茶", Amount: 1})
	calls := map[string]struct {
		path string
		body any
	}{
		"createLink":          {"/v1/links", v1.CreateLink{Title: "茶", Amount: 2}},
		"changeLink":          {"/v1/links/" + link.ID, map[string]bool{"withdrawn": true}},
		"createEndpoint":      {"/v1/endpoints", v1.CreateEndpoint{URL: "https://erp.example.com/other"}},
		"changeEndpoint":      {"/v1/endpoints/" + endpoint.ID, map[string]bool{"enabled": false}},
		"rotateSecret":        {"/v1/endpoints/" + endpoint.ID + "/secret", v1.RotateSecret{}},
		"testEndpoint":        {"/v1/endpoints/" + endpoint.ID + "/test", nil},
		"closeOrder":          {"/v1/orders/" + open.ID + "/close", nil},
		"createRefund":        {"/v1/orders/" + paid.ID + "/refunds", v1.CreateRefund{Amount: 1}},
		"closeOrders":         {"/v1/orders/close", v1.CloseOrders{ProductID: "tea"}},
		"deleteOrders":        {"/v1/orders/delete", v1.DeleteOrders{IDs: []string{paid.ID}}},
		"createKey":           {"/v1/keys", v1.CreateKey{Name: "x", Scopes: []v1.Scope{v1.ScopeRead}}},
		"putProduct":          {"/v1/products/new", v1.PutProduct{Name: "x", Price: 1}},
		"changeStock":         {"/v1/products/tea/stock", map[string]int{"set": 5}},
		"replayEvent":         {"/v1/events/" + event + "/replay", nil},
		"replayEvents":        {"/v1/events/replay", v1.ReplayEvents{From: 1}},
		"exportPerson":        {"/v1/persons/export", v1.PersonQuery{OpenID: s.Sim.Users()[1].OpenID}},
		"erasePerson":         {"/v1/persons/erase", v1.ErasePerson{OpenID: s.Sim.Users()[1].OpenID}},
		"putSelling":          {"/v1/selling", map[string]bool{"selling": false}},
		"createPhoto":         {"/v1/photos", v1.CreatePhoto{Data: "/9j/4AAQSkZJRg=="}},
		"checkBill":           {"/v1/bills/" + "2026-11-23" + "/check", nil},
		"stopBill":            {"/v1/bills/" + "2026-11-23" + "/stop", nil},
		"createRefundRequest": {"/v1/orders/" + paid.ID + "/refund-requests", v1.CreateRefundRequest{Amount: 2}},
	}
	for _, route := range v1.Routes {
		if route.Method == "GET" || route.Name == "createOrder" {
			continue
		}
		c, ok := calls[route.Name]
		if !ok && route.Method != "DELETE" && route.Name != "confirmRefund" && route.Name != "declineRefund" {
			t.Errorf("no call of %s: add one here", route.Name)
			continue
		}
		switch route.Name {
		case "revokeKey":
			var k v1.Key
			b.must("POST", "/v1/keys", v1.CreateKey{Name: "y", Scopes: []v1.Scope{v1.ScopeRead}}, &k)
			c.path = "/v1/keys/" + k.ID
		case "confirmRefund", "declineRefund":
			var asked v1.RefundRequest
			admin := newBackEnd(s, v1.ScopeRefund) // the one that waits is of b
			var list v1.RefundRequests
			if b.must("GET", "/v1/refund-requests", nil, &list); len(list.Requests) == 0 {
				admin.must("POST", "/v1/orders/"+paid.ID+"/refund-requests", v1.CreateRefundRequest{Amount: 3}, &asked)
			} else if asked = list.Requests[0]; route.Name == "confirmRefund" {
				b.must("POST", "/v1/refund-requests/"+asked.ID+"/decline", nil, &asked)
				admin.must("POST", "/v1/orders/"+paid.ID+"/refund-requests", v1.CreateRefundRequest{Amount: 3}, &asked)
			}
			c.path = "/v1/refund-requests/" + asked.ID + "/" + map[string]string{"confirmRefund": "confirm", "declineRefund": "decline"}[route.Name]
		case "deleteEndpoint":
			var e v1.Endpoint
			b.must("POST", "/v1/endpoints", v1.CreateEndpoint{URL: "https://erp.example.com/deleted"}, &e)
			c.path = "/v1/endpoints/" + e.ID
		case "deleteProduct":
			b.must("PUT", "/v1/products/old", v1.PutProduct{Name: "x", Price: 1}, &v1.Product{})
			c.path = "/v1/products/old"
		}
		before := b.audit().Entries[0].Seq
		a := b.send(b.request(route.Method, c.path, b.text(c.body)))
		if a.Status >= 400 {
			t.Errorf("%s: %d %s", route.Name, a.Status, a.Body)
			continue
		}
		last := b.audit().Entries[0]
		if last.Seq != before+1 || last.Action != route.Name || last.Unknown {
			t.Errorf("%s: the last entry is %+v", route.Name, last)
		}
		for _, user := range s.Sim.Users() {
			if strings.Contains(string(last.Before)+string(last.After)+last.Object, user.OpenID) {
				t.Errorf("%s: an openid in %+v", route.Name, last)
			}
		}
	}
	if check := b.auditCheck(); !check.OK {
		t.Errorf("%+v", check)
	}
}

// A repeated call is one entry. Calls at the same time make one chain.
func TestAuditOfConcurrentCalls(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	admin := root(s)
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			b := root(s)
			for range 2 {
				r := b.request("POST", "/v1/keys", `{"name":"k`+strconv.Itoa(i)+`","scopes":["read"]}`)
				r.Header.Set("Idempotency-Key", "k"+strconv.Itoa(i))
				b.mustSend(r, &v1.Key{})
			}
		})
	}
	group.Wait()
	if check := admin.auditCheck(); !check.OK || check.Entries != 6 {
		t.Errorf("%+v", check)
	}
}

// The check detects a list that was changed by hand, and no statement changes an entry by accident.
func TestAuditFindsChanges(t *testing.T) {
	t.Parallel()
	const changed, removed = `UPDATE audit SET after = replace(after, '2', '9') WHERE seq = 2`, `DELETE FROM audit WHERE seq = 2`
	for name, c := range map[string]struct {
		change []string
		sums   []int64 // entries whose hash is computed again
		broken int64
	}{
		"an entry was changed":            {[]string{changed}, nil, 2},
		"an entry was changed, with hash": {[]string{changed}, []int64{2}, 3},
		"an entry was removed":            {[]string{removed}, nil, 2},
		"an entry was removed, with hash": {[]string{removed}, []int64{3, 4}, 2},
		"two were swapped": {[]string{`UPDATE audit SET seq = 99 WHERE seq = 2`, `UPDATE audit SET seq = 2 WHERE seq = 3`,
			`UPDATE audit SET seq = 3 WHERE seq = 99`}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := paytest.NewShop(t, nil)
			b := root(s)
			for i := range 4 {
				b.must("PUT", "/v1/products/p", v1.PutProduct{Name: "x", Price: fen.Fen(1 + i)}, &v1.Product{})
			}
			for _, statement := range []string{`UPDATE audit SET after = ''`, `DELETE FROM audit`} {
				if _, err := s.DB.Exec(statement); err == nil || !strings.Contains(err.Error(), "append-only") {
					t.Errorf("%s: %v", statement, err)
				}
			}
			if check := b.auditCheck(); !check.OK || check.Entries != 4 {
				t.Fatalf("%+v", check)
			}
			storetest.Exec(t, s.DB, `DROP TRIGGER audit_is_final; DROP TRIGGER audit_is_kept`)
			for _, statement := range c.change {
				storetest.Exec(t, s.DB, statement)
			}
			entries, err := store.New(s.DB).AuditFrom(t.Context(), 1, 10)
			if err != nil {
				t.Fatal(err)
			}
			before := ""
			for _, e := range entries {
				if slices.Contains(c.sums, e.Seq) {
					e.Hash = e.Sum(before)
					storetest.Exec(t, s.DB, `UPDATE audit SET hash = ? WHERE seq = ?`, e.Hash, e.Seq)
				}
				before = e.Hash
			}
			if check := b.auditCheck(); check.OK || check.Broken != c.broken {
				t.Errorf("%+v, want it broken at %d", check, c.broken)
			}
		})
	}
}

// A call that dies after its change is in the list, with an unknown outcome. Without a place in
// the list nothing is changed.
func TestAuditOfACallThatDies(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := root(s)
	if _, err := s.DB.Exec(`CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END`); err != nil {
		t.Fatal(err)
	}
	b.must("PUT", "/v1/products/p", v1.PutProduct{Name: "x", Price: 1}, &v1.Product{}) // the change was made
	if _, err := s.DB.Exec(`DROP TRIGGER no_audit`); err != nil {
		t.Fatal(err)
	}
	if list := b.audit(); len(list.Entries) != 0 {
		t.Errorf("at once: %+v", list)
	}
	s.AdvanceClock(6 * time.Minute)
	if list := b.audit(); len(list.Entries) != 1 || !list.Entries[0].Unknown || list.Entries[0].Object != "p" || list.Entries[0].Action != "putProduct" {
		t.Errorf("later: %+v", list)
	}
	if check := b.auditCheck(); !check.OK || check.Entries != 1 {
		t.Errorf("%+v", check)
	}
	if _, err := s.DB.Exec(`CREATE TRIGGER no_intent BEFORE INSERT ON audit_intents BEGIN SELECT RAISE(ABORT, 'full'); END`); err != nil {
		t.Fatal(err)
	}
	before := storetest.Dump(t, s.DB)
	if a := b.call("PUT", "/v1/products/p", v1.PutProduct{Name: "x", Price: 2}); a.Status != 500 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if storetest.Dump(t, s.DB) != before {
		t.Error("the product changed without an intent")
	}
}

// The list is read and verified in parts.
func TestAuditInParts(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := root(s)
	st := store.New(s.DB)
	const n = 1203
	if _, err := s.DB.Exec(`PRAGMA synchronous = OFF`); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		id := strconv.Itoa(i)
		if _, err := st.Audit(t.Context(), id, order.AuditEntry{ID: id, At: s.Now(), KeyID: "root", Action: "putSelling"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	seen, cursor := int64(n), ""
	for {
		var list v1.Audit
		b.must("GET", "/v1/audit?limit=100"+cursor, nil, &list)
		for _, e := range list.Entries {
			if e.Seq != seen {
				t.Fatalf("entry %d, want %d", e.Seq, seen)
			}
			seen--
		}
		if list.Next == "" {
			break
		}
		cursor = "&cursor=" + list.Next
	}
	if seen != 0 {
		t.Errorf("%d entries are missing", seen)
	}
	verified, next := 0, ""
	for {
		var check v1.AuditCheck
		b.must("GET", "/v1/audit/check"+next, nil, &check)
		if verified += check.Entries; !check.OK || check.Next == "" {
			break
		}
		next = "?cursor=" + check.Next
	}
	if verified != n {
		t.Errorf("%d entries verified", verified)
	}
	b.fails(api.CodeBadRequest, "cursor", "GET", "/v1/audit?cursor=x", nil)
	b.fails(api.CodeBadRequest, "cursor", "GET", "/v1/audit/check?cursor=0", nil)
}

// A call that is rejected either changes nothing, or is in the list. Of each route that changes
// something, at least one call is rejected.
func TestRejectedCallsThatChangeSomethingAreAudited(t *testing.T) {
	t.Parallel()
	s, li, han := confirmedFrom(t, 5000)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund, v1.ScopeAdmin)
	paid, other := b.createOrder(tea(6800)), b.createOrder(tea(6800))
	b.payOrder(1, paid.ID)
	b.payOrder(2, other.ID)
	s.FromWeChat.Handler = http.NotFoundHandler() // from here on only calls change the database
	var late, asked, full v1.RefundRequest
	li.must("POST", "/v1/orders/"+paid.ID+"/refund-requests", v1.CreateRefundRequest{Amount: 6000}, &asked)
	root(s).must("POST", "/v1/orders/"+paid.ID+"/refunds", v1.CreateRefund{Amount: 2000}, &v1.Refund{})
	li.must("POST", "/v1/orders/"+other.ID+"/refund-requests", v1.CreateRefundRequest{Amount: 6000}, &late)
	li.must("POST", "/v1/refund-requests/"+late.ID+"/decline", nil, &late)
	li.must("POST", "/v1/orders/"+other.ID+"/refund-requests", v1.CreateRefundRequest{Amount: 6000}, &full)
	p := s.SignedIn(1)
	unknown := p.Order("tea", 1) // paid at WeChat, and the shop does not know
	p.Pay(unknown.Pay)
	var endpoint v1.Endpoint
	b.must("POST", "/v1/endpoints", v1.CreateEndpoint{URL: "https://erp.example.com/hook"}, &endpoint)
	link := b.createdLink(v1.CreateLink{Title: "茶", Amount: 1})

	type rejected struct {
		by   *backEnd
		path string
		body any
	}
	calls := map[string][]rejected{
		"closeOrder":   {{b, "/v1/orders/" + paid.ID + "/close", nil}, {b, "/v1/orders/" + unknown.Order.ID + "/close", nil}},
		"createRefund": {{b, "/v1/orders/" + paid.ID + "/refunds", v1.CreateRefund{Amount: 6000}}, {root(s), "/v1/orders/" + paid.ID + "/refunds", v1.CreateRefund{Amount: 4801}}},
		"createRefundRequest": {{b, "/v1/orders/" + other.ID + "/refund-requests", v1.CreateRefundRequest{Amount: 1}},
			{b, "/v1/orders/" + paid.ID + "/refund-requests", v1.CreateRefundRequest{Amount: 6801}}},
		"confirmRefund": {{li, "/v1/refund-requests/" + asked.ID + "/confirm", nil}, {han, "/v1/refund-requests/" + asked.ID + "/confirm", nil},
			{han, "/v1/refund-requests/" + late.ID + "/confirm", nil}},
		"declineRefund":  {{han, "/v1/refund-requests/none/decline", nil}},
		"createKey":      {{b, "/v1/keys", v1.CreateKey{Name: "x", Scopes: []v1.Scope{v1.ScopeRead, v1.ScopeRead}}}},
		"putProduct":     {{b, "/v1/products/tea", v1.PutProduct{Name: "x", Price: 1, MinAmount: 2, MaxAmount: 3}}},
		"changeStock":    {{b, "/v1/products/tea/stock", map[string]int{"add": 1}}},
		"createLink":     {{b, "/v1/links", v1.CreateLink{Title: "茶", Amount: 2, MinAmount: 1, MaxAmount: 2}}},
		"changeLink":     {{b, "/v1/links/" + link.ID, map[string]string{"title": "\u0001"}}},
		"createEndpoint": {{b, "/v1/endpoints", v1.CreateEndpoint{URL: "ftp://erp.example.com/"}}},
		"changeEndpoint": {{b, "/v1/endpoints/settings", map[string]string{"description": "x"}}, {b, "/v1/endpoints/" + endpoint.ID, map[string]string{"url": "x"}}},
		"deleteEndpoint": {{b, "/v1/endpoints/settings", nil}},
		"rotateSecret":   {{b, "/v1/endpoints/settings/secret", v1.RotateSecret{}}},
		"closeOrders":    {{b, "/v1/orders/close", v1.CloseOrders{}}},
		"replayEvent":    {{b, "/v1/events/evt_paid_" + paid.ID + "/replay?endpoint=none", nil}},
		"createPhoto":    {{b, "/v1/photos", v1.CreatePhoto{Data: "eA=="}}},
		"checkBill":      {{b, "/v1/bills/2026-13-01/check", nil}},
		"stopBill":       {{b, "/v1/bills/2026-13-01/stop", nil}},
		"exportPerson":   {{b, "/v1/persons/export", v1.PersonQuery{}}},
		"erasePerson":    {{b, "/v1/persons/erase", v1.ErasePerson{}}},
	}
	audited := map[string]int{}
	for _, route := range v1.Routes {
		if route.Method == "GET" || route.Name == "createOrder" {
			continue
		}
		all := calls[route.Name]
		if len(all) == 0 { // an unknown ID, or a field that does not exist
			path, _ := v1Sample(route)
			all = []rejected{{b, strings.ReplaceAll(path, "tea", "none"), map[string]int{"amout": 1}}}
		}
		for _, c := range all {
			c.by.must("GET", "/v1/selling", nil, &v1.Selling{}) // its use is stored
			last, before := b.audit().Entries[0].Seq, storetest.DumpAll(t, s.DB)
			a := c.by.call(route.Method, c.path, c.body)
			if a.Status < 400 || a.Status >= 500 {
				t.Errorf("%s %s: %d %s, want a rejection", route.Name, c.path, a.Status, a.Body)
				continue
			}
			changed := cmp.Diff(before, storetest.DumpAll(t, s.DB))
			entry := b.audit().Entries[0]
			switch {
			case changed == "" && entry.Seq != last:
				t.Errorf("%s %s: %d %s, changed nothing and has an entry", route.Name, c.path, a.Status, a.Body)
			case changed != "" && (entry.Seq != last+1 || entry.Action != route.Name || entry.Unknown || !strings.Contains(string(entry.After), string(a.Err.Code))):
				t.Errorf("%s %s: %d %s, the last entry is %s %s, and this was changed (-before +after):\n%s", route.Name, c.path, a.Status, a.Body, entry.Action, entry.After, changed)
			case changed != "":
				audited[route.Name]++
			}
		}
	}
	if audited["closeOrder"] != 1 {
		t.Errorf("rejected calls that changed something: %v", audited)
	}
	if check := b.auditCheck(); !check.OK {
		t.Errorf("%+v", check)
	}
}

// A repeated refund that takes the money from another source is another entry. One that changes nothing
// is none.
func TestChangedSourceOfARefundIsAudited(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)
	o := b.createOrder(tea(6800))
	b.payOrder(1, o.ID)
	right := s.ToWeChat.Handler
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/secapi/pay/refund" {
			w.WriteHeader(http.StatusGatewayTimeout)
			return
		}
		right.ServeHTTP(w, r)
	})
	var ids []string
	for _, step := range []struct {
		body    string
		entries int
		balance bool
	}{
		{`{"amount":100}`, 1, false},
		{`{"amount":100}`, 1, false},
		{`{"amount":100,"from_balance":true}`, 2, true},
		{`{"amount":100,"from_balance":true}`, 2, true},
		{`{"amount":100}`, 2, true},
	} {
		r := b.request("POST", "/v1/orders/"+o.ID+"/refunds", step.body)
		r.Header.Set("Idempotency-Key", "one")
		var got v1.Refund
		b.mustSend(r, &got)
		ids = append(ids, got.ID)
		entries := slices.DeleteFunc(root(s).audit().Entries, func(e v1.AuditEntry) bool { return e.Action != "createRefund" })
		if got.FromBalance != step.balance || len(entries) != step.entries || strings.Contains(string(entries[0].After), `"from_balance":true`) != step.balance {
			t.Errorf("%s: %+v, entries %+v", step.body, got, entries)
		}
		s.AdvanceClock(time.Minute) // it is sent again
	}
	if len(slices.Compact(ids)) != 1 {
		t.Errorf("refunds %v", ids)
	}
	s.AdvanceClock(6 * time.Minute)
	if check := root(s).auditCheck(); !check.OK || check.Entries != len(root(s).audit().Entries) {
		t.Errorf("%+v", check)
	}
}
