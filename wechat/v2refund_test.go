package wechat

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testRefundNo = "R-20260301_0001"

func testRefund() RefundRequest {
	return RefundRequest{OutTradeNo: testNo, OutRefundNo: testRefundNo, Total: 880, Amount: 300}
}

// refunding is WeChat's response to testRefund.
func refunding() message {
	return message{
		"return_code": "SUCCESS", "result_code": "SUCCESS", "return_msg": "OK", "appid": testAppID, "mch_id": testMchID, "nonce_str": "n",
		"transaction_id": "4200000000202603010000000001", "out_trade_no": testNo, "out_refund_no": testRefundNo,
		"refund_id": "50000000002026030100000000001", "refund_fee": "300", "settlement_refund_fee": "250", "total_fee": "880",
		"settlement_total_fee": "780", "cash_fee": "780", "cash_refund_fee": "250", "refund_channel": "",
	}
}

func wantRefund() Refund {
	return Refund{
		Version:    V2,
		OutTradeNo: testNo, OutRefundNo: testRefundNo, TransactionID: "4200000000202603010000000001", RefundID: "50000000002026030100000000001",
		Total: 880, Amount: 300, State: RefundProcessing,
	}
}

func TestRefundSendsWhatItSigns(t *testing.T) {
	full := testRefund()
	full.OutRefundNo = "a_b-c|d*e@" + strings.Repeat("9", 54)
	full.Reason = "不要了🍵\r\n" + strings.Repeat("茶", 40)
	full.NotifyURL = "https://shop.example/api/notify/refund"
	full.FromBalance = true
	full.Amount = 880
	for name, tt := range map[string]struct {
		request RefundRequest
		want    message
	}{
		"least": {testRefund(), message{"out_refund_no": testRefundNo, "refund_fee": "300"}},
		"most": {full, message{
			"out_refund_no": full.OutRefundNo, "refund_fee": "880", "refund_desc": "不要了" + strings.Repeat("茶", 23),
			"notify_url": full.NotifyURL, "refund_account": "REFUND_SOURCE_RECHARGE_FUNDS",
		}},
	} {
		for _, algorithm := range []SignType{SignMD5, SignHMAC} {
			t.Run(name+" "+string(algorithm), func(t *testing.T) {
				cert := &script{t: t, answer: says(refunding().with("out_refund_no", tt.request.OutRefundNo, "refund_fee", tt.want["refund_fee"]).signed(algorithm))}
				c, _ := newClient(t, unread(t), func(cfg *Config) { cfg.SignType, cfg.CertDoer = algorithm, cert })
				got, err := c.Refund(t.Context(), tt.request)
				if err != nil {
					t.Fatal(err)
				}
				want := wantRefund()
				want.OutRefundNo, want.Amount = tt.request.OutRefundNo, tt.request.Amount
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("refund (-want +got):\n%s", diff)
				}
				if len(cert.urls) != 1 || cert.urls[0].String() != "https://api.mch.weixin.qq.com/secapi/pay/refund" {
					t.Errorf("sent to %v", cert.urls)
				}
				sent := readMessage(t, cert.bodies[0])
				if sent["sign"] != sent.digest(testKey, algorithm) {
					t.Error("the request is badly signed")
				}
				wantSent := tt.want.with("appid", testAppID, "mch_id", testMchID, "sign_type", string(algorithm),
					"out_trade_no", testNo, "total_fee", "880", "refund_fee_type", "CNY")
				if diff := cmp.Diff(wantSent, sent.with("sign", "-", "nonce_str", "-")); diff != "" {
					t.Errorf("fields (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A refund that WeChat may have is sent again as it was.
func TestRepeatedRefundSendsTheSame(t *testing.T) {
	c, s := newClient(t, says(refunding().signed(SignHMAC)))
	for range 2 {
		if _, err := c.Refund(t.Context(), testRefund()); err != nil {
			t.Fatal(err)
		}
	}
	first, second := readMessage(t, s.bodies[0]), readMessage(t, s.bodies[1])
	if diff := cmp.Diff(first.with("nonce_str", "-", "sign", "-"), second.with("nonce_str", "-", "sign", "-")); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}

func TestRefundNeedsACertificate(t *testing.T) {
	c, _ := newClient(t, unread(t), func(cfg *Config) { cfg.CertDoer = nil })
	_, err := c.Refund(t.Context(), testRefund())
	wantError(t, err, Operator, "")
	// The response of WeChat's gateway to a wrong certificate, and to none.
	for _, page := range []string{"The SSL certificate error", "No required SSL certificate was sent"} {
		c, _ = newClient(t, nil, func(cfg *Config) {
			cfg.CertDoer = &script{t: t, answer: status(400, "<html><head><title>400 "+page+"</title></head></html>")}
		})
		_, err = c.Refund(t.Context(), testRefund())
		wantError(t, err, Operator, "")
	}
}

// In a native program the certificate is in tls.Config. The gateway requests one and answers 400
// without it, as WeChat's does.
func TestRefundOverTLS(t *testing.T) {
	gateway := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 0 {
			http.Error(w, "<html><title>400 No required SSL certificate was sent</title></html>", http.StatusBadRequest)
			return
		}
		io.WriteString(w, refunding().signed(SignHMAC))
	}))
	gateway.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	gateway.StartTLS()
	defer gateway.Close()
	plain := gateway.Client()
	transport := plain.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.Certificates = gateway.TLS.Certificates // any will do
	for name, tt := range map[string]struct {
		doer Doer
		want bool
	}{"with": {&http.Client{Transport: transport}, true}, "without": {plain, false}} {
		c, _ := newClient(t, unread(t), func(cfg *Config) { cfg.MchURL, cfg.CertDoer = gateway.URL, tt.doer })
		got, err := c.Refund(t.Context(), testRefund())
		if tt.want && (err != nil || got != wantRefund()) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if !tt.want {
			wantError(t, err, Operator, "")
		}
	}
}

func TestRefundIsNotSentWhenWeChatWouldDecline(t *testing.T) {
	for name, spoil := range map[string]func(*RefundRequest){
		"no order":            func(r *RefundRequest) { r.OutTradeNo = "" },
		"odd order":           func(r *RefundRequest) { r.OutTradeNo = "a b c d" },
		"no number":           func(r *RefundRequest) { r.OutRefundNo = "" },
		"long number":         func(r *RefundRequest) { r.OutRefundNo = strings.Repeat("1", 65) },
		"odd number":          func(r *RefundRequest) { r.OutRefundNo = "a&b" },
		"number in Chinese":   func(r *RefundRequest) { r.OutRefundNo = "退" },
		"no total":            func(r *RefundRequest) { r.Total = 0 },
		"total too much":      func(r *RefundRequest) { r.Total = maxTotalFee + 1 },
		"no amount":           func(r *RefundRequest) { r.Amount = 0 },
		"negative amount":     func(r *RefundRequest) { r.Amount = -1 },
		"more than was paid":  func(r *RefundRequest) { r.Amount = r.Total + 1 },
		"relative notify_url": func(r *RefundRequest) { r.NotifyURL = "/api/notify" },
		"long notify_url":     func(r *RefundRequest) { r.NotifyURL = "https://s/" + strings.Repeat("x", 256) },
		"notify_url query":    func(r *RefundRequest) { r.NotifyURL = "https://s/?a=1" },
		"notify_url fragment": func(r *RefundRequest) { r.NotifyURL = "https://s/#" },
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, unread(t))
			r := testRefund()
			spoil(&r)
			_, err := c.Refund(t.Context(), r)
			wantError(t, err, Developer, "PARAM_ERROR")
		})
	}
}

// badRefunds are messages in which something is wrong that refund, refundquery
// and the notification share. The fields of one refund end in suffix.
func badRefunds(good message, suffix string) map[string]message {
	bad := map[string]message{}
	for name, change := range map[string][]string{
		"no out_trade_no":     {"out_trade_no", "-"},
		"odd out_trade_no":    {"out_trade_no", "茶茶茶茶"},
		"odd out_refund_no":   {"out_refund_no" + suffix, "a b"},
		"long out_refund_no":  {"out_refund_no" + suffix, strings.Repeat("1", 65)},
		"no transaction_id":   {"transaction_id", "-"},
		"no refund_id":        {"refund_id" + suffix, "-"},
		"no total_fee":        {"total_fee", "-"},
		"total_fee nil":       {"total_fee", "0"},
		"odd total_fee":       {"total_fee", " 880"},
		"no refund_fee":       {"refund_fee" + suffix, "-"},
		"refund_fee nil":      {"refund_fee" + suffix, "0"},
		"negative refund_fee": {"refund_fee" + suffix, "-300"},
		"fraction":            {"refund_fee" + suffix, "3.00"},
		"more than was paid":  {"refund_fee" + suffix, "881"},
		"huge refund_fee":     {"refund_fee" + suffix, "99999999999"},
	} {
		bad[name] = good.with(change...)
	}
	return bad
}

func TestRefundReplies(t *testing.T) {
	good := refunding()
	replies := commonReplies(good)
	// A refund checks these two codes as its own.
	replies["declined, unknown"] = reply{good.with("result_code", "FAIL", "err_code", "ORDERNOTEXIST").signed(SignHMAC), Developer, CodeOrderNotExist}
	for code, kind := range map[string]Kind{
		"NOTENOUGH": Operator, "SYSTEMERROR": Retry, "BIZERR_NEED_RETRY": Retry, "INVALID_REQ_TOO_MUCH": Retry, "TRADE_OVERDUE": Declined,
		"USER_ACCOUNT_ABNORMAL": Declined, "ERROR": Declined, "INVALID_TRANSACTIONID": Developer, "INVALID_REQUEST": Developer,
	} {
		replies["declined, "+code] = reply{good.with("result_code", "FAIL", "err_code", code).signed(SignMD5), kind, canonicalCode(code)}
	}
	for name, m := range badRefunds(good, "") {
		replies[name] = reply{m.signed(SignHMAC), Untrusted, ""}
	}
	replies["no out_refund_no"] = reply{good.with("out_refund_no", "-").signed(SignHMAC), Untrusted, ""}
	replies["another order"] = reply{good.with("out_trade_no", testNo+"2").signed(SignHMAC), Untrusted, ""}
	replies["another refund"] = reply{good.with("out_refund_no", testRefundNo+"2").signed(SignHMAC), Untrusted, ""}
	replies["another amount"] = reply{good.with("refund_fee", "301").signed(SignHMAC), Untrusted, ""}
	replies["another total"] = reply{good.with("total_fee", "881").signed(SignHMAC), Untrusted, ""}
	replies["a reply of orderquery"] = reply{paid().with("trade_state", "REFUND").signed(SignHMAC), Untrusted, ""}
	for name, r := range replies {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, says(r.body))
			got, err := c.Refund(t.Context(), testRefund())
			wantError(t, err, r.kind, r.code)
			if got != (Refund{}) {
				t.Errorf("%+v was returned with the error", got)
			}
		})
	}
}
