package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat/wechattest"
)

// address returns the address that is stored with an order.
func (s *shop) address(id string) (ip string) {
	s.t.Helper()
	if err := s.db.QueryRow(`SELECT client_ip FROM orders WHERE id = ?`, id).Scan(&ip); err != nil {
		s.t.Fatal(err)
	}
	return ip
}

// An order that has ended has no address, and nothing is sent to WeChat for it again.
func TestAddressIsRemovedWhenTheOrderEnds(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	open, paid, closed := p.order("tea", 1), p.paidOrder("tea", 1), p.order("tea", 1)
	s.sim.Advance(6 * time.Minute)
	p.must("POST", api.OrderClosePath(closed.Order.ID), api.CloseRequest{}, &api.Order{})
	s.wantStatus(closed.Order.ID, api.StatusClosed)
	failed := s.failedOrder(p)
	if ip := s.address(open.Order.ID); ip != p.ip {
		t.Errorf("an open order has the address %q", ip)
	}
	sent := s.calls("unifiedorder")
	for _, id := range []string{paid.ID, closed.Order.ID, failed} {
		if ip := s.address(id); ip != "" {
			t.Errorf("order %s has ended and keeps %q", id, ip)
		}
		p.call("POST", api.OrderPayPath(id), api.PayRequest{Renew: true})
	}
	// One that was put back after a restore is open, and has none either.
	storetest.Exec(t, s.db, `DROP TRIGGER keep_request; UPDATE orders SET client_ip = '' WHERE id = ?`, open.Order.ID)
	p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(open.Order.ID), api.PayRequest{Renew: true})
	if n := s.calls("unifiedorder"); n != sent {
		t.Errorf("sent %d orders again", n-sent)
	}
}

// failedOrder returns an order that WeChat declined.
func (s *shop) failedOrder(p *person) string {
	s.t.Helper()
	o, err := store.New(s.db).Insert(s.t.Context(), s.draft(p, "00000000000000000000fail"))
	if err != nil {
		s.t.Fatal(err)
	}
	if ok, err := store.New(s.db).Fail(s.t.Context(), o.ID, "PARAM_ERROR", s.now()); !ok || err != nil {
		s.t.Fatal(ok, err)
	}
	return o.ID
}

// draft returns an order of a person that can be stored.
func (s *shop) draft(p *person, id string) order.Order {
	now := s.now()
	return order.Order{
		ID: id, OutTradeNo: "20261123" + strings.ToUpper(id[:23]) + "X", Owner: p.user.OpenID, ClientKey: "key-" + id, Fingerprint: "f",
		AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID, APIVersion: "v2", TradeType: api.TradeJSAPI, Total: 6800, Currency: "CNY",
		Lines:    []order.Line{{ProductID: "tea", Name: "茶", Price: 6800, Quantity: 1}},
		ClientIP: p.ip, NotifyURL: shopURL + api.PathNotifyPay, CreatedAt: now, ExpiresAt: now.Add(order.Lifetime),
	}
}

// An event that is delivered or dead loses the payer after 30 days, one that is
// pending keeps it.
func TestDeliveredEventsLoseThePayer(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	openid := r.sim.Users()[0].OpenID
	p := r.signedIn(0)
	told := r.paid(p, "tea")
	r.deliver()
	pending := r.paid(p, "tea")
	has := func(o api.Order) bool { return strings.Contains(r.stored(o.ID).Data, openid) }
	r.until(29, "12:00:00")
	r.checkBills()
	if !has(told) || !has(pending) {
		t.Errorf("after 29 days: %t, %t", has(told), has(pending))
	}
	r.until(31, "12:00:00")
	r.checkBills()
	if has(told) || !has(pending) {
		t.Errorf("after 31 days: %t, %t", has(told), has(pending))
	}
	// It can still be replayed, with all else that it said.
	r.operator().must("POST", replayPath(r.stored(told.ID).ID), struct{}{}, &api.Event{})
	r.deliver()
	for i, e := range r.events {
		if again := i > 0 && e.ID == r.events[0].ID; e.Data.Order.TransactionID == "" || e.Data.Order.Payer != openid && !again || again && e.Data.Order.Payer != "" {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	if r.times[r.events[0].ID] != 2 || len(r.events) != 3 {
		t.Errorf("%v", r.times)
	}
}

// Without a webhook events stay pending, and lose the payer all the same.
func TestEventsOfAShopWithoutAWebhookLoseThePayer(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	openid := s.sim.Users()[0].OpenID
	id := s.signedIn(0).paidOrder("tea", 1).ID
	s.advanceShop(31 * 24 * time.Hour)
	s.checkBills()
	var data string
	if err := s.db.QueryRow(`SELECT data FROM events WHERE order_id = ?`, id).Scan(&data); err != nil || strings.Contains(data, openid) {
		t.Errorf("%v: %s", err, data)
	}
}

// many makes closed orders of a person in the database alone.
func (s *shop) many(p *person, n int) {
	s.t.Helper()
	store := store.New(s.db)
	for i := range n {
		o, err := store.Insert(s.t.Context(), s.draft(p, fmt.Sprintf("%022dm0", i)))
		if err != nil {
			s.t.Fatal(err)
		}
		if ok, err := store.ClaimPrepay(s.t.Context(), o.ID, "", time.Time{}, s.now()); !ok || err != nil {
			s.t.Fatal(ok, err)
		}
		if ok, err := store.SetPrepay(s.t.Context(), o.ID, order.Prepay{ID: "wx" + o.ID, SignType: "HMAC-SHA256"}, s.now()); !ok || err != nil {
			s.t.Fatal(ok, err)
		}
		if ok, err := store.Close(s.t.Context(), o.ID, s.now()); !ok || err != nil {
			s.t.Fatal(ok, err)
		}
	}
}

// books returns what bookkeeping needs: it must outlast the person.
func (s *shop) books() string {
	s.t.Helper()
	var text string
	if err := s.db.QueryRow(`SELECT (SELECT group_concat(id || ' ' || out_trade_no || ' ' || total || ' ' || refunded || ' ' || COALESCE(transaction_id, '') || ' ' ||
		COALESCE(paid_at, '') || ' ' || items || ' ' || created_at, char(10) ORDER BY id) FROM orders) || char(10) ||
		COALESCE((SELECT group_concat(id || ' ' || order_id || ' ' || amount, char(10) ORDER BY id) FROM refunds), '')`).Scan(&text); err != nil {
		s.t.Fatal(err)
	}
	return text
}

// A person is erased from everything, and from nothing else. What WeChat reports
// afterwards does not bring the openid back.
func TestErasedPersonDoesNotComeBack(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s := r.shop
	p, bystander, guest, op := s.signedIn(0), s.signedIn(2), s.guest(1), s.operator()
	openid := p.user.OpenID

	paid, refunding := p.paidOrder("tea", 1), p.paidOrder("tea", 2)
	theirs := bystander.paidOrder("tea", 1)
	var scanned api.Checkout // a guest's order, which the person pays
	guest.checkout(native("tea", 1), &scanned)
	if err := s.scan(0, scanned.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.deliver()
	var friend api.Checkout // the person's order, which the bystander pays
	p.checkout(native("tea", 1), &friend)
	if err := s.scan(2, friend.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.deliver()
	r.deliver()
	open, inFlight, unheard := p.order("tea", 1), p.order("tea", 1), p.order("tea", 1)
	sheet, err := p.sheet(inFlight.Pay)
	if err != nil {
		t.Fatal(err)
	}
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(unheard.Pay)
	if _, err := s.sim.Refund(s.outTradeNo(unheard.Order.ID), 800); err != nil { // by hand
		t.Fatal(err)
	}
	s.sim.Advance(time.Minute) // WeChat takes one refund of an order a minute
	op.refund(refunding.ID, refundOf(100))
	books := s.books()

	var done api.PersonErased
	op.must("POST", api.PathAdminErase, api.PersonRequest{OpenID: openid}, &done)
	if done != (api.PersonErased{Orders: 7}) {
		t.Errorf("%+v", done)
	}
	gone := func(when string) {
		t.Helper()
		for line := range strings.Lines(storetest.Dump(t, s.db)) {
			if strings.Contains(line, openid) {
				t.Errorf("%s: %s", when, line)
			}
		}
	}
	gone("at once")
	if s.books() != books {
		t.Errorf("the books were\n%s\nand are\n%s", books, s.books())
	}
	for _, id := range []string{open.Order.ID, inFlight.Order.ID} {
		s.wantStatus(id, api.StatusClosing)
		p.fails(api.CodeNotFound, "GET", api.OrderPath(id), nil)
	}

	// WeChat's news: a refund's notification, a payment that was under way, one that
	// was paid back before it was known, and the bill.
	s.sim.Advance(10 * time.Second)
	if _, err := s.sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	s.deliver()
	s.sim.Advance(6 * time.Minute)
	s.reconcile()
	if _, err := s.sim.Notify(s.outTradeNo(unheard.Order.ID), ""); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.sim.Advance(time.Minute)
		s.reconcile()
		r.deliver()
	}
	s.until(1, "10:00:00")
	s.checkBills()
	gone("after WeChat's news")
	s.wantStatus(open.Order.ID, api.StatusClosed)
	s.wantStatus(inFlight.Order.ID, api.StatusPaid)
	s.wantStatus(unheard.Order.ID, api.StatusPaid)
	s.wantRefunds(refunding.ID, "succeeded 100")
	s.wantRefunds(unheard.Order.ID, "succeeded 800")
	for _, e := range r.events[5:] { // those that were made afterwards
		if e.Data.Order.Payer == openid {
			t.Errorf("the back end is told of the payer by %+v", e)
		}
	}

	// The erased orders can still be refunded, and the others are as they were.
	op.refund(paid.ID, refundOf(paid.Total))
	s.sim.Advance(time.Minute)
	s.wantStatus(paid.ID, api.StatusRefunded)
	if o := op.look(paid.ID); o.Owner != "erased" || o.Payer != "" || o.PayerUnknown {
		t.Errorf("%+v", o)
	}
	if o := op.look(friend.Order.ID); o.Owner != "erased" || o.Payer == "" {
		t.Errorf("who paid for the erased person: %+v", o)
	}
	if o := op.look(scanned.Order.ID); o.Owner == "erased" || o.Payer != "" || o.PayerUnknown {
		t.Errorf("for whom the erased person paid: %+v", o)
	}
	if o := guest.get(scanned.Order.ID); o.Status != api.StatusPaid {
		t.Errorf("%+v", o)
	}
	if o := op.look(theirs.ID); o.Owner == "erased" || o.Payer == "" {
		t.Errorf("somebody else: %+v", o)
	}
	if o := bystander.get(theirs.ID); o.ID != theirs.ID {
		t.Errorf("%+v", o)
	}
	gone("in the end")
	var export api.PersonExport
	op.must("POST", api.PathAdminExport, api.PersonRequest{OpenID: openid}, &export)
	if len(export.Orders) != 0 {
		t.Errorf("%+v", export)
	}
	op.fails(api.CodeNotFound, "POST", api.PathAdminErase, api.PersonRequest{OwnerOf: paid.ID})
	// Whoever comes back is somebody new.
	if o := s.signedIn(0).paidOrder("tea", 1); o.Status != api.StatusPaid {
		t.Errorf("%+v", o)
	}
}

// The commands of the runbook, for a person with more orders than fit one call.
func TestExportAndEraseByTheRunbook(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Export or erase a person's data\n")
	section, _, _ = strings.Cut(section, "\n## ")
	calls := regexp.MustCompile(`admin -X POST -H 'Content-Type: application/json' -d '([^']*)' \$SHOP(\S+)`).FindAllStringSubmatch(section, -1)
	sql := regexp.MustCompile(`--command "(UPDATE [^"]*)"`).FindStringSubmatch(section)
	if len(calls) != 4 || sql == nil {
		t.Fatalf("the runbook has %d calls, and the statement %q", len(calls), sql)
	}
	for n := range 2 { // by the order, by the openid
		s := newShop(t, nil)
		p, other, op := s.signedIn(0), s.signedIn(1), s.operator()
		// The order that names the person is the first: the calls go on all the same.
		mine, theirs := p.order("tea", 1).Order, other.paidOrder("tea", 1)
		s.sim.Advance(time.Second)
		s.many(p, 250)
		call := func(m []string, cursor string, result any) {
			t.Helper()
			body := strings.NewReplacer("ORDER_ID", mine.ID, "OPENID", p.user.OpenID).Replace(m[1])
			if cursor != "" {
				body = strings.Replace(body, "}", `, "cursor": "`+cursor+`"}`, 1)
			}
			a := op.send(op.request("POST", m[2], []byte(body)))
			if a.status != 200 {
				t.Fatalf("%s %s: %d %s", m[2], body, a.status, a.body)
			}
			if err := json.Unmarshal(a.body, result); err != nil {
				t.Fatal(err)
			}
			s.check()
		}
		seen, cursor, pages := map[string]bool{}, "", 0
		for {
			var page api.PersonExport
			call(calls[n], cursor, &page)
			pages++
			for _, o := range page.Orders {
				seen[o.ID] = true
				if !o.IsOwner || o.IsPayer || (o.ClientIP == p.ip) != (o.ID == mine.ID) || len(o.Events) != 1 && o.ID != mine.ID {
					t.Errorf("%+v", o)
				}
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
		if len(seen) != 251 || pages != 13 || seen[theirs.ID] {
			t.Errorf("%d orders on %d pages", len(seen), pages)
		}
		// The second page of erasing is found by the openid, or by another order.
		erased := 0
		for more := true; more; {
			var done api.PersonErased
			call(calls[2+n], "", &done)
			erased += done.Orders
			if more = done.More; done.Orders > 200 {
				t.Errorf("one call erased %d", done.Orders)
			}
		}
		if erased != 251 || strings.Contains(storetest.Dump(t, s.db), p.user.OpenID) {
			t.Errorf("erased %d of 251", erased)
		}
		// Everybody else whose order is old, guests too.
		visitor := s.guest(2)
		visitor.close(visitor.byCode("tea", 1).Order.ID)
		storetest.Exec(t, s.db, strings.ReplaceAll(sql[1], "MOMENT", fmt.Sprint(s.now().Add(time.Hour).UnixMilli())))
		s.check()
		if strings.Contains(storetest.Dump(t, s.db), other.user.OpenID) {
			t.Error("the statement leaves somebody")
		}
	}
}

func TestBadPersons(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p, op := s.signedIn(0), s.operator()
	id := p.order("tea", 1).Order.ID
	op.unharmed(func() {
		for body, want := range map[string]api.Code{
			`{}`: api.CodeBadRequest,
			`{"openid":"o1","owner_of":"` + id + `"}`:           api.CodeBadRequest,
			`{"openid":"o'1"}`:                                  api.CodeBadRequest,
			`{"openid":"guest:x"}`:                              api.CodeBadRequest,
			`{"openid":"erased:` + id + `"}`:                    api.CodeBadRequest,
			`{"openid":"` + strings.Repeat("o", 129) + `"}`:     api.CodeBadRequest,
			`{"owner_of":"x"}`:                                  api.CodeNotFound,
			`{"owner_of":"000000000000000000000000"}`:           api.CodeNotFound,
			`{"openid":"o1","cursor":"x"}`:                      api.CodeBadRequest,
			`{"owner_of":"` + id + `","payer_of":"` + id + `"}`: api.CodeBadRequest,
			`{"payer_of":"` + id + `"}`:                         api.CodeNotFound, // nobody has paid it
			`{"openid":1}`:                                      api.CodeBadRequest,
		} {
			for _, path := range []string{api.PathAdminExport, api.PathAdminErase} {
				if a := op.send(op.request("POST", path, []byte(body))); a.err.Code != want {
					t.Errorf("%s %s: %d %s", path, body, a.status, a.body)
				}
			}
		}
	})
}
