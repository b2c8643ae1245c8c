package wechattest

import (
	"bytes"
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// dateTime is how refunds and bills write a time, Beijing's.
const dateTime = "2006-01-02 15:04:05"

// refundDelivery writes the notification of a refund (docs/wechat.md 11.1): it
// has no sign, and its content is in req_info, encrypted with the API key.
func (w *WeChat) refundDelivery(r *refund, forge string) delivery {
	w.mu.Lock()
	f, lost, lostBack := r.Refund, noCash(r.order.trade.Coupons), noCash(r.coupons())
	w.mu.Unlock()
	if forge == ForgeWrongAmount {
		f.Fee++
	}
	if forge != "" && f.Status != RefundSuccess {
		f.Status, f.Done = RefundSuccess, w.Now() // the forger's claim
	}
	var b strings.Builder
	b.WriteString("<root>")
	for _, p := range w.hostile(f.info(lost, lostBack)) {
		// The encrypted part has CDATA around numbers too.
		b.WriteString("\n<" + p.name + "><![CDATA[" + p.value + "]]></" + p.name + ">")
	}
	b.WriteString("\n</root>")
	plain, key := b.String(), w.cfg.APIKey
	if forge == ForgeOtherKey {
		key = strings.Repeat("0", 32)
	}
	info := encryptInfo(plain, key)
	if forge == ForgeBadPadding {
		// The last block, which has the padding, is lost.
		info = info[:len(info)-aes.BlockSize]
	}
	fields := []pair{
		{"return_code", "SUCCESS"}, {"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", w.ids.nonce()},
		{"req_info", base64.StdEncoding.EncodeToString(info)},
	}
	if forge == ForgeNoInfo {
		fields = fields[:len(fields)-1]
	}
	body := writeXML(w.hostile(fields))
	if forge == ForgeDoctype {
		body = doctype + body
	}
	return delivery{body: body, plain: plain}
}

// info returns the fields of req_info. lost and lostBack are the coupons of order and refund that
// WeChat does not settle, in fen.
func (r Refund) info(lost, lostBack int64) []pair {
	fs := []pair{
		{"out_refund_no", r.OutRefundNo}, {"out_trade_no", r.OutTradeNo}, {"refund_account", r.Account}, {"refund_fee", itoa(r.Fee)},
		{"refund_id", r.RefundID}, {"refund_recv_accout", "支付用户零钱"}, {"refund_request_source", r.Source}, {"refund_status", r.Status},
		{"settlement_refund_fee", itoa(r.Fee - lostBack)}, {"settlement_total_fee", itoa(r.TotalFee - lost)}, {"total_fee", itoa(r.TotalFee)},
		{"transaction_id", r.TransactionID},
	}
	if r.Status == RefundSuccess {
		fs = append(fs, pair{"success_time", r.Done.In(beijing).Format(dateTime)})
	}
	return fs
}

// encryptInfo encrypts with AES-256, each block for itself (ECB), PKCS#7
// padding. The AES key is the text of the key's MD5 in lower-case hex.
func encryptInfo(plain, key string) []byte {
	sum := md5.Sum([]byte(key))
	block, err := aes.NewCipher([]byte(hex.EncodeToString(sum[:])))
	if err != nil {
		panic("wechattest: " + err.Error()) // 32 bytes are a key
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	b := append([]byte(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	for i := 0; i < len(b); i += aes.BlockSize {
		block.Encrypt(b[i:], b[i:])
	}
	return b
}
