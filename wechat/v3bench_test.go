package wechat

import (
	"net/http"
	"testing"
)

// A payment notification of each version; of APIv3 also without the signature's RSA,
// which the platform does in a Worker.
func BenchmarkPaymentNotification(b *testing.B) {
	v3body := []byte(notification(b, "TRANSACTION.SUCCESS", "transaction", paidV3().json()))
	signed := v3answer{body: string(v3body)}.headers(b)
	var status int
	var body []byte
	bare, _ := trustingClient(b, true, &status, &body)
	both, _, _ := newV3Client(b, silent(b), func(c *Config) { c.APIKey = testKey })
	for _, bench := range []struct {
		name   string
		client *Client
		header http.Header
		body   []byte
	}{
		{"v2", both, http.Header{}, []byte(paid().signed(SignHMAC))},
		{"v3", both, signed, v3body},
		{"v3 without RSA", bare, trusting(true).headers(), v3body},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bench.client.PaymentNotification(b.Context(), bench.header.Get, bench.body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// An order with its pay parameters: of APIv3 without the RSA of its two signatures and
// one verification.
func BenchmarkPlaceOrder(b *testing.B) {
	status, body := 200, []byte(`{"prepay_id":"wx201410272009395522657a690389285100"}`)
	_, v3 := trustingClient(b, true, &status, &body)
	reply := message{"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": testAppID, "mch_id": testMchID, "trade_type": "JSAPI",
		"prepay_id": "wx201410272009395522657a690389285100"}.signed(SignHMAC)
	client, err := New(Config{AppID: testAppID, AppSecret: testSecret, MchID: testMchID, APIKey: testKey, Doer: doerFunc(
		func(*http.Request) (*http.Response, error) { return respond(200, reply), nil })})
	if err != nil {
		b.Fatal(err)
	}
	v2, err := client.For(V2)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range []Merchant{v2, v3} {
		b.Run(string(p.Version()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				prepay, err := p.PlaceOrder(b.Context(), v3testOrder(TradeJSAPI))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := p.PayParams(b.Context(), prepay.PrepayID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
