package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
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
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// Nobody gets payment parameters of an order that the operator closes. It is closed at WeChat as
// soon as WeChat allows it.
func TestOperatorClosesAnOrder(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		s := paytest.NewShop(t, nil)
		p, op := s.SignedIn(0), s.Operator()
		c := p.Order("tea", 1)
		if silent {
			s.Fault(wechattest.FaultSystemError, "/pay/orderquery")
		}
		for range 2 {
			var o v1.Order
			op.Must("POST", paytest.ClosePath(c.Order.ID), nil, &o)
			if o.Status != v1.OrderClosing {
				t.Errorf("WeChat silent %t: %+v", silent, o)
			}
		}
		p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
		s.Sim.Advance(6 * time.Minute)
		s.Reconcile()
		s.WantPath(c.Order.ID, api.StatusClosing, api.StatusClosed)
		if state := s.Sim.Ledger().Orders[0].State; state != wechattest.StateClosed {
			t.Errorf("at WeChat it is %s", state)
		}
	}
}

// A payment that is under way when the operator closes the order counts.
func TestOperatorClosesAnOrderThatIsBeingPaid(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, op := s.SignedIn(0), s.Operator()
	c := p.Order("tea", 1)
	sheet, err := p.OpenPaySheet(c.Pay)
	if err != nil {
		t.Fatal(err)
	}
	op.Must("POST", paytest.ClosePath(c.Order.ID), nil, &v1.Order{})
	if _, err := s.Sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusClosing, api.StatusPaid)
	op.Fails(api.CodeOrderPaid, "POST", paytest.ClosePath(c.Order.ID), nil)

	// It is paid, and the notification was lost: WeChat is queried first.
	d := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(d.Pay)
	op.Fails(api.CodeOrderPaid, "POST", paytest.ClosePath(d.Order.ID), nil)
	s.WantPath(d.Order.ID, api.StatusClosing, api.StatusPaid)
}

func TestBadCloses(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, op := s.SignedIn(0), s.Operator()
	p.Order("tea", 1)
	wantUnharmed(op, func() {
		op.Fails(api.CodeNotFound, "POST", paytest.ClosePath("000000000000000000000000"), nil)
		for body, field := range map[string]string{
			`{}`:                                "product_id",
			`{"product_id":"tea'"}`:             "product_id",
			`{"product_id":""}`:                 "product_id",
			`{"before":-1}`:                     "before",
			`{"before":9007199254740993}`:       "before",
			`{"before":1.5}`:                    "",
			`{"product_id":"tea","cursor":"x"}`: "cursor",
			`{"product_id":"tea","cursor":"Y2xvc2VkIE1UYzNOVE0xTXpreE1USXpNQ0F4"}`: "cursor",
			`{"product_id":"tea","status":"paid"}`:                                 "",
		} {
			if a := op.Send(op.Request("POST", "/v1/orders/close", []byte(body))); a.Err.Code != api.CodeBadRequest || !strings.Contains(a.Err.Message, field) {
				t.Errorf("%s: %d %s", body, a.Status, a.Body)
			}
		}
		for _, body := range []string{`{}`, `{"selling":null}`, `{"selling":"off"}`, `{"selling":0}`} {
			if a := op.Send(op.Request("PUT", "/v1/selling", []byte(body))); a.Err.Code != api.CodeBadRequest {
				t.Errorf("%s: %d %s", body, a.Status, a.Body)
			}
		}
	})
}

// Each call closes a bounded number of orders and continues where the previous one ended. Orders of
// other products, and orders that have ended, do not change.
func TestOperatorClosesTheOrdersOfAProduct(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	s := r.Shop
	op := s.Operator()
	store := store.New(s.DB)
	const many = 450
	began := s.Now()
	var teas []string
	for i := range many {
		o := order.Order{
			ID: fmt.Sprintf("%024d", i), Source: order.SourceShop, Owner: fmt.Sprint("openid-of-", i), ClientKey: "k", Fingerprint: "f",
			Shop: paytest.ShopURL, AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID, Total: 6800, Currency: "CNY",
			Lines:     []order.Line{{ProductID: "tea", Name: "茶", Price: 6800, Quantity: 1}},
			CreatedAt: began.Add(time.Duration(i/3) * time.Millisecond), // several at one moment
		}
		o.ExpiresAt = o.CreatedAt.Add(order.Lifetime)
		switch {
		case i%10 == 0:
			o.Lines[0].ProductID = "bun"
		case i%10 == 1: // one of several products
			o.Lines = []order.Line{{ProductID: "bun", Name: "包", Price: 800, Quantity: 1}, {ProductID: "tea", Name: "茶", Price: 6000, Quantity: 1}}
			teas = append(teas, o.ID)
		default:
			teas = append(teas, o.ID)
		}
		if _, err := store.Insert(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			p := order.Payment{
				OutTradeNo: fmt.Sprintf("20261123%024d", i+1000), OrderID: o.ID, AppID: o.AppID, MchID: o.MchID, APIVersion: "v2",
				TradeType: api.TradeJSAPI, OpenID: o.Owner, ClientIP: "203.0.113.7", CreatedAt: o.CreatedAt,
			}
			if ok, err := store.InsertPayment(t.Context(), p, time.Time{}); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if ok, err := store.SetPrepay(t.Context(), p.OutTradeNo, order.Prepay{ID: fmt.Sprint("wx", i), SignType: "MD5"}, s.Now()); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	}
	paid := s.SignedIn(0).PaidOrder("tea", 1)
	s.Sim.Advance(time.Second)

	req, calls, closing := v1.CloseOrders{ProductID: "tea"}, 0, 0
	for {
		counted := countStatements(t, s)
		var res v1.OrdersClosed
		op.Must("POST", "/v1/orders/close", req, &res)
		if n := counted.Load(); n > 5 { // one of them for the audit list
			t.Errorf("call %d made %d statements", calls, n)
		}
		calls++
		closing += res.Orders
		if res.Orders > 400 {
			t.Errorf("call %d closes %d orders", calls, res.Orders)
		}
		if res.Next == "" {
			break
		}
		req.Cursor = res.Next
	}
	if closing != len(teas) || calls < 3 || calls > 6 {
		t.Errorf("%d calls closed %d orders, want %d", calls, closing, len(teas))
	}
	// Half of them have no payment at WeChat, so they are closed at once.
	var open, left, gone int
	if err := s.DB.QueryRow(`SELECT COUNT(*) FILTER (WHERE status = 'open'), COUNT(*) FILTER (WHERE status = 'closing' AND tried),
		COUNT(*) FILTER (WHERE status = 'closed' AND NOT tried) FROM (SELECT status, EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id) AS tried FROM orders)`).Scan(&open, &left, &gone); err != nil ||
		open != many-len(teas) || left == 0 || gone == 0 || left+gone != len(teas) {
		t.Errorf("%d open, %d closing, %d closed, %v", open, left, gone, err)
	}
	s.WantStatus(paid.ID, api.StatusPaid)
	// Again, and nothing is left to close.
	var res v1.OrdersClosed
	op.Must("POST", "/v1/orders/close", v1.CloseOrders{ProductID: "tea"}, &res)
	if res != (v1.OrdersClosed{}) {
		t.Errorf("again: %+v", res)
	}
	// The others are selected by time, without those of that moment or later.
	op.Must("POST", "/v1/orders/close", v1.CloseOrders{Before: began.Add(10 * time.Millisecond).UnixMilli()}, &res)
	if res != (v1.OrdersClosed{Orders: 3}) {
		t.Errorf("before: %+v", res)
	}
	// The timer queries WeChat, which knows none of them, and closes them in the shop.
	s.Sim.Advance(6 * time.Minute)
	s.Reconcile()
	var closed int
	if err := s.DB.QueryRow(`SELECT COUNT(*) FROM orders WHERE status = 'closed'`).Scan(&closed); err != nil || closed == 0 {
		t.Errorf("the timer closed %d, %v", closed, err)
	}
}

// While selling is off, the shop accepts no orders and returns no payment parameters. Payments that
// have begun continue.
func TestNotSelling(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"call", "setting"} {
		t.Run(by, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p, guest, op := s.SignedIn(0), s.NewGuest(1), s.Operator()
			open, begun, back := p.Order("tea", 1), p.Order("tea", 1), p.PaidOrder("tea", 1)
			var code api.Checkout
			guest.Checkout(paytest.BasketForCode("tea", 1), &code)
			bare := p.Place(paytest.Basket("tea", 1)) // without a payment
			paidReq := paytest.Basket("tea", 1)
			var paid api.Checkout
			p.Checkout(paidReq, &paid)
			p.Pay(paid.Pay)
			s.Deliver()
			sheet, err := p.OpenPaySheet(begun.Pay)
			if err != nil {
				t.Fatal(err)
			}
			before := s.Handler
			if by == "call" {
				if state := op.SetSelling(false); state.Selling || state.SettingOff || state.SwitchedAt != s.Now().UnixMilli() && state.SwitchedAt == 0 {
					t.Errorf("%+v", state)
				}
			} else {
				s.Handler = s.Open(func(cfg *paytest.Settings, _ *wechat.Config) { cfg.SellingOff = true })
				if state := op.SetSelling(true); state.Selling || !state.SettingOff {
					t.Errorf("a call switched on selling that the setting switched off: %+v", state)
				}
			}
			orders := len(s.Sim.Ledger().Orders)
			p.Fails(api.CodeNotSelling, "POST", api.PathOrders, paytest.Basket("tea", 1))
			guest.Fails(api.CodeNotSelling, "POST", api.PathOrders, paytest.BasketForCode("tea", 1))
			for _, renew := range []bool{false, true} {
				for _, id := range []string{open.Order.ID, bare.ID} {
					p.Fails(api.CodeNotSelling, "POST", api.OrderPayPath(id), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}, Renew: renew})
				}
				guest.Fails(api.CodeNotSelling, "POST", api.OrderPayPath(code.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}, Renew: renew})
			}
			if n := len(s.Sim.Ledger().Orders); n != orders {
				t.Errorf("WeChat accepted %d payments", n-orders)
			}
			if _, without := s.Health(); !strings.Contains(without["selling"], "stopped selling") {
				t.Errorf("the health page says %v", without)
			}
			// A repeated request finds its order paid and needs no payment parameters.
			if again := p.Place(paidReq); again.ID != paid.Order.ID || again.Status != api.StatusPaid {
				t.Errorf("%+v", again)
			}
			p.Fails(api.CodeOrderPaid, "POST", api.OrderPayPath(paid.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
			// A buyer whose payment sheet is open pays, and WeChat's response settles the payment.
			if _, err := s.Sim.PaySheet(sheet.ID); err != nil {
				t.Fatal(err)
			}
			s.Deliver()
			s.WantStatus(begun.Order.ID, api.StatusPaid)
			op.Refund(back.ID, paytest.RefundRequest(back.Total))
			s.Sim.Advance(2 * time.Minute)
			s.Reconcile()
			s.WantStatus(back.ID, api.StatusRefunded)
			p.Must("POST", api.OrderClosePath(open.Order.ID), api.CloseRequest{}, &api.Order{})

			if by == "call" {
				if state := op.SetSelling(true); !state.Selling {
					t.Errorf("%+v", state)
				}
			} else {
				s.Handler = before
			}
			p.Order("tea", 1)
		})
	}
}

// The runbook's section "A wrong price", step by step, with its own commands.
func TestWrongPriceByTheRunbook(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## A wrong price\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var commands []string
	for line := range strings.Lines(section) {
		if command, ok := strings.CutPrefix(line, "       "); ok {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	if len(commands) != 7 {
		t.Fatalf("the runbook has %d commands: %q", len(commands), commands)
	}
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	p := s.SignedIn(0)
	wrong := s.Now().UnixMilli()
	was := p.PaidOrder("tea", 2)
	cheap, other := p.Order("tea", 1), p.Order("bun", 1)
	inFlight := p.Order("tea", 1)
	sheet, err := p.OpenPaySheet(inFlight.Pay)
	if err != nil {
		t.Fatal(err)
	}

	change := regexp.MustCompile(`^admin -X (POST|PUT) -H 'Content-Type: application/json' -d '([^']*)' \$SHOP(\S+)$`)
	get := regexp.MustCompile(`^admin "\$SHOP(\S+)"$`)
	sql := regexp.MustCompile(`^npx wrangler d1 execute DB --remote --command "([^"]+)"$`)
	cursor := ""
	run := func(command string) []byte {
		t.Helper()
		if m := sql.FindStringSubmatch(command); m != nil {
			storetest.Exec(t, s.DB, m[1])
			return nil
		}
		var r *http.Request
		if m := change.FindStringSubmatch(command); m != nil {
			r = op.Request(m[1], m[3], []byte(strings.ReplaceAll(m[2], "CURSOR", cursor)))
		} else if m := get.FindStringSubmatch(command); m != nil {
			r = op.Request("GET", strings.ReplaceAll(m[1], "MOMENT", fmt.Sprint(wrong)), nil)
		} else {
			t.Fatalf("not a command that the test knows: %s", command)
		}
		a := op.Send(r)
		if a.Status != 200 {
			t.Fatalf("%s: %d %s", command, a.Status, a.Body)
		}
		s.Check()
		return a.Body
	}
	list := func(command string) (orders []string) {
		t.Helper()
		var all v1.Orders
		if err := json.Unmarshal(run(command), &all); err != nil {
			t.Fatal(err)
		}
		for _, o := range all.Orders {
			orders = append(orders, o.ID)
		}
		return orders
	}

	run(commands[0]) // stop selling
	p.Fails(api.CodeNotSelling, "POST", api.PathOrders, paytest.Basket("tea", 1))
	run(commands[1]) // correct the price
	var res v1.OrdersClosed
	if err := json.Unmarshal(run(commands[2]), &res); err != nil || res.Orders != 2 || res.Next != "" {
		t.Errorf("%+v, %v", res, err)
	}
	// As if the first call had ended before it had seen all.
	cursor = base64.RawURLEncoding.EncodeToString([]byte("0 0"))
	if err := json.Unmarshal(run(commands[3]), &res); err != nil || res.Next != "" {
		t.Errorf("with a cursor: %+v, %v", res, err)
	}
	run(commands[4]) // sell again
	if c := p.Order("tea", 1); c.Order.Total != 680000 {
		t.Errorf("an order costs %s", c.Order.Total)
	}
	if n := list(commands[5]); len(n) != 2 {
		t.Errorf("closing: %v", n)
	}
	if _, err := s.Sim.PaySheet(sheet.ID); err != nil { // it was open all the while
		t.Fatal(err)
	}
	s.Sim.Advance(6 * time.Minute)
	s.Reconcile()
	if n := list(commands[5]); len(n) != 0 {
		t.Errorf("still closing: %v", n)
	}
	s.WantStatus(cheap.Order.ID, api.StatusClosed)
	s.WantStatus(other.Order.ID, api.StatusOpen)
	if n := list(commands[6]); len(n) != 2 || n[0] != inFlight.Order.ID || n[1] != was.ID {
		t.Errorf("paid: %v, want %s and %s", n, inFlight.Order.ID, was.ID)
	}
}
