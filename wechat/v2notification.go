package wechat

import (
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
)

// parsePayment reads a payment notification and checks its signature and that
// it is for this account. Whether it agrees with the order in amount and
// currency, and whether it was handled before, is the caller's to check. A
// failed payment has the state StatePayError. All its errors mean: do not
// believe it.
//
// The signature proves that the sender has the API key, which other systems of the
// merchant have too. QueryOrder tells what WeChat says.
func (c *v2client) parsePayment(body []byte) (Trade, error) {
	const op = "notification"
	fields, err := parse(body)
	if err != nil {
		return Trade{}, &Error{Op: op, Message: "the message cannot be read", Kind: Untrusted, Err: err}
	}
	switch {
	case value(fields, "return_code") != "SUCCESS":
		return Trade{}, &Error{Op: op, Message: "return_code is not SUCCESS", Kind: Untrusted}
	case !verify(fields, c.apiKey()):
		return Trade{}, &Error{Op: op, Message: "not signed with the API key", Kind: Untrusted}
	case !c.mine(fields, false):
		return Trade{}, &Error{Op: op, Message: "for another account", Kind: Untrusted}
	}
	var state TradeState
	switch value(fields, "result_code") {
	case "SUCCESS":
		state = StateSuccess
	case "FAIL":
		state = StatePayError
	default:
		return Trade{}, &Error{Op: op, Message: "the message has no result_code", Kind: Untrusted}
	}
	if s := value(fields, "trade_state"); s != "" && s != string(state) {
		// Only orderquery has this field: one of its signed replies, for an
		// order that is not paid, would otherwise pass for a notification.
		return Trade{}, &Error{Op: op, Message: "trade_state contradicts result_code", Kind: Untrusted}
	}
	trade, problem := readTrade(fields, state)
	if problem != "" {
		return Trade{}, &Error{Op: op, Message: problem, Kind: Untrusted}
	}
	trade.Downgraded = c.cfg.SignType == SignHMAC && len(value(fields, "sign")) == 32
	return trade, nil
}

// parseRefund reads a refund notification that is for this account.
//
// It is no proof. The message is not signed; what speaks for it is that its
// secret part was encrypted with the API key, and that with a cipher that keeps
// no order: who has seen older notifications can cut and join their blocks to
// one that nobody sent, and every old one can be sent again. So a Refund from
// here only says which refund to ask QueryRefund about. All its errors mean: do
// not even ask.
func (c *v2client) parseRefund(body []byte) (Refund, error) {
	const op = "refund notification"
	fields, err := parse(body)
	if err != nil {
		return Refund{}, &Error{Op: op, Message: "the message cannot be read", Kind: Untrusted, Err: err}
	}
	switch {
	case value(fields, "return_code") != "SUCCESS":
		return Refund{}, &Error{Op: op, Message: "return_code is not SUCCESS", Kind: Untrusted}
	case !c.mine(fields, false):
		return Refund{}, &Error{Op: op, Message: "for another account", Kind: Untrusted}
	}
	// One message for all that can go wrong here: a stranger learns nothing
	// about what the blocks that it joined decrypt to.
	var inner []Field
	text, ok := decryptECB(value(fields, "req_info"), c.apiKey())
	if ok {
		inner, err = parseElement("root", text)
	}
	if !ok || err != nil {
		return Refund{}, &Error{Op: op, Message: "not encrypted with the API key", Kind: Untrusted}
	}
	refund, problem := readRefund(inner, "")
	if problem == "" {
		problem = refund.setState(value(inner, "refund_status"), value(inner, "success_time"))
	}
	if problem != "" {
		return Refund{}, &Error{Op: op, Message: problem, Kind: Untrusted}
	}
	return refund, nil
}

// decryptECB decrypts req_info (docs/wechat.md 11.2): base64,
// AES-256 block by block, PKCS#7 padding. The AES key is the MD5 of the API key
// in hex, its 32 lower-case digits as they are.
func decryptECB(reqInfo string, key Secret) (text []byte, ok bool) {
	b, err := base64.StdEncoding.DecodeString(reqInfo)
	if err != nil || len(b) == 0 || len(b)%aes.BlockSize != 0 {
		return nil, false
	}
	sum := md5.Sum([]byte(key))
	block, err := aes.NewCipher([]byte(hex.EncodeToString(sum[:])))
	if err != nil {
		return nil, false
	}
	for i := 0; i < len(b); i += aes.BlockSize {
		block.Decrypt(b[i:], b[i:])
	}
	padding := int(b[len(b)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, false
	}
	for _, v := range b[len(b)-padding:] {
		if int(v) != padding {
			return nil, false
		}
	}
	return b[:len(b)-padding], true
}
