package wechat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
)

// call is one HTTP exchange with WeChat.
type call struct {
	op, method, url string
	backup          string // the same at the backup host; "" when it is sent once only
	body            []byte
	doer            Doer
	limit           int // of the response, in bytes
}

// exchange makes one HTTP exchange and returns the whole response. It makes no retry, with one
// exception: a call whose connection failed is sent to the backup host, once and unchanged. Its
// errors hold no URL: the URL may hold the AppSecret.
func exchange(ctx context.Context, x call) ([]byte, error) {
	res, err := x.send(ctx, x.url)
	if err != nil && x.backup != "" && lost(ctx, err) {
		res, err = x.send(ctx, x.backup)
	}
	if err != nil {
		return nil, &Error{Op: x.op, Message: "no response", Kind: Retry, Err: cause(ctx, err)}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		// Before the body is read: a gateway's page may have any length.
		return nil, &Error{Op: x.op, Message: "HTTP status " + strconv.Itoa(res.StatusCode), Kind: statusKind(res.StatusCode)}
	}
	response, err := io.ReadAll(io.LimitReader(res.Body, int64(x.limit)+1))
	switch {
	case err != nil:
		return nil, &Error{Op: x.op, Message: "the response is incomplete", Kind: Retry, Err: cause(ctx, err)}
	case len(response) > x.limit:
		return nil, &Error{Op: x.op, Message: "the response is longer than " + strconv.Itoa(x.limit>>10) + " KiB", Kind: Untrusted}
	}
	return response, nil
}

// send sends the call to one of its two URLs. New has checked their form.
func (x call) send(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, x.method, url, bytes.NewReader(x.body))
	if err != nil {
		return nil, err
	}
	if x.method == http.MethodPost {
		req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	}
	req.Header.Set("Accept", "*/*")
	req.Header.Set("User-Agent", "h5pay")
	return x.doer.Do(req)
}

// lost reports whether a call failed at the connection (docs/wechat.md 2.1). A time-out is no such
// failure: WeChat may still process the call, and the caller's time is used up. A time-out while
// connecting is one, because nothing was sent.
func lost(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return true
	}
	var timed interface{ Timeout() bool }
	return !errors.Is(err, context.Canceled) && !(errors.As(err, &timed) && timed.Timeout())
}

// statusKind sorts HTTP statuses other than 200. WeChat itself always responds with 200, so a
// redirect or a 404 comes from someone else: a wrong base URL.
func statusKind(status int) Kind {
	if status >= 300 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests {
		return Operator
	}
	return Retry
}

// cause returns the part of an error that can be shown: a deadline passed, or the caller
// cancelled the call. The rest may quote the URL.
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

// page reports whether a response is not a message. A message begins with the byte first,
// and a message in XML has <xml> in its first 512 bytes. Gateways in front of WeChat respond with HTML, or
// nothing, with status 200 (docs/wechat.md 2.6).
func page(response []byte, first byte) bool {
	response = bytes.TrimLeft(bytes.TrimPrefix(response, bom), " \t\r\n")
	if len(response) == 0 || response[0] != first {
		return true
	}
	return first == '<' && !bytes.Contains(response[:min(len(response), 512)], []byte("<xml"))
}
