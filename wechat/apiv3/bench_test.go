package apiv3

import (
	"strings"
	"testing"
)

func BenchmarkAuthorization(b *testing.B) {
	m := newMerchant(b, nil)
	body := []byte(strings.Repeat("{prepay}", 50))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Authorization(b.Context(), "POST", "/v3/pay/transactions/jsapi", body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	r := newReceiver(b, weChatKey(b))
	h := signed(b, wechatKeyName, testKeyID, testNow, answer)
	body := []byte(answer)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Verify(b.Context(), h.get, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNotification(b *testing.B) {
	r := newReceiver(b, weChatKey(b))
	body := callback(b, testAPIv3Key, "fAKcOVTdU4VI", "transaction")
	h := signed(b, wechatKeyName, testKeyID, testNow, body)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Notification(b.Context(), h.get, []byte(body)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewMerchant(b *testing.B) {
	cfg := merchantConfig(b)
	cfg.Certificate = certify(b, private(b, merchantKeyName), testSerial, testNow, testNow)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewMerchant(cfg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFailure(b *testing.B) {
	body := []byte(`{"code":"PARAM_ERROR","detail":{"location":"body","value":""},"message":"输入源“/body/appid”映射到字段“公众号ID”必填性规则校验失败，此字段为必填项"}`)
	get := headers{"request-id": "08F7C0B2AE0610D20118D0E6A5B00120B6E04428AAF204-268435461"}.get
	b.ReportAllocs()
	for b.Loop() {
		newFailure(400, get, body, nil)
	}
}
