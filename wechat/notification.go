package wechat

// ParsePayment reads a payment notification and checks its signature and that
// it is for this account. Whether it agrees with the order in amount and
// currency, and whether it was handled before, is the caller's to check. A
// failed payment has the state StatePayError. All its errors mean: do not
// believe it.
//
// The signature proves that the sender has the API key, which other systems of the
// merchant have too. QueryOrder tells what WeChat says.
func (c *Client) ParsePayment(body []byte) (Trade, error) {
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

// Answer is what WeChat wants to hear after a notification
// (docs/wechat.md 6.3). The message is a few words, for WeChat's logs.
func Answer(ok bool, message string) []byte {
	code := "FAIL"
	if ok {
		code = "SUCCESS"
	}
	return write([]Field{{"return_code", code}, {"return_msg", clean(message)}})
}
