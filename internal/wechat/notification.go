package wechat

// ParsePayment reads a payment notification and checks its signature and that
// it is for this account. Whether it agrees with the order in amount and
// currency is the caller's to check. All its errors mean: do not believe it.
func (c *Client) ParsePayment(body []byte) (Trade, error) {
	const op = "notification"
	fields, err := parse(body)
	if err != nil {
		return Trade{}, &Error{Op: op, Message: "the message cannot be read", Kind: Untrusted, Err: err}
	}
	switch {
	case value(fields, "return_code") != "SUCCESS":
		return Trade{}, &Error{Op: op, Message: "return_code is not SUCCESS", Kind: Untrusted}
	case !verify(fields, c.cfg.APIKey):
		return Trade{}, &Error{Op: op, Message: "not signed with the API key", Kind: Untrusted}
	case value(fields, "appid") != c.cfg.AppID || value(fields, "mch_id") != c.cfg.MchID:
		return Trade{}, &Error{Op: op, Message: "for another account", Kind: Untrusted}
	}
	state := StatePayError
	if value(fields, "result_code") == "SUCCESS" {
		state = StateSuccess
	}
	trade, problem := readTrade(fields, state)
	if problem != "" {
		return Trade{}, &Error{Op: op, Message: problem, Kind: Untrusted}
	}
	return trade, nil
}

// Answer is what WeChat wants to hear after a notification (payment
// notification, answer). The message is a few words, for WeChat's logs.
func Answer(ok bool, message string) []byte {
	code := "FAIL"
	if ok {
		code = "SUCCESS"
	}
	return write([]Field{{"return_code", code}, {"return_msg", clean(message)}})
}
