package wechat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// exchange makes one HTTP exchange and returns the whole answer. It retries
// nothing. Its errors are of kind Retry and hold no URL: the URL may hold the
// AppSecret.
func (c *Client) exchange(ctx context.Context, op, method, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Op: op, Message: "the base URL is malformed", Kind: Operator}
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	}
	req.Header.Set("Accept", "*/*")
	req.Header.Set("User-Agent", "h5pay")
	res, err := c.cfg.Doer.Do(req)
	if err != nil {
		return nil, &Error{Op: op, Message: "no answer", Kind: Retry, Err: cause(ctx, err)}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxMessage+1))
	switch {
	case err != nil:
		return nil, &Error{Op: op, Message: "the answer broke off", Kind: Retry, Err: cause(ctx, err)}
	case len(answer) > maxMessage:
		return nil, &Error{Op: op, Message: "the answer is longer than 64 KiB", Kind: Untrusted}
	case res.StatusCode != http.StatusOK:
		return nil, &Error{Op: op, Message: "HTTP status " + strconv.Itoa(res.StatusCode), Kind: Retry}
	}
	return answer, nil
}

// cause keeps of an error what can be shown: that a deadline passed or that the
// caller gave up. The rest may quote the URL.
func cause(ctx context.Context, err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) || errors.Is(ctx.Err(), known) {
			return known
		}
	}
	return nil
}

// pay makes one call of the merchant API: it signs fields, sends them, and
// returns the fields of the answer once it is known to be WeChat's, about this
// account, and a success.
func (c *Client) pay(ctx context.Context, op, path string, fields []Field) ([]Field, error) {
	nonce, err := c.nonce()
	if err != nil {
		return nil, &Error{Op: op, Message: "no random numbers", Kind: Retry, Err: err}
	}
	sent := make([]Field, 0, len(fields)+5)
	for _, f := range append([]Field{
		{"appid", c.cfg.AppID}, {"mch_id", c.cfg.MchID}, {"nonce_str", nonce}, {"sign_type", string(c.cfg.SignType)},
	}, fields...) {
		if f.Value != "" {
			sent = append(sent, f)
		}
	}
	sent = append(sent, Field{"sign", Sign(sent, c.cfg.APIKey, c.cfg.SignType)})
	body, err := c.exchange(ctx, op, http.MethodPost, c.cfg.MchURL+path, write(sent))
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("<")) ||
		!bytes.Contains(body, []byte("<xml")) {
		// Gateways in front of WeChat answer HTML, or nothing, with status 200.
		return nil, &Error{Op: op, Message: "the answer is no message", Kind: Retry}
	}
	answer, err := parse(body)
	if err != nil {
		return nil, &Error{Op: op, Message: "the answer cannot be read", Kind: Untrusted, Err: err}
	}
	return answer, c.check(op, answer)
}

// check is what every answer of the merchant API goes through (return_code,
// result_code, err_code; which reply signatures to verify).
func (c *Client) check(op string, answer []Field) error {
	switch value(answer, "return_code") {
	case "SUCCESS":
	case "FAIL":
		// Often unsigned: good for "failed" and nothing more.
		text := value(answer, "return_msg")
		return &Error{Op: op, Message: "WeChat answered FAIL: " + quote(text), Kind: returnKind(text)}
	default:
		return &Error{Op: op, Message: "the answer has no return_code", Kind: Untrusted}
	}
	switch {
	case !verify(answer, c.cfg.APIKey):
		return &Error{Op: op, Message: "the answer is not signed with the API key", Kind: Untrusted}
	case value(answer, "appid") != c.cfg.AppID || value(answer, "mch_id") != c.cfg.MchID:
		return &Error{Op: op, Message: "the answer is about another account", Kind: Untrusted}
	}
	switch value(answer, "result_code") {
	case "SUCCESS":
		return nil
	case "FAIL":
		code := value(answer, "err_code")
		return &Error{Op: op, Code: quote(code), Message: "WeChat refused: " + quote(value(answer, "err_code_des")), Kind: payKinds[code]}
	}
	return &Error{Op: op, Message: "the answer has no result_code", Kind: Untrusted}
}

// quote shortens words of WeChat's for an error.
func quote(s string) string {
	s = clean(s)
	for i := range s {
		if i > 100 {
			return s[:i] + "…"
		}
	}
	return s
}
