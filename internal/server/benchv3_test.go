package server

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"h5pay/internal/order"
	"h5pay/wechat"
)

// benchMessage is a message from WeChat.
type benchMessage struct {
	header http.Header // nil in APIv2
	body   string
}

const (
	benchV3Key = "APIV3KEYapiv3keyAPIV3KEYapiv3k02"
	benchKeyID = "PUB_KEY_ID_0119000001092026112300000001"
)

// benchWeChat signs messages of APIv3 as WeChat does.
type benchWeChat struct{ merchant, wechat *rsa.PrivateKey }

func newBenchWeChat(b *testing.B) *benchWeChat {
	b.Helper()
	w := &benchWeChat{}
	for _, key := range []**rsa.PrivateKey{&w.merchant, &w.wechat} {
		var err error
		if *key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			b.Fatal(err)
		}
	}
	return w
}

// config returns the merchant's keys.
func (w *benchWeChat) config(b *testing.B) *wechat.V3Config {
	b.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(w.merchant)
	if err != nil {
		b.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&w.wechat.PublicKey)
	if err != nil {
		b.Fatal(err)
	}
	text := func(label string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
	}
	return &wechat.V3Config{
		Serial: "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB", PrivateKey: wechat.Secret(text("PRIVATE KEY", private)), APIv3Key: benchV3Key,
		PublicKeyID: benchKeyID, PublicKey: text("PUBLIC KEY", public),
	}
}

// sign returns a message with WeChat's signature.
func (w *benchWeChat) sign(body string) benchMessage {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	sum := sha256.Sum256([]byte(now + "\nnonce\n" + body + "\n"))
	signature, err := rsa.SignPKCS1v15(nil, w.wechat, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	h := http.Header{}
	h.Set("Wechatpay-Serial", benchKeyID)
	h.Set("Wechatpay-Timestamp", now)
	h.Set("Wechatpay-Nonce", "nonce")
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(signature))
	return benchMessage{h, body}
}

// notification returns WeChat's message that o is paid.
func (w *benchWeChat) notification(b *testing.B, o order.Payment) benchMessage {
	b.Helper()
	block, err := aes.NewCipher([]byte(benchV3Key))
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	const nonce = "0123456789ab"
	sealed := base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), []byte(paidJSON(o)), []byte("transaction")))
	return w.sign(fmt.Sprintf(`{"id":"e1","create_time":"%s","resource_type":"encrypt-resource","event_type":"TRANSACTION.SUCCESS","summary":"支付成功",`+
		`"resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":"%s","associated_data":"transaction","nonce":"%s"}}`,
		time.Now().Format(time.RFC3339), sealed, nonce))
}

// paidJSON returns WeChat's fields of o when it is paid.
func paidJSON(o order.Payment) string {
	return fmt.Sprintf(`{"appid":"%s","mchid":"%s","out_trade_no":"%s","transaction_id":"42000%s","trade_type":"JSAPI","trade_state":"SUCCESS",`+
		`"trade_state_desc":"支付成功","bank_type":"OTHERS","attach":"","success_time":"2026-11-23T11:00:15+08:00","payer":{"openid":"%s"},`+
		`"amount":{"total":%d,"payer_total":%d,"currency":"CNY","payer_currency":"CNY"}}`,
		benchAppID, benchMchID, o.OutTradeNo, o.OutTradeNo[8:], benchOpenID, int64(o.Total), int64(o.Total))
}
