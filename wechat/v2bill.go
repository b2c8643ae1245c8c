package wechat

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"
)

const opBill = "downloadbill"

// DownloadBill fetches and reads the trade bill. WeChat's response to a merchant
// number of the wrong sort may look like that of a day without trades. The bill
// is not signed: only TLS ties it to WeChat.
func (c *v2client) DownloadBill(ctx context.Context, day time.Time) (Bill, error) {
	text, err := c.bill(ctx, day)
	if err != nil {
		return emptyBill(err)
	}
	return c.parseBill(text)
}

// TradeBill fetches the trade bill as WeChat has it.
func (c *v2client) TradeBill(ctx context.Context, day time.Time) (io.ReadCloser, error) {
	text, err := c.bill(ctx, day)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(text)), nil
}

// FundFlowBill is not offered: it would need another signature type and the
// client certificate.
func (c *v2client) FundFlowBill(context.Context, time.Time) (io.ReadCloser, error) {
	return nil, notOffered("downloadfundflow", V2)
}

func (c *v2client) bill(ctx context.Context, day time.Time) ([]byte, error) {
	if err := billReady(opBill, c.cfg.Now(), day); err != nil {
		return nil, err
	}
	// The call goes to the backup host too, because it changes nothing.
	body, err := c.post(ctx, c.cfg.Doer, opBill, "/pay/downloadbill", []Field{
		{"bill_date", day.In(beijing).Format("20060102")},
		{"bill_type", "ALL"},
	}, maxBill)
	if err != nil {
		return nil, err
	}
	if !page(body, '<') {
		return nil, c.noBill(body)
	}
	if text := bytes.TrimLeft(bytes.TrimPrefix(body, bom), " \t\r\n"); len(text) == 0 || text[0] == '<' {
		return nil, &Error{Op: opBill, Message: "the response is neither a bill nor XML", Kind: Retry}
	}
	return body, nil
}

// noBill reads the response in place of a bill. It is not signed, so only the failure
// is trusted.
func (c *v2client) noBill(body []byte) error {
	fields, err := parse(body)
	if err != nil {
		return &Error{Op: opBill, Message: "the response is malformed XML", Kind: Untrusted, Err: err}
	}
	text := reason(fields)
	switch {
	case !failed(fields):
		return &Error{Op: opBill, Message: "the response is not a bill", Kind: Untrusted}
	case value(fields, "error_code") == codeNoBill || strings.EqualFold(text, "No Bill Exist"):
		return &Error{Op: opBill, Code: CodeNoBill, Message: "there is no bill", Kind: Declined}
	}
	return &Error{Op: opBill, Message: "WeChat responded FAIL: " + c.shown(text, ""), Kind: textKind(text)}
}
