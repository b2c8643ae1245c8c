package wechat

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

var billDay = time.Date(2026, 2, 27, 4, 0, 0, 0, time.UTC)

// billWorld answers with a link to a file, and with the file.
func billWorld(link object, file v3answer) func(*http.Request, []byte) v3answer {
	return func(r *http.Request, _ []byte) v3answer {
		if strings.HasPrefix(r.URL.Path, "/v3/bill/") {
			return v3answer{status: http.StatusOK, body: link.json()}
		}
		return file
	}
}

func linkTo(text string) object {
	sum := sha1.Sum([]byte(text))
	return object{"hash_type": "SHA1", "hash_value": hex.EncodeToString(sum[:]), "download_url": "https://api.wechatpay.cn/v3/billdownload/file?token=a%2Bb%3D"}
}

func TestBillsOfAPIv3(t *testing.T) {
	const text = "the text of a bill\r\n"
	for path, open := range map[string]func(Merchant) (io.ReadCloser, error){
		"tradebill?bill_date=2026-02-27&bill_type=ALL":         func(p Merchant) (io.ReadCloser, error) { return p.TradeBill(t.Context(), billDay) },
		"fundflowbill?bill_date=2026-02-27&account_type=BASIC": func(p Merchant) (io.ReadCloser, error) { return p.FundFlowBill(t.Context(), billDay) },
	} {
		_, p, w := newV3Client(t, billWorld(linkTo(text), v3answer{status: http.StatusOK, body: text, header: unsigned}))
		r, err := open(p)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(iotest.OneByteReader(r)); err != nil || string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if w.sent[0].url != "https://api.mch.weixin.qq.com/v3/bill/"+path || w.sent[1].url != "https://api.wechatpay.cn/v3/billdownload/file?token=a%2Bb%3D" {
			t.Errorf("sent to %s and %s", w.sent[0].url, w.sent[1].url)
		}
	}
}

func TestDownloadBillOfAPIv3(t *testing.T) {
	b, err := os.ReadFile("testdata/bill.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, p, _ := newV3Client(t, billWorld(linkTo(string(b)), v3answer{status: http.StatusOK, body: string(b), header: unsigned}))
	got, err := p.DownloadBill(t.Context(), billDay)
	if err != nil || len(got.Rows) == 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	c, _ := newClient(t, says(string(b)))
	want, err := c.DownloadBill(t.Context(), billDay)
	if err != nil || len(want.Rows) != len(got.Rows) || want.Total != got.Total || want.Fee != got.Fee {
		t.Errorf("APIv2 reads %+v, %v", want, err)
	}
	_, p, _ = newV3Client(t, answers(http.StatusBadRequest, `{"code":"NO_STATEMENT_EXIST","message":"账单文件不存在"}`))
	if got, err := p.DownloadBill(t.Context(), billDay); err != nil || len(got.Rows) != 0 {
		t.Errorf("a day without trades: %+v, %v", got, err)
	}
	_, err = p.TradeBill(t.Context(), billDay)
	wantError(t, err, Declined, CodeNoBill)
	_, p, _ = newV3Client(t, answers(http.StatusBadRequest, `{"code":"STATEMENT_CREATING","message":"x"}`))
	_, err = p.DownloadBill(t.Context(), billDay)
	wantError(t, err, Retry, "STATEMENT_CREATING")
	// Unsigned, it is not a day without trades.
	_, p, _ = newV3Client(t, says3(v3answer{status: http.StatusBadRequest, body: `{"code":"NO_STATEMENT_EXIST"}`, header: unsigned}))
	_, err = p.DownloadBill(t.Context(), billDay)
	wantError(t, err, Declined, "")
	_, p, _ = newV3Client(t, silent(t))
	_, err = p.FundFlowBill(t.Context(), testTime)
	wantError(t, err, Retry, "")
}

// A bill whose hash differs is rejected, even if all of it was read.
func TestBillsWithAnotherHash(t *testing.T) {
	const text = "the text of a bill"
	for name, file := range map[string]string{"changed": "The text of a bill", "cut": text[:5], "longer": text + "\n", "nothing": "", "a page": "<html>"} {
		_, p, _ := newV3Client(t, billWorld(linkTo(text), v3answer{status: http.StatusOK, body: file, header: unsigned}))
		r, err := p.TradeBill(t.Context(), billDay)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = io.ReadAll(r)
		wantError(t, err, Untrusted, "")
		_, err = p.DownloadBill(t.Context(), billDay)
		wantError(t, err, Untrusted, "")
	}
	long := strings.Repeat("x", maxBill+1)
	_, p, _ := newV3Client(t, billWorld(linkTo(long), v3answer{status: http.StatusOK, body: long, header: unsigned}))
	_, err := p.DownloadBill(t.Context(), billDay)
	wantError(t, err, Untrusted, "")
}

func TestBadBillLinks(t *testing.T) {
	for name, link := range map[string]object{
		"no hash":         linkTo("x").with("hash_value", "-"),
		"short hash":      linkTo("x").with("hash_value", "abcd"),
		"another hash":    linkTo("x").with("hash_type", "MD5"),
		"hash of marks":   linkTo("x").with("hash_value", strings.Repeat("g", 40)),
		"no URL":          linkTo("x").with("download_url", "-"),
		"without TLS":     linkTo("x").with("download_url", "http://api.mch.weixin.qq.com/x"),
		"relative":        linkTo("x").with("download_url", "/v3/billdownload/file?token=x"),
		"of a file":       linkTo("x").with("download_url", "file:///etc/passwd"),
		"two slashes":     linkTo("x").with("download_url", "https://h//x"),
		"with a fragment": linkTo("x").with("download_url", "https://h/x#y"),
		"of a user":       linkTo("x").with("download_url", "https://u:p@h/x"),
		"two lines":       linkTo("x").with("download_url", "https://h/x\r\ny"),
		"long":            linkTo("x").with("download_url", "https://h/"+strings.Repeat("x", 2048)),
	} {
		_, p, w := newV3Client(t, billWorld(link, v3answer{status: http.StatusOK, body: "x"}))
		_, err := p.TradeBill(t.Context(), billDay)
		if err == nil || len(w.sent) != 1 {
			t.Fatalf("%s: %v, sent %d times", name, err, len(w.sent))
		}
		wantError(t, err, Untrusted, "")
	}
}

func TestBillFilesThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		file v3answer
		kind Kind
		code string
	}{
		"expired":   {v3answer{status: 400, body: `{"code":"INVALID_REQUEST","message":"x"}`}, Developer, "INVALID_REQUEST"},
		"unsigned":  {v3answer{status: 401, body: `{"code":"SIGN_ERROR"}`, header: unsigned}, Operator, ""},
		"gateway":   {v3answer{status: 502, body: "<html>", header: unsigned}, Retry, ""},
		"nothing":   {v3answer{status: 204}, Untrusted, ""},
		"lost":      {v3answer{err: errors.New("reset")}, Retry, ""},
		"wait":      {v3answer{status: 202}, Retry, ""},
		"elsewhere": {v3answer{status: 302, header: map[string]string{"Location": "https://evil.example/", signatureH: "-"}}, Operator, ""},
	} {
		_, p, _ := newV3Client(t, billWorld(linkTo("x"), tt.file))
		_, err := p.TradeBill(t.Context(), billDay)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		wantError(t, err, tt.kind, tt.code)
	}
	r := &billReader{ctx: t.Context(), op: "v3 tradebill", body: io.NopCloser(iotest.ErrReader(errors.New("https://secret"))), sum: sha1.New()}
	_, err := io.ReadAll(r)
	wantError(t, err, Retry, "")
}
