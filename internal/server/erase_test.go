package server_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// storedAddress returns the address that is stored with an order.
func storedAddress(s *paytest.Shop, id string) (ip string) {
	s.T.Helper()
	if err := s.DB.QueryRow(`SELECT client_ip FROM payments WHERE out_trade_no = ?`, s.OutTradeNo(id)).Scan(&ip); err != nil {
		s.T.Fatal(err)
	}
	return ip
}

// An order that has ended has no address and is not sent to WeChat again.
func TestAddressIsRemovedWhenTheOrderEnds(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	open, paid, closed := p.Order("tea", 1), p.PaidOrder("tea", 1), p.Order("tea", 1)
	s.Sim.Advance(6 * time.Minute)
	p.Must("POST", api.OrderClosePath(closed.Order.ID), api.CloseRequest{}, &api.Order{})
	s.WantStatus(closed.Order.ID, api.StatusClosed)
	failed := failedOrder(s, p)
	if ip := storedAddress(s, open.Order.ID); ip != p.IP {
		t.Errorf("an open order has the address %q", ip)
	}
	sent := s.Calls("unifiedorder")
	for _, id := range []string{paid.ID, closed.Order.ID, failed} {
		if ip := storedAddress(s, id); ip != "" {
			t.Errorf("order %s has ended and keeps %q", id, ip)
		}
		p.Call("POST", api.OrderPayPath(id), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}, Renew: true})
	}
	// An order that was inserted after a restore is open and has no address either.
	storetest.Exec(t, s.DB, `DROP TRIGGER keep_payment`)
	storetest.Exec(t, s.DB, `UPDATE payments SET client_ip = '' WHERE order_id = ?`, open.Order.ID)
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(open.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}, Renew: true})
	if n := s.Calls("unifiedorder"); n != sent {
		t.Errorf("sent %d orders again", n-sent)
	}
}

// failedOrder returns an order that WeChat declined.
func failedOrder(s *paytest.Shop, p *paytest.Person) string {
	s.T.Helper()
	no := insertOrder(s, p, "00000000000000000000fail")
	if ok, err := store.New(s.DB).Fail(s.T.Context(), no, "PARAM_ERROR", s.Now()); !ok || err != nil {
		s.T.Fatal(ok, err)
	}
	return "00000000000000000000fail"
}

// insertOrder stores an order of a person with a payment, whose number it returns.
func insertOrder(s *paytest.Shop, p *paytest.Person, id string) (outTradeNo string) {
	s.T.Helper()
	o, err := store.New(s.DB).Insert(s.T.Context(), draftOrder(s, p, id))
	if err != nil {
		s.T.Fatal(err)
	}
	outTradeNo = "20261123" + strings.ToUpper(id[:23]) + "X"
	if ok, err := store.New(s.DB).InsertPayment(s.T.Context(), order.Payment{
		OutTradeNo: outTradeNo, OrderID: o.ID, AppID: o.AppID, MchID: o.MchID, APIVersion: "v2", TradeType: api.TradeJSAPI, OpenID: o.Owner,
		ClientIP: p.IP, NotifyURL: paytest.ShopURL + api.PathNotifyPay, CreatedAt: o.CreatedAt,
	}, time.Time{}); !ok || err != nil {
		s.T.Fatal(ok, err)
	}
	return outTradeNo
}

// draftOrder returns an order of a person that can be stored.
func draftOrder(s *paytest.Shop, p *paytest.Person, id string) order.Order {
	now := s.Now()
	return order.Order{
		ID: id, Source: order.SourceShop, Owner: p.User.OpenID, ClientKey: "key-" + id, Fingerprint: "f",
		Shop: paytest.ShopURL, AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID, Total: 6800, Currency: "CNY",
		Lines:     []order.Line{{ProductID: "tea", Name: "茶", Price: 6800, Quantity: 1}},
		CreatedAt: now, ExpiresAt: now.Add(order.Lifetime),
	}
}

// Delivered and dead events lose the payer after 30 days. Pending events keep it.
func TestDeliveredEventsLoseThePayer(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	openid := r.Sim.Users()[0].OpenID
	p := r.SignedIn(0)
	told := r.PaidOrderOf(p, "tea")
	r.Deliver()
	pending := r.PaidOrderOf(p, "tea")
	has := func(o api.Order) bool { return strings.Contains(r.EventOf(o.ID).Data, openid) }
	r.AdvanceTo(29, "12:00:00")
	r.CheckBills()
	if !has(told) || !has(pending) {
		t.Errorf("after 29 days: %t, %t", has(told), has(pending))
	}
	r.AdvanceTo(31, "12:00:00")
	r.CheckBills()
	if has(told) || !has(pending) {
		t.Errorf("after 31 days: %t, %t", has(told), has(pending))
	}
	// The event can still be replayed, with its other content.
	r.Operator().Must("POST", paytest.ReplayPath(r.EventOf(told.ID).ID), nil, &v1.Event{})
	r.Deliver()
	for i, e := range r.Events {
		if again := i > 0 && e.ID == r.Events[0].ID; e.Data.Payment.TransactionID == "" || e.Data.Payment.Payer != openid && !again || again && e.Data.Payment.Payer != "" {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	if r.Acknowledged[r.Events[0].ID] != 2 || len(r.Events) != 3 {
		t.Errorf("%v", r.Acknowledged)
	}
}

// Without a webhook events stay pending, and they lose the payer too.
func TestEventsOfAShopWithoutAWebhookLoseThePayer(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	openid := s.Sim.Users()[0].OpenID
	id := s.SignedIn(0).PaidOrder("tea", 1).ID
	s.AdvanceClock(31 * 24 * time.Hour)
	s.CheckBills()
	var data string
	if err := s.DB.QueryRow(`SELECT data FROM events WHERE order_id = ?`, id).Scan(&data); err != nil || strings.Contains(data, openid) {
		t.Errorf("%v: %s", err, data)
	}
}

// insertMany inserts closed orders of a person into the database.
func insertMany(s *paytest.Shop, p *paytest.Person, n int) {
	s.T.Helper()
	store := store.New(s.DB)
	for i := range n {
		id := fmt.Sprintf("%022dm0", i)
		no := insertOrder(s, p, id)
		if ok, err := store.SetPrepay(s.T.Context(), no, order.Prepay{ID: "wx" + no, SignType: "HMAC-SHA256"}, s.Now()); !ok || err != nil {
			s.T.Fatal(ok, err)
		}
		if w, _, err := store.CloseWhole(s.T.Context(), id, s.Now()); w.Status != api.StatusClosing || err != nil {
			s.T.Fatal(w.Status, err)
		}
		if ok, err := store.Close(s.T.Context(), no, s.Now()); !ok || err != nil {
			s.T.Fatal(ok, err)
		}
	}
}

// readBooks returns the values that bookkeeping needs. They must survive an erasure.
func readBooks(s *paytest.Shop) string {
	s.T.Helper()
	var text string
	if err := s.DB.QueryRow(`SELECT (SELECT group_concat(id || ' ' || total || ' ' || refunded || ' ' || items || ' ' || created_at, char(10) ORDER BY id) FROM orders) || char(10) ||
		(SELECT group_concat(out_trade_no || ' ' || order_id || ' ' || total || ' ' || refunded || ' ' || COALESCE(transaction_id, '') || ' ' ||
		COALESCE(paid_at, 0) || ' ' || created_at, char(10) ORDER BY out_trade_no) FROM payments) || char(10) ||
		COALESCE((SELECT group_concat(id || ' ' || order_id || ' ' || amount, char(10) ORDER BY id) FROM refunds), '')`).Scan(&text); err != nil {
		s.T.Fatal(err)
	}
	return text
}

// An erasure removes one person and nobody else. Later reports of WeChat do not store the openid
// again.
func TestErasedPersonDoesNotComeBack(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	s := r.Shop
	p, bystander, guest, op := s.SignedIn(0), s.SignedIn(2), s.NewGuest(1), s.Operator()
	openid := p.User.OpenID

	paid, refunding := p.PaidOrder("tea", 1), p.PaidOrder("tea", 2)
	theirs := bystander.PaidOrder("tea", 1)
	var scanned api.Checkout // a guest's order that the person pays
	guest.Checkout(paytest.BasketForCode("tea", 1), &scanned)
	if err := s.Scan(0, scanned.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	var friend api.Checkout // the person's order that another user pays
	p.Checkout(paytest.BasketForCode("tea", 1), &friend)
	if err := s.Scan(2, friend.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	r.Deliver()
	open, inFlight, unheard := p.Order("tea", 1), p.Order("tea", 1), p.Order("tea", 1)
	sheet, err := p.OpenPaySheet(inFlight.Pay)
	if err != nil {
		t.Fatal(err)
	}
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(unheard.Pay)
	if _, err := s.Sim.Refund(s.OutTradeNo(unheard.Order.ID), 800); err != nil { // by hand
		t.Fatal(err)
	}
	s.Sim.Advance(time.Minute) // WeChat accepts one refund of an order per minute
	op.Refund(refunding.ID, paytest.RefundRequest(100))
	books := readBooks(s)

	var done v1.PersonErased
	op.Must("POST", "/v1/persons/erase", v1.ErasePerson{OpenID: openid}, &done)
	if done != (v1.PersonErased{Orders: 7}) {
		t.Errorf("%+v", done)
	}
	gone := func(when string) {
		t.Helper()
		for line := range strings.Lines(storetest.Dump(t, s.DB)) {
			if strings.Contains(line, openid) {
				t.Errorf("%s: %s", when, line)
			}
		}
	}
	gone("at once")
	if readBooks(s) != books {
		t.Errorf("the books were\n%s\nand are\n%s", books, readBooks(s))
	}
	for _, id := range []string{open.Order.ID, inFlight.Order.ID} {
		s.WantStatus(id, api.StatusClosing)
		p.Fails(api.CodeNotFound, "GET", api.OrderPath(id), nil)
	}

	// WeChat reports afterwards: a refund's notification, a payment that was under way, a payment
	// that was refunded before the shop knew it, and the bill.
	s.Sim.Advance(10 * time.Second)
	if _, err := s.Sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	s.Sim.Advance(6 * time.Minute)
	s.Reconcile()
	if _, err := s.Sim.Notify(s.OutTradeNo(unheard.Order.ID), ""); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.Sim.Advance(time.Minute)
		s.Reconcile()
		r.Deliver()
	}
	s.AdvanceTo(1, "10:00:00")
	s.CheckBills()
	gone("after WeChat's news")
	s.WantStatus(open.Order.ID, api.StatusClosed)
	s.WantStatus(inFlight.Order.ID, api.StatusPaid)
	s.WantStatus(unheard.Order.ID, api.StatusPaid)
	s.WantRefunds(refunding.ID, "succeeded 100")
	s.WantRefunds(unheard.Order.ID, "succeeded 800")
	for _, e := range r.Events[5:] { // those that were made afterwards
		if e.Data.Payment != nil && e.Data.Payment.Payer == openid {
			t.Errorf("the back end gets the payer in %+v", e)
		}
	}

	// The erased orders can still be refunded. The others did not change.
	op.Refund(paid.ID, paytest.RefundRequest(paid.Total))
	s.Sim.Advance(time.Minute)
	s.WantStatus(paid.ID, api.StatusRefunded)
	persons := func(id string) (erased bool, payer string) {
		t.Helper()
		var who sql.NullString
		if err := s.DB.QueryRow(`SELECT owner LIKE 'erased:%', payer FROM orders JOIN payments ON out_trade_no = paid_by WHERE orders.id = ?`, id).Scan(&erased, &who); err != nil || !who.Valid {
			t.Errorf("order %s: the payer is not known, %v", id, err)
		}
		return erased, who.String
	}
	if erased, payer := persons(paid.ID); !erased || payer != "" {
		t.Errorf("erased %t, paid by %q", erased, payer)
	}
	if erased, payer := persons(friend.Order.ID); !erased || payer == "" {
		t.Errorf("the payer of the erased person's order: erased %t, paid by %q", erased, payer)
	}
	if erased, payer := persons(scanned.Order.ID); erased || payer != "" {
		t.Errorf("the owner of the order that the erased person paid: erased %t, paid by %q", erased, payer)
	}
	if o := guest.GetOrder(scanned.Order.ID); o.Status != api.StatusPaid {
		t.Errorf("%+v", o)
	}
	if erased, payer := persons(theirs.ID); erased || payer == "" {
		t.Errorf("an order of another user: erased %t, paid by %q", erased, payer)
	}
	if o := bystander.GetOrder(theirs.ID); o.ID != theirs.ID {
		t.Errorf("%+v", o)
	}
	gone("in the end")
	var export v1.PersonExport
	op.Must("POST", "/v1/persons/export", v1.PersonQuery{OpenID: openid}, &export)
	if len(export.Orders) != 0 {
		t.Errorf("%+v", export)
	}
	op.Fails(api.CodeNotFound, "POST", "/v1/persons/erase", v1.ErasePerson{OwnerOf: paid.ID})
	// A person who returns is a new buyer.
	if o := s.SignedIn(0).PaidOrder("tea", 1); o.Status != api.StatusPaid {
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
		s := paytest.NewShop(t, nil)
		p, other, op := s.SignedIn(0), s.SignedIn(1), s.Operator()
		// The order that identifies the person is erased first, and the following calls still work.
		mine, theirs := p.Order("tea", 1).Order, other.PaidOrder("tea", 1)
		s.Sim.Advance(time.Second)
		insertMany(s, p, 250)
		call := func(m []string, cursor string, result any) {
			t.Helper()
			body := strings.NewReplacer("ORDER_ID", mine.ID, "OPENID", p.User.OpenID).Replace(m[1])
			if cursor != "" {
				body = strings.Replace(body, "}", `, "cursor": "`+cursor+`"}`, 1)
			}
			a := op.Send(op.Request("POST", m[2], []byte(body)))
			if a.Status != 200 {
				t.Fatalf("%s %s: %d %s", m[2], body, a.Status, a.Body)
			}
			if err := json.Unmarshal(a.Body, result); err != nil {
				t.Fatal(err)
			}
			s.Check()
		}
		seen, cursor, pages := map[string]bool{}, "", 0
		for {
			var page v1.PersonExport
			call(calls[n], cursor, &page)
			pages++
			for _, o := range page.Orders {
				id := o.Order.ID
				seen[id] = true
				if !o.IsOwner || o.IsPayer || (o.ClientIP == p.IP) != (id == mine.ID) || len(o.Events) != 1 && id != mine.ID {
					t.Errorf("%+v", o)
				}
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if len(seen) != 251 || pages != 17 || seen[theirs.ID] {
			t.Errorf("%d orders on %d pages", len(seen), pages)
		}
		// The second page of erasing is found by the openid, or by another order.
		erased := 0
		for more := true; more; {
			var done v1.PersonErased
			call(calls[2+n], "", &done)
			erased += done.Orders
			if more = done.More; done.Orders > 200 {
				t.Errorf("one call erased %d", done.Orders)
			}
		}
		if erased != 251 || strings.Contains(storetest.Dump(t, s.DB), p.User.OpenID) {
			t.Errorf("erased %d of 251", erased)
		}
		// The other owners of old orders, also guests.
		visitor := s.NewGuest(2)
		visitor.CloseOrder(visitor.OrderByCode("tea", 1).Order.ID)
		storetest.Exec(t, s.DB, strings.ReplaceAll(sql[1], "MOMENT", fmt.Sprint(s.Now().Add(time.Hour).UnixMilli())))
		s.Check()
		if strings.Contains(storetest.Dump(t, s.DB), other.User.OpenID) {
			t.Error("the statement misses an owner")
		}
	}
}

func TestBadPersons(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, op := s.SignedIn(0), s.Operator()
	id := p.Order("tea", 1).Order.ID
	wantUnharmed(op, func() {
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
			`{"payer_of":"` + id + `"}`:                         api.CodeNotFound, // it is unpaid
			`{"openid":1}`:                                      api.CodeBadRequest,
		} {
			for _, path := range []string{"/v1/persons/export", "/v1/persons/erase"} {
				if a := op.Send(op.Request("POST", path, []byte(body))); a.Err.Code != want {
					t.Errorf("%s %s: %d %s", path, body, a.Status, a.Body)
				}
			}
		}
	})
}
