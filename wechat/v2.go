package wechat

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"h5pay/wechat/apiv3"
)

// v2client is the client of APIv2 (docs/wechat.md 2.1 to 3.4).
type v2client struct{ *account }

func (*v2client) Version() Version { return V2 }

// pay makes one call of the merchant API. It signs and sends fields, and returns
// those of the response, which is verified, about this account, and a success.
//
// A call whose connection failed is sent once more, to the backup host with the same bytes. WeChat
// may then have it twice, so pay is for idempotent calls only.
func (c *v2client) pay(ctx context.Context, doer Doer, op, path string, fields []Field) ([]Field, error) {
	body, err := c.post(ctx, doer, op, path, fields, maxMessage)
	if err != nil {
		return nil, err
	}
	if page(body, '<') {
		return nil, &Error{Op: op, Message: "the response is not XML", Kind: Retry}
	}
	response, err := parse(body)
	if err != nil {
		return nil, &Error{Op: op, Message: "the response is malformed XML", Kind: Untrusted, Err: err}
	}
	if err := c.check(op, response, value(fields, "openid")); err != nil {
		return nil, err
	}
	return response, nil
}

// post signs and sends fields and returns the response as it is.
func (c *v2client) post(ctx context.Context, doer Doer, op, path string, fields []Field, limit int) ([]byte, error) {
	nonce, err := apiv3.Nonce(c.cfg.Rand)
	if err != nil {
		return nil, &Error{Op: op, Message: "no random numbers", Kind: Retry, Err: err}
	}
	sent := make([]Field, 0, len(fields)+5)
	for _, f := range append([]Field{
		{"appid", c.cfg.AppID}, {"mch_id", c.cfg.MchID}, {"nonce_str", nonce}, {"sign_type", string(c.cfg.SignType)},
	}, fields...) {
		// Cleaned before it is signed, so that WeChat receives the signed text.
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

// check verifies a response of the merchant API (docs/wechat.md 2.5, 3.3). The openid
// of the request is kept out of its errors.
func (c *v2client) check(op string, response []Field, openID string) error {
	text := reason(response)
	shown := c.shown(text, openID)
	switch {
	case value(response, "return_code") == "SUCCESS":
	case failed(response):
		// Such a response is often unsigned. It means that the call failed, and nothing
		// more. The error has no code, even if the response has one: callers act on codes.
		return &Error{Op: op, Message: "WeChat responded FAIL: " + shown, Kind: textKind(text)}
	default:
		return &Error{Op: op, Message: "the response has no return_code", Kind: Untrusted}
	}
	result := value(response, "result_code")
	if result == "" && value(response, "err_code")+value(response, "err_code_des") != "" {
		result = "FAIL" // some failures name their reason only
	}
	switch {
	case !verify(response, c.apiKey()):
		message := "the response is not signed with the API key"
		if shown != "" {
			message += ": " + shown
		}
		return &Error{Op: op, Message: message, Kind: Untrusted}
	case !c.mine(response, result == "FAIL"):
		return &Error{Op: op, Message: "the response's appid or mch_id differs", Kind: Untrusted}
	}
	switch result {
	case "SUCCESS":
		return nil
	case "FAIL":
		code, kind := classify(op, value(response, "err_code"), text)
		return &Error{Op: op, Code: code, Message: "WeChat declined: " + shown, Kind: kind}
	}
	return &Error{Op: op, Message: "the response has no result_code", Kind: Untrusted}
}

// failed reports whether a call failed before WeChat processed the order: return_code is FAIL, or
// there is retcode or ret_code without a return_code (docs/wechat.md 2.5).
func failed(response []Field) bool {
	switch value(response, "return_code") {
	case "FAIL":
		return true
	case "":
		code := value(response, "retcode") + value(response, "ret_code")
		return code != "" && strings.Trim(code, "0") != "" && code != "SUCCESS"
	}
	return false
}

// reason returns WeChat's texts for a failure, from all fields that may have one, without
// repetitions.
func reason(response []Field) string {
	var texts []string
	for _, name := range []string{"err_code_des", "return_msg", "retmsg", "ret_msg", "error_message"} {
		text := value(response, name)
		if text != "" && text != "OK" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "; ")
}

// shown prepares WeChat's text for an error.
func (c *v2client) shown(text, openID string) string {
	return wording(text, string(c.apiKey()), string(c.appSecret()), openID)
}

// mine reports whether a message is about this appid and mch_id. The API key belongs to the
// merchant, who may have several appids. A signed failure may omit them: its signature ties it to
// the merchant.
func (c *v2client) mine(fields []Field, absentOK bool) bool {
	appID, mchID := value(fields, "appid"), value(fields, "mch_id")
	return (appID == c.cfg.AppID || absentOK && appID == "") && (mchID == c.cfg.MchID || absentOK && mchID == "")
}
