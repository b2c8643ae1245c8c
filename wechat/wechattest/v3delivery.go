package wechattest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
)

// Forgeries of APIv3 alone, of payments and of refunds. The others exist in APIv3 too: no_info
// omits the resource, bad_padding omits the tag of its ciphertext, and doctype is a message of
// APIv2.
const (
	ForgeProbe         = "probe"          // the signature begins with WECHATPAY/SIGNTEST/
	ForgeStale         = "stale"          // rightly signed 400 s ago
	ForgeUnknownSerial = "unknown_serial" // it names a key that WeChat does not have
	ForgeBadTag        = "bad_tag"        // rightly signed, encrypted with another APIv3 key
	ForgeShortNonce    = "short_nonce"    // rightly signed, the resource's nonce has 11 bytes
	ForgeOtherVersion  = "other_version"  // a message of APIv2, validly signed: the APIv2 key has leaked
)

// V3Forgeries lists the forgeries that Notify accepts for orders of APIv3 in addition to Forgeries.
func V3Forgeries() []string {
	return []string{ForgeProbe, ForgeStale, ForgeUnknownSerial, ForgeBadTag, ForgeShortNonce, ForgeOtherVersion}
}

// V3RefundForgeries lists the forgeries that NotifyRefund accepts for refunds of APIv3 in addition
// to RefundForgeries.
func V3RefundForgeries() []string { return append(V3Forgeries(), ForgeBadSign, ForgeNoSign) }

// v3Resource is the content of a callback before it is encrypted.
type v3Resource struct {
	id           string // the same in every repeat
	event        string
	originalType string
	summary      string
	body         v3Object
}

// v3PaymentDelivery writes the callback of a payment.
func (w *WeChat) v3PaymentDelivery(n *notification, forge string) delivery {
	o := n.order
	w.mu.Lock()
	t := w.tradeOrForged(o)
	other := w.otherTrade(o)
	w.mu.Unlock()
	switch {
	case forge == ForgeOtherTrade && other != nil:
		t.TransactionID = other.TransactionID
	case forge == ForgeLeakedKey:
		t.TransactionID = w.ids.transactionID(w.Now())
	case forge == ForgeWrongAmount:
		t.TotalFee++
		t.CashFee, t.CouponFee, t.Coupons = t.TotalFee, 0, nil
	}
	var body v3Object
	for _, m := range w.transaction(o, StateSuccess, &t) {
		if m.name == "promotion_detail" && len(t.Coupons) == 0 {
			continue // callbacks have it with coupons only
		}
		body = append(body, m)
	}
	return w.v3Delivery(v3Resource{n.uuid(), "TRANSACTION.SUCCESS", "transaction", "支付成功", body}, forge)
}

// v3RefundDelivery writes the callback of a refund.
func (w *WeChat) v3RefundDelivery(n *notification, forge string) delivery {
	w.mu.Lock()
	r, paid := n.refund.Refund, n.refund.order.trade.CashFee
	w.mu.Unlock()
	if forge == ForgeWrongAmount {
		r.Fee++
	}
	if forge != "" && r.Status != RefundSuccess {
		r.Status, r.Done = RefundSuccess, w.Now() // the forger's claim
	}
	status := v3RefundStatus(r.Status)
	body := v3Object{
		{"mchid", w.cfg.MchID}, {"out_trade_no", r.OutTradeNo}, {"transaction_id", r.TransactionID}, {"out_refund_no", r.OutRefundNo},
		{"refund_id", r.RefundID}, {"refund_status", status},
	}
	if r.Status == RefundSuccess {
		body = append(body, v3Member{"success_time", v3Stamp(r.Done)})
	}
	body = append(body,
		v3Member{"amount", v3Object{{"total", r.TotalFee}, {"refund", r.Fee}, {"payer_total", paid}, {"payer_refund", r.Fee - r.CouponFee}}},
		v3Member{"user_received_account", "支付用户零钱"})
	summary := map[string]string{"SUCCESS": "退款成功", "CLOSED": "退款关闭", "ABNORMAL": "退款异常"}[status]
	return w.v3Delivery(v3Resource{n.uuid(), "REFUND." + status, "refund", summary, body}, forge)
}

// v3Delivery encrypts, wraps and signs.
func (w *WeChat) v3Delivery(r v3Resource, forge string) delivery {
	plain, key := r.body.text(w), w.apiV3Key()
	if forge == ForgeBadTag {
		key = strings.Repeat("0", 32)
	}
	associated, named := r.originalType, true
	if _, ok := w.takeFault(FaultV3NoAssociated, ""); ok {
		associated, named = "", false
	}
	nonce := w.ids.text(alnum, 12)
	ciphertext := sealV3(key, nonce, associated, plain)
	switch forge {
	case ForgeBadPadding:
		ciphertext = ciphertext[:len(ciphertext)-16]
	case ForgeShortNonce:
		nonce = nonce[:11]
	}
	resource := v3Object{
		{"original_type", r.originalType}, {"algorithm", "AEAD_AES_256_GCM"}, {"ciphertext", base64.StdEncoding.EncodeToString(ciphertext)},
		{"associated_data", associated}, {"nonce", nonce},
	}
	if !named {
		resource = append(resource[:3:3], resource[4:]...)
	}
	message := v3Object{
		{"id", r.id}, {"create_time", v3Stamp(w.Now())}, {"resource_type", "encrypt-resource"}, {"event_type", r.event}, {"summary", r.summary},
		{"resource", resource},
	}
	if forge == ForgeNoInfo {
		message = message[:len(message)-1]
	}
	l := delivery{body: message.text(w), plain: plain, v3: true}
	signingKey := w.callbackKey()
	if forge == ForgeOtherKey {
		signingKey = w.forgerKey(signingKey)
	}
	if forge != "" {
		l.header, l.signed = w.forgeHeader(signingKey, l.body, forge)
		return l
	}
	m := w.signV3(signingKey, l.body, V3Callback)
	l.header, l.signed, l.note = m.header, m.signed, strings.Join(m.notes, "; ")
	return l
}

// forgeHeader signs a forged callback.
func (w *WeChat) forgeHeader(key *v3Key, body, forge string) (http.Header, *Signed) {
	now, id := w.shopNow(), key.id
	switch forge {
	case ForgeStale:
		now = now.Add(-v3ClockError)
	case ForgeUnknownSerial:
		id = "5" + strings.ToUpper(w.ids.text(hexDigits, 39))
	}
	timestamp, nonce := itoa(now.Unix()), w.ids.text(hexDigits, 32)
	text := timestamp + "\n" + nonce + "\n" + body + "\n"
	signature := key.sign(text)
	switch forge {
	case ForgeBadSign:
		signature = key.sign(text + "0")
	case ForgeProbe:
		signature = "WECHATPAY/SIGNTEST/" + key.sign("probe\n"+text)
	}
	signed := &Signed{String: text, Algorithm: v3Scheme, Given: signature, OK: key.verify(text, signature)}
	if forge == ForgeNoSign {
		return http.Header{}, signed
	}
	return v3Headers(timestamp, nonce, id, signature), signed
}

// sealV3 encrypts with AES-256-GCM; the tag is at the end.
func sealV3(key, nonce, associated, plain string) []byte {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		panic("wechattest: " + err.Error()) // 32 bytes are a key
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("wechattest: " + err.Error())
	}
	return gcm.Seal(nil, []byte(nonce), []byte(plain), []byte(associated))
}

// uuid is the id of the notification in APIv3.
func (n *notification) uuid() string {
	sum := sha256.Sum256([]byte(n.ID))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-5" + h[13:16] + "-8" + h[17:20] + "-" + h[20:]
}

// acknowledgedV3 checks the shop's response to a callback: 200 and 204 count, whatever the body is
// (docs/wechat.md 18.5).
func acknowledgedV3(status int) bool {
	return status == http.StatusOK || status == http.StatusNoContent
}

// v3RefundStatus is a refund's status in APIv3.
func v3RefundStatus(status string) string {
	switch status {
	case RefundClosed:
		return "CLOSED"
	case RefundChange:
		return "ABNORMAL"
	}
	return status
}
