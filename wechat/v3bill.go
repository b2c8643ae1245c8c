package wechat

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The bills (docs/wechat.md 18.14).
const (
	opTradeBill = "tradebill"
	opFundFlow  = "fundflowbill"
	maxBillURL  = 2048 // bytes
)

// DownloadBill fetches and reads the trade bill.
func (v *v3client) DownloadBill(ctx context.Context, day time.Time) (Bill, error) {
	r, err := v.TradeBill(ctx, day)
	if err != nil {
		return emptyBill(err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxBill+1))
	if err != nil {
		return Bill{}, err
	}
	return v.parseBill(text) // rejects a bill that is longer than maxBill, which has no hash
}

// TradeBill fetches the trade bill as WeChat has it.
func (v *v3client) TradeBill(ctx context.Context, day time.Time) (io.ReadCloser, error) {
	return v.bill(ctx, opTradeBill, day, "&bill_type=ALL")
}

// FundFlowBill fetches the movements of the merchant's basic account.
func (v *v3client) FundFlowBill(ctx context.Context, day time.Time) (io.ReadCloser, error) {
	return v.bill(ctx, opFundFlow, day, "&account_type=BASIC")
}

// bill requests a bill and opens its file. The file is not signed: its hash, in a
// signed response, ties it to WeChat.
func (v *v3client) bill(ctx context.Context, op string, day time.Time, query string) (io.ReadCloser, error) {
	if err := billReady(opV3+op, v.cfg.Now(), day); err != nil {
		return nil, err
	}
	var link v3billLink
	uri := "/v3/bill/" + op + "?bill_date=" + day.In(beijing).Format(time.DateOnly) + query
	if err := v.call(ctx, v3call{op: op, method: http.MethodGet, uri: uri}, &link); err != nil {
		return nil, err
	}
	file, want, problem := link.read(strings.HasPrefix(v.cfg.MchURL, "http://"))
	if problem != "" {
		return nil, &Error{Op: opV3 + op, Message: problem, Kind: Untrusted}
	}
	// The link is used unchanged: its host may differ, and its path is signed.
	x := v3call{op: op, method: http.MethodGet, uri: file.RequestURI()}
	res, err := v.sendTo(ctx, x.method, link.URL, x.uri, nil)
	if err != nil {
		return nil, unsent(ctx, opV3+op, err)
	}
	if res.StatusCode != http.StatusOK {
		reply, err := readReply(ctx, opV3+op, res, maxMessage)
		if err == nil {
			err = v.check(ctx, x, nil, reply)
		}
		if err == nil {
			err = &Error{Op: opV3 + op, Message: "the response is not a bill", Kind: Untrusted, Status: res.StatusCode}
		}
		return nil, err
	}
	return &billReader{ctx: ctx, op: opV3 + op, body: res.Body, sum: sha1.New(), want: want}, nil
}

// v3billLink is where a bill is.
type v3billLink struct {
	HashType string `json:"hash_type"`
	Hash     string `json:"hash_value"`
	URL      string `json:"download_url"`
}

// read checks a link. It accepts a link without TLS only if the calls have no TLS either.
func (l v3billLink) read(plain bool) (file *url.URL, hash, problem string) {
	sum, err := hex.DecodeString(l.Hash)
	if l.HashType != "SHA1" || err != nil || len(sum) != sha1.Size {
		return nil, "", "hash_type or hash_value is not a SHA-1"
	}
	file, err = url.Parse(l.URL)
	if err != nil || !visible(l.URL, maxBillURL) || !absolute(l.URL) || strings.Contains(l.URL, "#") ||
		strings.HasPrefix(file.RequestURI(), "//") || file.Scheme != "https" && !plain {
		return nil, "", "download_url is not an absolute https URL"
	}
	return file, string(sum), ""
}

// billReader reads a bill and compares its hash at the end.
type billReader struct {
	ctx  context.Context
	op   string
	body io.ReadCloser
	sum  hash.Hash
	want string
}

// Read returns io.EOF when the bill is complete and its hash is right. Trust the text only
// after Read returned io.EOF.
func (b *billReader) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.sum.Write(p[:n])
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		return n, &Error{Op: b.op, Message: "the bill is incomplete", Kind: Retry, Err: cause(b.ctx, err)}
	case string(b.sum.Sum(nil)) != b.want:
		return n, &Error{Op: b.op, Message: "the bill has another hash than WeChat named", Kind: Untrusted}
	}
	return n, io.EOF
}

func (b *billReader) Close() error { return b.body.Close() }
