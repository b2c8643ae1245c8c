package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"h5pay/internal/order"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
)

// warmUpWeChat is WeChat for the warm-up: its responses, and the notification of payment. Signatures
// of APIv3 are not real; the warm-up's RSA accepts them.
type warmUpWeChat struct {
	fetch   wechat.Doer // its responses are empty
	set     settings
	payment order.Payment
}

const warmUpOpenID = "oWarmUp000000000000000000001"

// Do implements wechat.Doer.
func (w *warmUpWeChat) Do(r *http.Request) (*http.Response, error) {
	if _, err := w.fetch.Do(r); err != nil {
		return nil, err
	}
	switch r.URL.Path {
	case "/sns/oauth2/access_token":
		return response(nil, `{"access_token":"warm-up","expires_in":7200,"refresh_token":"warm-up","openid":"`+warmUpOpenID+`","scope":"snsapi_base"}`), nil
	case "/pay/unifiedorder":
		return response(nil, w.signV2(append(w.v2(), wechat.Field{Name: "prepay_id", Value: "wx00000000"}, wechat.Field{Name: "trade_type", Value: "JSAPI"}))), nil
	case "/pay/orderquery":
		return response(nil, w.signV2(append(w.v2Payment(), wechat.Field{Name: "trade_state", Value: "SUCCESS"}))), nil
	case "/v3/pay/transactions/jsapi":
		return response(w.v3Header(), `{"prepay_id":"wx00000000"}`), nil
	case "/v3/pay/transactions/out-trade-no/" + w.payment.OutTradeNo:
		text, err := json.Marshal(w.v3Payment())
		return response(w.v3Header(), string(text)), err
	}
	return nil, errors.New("the warm-up has no response for " + r.URL.Path)
}

func response(h http.Header, body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// notification returns the notification of the payment.
func (w *warmUpWeChat) notification() (http.Header, []byte, error) {
	if w.set.API == wechat.V2 {
		return http.Header{"Content-Type": {"text/xml"}}, []byte(w.signV2(w.v2Payment())), nil
	}
	plain, err := json.Marshal(w.v3Payment())
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher([]byte(w.set.Key))
	if err != nil {
		return nil, nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, err
	}
	const nonce, kind = "warmup000000", "transaction"
	body, err := json.Marshal(map[string]any{
		"id": "EV-warm-up", "create_time": "2027-01-15T16:00:00+08:00", "event_type": "TRANSACTION.SUCCESS", "resource_type": "encrypt-resource", "summary": "",
		"resource": apiv3.Resource{
			OriginalType: kind, Algorithm: "AEAD_AES_256_GCM", AssociatedData: kind, Nonce: nonce,
			Ciphertext: base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), plain, []byte(kind))),
		},
	})
	return w.v3Header(), body, err
}

func (w *warmUpWeChat) v2() []wechat.Field {
	return []wechat.Field{
		{Name: "return_code", Value: "SUCCESS"}, {Name: "result_code", Value: "SUCCESS"}, {Name: "appid", Value: w.set.AppID},
		{Name: "mch_id", Value: w.set.MchID}, {Name: "nonce_str", Value: "warmup"},
	}
}

func (w *warmUpWeChat) v2Payment() []wechat.Field {
	total := strconv.Itoa(int(w.payment.Total))
	return append(w.v2(),
		wechat.Field{Name: "out_trade_no", Value: w.payment.OutTradeNo}, wechat.Field{Name: "transaction_id", Value: "4200000000000000000000000001"},
		wechat.Field{Name: "openid", Value: warmUpOpenID}, wechat.Field{Name: "trade_type", Value: "JSAPI"}, wechat.Field{Name: "bank_type", Value: "OTHERS"},
		wechat.Field{Name: "total_fee", Value: total}, wechat.Field{Name: "cash_fee", Value: total}, wechat.Field{Name: "fee_type", Value: "CNY"},
		wechat.Field{Name: "time_end", Value: "20270115160000"})
}

func (w *warmUpWeChat) signV2(fields []wechat.Field) string {
	fields = append(fields, wechat.Field{Name: "sign", Value: wechat.Sign(fields, w.set.APIKey, w.set.SignType)})
	var b strings.Builder
	b.WriteString("<xml>")
	for _, f := range fields {
		fmt.Fprintf(&b, "<%s><![CDATA[%s]]></%s>", f.Name, f.Value, f.Name)
	}
	b.WriteString("</xml>")
	return b.String()
}

func (w *warmUpWeChat) v3Header() http.Header {
	return http.Header{
		"Content-Type": {jsonType}, apiv3.HeaderSerial: {w.set.PublicKeyID}, apiv3.HeaderNonce: {"warmup"},
		apiv3.HeaderTimestamp: {strconv.FormatInt(warmUpTime.Unix(), 10)},
		apiv3.HeaderSignature: {base64.StdEncoding.EncodeToString(make([]byte, 256))},
	}
}

func (w *warmUpWeChat) v3Payment() map[string]any {
	return map[string]any{
		"appid": w.set.AppID, "mchid": w.set.MchID, "out_trade_no": w.payment.OutTradeNo, "transaction_id": "4200000000000000000000000001", "trade_type": "JSAPI",
		"trade_state": "SUCCESS", "trade_state_desc": "", "bank_type": "OTHERS", "attach": "", "success_time": "2027-01-15T16:00:00+08:00",
		"payer":  map[string]string{"openid": warmUpOpenID},
		"amount": map[string]any{"total": w.payment.Total, "payer_total": w.payment.Total, "currency": "CNY", "payer_currency": "CNY"},
	}
}
