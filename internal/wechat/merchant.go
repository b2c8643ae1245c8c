package wechat

import (
	"context"
	"net/http"
)

// pay makes one call of the merchant API: it signs fields, sends them, and
// returns the fields of the answer once it is known to be WeChat's, about this
// account, and a success.
//
// A call that is lost on the way is sent a second time, to the backup host with
// the same bytes. WeChat may have it from the first time: what may be called
// here must come to the same thing when it is done twice.
func (c *Client) pay(ctx context.Context, doer Doer, op, path string, fields []Field) ([]Field, error) {
	body, err := c.post(ctx, doer, op, path, fields, maxMessage)
	if err != nil {
		return nil, err
	}
	if page(body, '<') {
		return nil, &Error{Op: op, Message: "the answer is no message", Kind: Retry}
	}
	answer, err := parse(body)
	if err != nil {
		return nil, &Error{Op: op, Message: "the answer cannot be read", Kind: Untrusted, Err: err}
	}
	if err := c.check(op, answer, value(fields, "openid")); err != nil {
		return nil, err
	}
	return answer, nil
}

// post signs and sends fields and returns the answer as it is.
func (c *Client) post(ctx context.Context, doer Doer, op, path string, fields []Field, limit int) ([]byte, error) {
	nonce, err := c.nonce()
	if err != nil {
		return nil, &Error{Op: op, Message: "no random numbers", Kind: Retry, Err: err}
	}
	sent := make([]Field, 0, len(fields)+5)
	for _, f := range append([]Field{
		{"appid", c.cfg.AppID}, {"mch_id", c.cfg.MchID}, {"nonce_str", nonce}, {"sign_type", string(c.cfg.SignType)},
	}, fields...) {
		// Cleaned before it is signed, so that what is signed is what arrives.
		if f.Value = clean(f.Value); f.Value != "" {
			sent = append(sent, f)
		}
	}
	sent = append(sent, Field{"sign", Sign(sent, c.apiKey(), c.cfg.SignType)})
	x := call{op: op, method: http.MethodPost, url: c.cfg.MchURL + path, body: write(sent), doer: doer, limit: limit}
	if c.cfg.MchBackupURL != "" {
		x.backup = c.cfg.MchBackupURL + path
	}
	return exchange(ctx, x)
}

// check is what every answer of the merchant API goes through (return_code,
// result_code, err_code; which reply signatures to verify). The openid of the
// request is kept out of its errors.
func (c *Client) check(op string, answer []Field, openID string) error {
	words := func(name string) string { return c.words(answer, name, openID) }
	switch value(answer, "return_code") {
	case "SUCCESS":
	case "FAIL":
		// Often unsigned: good for "failed" and nothing more. No code, even if
		// there is one: callers act on codes.
		return &Error{Op: op, Message: "WeChat answered FAIL: " + words("return_msg"), Kind: returnKind(value(answer, "return_msg"))}
	default:
		return &Error{Op: op, Message: "the answer has no return_code", Kind: Untrusted}
	}
	result := value(answer, "result_code")
	switch {
	case !verify(answer, c.apiKey()):
		return &Error{Op: op, Message: "the answer is not signed with the API key", Kind: Untrusted}
	case !c.mine(answer, result == "FAIL"):
		return &Error{Op: op, Message: "the answer is about another account", Kind: Untrusted}
	}
	switch result {
	case "SUCCESS":
		return nil
	case "FAIL":
		code := value(answer, "err_code")
		return &Error{Op: op, Code: errCode(code), Message: "WeChat refused: " + words("err_code_des"), Kind: kindOf(op, code)}
	}
	return &Error{Op: op, Message: "the answer has no result_code", Kind: Untrusted}
}

// words returns what WeChat says in a field, prepared for an error.
func (c *Client) words(answer []Field, name, openID string) string {
	return wording(value(answer, name), string(c.apiKey()), string(c.appSecret()), openID)
}

// mine reports whether a message is about this appid and mch_id. The API key
// belongs to the merchant, who may have several appids. A refusal, which the
// key's signature proves to be for this merchant, may leave them out.
func (c *Client) mine(fields []Field, absentOK bool) bool {
	appID, mchID := value(fields, "appid"), value(fields, "mch_id")
	return (appID == c.cfg.AppID || absentOK && appID == "") && (mchID == c.cfg.MchID || absentOK && mchID == "")
}
