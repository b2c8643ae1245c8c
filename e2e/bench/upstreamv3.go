package main

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"
)

// v3Account holds the keys of APIv3: the merchant's and WeChat's.
type v3Account struct {
	merchant, wechat *rsa.PrivateKey
	key              cipher.AEAD
	env              map[string]string // the shop's settings
}

const (
	publicKeyID = "PUB_KEY_ID_0119000001092026112300000001"
	apiV3Key    = "BenchmarkAPIv3Key123456789abcdef"
	serial      = "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB"
)

func newV3Account() (*v3Account, error) {
	a := &v3Account{}
	var err error
	if a.merchant, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	if a.wechat, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher([]byte(apiV3Key))
	if err != nil {
		return nil, err
	}
	if a.key, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(a.merchant)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&a.wechat.PublicKey)
	if err != nil {
		return nil, err
	}
	a.env = map[string]string{
		"WECHAT_API_KEY": "", "WECHAT_MCH_SERIAL": serial, "WECHAT_APIV3_KEY": apiV3Key, "WECHAT_PUBLIC_KEY_ID": publicKeyID,
		"WECHAT_MCH_KEY":    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"WECHAT_PUBLIC_KEY": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	}
	return a, nil
}

// pair is one of the pairs of an Authorization header.
var pair = regexp.MustCompile(`(\w+)="([^"]*)"`)

// verify checks the signature of a request.
func (a *v3Account) verify(r *http.Request, body []byte) bool {
	fields := map[string]string{}
	for _, m := range pair.FindAllStringSubmatch(r.Header.Get("Authorization"), -1) {
		fields[m[1]] = m[2]
	}
	signature, err := base64.StdEncoding.DecodeString(fields["signature"])
	if err != nil {
		return false
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s\n", r.Method, r.URL.RequestURI(), fields["timestamp"], fields["nonce_str"], body))
	return rsa.VerifyPKCS1v15(&a.merchant.PublicKey, crypto.SHA256, sum[:], signature) == nil
}

// sign sets the headers of a message.
func (a *v3Account) sign(h http.Header, body []byte) error {
	timestamp, nonce := fmt.Sprint(time.Now().Unix()), "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n", timestamp, nonce, body))
	signature, err := rsa.SignPKCS1v15(nil, a.wechat, crypto.SHA256, sum[:])
	if err != nil {
		return err
	}
	h.Set("Content-Type", "application/json")
	h.Set("Wechatpay-Timestamp", timestamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", publicKeyID)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(signature))
	return nil
}

// v3 serves a call of APIv3: it checks the signature, and signs what do returns.
func (u *upstream) v3(do func(r *http.Request, body []byte) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		time.Sleep(time.Duration(u.delay.Load()))
		if err != nil || !u.account.v3.verify(r, body) {
			http.Error(w, `{"code":"SIGN_ERROR"}`, http.StatusUnauthorized)
			return
		}
		response, err := json.Marshal(do(r, body))
		if err == nil {
			err = u.account.v3.sign(w.Header(), response)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(response)
	}
}

func (u *upstream) v3Order(_ *http.Request, body []byte) any {
	var in struct {
		OutTradeNo string `json:"out_trade_no"`
		Amount     struct{ Total int64 }
	}
	if json.Unmarshal(body, &in) != nil {
		return nil
	}
	o := u.place(in.OutTradeNo, fmt.Sprint(in.Amount.Total))
	return map[string]string{"prepay_id": prepayID(o)}
}

func (u *upstream) v3Query(r *http.Request, _ []byte) any {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.v3Trade(u.orders[r.PathValue("no")])
}

// v3Trade returns APIv3's fields of a paid order.
func (u *upstream) v3Trade(o placed) any {
	return map[string]any{
		"appid": u.account.appID, "mchid": u.account.mchID, "out_trade_no": o.outTradeNo, "transaction_id": transactionID(o), "trade_type": "JSAPI",
		"trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "CMC", "attach": "", "success_time": "2026-11-23T12:00:00+08:00",
		"payer":  map[string]string{"openid": openid},
		"amount": map[string]any{"total": json.Number(o.total), "payer_total": json.Number(o.total), "currency": "CNY", "payer_currency": "CNY"},
	}
}

// v3Notification returns the notification of a paid order and its headers.
func (u *upstream) v3Notification(o placed) (http.Header, []byte, error) {
	plain, err := json.Marshal(u.v3Trade(o))
	if err != nil {
		return nil, nil, err
	}
	const nonce, associated = "fdasflkja484", "transaction"
	body, err := json.Marshal(map[string]any{
		"id": fmt.Sprintf("EV-%032d", o.number), "create_time": "2026-11-23T12:00:01+08:00", "resource_type": "encrypt-resource",
		"event_type": "TRANSACTION.SUCCESS", "summary": "支付成功",
		"resource": map[string]string{
			"original_type": associated, "algorithm": "AEAD_AES_256_GCM", "associated_data": associated, "nonce": nonce,
			"ciphertext": base64.StdEncoding.EncodeToString(u.account.v3.key.Seal(nil, []byte(nonce), plain, []byte(associated))),
		},
	})
	if err != nil {
		return nil, nil, err
	}
	h := http.Header{}
	return h, body, u.account.v3.sign(h, body)
}
