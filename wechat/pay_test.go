package wechat

import (
	"io"
	"testing"
	"time"
)

// payments returns a version of a client.
func payments(t *testing.T, c *Client, v Version) Merchant {
	t.Helper()
	p, err := c.For(v)
	if err != nil {
		t.Fatal(err)
	}
	if p.Version() != v {
		t.Fatalf("For(%s) is %s", v, p.Version())
	}
	return p
}

func TestForNeedsKeys(t *testing.T) {
	c, _ := newClient(t, unread(t))
	payments(t, c, V2)
	for _, v := range []Version{V3, "", "v4", "V2"} {
		p, err := c.For(v)
		if p != nil {
			t.Errorf("%q: got %v", v, p)
		}
		wantError(t, err, Operator, CodeNotConfigured)
	}
}

// A caller learns from the code that a version does not offer a call.
func TestCallsThatAPIv2DoesNotOffer(t *testing.T) {
	c, _ := newClient(t, unread(t))
	p := payments(t, c, V2)
	_, err := p.AppParams(t.Context(), "wx1")
	wantError(t, err, Developer, CodeNotOffered)
	_, err = p.FundFlowBill(t.Context(), time.Unix(0, 0))
	wantError(t, err, Developer, CodeNotOffered)
}

func TestQueryTransactionOfAPIv2(t *testing.T) {
	const id = "4200000000202603010000000001"
	reply := paid().with("trade_state", "SUCCESS")
	c, s := newClient(t, says(reply.signed(SignHMAC)))
	p := payments(t, c, V2)
	got, err := p.QueryTransaction(t.Context(), id)
	if err != nil || got != paidTrade() {
		t.Errorf("%+v, %v", got, err)
	}
	if sent := readMessage(t, s.bodies[0]); sent["transaction_id"] != id || sent["out_trade_no"] != "" {
		t.Errorf("sent %v", sent)
	}
	_, err = p.QueryTransaction(t.Context(), "4200000000202603010000000002")
	wantError(t, err, Untrusted, "")
	sent := len(s.bodies)
	for _, bad := range []string{"", "42-1", "1234567890123456789012345678901234567890"} {
		_, err = p.QueryTransaction(t.Context(), bad)
		wantError(t, err, Developer, codeParam)
	}
	if len(s.bodies) != sent {
		t.Error("a malformed transaction_id was sent")
	}
	// WeChat guarantees no transaction_id of a refunded order.
	refunded, _ := newClient(t, says(reply.with("trade_state", "REFUND", "transaction_id", "-").signed(SignHMAC)))
	if got, err := payments(t, refunded, V2).QueryTransaction(t.Context(), id); err != nil || got.State != StateRefund {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTradeBillOfAPIv2(t *testing.T) {
	day := time.Date(2026, 2, 27, 4, 0, 0, 0, time.UTC)
	c, _ := newClient(t, says("the text of a bill"))
	r, err := payments(t, c, V2).TradeBill(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "the text of a bill" {
		t.Errorf("%q, %v", b, err)
	}
	none, _ := newClient(t, says("<xml><return_code>FAIL</return_code><error_code>20002</error_code></xml>"))
	_, err = payments(t, none, V2).TradeBill(t.Context(), day)
	wantError(t, err, Declined, CodeNoBill)
	if bill, err := payments(t, none, V2).DownloadBill(t.Context(), day); err != nil || len(bill.Rows) != 0 {
		t.Errorf("%+v, %v", bill, err)
	}
}
