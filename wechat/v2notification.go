package wechat

import (
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
)

// parsePayment reads a payment notification. It checks the signature, and that the message is for
// this account. The caller compares amount and currency with the order, and checks whether the
// notification was handled before. A failed payment has the state StatePayError. After an error
// trust nothing in the message.
//
// The signature proves that the sender has the API key, which other systems of the
// merchant have too. QueryOrder returns WeChat's own state.
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
		return Trade{}, &Error{Op: op, Message: "the message's appid or mch_id differs", Kind: Untrusted}
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
		// Only orderquery has this field. Its signed response for an unpaid order would
		// otherwise pass for a notification.
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
// It is no proof. The message is not signed, and its secret part is encrypted block by block with
// the API key. An attacker with older notifications can join their blocks to a new message, or
// replay an old one. So the Refund only names the refund to query. After an error there is nothing
// to query.
func (c *v2client) parseRefund(body []byte) (Refund, error) {
	const op = opRefundNotification
	fields, err := c.refundFields(body)
	if err != nil {
		return Refund{}, err
	}
	// All failures have the same message. So a stranger learns nothing about the text of joined
	// blocks.
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

// refundFields reads the part of a refund notification that is not encrypted.
func (c *v2client) refundFields(body []byte) ([]Field, error) {
	const op = opRefundNotification
	fields, err := parse(body)
	switch {
	case err != nil:
		return nil, &Error{Op: op, Message: "the message cannot be read", Kind: Untrusted, Err: err}
	case value(fields, "return_code") != "SUCCESS":
		return nil, &Error{Op: op, Message: "return_code is not SUCCESS", Kind: Untrusted}
	case !c.mine(fields, false):
		return nil, &Error{Op: op, Message: "the message's appid or mch_id differs", Kind: Untrusted}
	}
	return fields, nil
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
