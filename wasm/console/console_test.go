package main

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/v1"
)

const orderPath = "/v1/orders/o1"

var paidOrder = v1.Order{ID: "o1", Status: v1.OrderPaid, Source: v1.SourceShop, Amount: 6800, Currency: "CNY", Description: "茶", CreatedAt: 1795399200000,
	Payments: []v1.Payment{{OutTradeNo: "n1", TransactionID: "4200001234", Status: v1.PaymentPaid, TradeType: api.TradeJSAPI, APIVersion: "v3"}}}

var (
	tableLink       = v1.Link{ID: "l1", URL: "https://shop.example.com/l/abc", Title: "一号桌", Description: "堂食", Amount: 1200, State: api.LinkOpen, MaxOrders: 5, Orders: 2, Paid: 1, PaidAmount: 1200, CreatedAt: 1795399200000}
	backEndEndpoint = v1.Endpoint{ID: "ep_1", URL: "https://erp.example.com/hook", Types: []api.EventType{api.EventOrderPaid}, State: v1.EndpointEnabled, Attempts: 7, Failures: 2, LastFailureAt: 1795399200000, LastError: "HTTP 502"}
)

// full answers every call of every screen.
func full(t *testing.T, s v1.Session) *fake {
	event := v1.Event{ID: "evt_paid_o1", Type: api.EventOrderPaid, OrderID: "o1", Status: api.EventDead, Attempts: 10, LastError: "HTTP 500"}
	return newFake(t).on("GET "+v1.PathSession, s).
		on("GET /v1/today", v1.Today{At: 1795399200000, Hours: []v1.Takings{{At: 1795399200000, Payments: 2, Paid: 13600, Refunds: 1, Refunded: 300}}, Waiting: v1.Waiting{OpenOrders: 3}}).
		on("GET /v1/checks", v1.Checks{Checks: []v1.CheckResult{{ID: "database", Status: v1.CheckOK}, {ID: "outbox", Status: v1.CheckFail, Cause: "events_dead", Detail: "1 event is no longer retried"}}}).
		on("GET /v1/orders", v1.Orders{Orders: []v1.Order{paidOrder}}).on("GET "+orderPath, paidOrder).
		on("GET /v1/events", v1.Events{Events: []v1.Event{event}}).on("GET /v1/events/evt_paid_o1", event).
		on("GET /v1/products", v1.Products{Products: []v1.Product{{ID: "tea", Name: "高山乌龙茶", Price: 6800, ForSale: true}, {ID: "cup", Name: "杯", Price: 1}}}).
		on("GET /v1/products/tea", v1.Product{ID: "tea", Name: "高山乌龙茶", Price: 6800, ForSale: true}).
		on("GET /v1/notifications", v1.Notifications{Notifications: []v1.Notification{{At: 1, Kind: v1.NotifiedPayment, Version: "v3", Verdict: v1.NotificationForged, Reason: "the signature does not verify", OutTradeNo: "n1"}}}).
		on("GET /v1/bills", v1.Bills{}).on("GET /v1/keys", v1.Keys{Keys: []v1.Key{{ID: "k1", Name: "Li Lei", Scopes: []v1.Scope{v1.ScopeRead}}}}).
		on("GET /v1/selling", v1.Selling{Selling: true}).on("GET /v1/links", v1.Links{Links: []v1.Link{tableLink}}).on("GET /v1/links/l1", tableLink).
		on("GET /v1/endpoints", v1.Endpoints{Endpoints: []v1.Endpoint{{ID: "settings", URL: "https://shop.example.com", State: v1.EndpointEnabled}, backEndEndpoint}}).
		on("GET /v1/audit", v1.Audit{Entries: []v1.AuditEntry{{Seq: 1, Action: "putProduct", Object: "tea", KeyName: "Li Lei", After: []byte(`{"price":6500}`)}}})
}

// screensOf opens each screen, in the order of their paths.
func screensOf() map[string]func(*console) app.Composer {
	all := map[string]func(*console) app.Composer{}
	for path := range newConsole(newFake(nil)).screens() {
		all[path] = func(c *console) app.Composer { return c.screens()[path]() }
	}
	return all
}

func queryOf(path string) string {
	return map[string]string{"/console/order": "id=o1", "/console/product": "id=tea", "/console/link": "id=l1"}[path]
}

// Every screen shows its data, an error with its reference, the sign-in, and that it waits
// for the network.
func TestStatesOfEveryScreen(t *testing.T) {
	shown := map[string][]string{
		"/console": {"136.00", "3.00", `data-check="outbox"`, `data-bar="paid"`}, "/console/orders": {`data-order="o1"`, "68.00", `href="/console/order?id=o1"`},
		"/console/order": {"4200001234", `data-event="evt_paid_o1"`, `id="refund"`}, "/console/products": {"高山乌龙茶", `data-product="cup"`},
		"/console/product": {"68.00", `type="file"`}, "/console/events": {"HTTP 500", textResend.ZH}, "/console/notifications": {"the signature does not verify", textForgedHint.ZH},
		"/console/bills": {`data-day=`}, "/console/check": {`data-check="database"`, textGood.ZH}, "/console/keys": {`data-key="k1"`, textRevoke.ZH},
		"/console/links": {`data-link="l1"`, "12.00", textLinkOpen.ZH, `href="/console/links/new"`}, "/console/links/new": {`id="amount"`, `id="until"`, textMake.ZH},
		"/console/link":      {"https://shop.example.com/l/abc", `data-order="o1"`, `src="blob:/v1/links/l1/poster.svg"`, `download="一号桌.png"`, `download="一号桌.svg"`, textStopLink.ZH},
		"/console/endpoints": {`data-endpoint="ep_1"`, "HTTP 502", textTest.ZH, textRotate.ZH, `id="type-order-paid"`, textOfSettings.ZH},
		"/console/audit":     {`data-audit="putProduct"`, "6500"}, "/console/more": {"Li Lei", textSignOut.ZH},
	}
	for path, open := range screensOf() {
		t.Run(path, func(t *testing.T) {
			f := full(t, every)
			f.query = queryOf(path)
			screen, _ := opened(t, f, open)
			html := htmlOf(screen)
			for _, part := range shown[path] {
				if !strings.Contains(html, part) {
					t.Errorf("lacks %s:\n%s", part, html)
				}
			}
			if shown[path] == nil || strings.Contains(html, "data-error") || strings.Contains(html, "aria-busy") {
				t.Errorf("the screen is not there: %s", html)
			}

			f = newFake(t).on("GET "+v1.PathSession, errors.New("down"))
			f.query = queryOf(path)
			screen, _ = opened(t, f, open)
			if html := htmlOf(screen); !strings.Contains(html, `data-error="offline"`) || !strings.Contains(html, textRetry.ZH) {
				t.Errorf("offline: %s", html)
			}

			f = newFake(t).on("GET "+v1.PathSession, api.CodeUnauthenticated)
			f.query, f.tag = queryOf(path), "en"
			screen, _ = opened(t, f, open)
			if html := htmlOf(screen); !strings.Contains(html, textSignInHint.EN) || !strings.Contains(html, "https://tea.example.com/v1/keys") || strings.Contains(html, "<nav") {
				t.Errorf("signed out: %s", html)
			}

			if path == "/console/links/new" {
				return // it makes no call
			}
			f = full(t, every)
			f.query = queryOf(path)
			for call := range f.script {
				if call != "GET "+v1.PathSession {
					f.script[call] = []any{api.CodeInternal}
				}
			}
			screen, _ = opened(t, f, open)
			if html := htmlOf(screen); !strings.Contains(html, `data-error="internal"`) || !strings.Contains(html, "req1") {
				t.Errorf("an error: %s", html)
			}
		})
	}
}

// A list without entries says so, and what to do.
func TestEmptyLists(t *testing.T) {
	for path, empty := range map[string]struct {
		call string
		none any
		text text
	}{
		"/console/orders": {"GET /v1/orders", v1.Orders{}, textNoOrders}, "/console/products": {"GET /v1/products", v1.Products{}, textNoProducts},
		"/console/events": {"GET /v1/events", v1.Events{}, textNoEvents}, "/console/notifications": {"GET /v1/notifications", v1.Notifications{}, textNoNotifications},
		"/console/links": {"GET /v1/links", v1.Links{}, textNoLinks}, "/console/endpoints": {"GET /v1/endpoints", v1.Endpoints{}, textNoEndpoints},
		"/console/keys": {"GET /v1/keys", v1.Keys{}, textNoKeys}, "/console/audit": {"GET /v1/audit", v1.Audit{}, textNoAudit},
	} {
		f := full(t, every)
		f.script[empty.call] = []any{empty.none}
		screen, _ := opened(t, f, screensOf()[path])
		if html := htmlOf(screen); !strings.Contains(html, empty.text.ZH) || !strings.Contains(html, "data-empty") {
			t.Errorf("%s: %s", path, html)
		}
	}
}

// A search for a number that no order has asks for the number, not for a first order.
func TestNumberThatNoOrderHas(t *testing.T) {
	f := full(t, every)
	f.query = "number=42"
	f.script["GET /v1/orders"] = []any{v1.Orders{}}
	screen, _ := opened(t, f, screensOf()["/console/orders"])
	if html := htmlOf(screen); !strings.Contains(html, textNoSuchOrder.ZH) || strings.Contains(html, textNoOrders.ZH) {
		t.Errorf("%s", html)
	}
}

// One of a thing has no plural in English.
func TestOneOfAThing(t *testing.T) {
	f := full(t, every)
	f.tag = "en"
	screen, _ := opened(t, f, screensOf()["/console"])
	for _, part := range []string{"2 payments", "1 refund<", "0 payments"} {
		if html := htmlOf(screen); !strings.Contains(html, part) {
			t.Errorf("lacks %q: %s", part, html)
		}
	}
}

// A key sees no action that its scopes do not allow.
func TestActionsFollowTheScopes(t *testing.T) {
	actions := map[string]struct {
		mark string
		need v1.Scope
	}{
		"/console/order": {`id="refund"`, v1.ScopeRefund}, "/console/products": {textNewProduct.ZH, v1.ScopeWrite},
		"/console/links": {textNewLink.ZH, v1.ScopeWrite}, "/console/links/new": {`id="amount"`, v1.ScopeWrite}, "/console/link": {textStopLink.ZH, v1.ScopeWrite},
		"/console/product": {`type="file"`, v1.ScopeWrite}, "/console/events": {textResend.ZH, v1.ScopeWrite},
	}
	for path, action := range actions {
		for _, scopes := range [][]v1.Scope{{v1.ScopeRead}, {v1.ScopeRead, action.need}} {
			f := full(t, session(scopes...))
			f.query = queryOf(path)
			screen, _ := opened(t, f, screensOf()[path])
			if got, want := strings.Contains(htmlOf(screen), action.mark), len(scopes) == 2; got != want {
				t.Errorf("%s with %v: the action is there: %t", path, scopes, got)
			}
			if html := htmlOf(screen); strings.Contains(html, `href="/console/keys"`) {
				t.Errorf("%s with %v leads to the keys", path, scopes)
			}
			if html := htmlOf(screen); strings.Contains(html, `href="/console/endpoints"`) {
				t.Errorf("%s with %v leads to the endpoints", path, scopes)
			}
		}
	}
}

// Changing calls have the header that another site cannot set, and a key of their own.
func TestCallsOfTheConsole(t *testing.T) {
	f := newFake(t).on("POST /x", struct{}{})
	if err := call(t.Context(), f, "POST", "/x", struct{}{}, nil, ""); err != nil {
		t.Fatal(err)
	}
	first := f.header["Idempotency-Key"]
	if f.header[v1.HeaderConsole] == "" || first == "" {
		t.Errorf("%v", f.header)
	}
	if err := call(t.Context(), f, "POST", "/x", struct{}{}, nil, ""); err != nil || f.header["Idempotency-Key"] == first {
		t.Errorf("%v, %v", f.header, err)
	}
	if err := call(t.Context(), f, "POST", "/x", struct{}{}, nil, "mine"); err != nil || f.header["Idempotency-Key"] != "mine" {
		t.Errorf("%v, %v", f.header, err)
	}
}

// The same form makes one refund, also after a call that got no response.
func TestRefundKeepsItsKey(t *testing.T) {
	f := full(t, every).on("POST "+orderPath+"/refunds", errors.New("down"), v1.Refund{ID: "r1"})
	f.query = "id=o1"
	screen, client := opened(t, f, screensOf()["/console/order"])
	p := screen.(*orderScreen)
	var keys []string
	for range 2 {
		p.refund.amount = "34.00"
		p.askRefund(p.page)
		settle(client)
		if f.dialog != confirmDialogID || !strings.Contains(p.confirmation.hint, "34.00") {
			t.Fatalf("the refund is not confirmed: %q", p.confirmation.hint)
		}
		p.confirmation.do(p.page)
		settle(client)
		for _, made := range f.calls {
			if strings.HasPrefix(made, "POST") && !strings.Contains(made, `"amount":3400`) {
				t.Errorf("%s", made)
			}
		}
		keys = append(keys, p.refund.key)
	}
	if keys[0] == "" || keys[1] != "" {
		t.Errorf("keys of the form %q: want one that is kept until the refund is made", keys)
	}
	for _, bad := range []string{"0", "-1", "1.005", "x", "", "68.01"} {
		f.dialog = ""
		p.refund.amount = bad
		p.askRefund(p.page)
		settle(client)
		if f.dialog != "" || !p.wrong {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// An export reads the table in parts, has one head, and gives the file to the user at the end.
func TestExport(t *testing.T) {
	type part struct {
		Rows, Next string
		N          int
	}
	f := full(t, every).on("GET /v1/tables/orders", part{"\ufeffid\r\na\r\n", "c2", 1}, part{"\ufeffid\r\nb\r\n", "", 1})
	screen, client := opened(t, f, screensOf()["/console/orders"])
	p := screen.(*ordersScreen)
	p.export(p.page, &p.table, "orders", nil)
	settle(client)
	var got string
	for _, text := range f.saved {
		got = text
	}
	if want := "\ufeffid\r\na\r\nb\r\n"; got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	f.script["GET /v1/tables/orders"] = []any{api.CodeInternal}
	f.saved = map[string]string{}
	p.export(p.page, &p.table, "orders", nil)
	settle(client)
	if len(f.saved) != 0 || !p.wrong {
		t.Errorf("a table that broke off was saved: %v, %q", f.saved, p.said)
	}
}

// A day that differs shows each difference with its advice.
func TestDifferencesOfABill(t *testing.T) {
	day := cst.In(time.Now()).AddDate(0, 0, -1).Format(time.DateOnly)
	var all []v1.BillDifference
	for _, kind := range (v1.DifferenceKind("")).Enum() {
		all = append(all, v1.BillDifference{Kind: kind.(v1.DifferenceKind), OutTradeNo: "n1", Ours: "68.00", Theirs: "67.00"})
	}
	f := full(t, every).on("GET /v1/bills/"+day, v1.Bill{Date: day, Status: v1.BillDiffers, Payments: 41, Differences: all})
	screen, client := opened(t, f, screensOf()["/console/bills"])
	p := screen.(*billsScreen)
	p.show(day)
	settle(client)
	html := htmlOf(screen)
	for _, d := range all {
		about, ok := differences[d.Kind]
		if !ok || !strings.Contains(html, about.name.ZH) || !strings.Contains(html, about.todo.ZH) {
			t.Errorf("nothing about %s", d.Kind)
		}
	}
	if !strings.Contains(html, `href="/console/orders?number=n1"`) || !strings.Contains(html, textCompare.ZH) {
		t.Errorf("no way on: %s", html)
	}
}

// The bills show the fees and the settlement of each day, and what is known of the account.
func TestSettlementsOfTheBills(t *testing.T) {
	day := cst.In(time.Now()).AddDate(0, 0, -1).Format(time.DateOnly)
	trade := v1.BillMoney{Income: 278_800, Refunded: 300, Fees: 1671, Settlement: 276_829}
	with := func(change func(*v1.Bill)) v1.Bill {
		b := v1.Bill{Date: day, Status: v1.BillAgrees, CheckedAt: 1, Payments: 41, Refunds: 1, Trade: &trade}
		change(&b)
		return b
	}
	funds := v1.BillFunds{BillMoney: v1.BillMoney{Income: 272_000, Refunded: 300, Fees: 1630, Settlement: 270_070}, Other: -200_000, Balance: 1_070_071}
	for _, test := range []struct {
		bill          v1.Bill
		shown, hidden []string
	}{
		{with(func(b *v1.Bill) { b.Funds, b.FundsDifference = &funds, -6759 }), []string{"2700.70", "2000.00", "10700.71", textByFunds.ZH, "-67.59", `data-status="funds"`}, []string{textNoFunds.ZH}},
		{with(func(b *v1.Bill) { b.FundsPending = true }), []string{textFundsWait.ZH}, []string{">" + textByFunds.ZH + "<", `data-status="funds"`}},
		{with(func(*v1.Bill) {}), []string{textNoFunds.ZH}, []string{textFundsWait.ZH, ">" + textByFunds.ZH + "<"}},
	} {
		f := full(t, every).on("GET /v1/bills/"+day, test.bill)
		f.script["GET /v1/bills"] = []any{v1.Bills{Bills: []v1.Bill{test.bill, {Date: "2026-11-20", Status: v1.BillAgrees, Trade: &v1.BillMoney{Income: 100, Settlement: 100}}}}}
		screen, client := opened(t, f, screensOf()["/console/bills"])
		p := screen.(*billsScreen)
		p.show(day)
		settle(client)
		html := htmlOf(screen)
		for _, want := range append(test.shown, "2788.00", "16.71", "2768.29", "2789.00", "2769.29", `data-settlement="2026-11-20"`, textExportFees.ZH) {
			if !strings.Contains(html, want) {
				t.Errorf("lacks %q: %s", want, html)
			}
		}
		for _, other := range test.hidden {
			if strings.Contains(html, other) {
				t.Errorf("has %q: %s", other, html)
			}
		}
	}
}

// A key says whether it can be used now, and when it was used.
func TestStatesOfAKey(t *testing.T) {
	minute := time.Minute.Milliseconds()
	at := time.Now().UnixMilli()
	for _, test := range []struct {
		key    v1.Key
		state  text
		used   text
		revoke bool
	}{
		{v1.Key{ID: "k1"}, textValid, textNeverUsed, true},
		{v1.Key{ID: "k1", ExpiresAt: at + 60*minute, LastUsedAt: at - minute}, textValid, textLastUsed, true},
		{v1.Key{ID: "k1", ExpiresAt: at - minute}, textExpired, textNeverUsed, true},
		{v1.Key{ID: "k1", RevokedAt: at - minute}, textRevoked, textNeverUsed, false},
	} {
		f := full(t, every)
		f.script["GET /v1/keys"] = []any{v1.Keys{Keys: []v1.Key{test.key}}}
		screen, _ := opened(t, f, screensOf()["/console/keys"])
		_, entry, _ := strings.Cut(htmlOf(screen), `data-key="k1"`)
		if !strings.Contains(entry, ">"+test.state.ZH+"<") || !strings.Contains(entry, test.used.ZH) || strings.Contains(entry, ">"+textRevoke.ZH+"<") != test.revoke {
			t.Errorf("%+v: %s", test.key, entry)
		}
	}
}

// Every status, verdict, event and call of /v1 has a name.
func TestNamesOfEverything(t *testing.T) {
	for _, s := range (v1.OrderStatus("")).Enum() {
		if orderStatuses[s.(v1.OrderStatus)].name == (text{}) {
			t.Errorf("no name for %v", s)
		}
	}
	for _, s := range (v1.PaymentStatus("")).Enum() {
		if paymentStatuses[s.(v1.PaymentStatus)].name == (text{}) {
			t.Errorf("no name for %v", s)
		}
	}
	for _, s := range (v1.NotificationResult("")).Enum() {
		if verdicts[s.(v1.NotificationResult)].name == (text{}) {
			t.Errorf("no name for %v", s)
		}
	}
	for _, s := range v1.Values(reflect.TypeFor[v1.LinkState]()) {
		if linkStates[s.(v1.LinkState)].name == (text{}) {
			t.Errorf("no name for %v", s)
		}
	}
	for _, s := range (v1.EndpointState("")).Enum() {
		if endpointStates[s.(v1.EndpointState)].name == (text{}) {
			t.Errorf("no name for %v", s)
		}
	}
	for _, s := range v1.Values(reflect.TypeFor[api.EventStatus]()) {
		if eventStatuses[s.(api.EventStatus)].name == (text{}) {
			t.Errorf("no name for %v", s)
		}
	}
	for _, s := range v1.Values(reflect.TypeFor[api.EventType]()) {
		if eventTypes[s.(api.EventType)] == (text{}) || !slices.Contains(eventOrder, s.(api.EventType)) {
			t.Errorf("no name for %v", s)
		}
	}
	for _, s := range (v1.BillStatus("")).Enum() {
		if billStatuses[s.(v1.BillStatus)].name == (text{}) {
			t.Errorf("no name for %v", s)
		}
	}
	for _, route := range v1.Routes {
		if route.Method != "GET" && route.Name != "createOrder" && auditActions[route.Name] == (text{}) {
			t.Errorf("no name for the call %s", route.Name)
		}
	}
}

// The operator who requested a refund can withdraw it, and another one can confirm it.
func TestRefundNeedsASecondPerson(t *testing.T) {
	asked := v1.RefundRequest{ID: "rr1", OrderID: "o1", Amount: 6800, KeyID: "k1", KeyName: "Li Lei", Status: v1.RequestWaiting}
	for _, test := range []struct {
		asker   string
		confirm bool
	}{{"k1", false}, {"k2", true}} {
		s := every
		s.RefundConfirm = 5000
		asked.KeyID = test.asker
		f := full(t, s).on("GET /v1/refund-requests", v1.RefundRequests{Requests: []v1.RefundRequest{asked}})
		f.query = "id=o1"
		screen, _ := opened(t, f, screensOf()["/console/order"])
		html := htmlOf(screen)
		if strings.Contains(html, textConfirm.ZH) != test.confirm || strings.Contains(html, textWithdraw.ZH) == test.confirm || strings.Contains(html, `id="refund"`) {
			t.Errorf("asked by %s: %s", test.asker, html)
		}
		screen, _ = opened(t, f, screensOf()["/console"])
		if html := htmlOf(screen); !strings.Contains(html, textWaits.ZH) {
			t.Errorf("today: %s", html)
		}
	}
	s := every
	s.RefundConfirm = 5000
	f := full(t, s).on("GET /v1/refund-requests", v1.RefundRequests{}).on("POST "+orderPath+"/refund-requests", asked).on("POST "+orderPath+"/refunds", v1.Refund{})
	f.query = "id=o1"
	screen, client := opened(t, f, screensOf()["/console/order"])
	p := screen.(*orderScreen)
	for amount, path := range map[string]string{"50.00": "/refund-requests", "49.99": "/refunds"} {
		f.calls = nil
		p.refund = refundForm{amount: amount}
		p.askRefund(p.page)
		settle(client)
		p.confirmation.do(p.page)
		settle(client)
		if !slices.ContainsFunc(f.calls, func(c string) bool { return strings.HasPrefix(c, "POST "+orderPath+path+" ") }) {
			t.Errorf("%s yuan: %q", amount, f.calls)
		}
	}
}

func TestByDayAndHour(t *testing.T) {
	day := int64(1795363200000) // 2026-11-23, midnight in Beijing
	hours := []v1.Takings{{At: day - 3600_000, Paid: 1}, {At: day, Paid: 2}, {At: day + 23*3600_000, Paid: 4}, {At: day + 24*3600_000, Paid: 8}}
	at := cstDay(day)
	sums := byHour(hours, at)
	if len(sums) != 24 || sums[0].paid != 2 || sums[23].paid != 4 || sums[0].label != "00:00" || sums[23].label != "23:00" {
		t.Errorf("hours %+v", sums)
	}
	days := byDay(hours, at, 30)
	if len(days) != 30 || days[29].paid != 6 || days[28].paid != 1 || days[29].label != "2026-11-23" {
		t.Errorf("days %+v", days[27:])
	}
}

func cstDay(ms int64) time.Time { return cst.Day(time.UnixMilli(ms)) }
