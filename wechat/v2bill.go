package wechat

import (
	"bytes"
	"context"
	"strings"
	"time"
)

const opBill = "downloadbill"

// DownloadBill fetches the bill of the day in Beijing that day falls in: one
// that is over, and no older than three months. It is ready at ten o'clock of
// the next morning; until then nothing is sent and the error is of kind Retry.
//
// A day without trades has an empty bill. So has, as far as WeChat's answer
// tells, a merchant number of the wrong sort. Bills are not signed: that it is
// WeChat's is TLS's word.
func (c *Client) DownloadBill(ctx context.Context, day time.Time) (Bill, error) {
	y, m, d := day.In(beijing).Date()
	if c.cfg.Now().Before(time.Date(y, m, d+1, billHour, 0, 0, 0, beijing)) {
		return Bill{}, &Error{Op: opBill, Message: "not sent: the bill is not ready before ten o'clock of the next day", Kind: Retry}
	}
	// Sent to the backup host too: it changes nothing.
	body, err := c.post(ctx, c.cfg.Doer, opBill, "/pay/downloadbill", []Field{
		{"bill_date", day.In(beijing).Format("20060102")},
		{"bill_type", "ALL"},
	}, maxBill)
	if err != nil {
		return Bill{}, err
	}
	if !page(body, '<') {
		return Bill{}, c.noBill(body)
	}
	if text := bytes.TrimLeft(bytes.TrimPrefix(body, bom), " \t\r\n"); len(text) == 0 || text[0] == '<' {
		return Bill{}, &Error{Op: opBill, Message: "the answer is no message", Kind: Retry}
	}
	return c.ParseBill(body)
}

// noBill reads what WeChat answers instead of a bill. It is nil for a day
// without trades. None of it is signed, so nothing but the failure counts.
func (c *Client) noBill(body []byte) error {
	fields, err := parse(body)
	if err != nil {
		return &Error{Op: opBill, Message: "the answer cannot be read", Kind: Untrusted, Err: err}
	}
	text := reason(fields)
	switch {
	case !failed(fields):
		return &Error{Op: opBill, Message: "the answer is no bill", Kind: Untrusted}
	case value(fields, "error_code") == codeNoBill || strings.EqualFold(text, "No Bill Exist"):
		return nil
	}
	return &Error{Op: opBill, Message: "WeChat answered FAIL: " + c.shown(text, ""), Kind: textKind(text)}
}
