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
// nothing. Its errors hold no URL: the URL may hold the AppSecret.
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
	if res.StatusCode != http.StatusOK {
		// Before the body is read: a gateway's page may have any length.
		return nil, &Error{Op: op, Message: "HTTP status " + strconv.Itoa(res.StatusCode), Kind: statusKind(res.StatusCode)}
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxMessage+1))
	switch {
	case err != nil:
		return nil, &Error{Op: op, Message: "the answer broke off", Kind: Retry, Err: cause(ctx, err)}
	case len(answer) > maxMessage:
		return nil, &Error{Op: op, Message: "the answer is longer than 64 KiB", Kind: Untrusted}
	}
	return answer, nil
}

// statusKind sorts HTTP statuses other than 200. WeChat itself answers 200
// always, so a redirect or a 404 comes from somebody else: a wrong base URL.
func statusKind(status int) Kind {
	if status >= 300 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests {
		return Operator
	}
	return Retry
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

// bom, a byte order mark, may precede a message.
var bom = []byte("\xef\xbb\xbf")

// page reports whether an answer is no message at all: one begins with the byte
// first, and one in XML with <xml> before long. Gateways in front of WeChat answer HTML, or nothing, with status 200
// (transport and format).
func page(answer []byte, first byte) bool {
	answer = bytes.TrimLeft(bytes.TrimPrefix(answer, bom), " \t\r\n")
	if len(answer) == 0 || answer[0] != first {
		return true
	}
	return first == '<' && !bytes.Contains(answer[:min(len(answer), 512)], []byte("<xml"))
}
