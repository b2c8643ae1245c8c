package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// phone is WeChat's web view with the shop.
type phone struct{ *tab }

// newPhone opens the shop as the n-th simulated user in a new web view.
func newPhone(t *testing.T, n int) phone {
	t.Helper()
	world.sim.ClearFaults()
	takePhone(t, n)
	p := phone{newTab(t)}
	p.open(world.sim.PhoneURL + "/")
	return p
}

// takePhone gives the phone to the n-th user.
func takePhone(t *testing.T, n int) wechattest.User {
	t.Helper()
	user := world.sim.Users()[n]
	if err := world.sim.SetUser(user.OpenID); err != nil {
		t.Fatal(err)
	}
	return user
}

// The client's own dialogs, see simulator/phone/web.
func sheet(part string) string {
	return fmt.Sprintf(`document.querySelector("wechat-client")?.shadowRoot.querySelector(%q)`, part)
}

// choose adds products to the basket and goes to the pay page.
func (p phone) choose(names ...string) {
	p.t.Helper()
	p.until("the end of the sign-in", `document.querySelector('[data-waits="false"]')`) // which may load the page again
	for _, name := range names {
		p.tap(fmt.Sprintf(`document.querySelector('[data-product=%q] [data-action="add"]')`, name))
	}
	p.tap(button("去支付"))
	p.until("the pay page", `location.pathname === "/pay"`)
}

// order returns the ID of the page's order.
func (p phone) order() string {
	p.t.Helper()
	u, err := url.Parse(p.eval("location.href"))
	if err != nil {
		p.t.Fatal(err)
	}
	id := u.Query().Get("order")
	if id == "" {
		p.t.Fatalf("no order in %s", u)
	}
	return id
}

// openSheet taps the pay button and waits for the payment sheet.
func (p phone) openSheet() {
	p.t.Helper()
	p.tap(`document.querySelector('[data-action="pay"]')`)
	p.until("the payment sheet", sheet(".pay"))
}

// pay pays on the sheet and waits for the result page.
func (p phone) pay() {
	p.t.Helper()
	p.openSheet()
	p.tap(sheet(".pay"))
	p.until("the result page", `location.pathname === "/result"`)
}

func (p phone) seesPaid() {
	p.t.Helper()
	p.until("the result page to say paid", `document.querySelector('[data-status="paid"]')`)
}

// fetch calls the signer as the page does, with its cookies.
func (p phone) fetch(method, path, body string) (status int, answer string) {
	p.t.Helper()
	init := fmt.Sprintf(`{method: %q}`, method)
	if body != "" {
		init = fmt.Sprintf(`{method: %q, headers: {"Content-Type": "application/json"}, body: %s}`, method, body)
	}
	raw := p.await(fmt.Sprintf(`fetch(%q, %s).then(async r => JSON.stringify({status: r.status, body: await r.text()}))`, path, init))
	var got struct {
		Status int
		Body   string
	}
	if err := json.Unmarshal([]byte(raw), &got); err != nil {
		p.t.Fatalf("fetch %s: %v in %s", path, err, raw)
	}
	return got.Status, got.Body
}

// stored returns an order as the signer stores it, with the transaction that paid it.
func stored(t *testing.T, id string) (status, transactionID string) {
	t.Helper()
	err := database(t).QueryRow(`SELECT orders.status, COALESCE(transaction_id, '') FROM orders LEFT JOIN payments ON out_trade_no = paid_by WHERE orders.id = ?`, id).Scan(&status, &transactionID)
	if err != nil {
		t.Fatalf("order %s: %v", id, err)
	}
	return status, transactionID
}

// checkLedger compares the signer's payments with WeChat's ledger. A payment must be paid if and only
// if WeChat has the same transaction.
func checkLedger(t *testing.T) {
	t.Helper()
	trades := map[string]string{}
	for _, trade := range world.sim.Ledger().Trades {
		trades[trade.OutTradeNo] = trade.TransactionID
	}
	deadline := time.Now().Add(waitTimeout)
	for {
		var wrong []string
		for line := range strings.Lines(payments(t)) {
			f := strings.Fields(line)
			no, status, transaction := f[1], f[4], ""
			if len(f) > 5 {
				transaction = f[5]
			}
			if paid := status == string(api.PaymentPaid); paid != (trades[no] != "") || transaction != trades[no] {
				wrong = append(wrong, fmt.Sprintf("%s is %s by %q, WeChat's ledger has %q", no, status, transaction, trades[no]))
			}
		}
		if wrong == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(strings.Join(wrong, "\n"))
		}
		time.Sleep(100 * time.Millisecond)
	}
}
